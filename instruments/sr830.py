"""Stanford Research SR830 lock-in amplifier, strict."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from pymeasure.instruments import Instrument, srs
from pymeasure.instruments.srs.sr830 import LIAStatus
from pymeasure.instruments.validators import strict_discrete_set

from onnes.instruments.errors import LimitError
from onnes.instruments.limits import Limits
from onnes.instruments.stanford_lock_in import StanfordLockIn

_OFFSET_PERCENT = Limits(-105.0, 105.0, "%", "the SR830")


class SR830(StanfordLockIn, srs.SR830):
    """Stanford Research SR830; nothing is clipped, every setpoint is read back, every status kept.

    Its sine output is never off: 4 mV rms is the least. The amplitude comes in steps of 2 mV; which one it
    is, :attr:`sine_voltage` tells.
    """

    model_name: ClassVar[str] = "SR830"
    units: ClassVar[Mapping[str, str]] = {
        "sine_voltage": "V",
        "sensitivity": "V",
        "time_constant": "s",
        "filter_slope": "dB",
        "sample_frequency": "Hz",
        **{f"{name}_{n}": "V" for name in ("aux_out",) for n in range(1, 5)},
        **{f"dac{n}": "V" for n in range(1, 5)},
    }
    # manual: amplitude, auxiliary outputs and phase are rounded to 2 mV, 1 mV and 0.01 degrees
    resolutions: ClassVar[Mapping[str, float]] = {
        "sine_voltage": 1.001e-3,
        "phase": 0.01,
        **{f"aux_out_{n}": 1e-3 for n in range(1, 5)},
        **{f"dac{n}": 1e-3 for n in range(1, 5)},
    }
    frequency_limits: ClassVar[Limits] = Limits(1e-3, 102e3, "Hz", "the SR830")
    sine_limits: ClassVar[Limits] = Limits(4e-3, 5.0, "V", "the SR830")
    sine_step_v: ClassVar[float] = 2e-3
    phase_limits: ClassVar[Limits] = Limits(-360.0, 729.99, "deg", "the SR830")
    harmonics: ClassVar[range] = range(1, 20_000)
    digits: ClassVar[int] = 5
    _snap: ClassVar[str] = "SNAP? 1,2"
    _references: ClassVar[dict[str, str]] = {"internal": "Internal", "external": "External"}
    # manual, LIA status byte: input or reserve, filter, output; unlock; frequency range and time constant
    _overload: ClassVar[int] = 1 << 0 | 1 << 1 | 1 << 2
    _unlock: ClassVar[int] = 1 << 3
    _filter_changed: ClassVar[int] = 1 << 4 | 1 << 5

    harmonic = Instrument.control(
        "HARM?",
        "HARM %d",
        """Control the harmonic that is detected (integer from 1 to 19999).""",
        validator=strict_discrete_set,
        values=harmonics,
        cast=int,
    )
    reserve = Instrument.control(
        "RMOD?",
        "RMOD %d",
        """Control the dynamic reserve (``High Reserve``, ``Normal``, ``Low Noise``).""",
        validator=strict_discrete_set,
        values=srs.SR830.RESERVE_VALUES,
        map_values=True,
    )
    sample_frequency = Instrument.control(
        "SRAT?",
        "SRAT %d",
        """Control the sampling rate of the buffer, Hz; None samples at each trigger.""",
        validator=strict_discrete_set,
        values=[*srs.SR830.SAMPLE_FREQUENCIES, None],
        map_values=True,
    )
    # The reply names the quantity and what it is divided by; PyMeasure expects the first alone.
    channel1 = Instrument.control(
        "DDEF? 1",
        "DDEF 1,%d,0",
        """Control what channel 1 shows and records (``X`` and four others).""",
        validator=strict_discrete_set,
        values=["X", "R", "X Noise", "Aux In 1", "Aux In 2"],
        map_values=True,
        preprocess_reply=lambda reply: reply.partition(",")[0],
    )
    channel2 = Instrument.control(
        "DDEF? 2",
        "DDEF 2,%d,0",
        """Control what channel 2 shows and records (``Y`` and four others).""",
        validator=strict_discrete_set,
        values=["Y", "Theta", "Y Noise", "Aux In 3", "Aux In 4"],
        map_values=True,
        preprocess_reply=lambda reply: reply.partition(",")[0],
    )

    @property
    def lia_status(self) -> LIAStatus:
        """Return the status so far without taking it from the next reading."""
        self._latch()
        return LIAStatus(self._latched)

    def is_out_of_range(self) -> bool:
        """Say whether the output overloaded since the reading before; it counts for the next one, too."""
        return bool(self.lia_status & LIAStatus.OUTPUT_OVERLOAD)

    def clear(self) -> None:
        """Clear the status registers; what had latched counts for the next reading all the same."""
        self._latch()
        self.write("*CLS")

    def set_scaling(self, channel: str, percent: float, expand: int = 1) -> None:
        """Set the offset of ``X``, ``Y`` or ``R``, % of full scale, and the factor it is expanded by.

        Raises:
            LimitError: if any is not allowed; nothing was sent.
        """
        if channel not in self.CHANNELS or expand not in self.EXPANSION_VALUES:
            raise LimitError(
                f"offset of {channel!r} expanded by {expand!r} is not allowed by the {self.name}; expected "
                f"one of {self.CHANNELS} and of {self.EXPANSION_VALUES}; nothing was sent"
            )
        _OFFSET_PERCENT.check("offset", percent)
        number, factor = self.CHANNELS.index(channel) + 1, self.EXPANSION_VALUES.index(expand)
        self.write(f"OEXP {number},{percent:.9g},{factor}")

    def _take_offsets_away(self) -> None:
        for channel in ("X", "Y"):
            self.set_scaling(channel, 0.0)

    # --- buffer

    @property
    def buffer_count(self) -> int:
        """Return how many points a channel has recorded."""
        return self.link.query("SPTS?", int)

    def start_buffer(self, fast: bool = False) -> None:
        """Record x and y at :attr:`sample_frequency` from now on, until it is full at 16383 points (manual).

        Raises:
            ValueError: if ``fast``: the instrument would push its points between the replies to questions.
        """
        if fast:
            raise ValueError("fast = True makes the SR830 push points between its replies; nothing was sent")
        self.channel1, self.channel2 = "X", "Y"
        for message in ("FAST 0", "REST", "SEND 0", "STRT"):
            self.write(message)

    def get_buffer(self, channel: int = 1, start: int = 0, end: int | None = None) -> npt.NDArray[np.float64]:
        """Return the points ``start`` to before ``end`` (default: all so far) of a channel, V.

        Raises:
            LimitError: if there are no such points.
            CommunicationError: if fewer bytes came than they have.
        """
        recorded = self.buffer_count
        end = recorded if end is None else end
        if channel not in (1, 2) or not 0 <= start < end <= recorded:
            raise LimitError(
                f"points {start} to {end} of channel {channel} are not among the {recorded} that the "
                f"{self.name} has recorded on channels 1 and 2; nothing was read"
            )
        return self.read_floats(f"TRCB? {channel},{start},{end - start}", end - start)

    # --- what PyMeasure does with sleeps, pushed points and endless loops

    def quick_range(self) -> None:
        """Refuse: it never ends when the largest range overloads; use :meth:`fit_range`."""
        raise ValueError("quick_range never ends when the largest range overloads; use fit_range")

    def fill_buffer(self, *_: object, **__: object) -> None:
        """Refuse: use :meth:`start_buffer` and :meth:`get_buffer`."""
        raise ValueError("fill_buffer waits without an end; use start_buffer and get_buffer")

    buffer_measure = wait_for_buffer = fill_buffer

    def reset(self) -> None:
        """Refuse: a reset sets the sine output to 1 V rms, whatever is connected to it."""
        raise ValueError("a reset sets the sine output of an SR830 to 1 V rms; nothing was sent")
