"""Keithley 6221 current source, strict."""

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import ClassVar

from pymeasure.adapters import Adapter
from pymeasure.instruments import Instrument
from pymeasure.instruments.keithley import Keithley6221 as PyMeasureKeithley6221
from pymeasure.instruments.validators import strict_discrete_set, strict_range

from onnes.instruments.clock import Clock
from onnes.instruments.errors import CommunicationError, OnnesError
from onnes.instruments.limits import Limits
from onnes.instruments.strict import StrictInstrument, confirm

# 6220/6221 reference manual, specifications: full scales of 20 000 steps each, with 5 % over-range.
_RANGES_A = (2e-9, 20e-9, 200e-9, 2e-6, 20e-6, 200e-6, 2e-3, 20e-3, 100e-3)
_STEPS = 20_000
_OVER_RANGE = 1.05

# 6220/6221 reference manual, figure 11-6: bit 3 of the measurement condition and event registers.
_IN_COMPLIANCE = 1 << 3
# The event register latches what begins, until it is read; what began before and lasts is in the other one.
_COMPLIANCE = "STAT:MEAS:EVEN?;COND?"
# After a power cycle the output is off, and so is all else that was set; one message asks for both.
_COMPLIANCE_AND_OUTPUT = f"{_COMPLIANCE};:OUTP?"

_RAMP_STEP_S = 0.02

# PyMeasure's driver (seen), from the manual's table of wave commands.
_LEAST_PEAK_A = 2e-12


def resolution(amps: float) -> float:
    """Return the step in which the current around ``amps`` can be set, A.

    >>> resolution(1.5e-3)
    1e-07
    """
    size = abs(amps)
    return next((full for full in _RANGES_A if size <= _OVER_RANGE * full), _RANGES_A[-1]) / _STEPS


class Keithley6221(StrictInstrument, PyMeasureKeithley6221):
    """Keithley 6221 AC and DC current source; nothing is clipped, every setpoint is read back."""

    units: ClassVar[Mapping[str, str]] = {
        "source_compliance": "V",
        "source_delay": "s",
        "delta_high_source": "A",
        "delta_low_source": "A",
        "conductance_start": "A",
        "conductance_stop": "A",
        "conductance_step": "A",
        "conductance_delta": "A",
        "conductance_delay": "s",
        "waveform_frequency": "Hz",
        "waveform_amplitude": "A",
        "waveform_offset": "A",
        "waveform_dutycycle": "%",
        "waveform_duration_time": "s",
    }
    resolutions: ClassVar[Mapping[str, float]] = {"source_compliance": 0.01}  # specifications: 10 mV
    source_enabled: bool

    conductance_start = Instrument.control(
        ":SOUR:DCON:STAR?",
        ":SOUR:DCON:STAR %g",
        """Control the first current of the staircase of differential conductance, A.""",
        validator=strict_range,
        values=(-0.105, 0.105),
    )
    conductance_stop = Instrument.control(
        ":SOUR:DCON:STOP?",
        ":SOUR:DCON:STOP %g",
        """Control the last current of the staircase, A.""",
        validator=strict_range,
        values=(-0.105, 0.105),
    )
    conductance_step = Instrument.control(
        ":SOUR:DCON:STEP?",
        ":SOUR:DCON:STEP %g",
        """Control the step of the staircase, A; its direction is that of start and stop.""",
        validator=strict_range,
        values=(1e-13, 0.105),
    )
    conductance_delta = Instrument.control(
        ":SOUR:DCON:DELT?",
        ":SOUR:DCON:DELT %g",
        """Control what is added to the staircase and taken away in turns, A.""",
        validator=strict_range,
        values=(0.0, 0.105),
    )
    conductance_delay = Instrument.control(
        ":SOUR:DCON:DEL?",
        ":SOUR:DCON:DEL %g",
        """Control the time from the change of the current to the conversion, s.""",
        validator=strict_range,
        values=(1e-3, 9999.999),
    )
    conductance_compliance_abort_enabled = Instrument.control(
        ":SOUR:DCON:CAB?",
        ":SOUR:DCON:CAB %d",
        """Control whether the compliance ends differential conductance (bool).""",
        validator=strict_discrete_set,
        values={True: 1, False: 0},
        map_values=True,
    )
    current_limits: ClassVar[Limits] = Limits(-0.105, 0.105, "A", "the Keithley 6221")
    wave_frequency_limits: ClassVar[Limits] = Limits(1e-3, 1e5, "Hz", "the Keithley 6221")

    def __init__(
        self,
        adapter: Adapter | str,
        name: str = "Keithley 6221",
        clock: Clock | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(adapter, name, clock, **kwargs)

    def connect(self) -> str:
        """Clear the line and return the identification; nothing is set.

        Raises:
            CommunicationError: if another instrument answers.
        """
        self.link.clear()
        return identify(self, "6221")

    def answer(self) -> None:
        """Ask who it is; raise CommunicationError if it does not answer, or another instrument does."""
        identify(self, "6221")

    def set_current(self, amps: float) -> float:
        """Set the current and return it as read back, both in one message.

        Where the message was lost on the way, as the read-back tells, it is sent once more.

        Raises:
            LimitError: if ``amps`` is not within +-0.105 A; nothing was sent.
            InstrumentFault: if another current is read back.
            CommunicationError: if nothing usable is read back, or another current after the connection was
                opened anew: the source may have been without power, and is not sent a current again.
        """
        if not -0.105 <= amps <= 0.105:  # also NaN; the text is made only for a refusal
            self.current_limits.check("source current", amps)
        link = self.link
        failures, reopened = link.failures, link.reopened
        message = "SOUR:CURR %.9g;CURR?" % amps  # noqa: UP031 - the fastest
        got = link.query(message, float, "SOUR:CURR?")
        if got == amps or abs(got - amps) <= resolution(amps):
            return got
        link.clear()  # a reply left over from before may have come first
        got = self.source_current
        if abs(got - amps) <= resolution(amps):
            return got
        if link.reopened != reopened:
            raise CommunicationError(
                f"{self.name} reads back {got:.9g} A instead of {amps:.9g} A after its connection was opened "
                "anew; nothing was sent again, as it may have lost its setup; set it up again"
            )
        if link.failures != failures:
            link.note_resent(message, f"reads back {got:.9g} A after a failed exchange")
            got = link.query(message, float, "SOUR:CURR?")
        confirm("source current", amps, got, resolution(amps), self.name)
        return got

    @property
    def source_current(self) -> float:
        """Control the current, A."""
        return self.link.query("SOUR:CURR?", float)

    @source_current.setter
    def source_current(self, amps: float) -> None:
        self.set_current(amps)

    @property
    def source_range(self) -> float:
        """Control the full scale, A; set, it fixes the smallest range that holds the current."""
        return self.link.query("SOUR:CURR:RANG?", float)

    @source_range.setter
    def source_range(self, amps: float) -> None:
        self.current_limits.check("source range", amps)
        self.link.write(f"SOUR:CURR:RANG:AUTO 0;:SOUR:CURR:RANG {abs(amps):.9g}")
        if not self.source_range * _OVER_RANGE >= abs(amps):
            confirm("source range", amps, self.source_range, 0.0, self.name)

    def watch_compliance(self) -> bool:
        """Say whether the compliance voltage limits the current now, and forget whether it did before."""
        return bool(self.link.query(_COMPLIANCE, _present, "STAT:MEAS:COND?") & _IN_COMPLIANCE)

    def was_in_compliance(self) -> bool:
        """Say whether the compliance voltage limited the current since :meth:`watch_compliance`, or does now.

        Raises:
            CommunicationError: if the reply is spoilt, as what was latched is lost then, or if the output is
                off: the source was without power since, and what it was set to is lost.
        """
        registers, is_on = self.link.query(_COMPLIANCE_AND_OUTPUT, _either_and_output)
        if not is_on:
            raise CommunicationError(
                f"{self.name} has its output off, though it was switched on; it may have been without power: "
                "look at its power and interlock, and set it up again"
            )
        return bool(registers & _IN_COMPLIANCE)

    def ramp_to(self, amps: float, rate_a_per_s: float) -> float:
        """Go to ``amps`` in steps at ``rate_a_per_s`` and return the current as read back, A."""
        self.current_limits.check("source current", amps)
        start = self.source_current
        steps = math.ceil(abs(amps - start) / (rate_a_per_s * _RAMP_STEP_S))
        for step in range(1, steps):
            self.set_current(start + (amps - start) * step / steps)
            self.link.clock.sleep(_RAMP_STEP_S)
        return self.set_current(amps)

    def start_wave(self, hz: float, peak_a: float, offset_a: float = 0.0) -> None:
        """Put out a sine of ``peak_a`` (amplitude, not rms) around ``offset_a``, A, until :meth:`stop_wave`.

        Compliance and range are those set before: the range stays fixed, so that no wave switches it. The
        phase marker is on, at the positive zero crossing of the sine, for the reference of a lock-in.

        Raises:
            LimitError: if the frequency, or a peak of the current, is out of range; nothing was sent.
            InstrumentFault: if the wave does not start as told.
        """
        self.wave_frequency_limits.check("frequency of the wave", hz)
        self._check_peaks(peak_a, offset_a)
        self.waveform_abort()
        self.waveform_function = "sine"
        self.waveform_frequency = hz
        self.waveform_ranging = "fixed"
        self.waveform_duration_set_infinity()
        self.waveform_phasemarker_phase = 0
        self.waveform_use_phasemarker = True
        self._run_wave(peak_a, offset_a)

    def set_wave(self, peak_a: float, offset_a: float) -> None:
        """Change amplitude and offset of a wave, A; its frequency stays.

        The settings are locked while a wave is armed, so the output restarts: for a few milliseconds the
        current is the direct one that was set, 0 A after :meth:`safe_state`. A lock-in settles anew then.

        Raises:
            LimitError: if a peak of the current is out of range; nothing was sent.
            InstrumentFault: if the wave does not start as told.
        """
        self._check_peaks(peak_a, offset_a)
        self.waveform_abort()
        self._run_wave(peak_a, offset_a)

    def stop_wave(self) -> None:
        """End the wave; what is left is the direct current, which is not changed."""
        self.waveform_abort()

    def _check_peaks(self, peak_a: float, offset_a: float) -> None:
        limits = self.current_limits
        Limits(_LEAST_PEAK_A, limits.high, "A", limits.set_by).check("amplitude of the wave", peak_a)
        limits.check("offset of the wave", offset_a)
        limits.check("peak of the current", abs(offset_a) + peak_a)

    def _run_wave(self, peak_a: float, offset_a: float) -> None:
        self.waveform_amplitude = peak_a
        self.waveform_offset = offset_a
        self.waveform_arm()
        confirm("wave armed", 1, self.link.query("SOUR:WAVE:ARM?", int), 0.0, self.name)
        self.waveform_start()
        # Starting a wave switches the output on (k); that the wave runs shows in nothing else.
        confirm("source_enabled", True, self.source_enabled, 0.0, self.name)

    def safe_state(self, rate_a_per_s: float | None = None) -> str:
        """Ramp to 0, then switch the output off; return what was read back.

        Without a rate the ramp takes one second. Sweeps and waves are aborted first: they own the level. A
        source that cannot be ramped, as its replies are spoilt, is set to 0 and switched off all the same.

        Raises:
            CommunicationError: if that cannot be sent or read back.
            InstrumentFault: if the source does not do as told.
        """
        unramped = ""
        try:
            self._ramp_down(rate_a_per_s)
        except OnnesError as error:
            unramped = f", but not ramped: {error}"
        finally:
            self._cut_off()
        try:
            confirm("source_enabled", False, self.source_enabled, 0.0, self.name)
            confirm("source current", 0.0, self.source_current, resolution(0.0), self.name)
        except CommunicationError as error:
            raise CommunicationError(
                f"{self.name} was told 0 A and output off, which cannot be read back: {error}"
            ) from error
        return f"0 A, output off{unramped}"

    def _ramp_down(self, rate_a_per_s: float | None) -> None:
        self.link.write("SOUR:SWE:ABOR")
        self.link.write("SOUR:WAVE:ABOR")
        amps = self.source_current
        if self.source_enabled:
            self.ramp_to(0.0, rate_a_per_s or max(abs(amps), resolution(amps)))

    def _cut_off(self) -> None:
        """Set 0 A and switch off without asking anything; whether it worked is for the read-back to say."""
        for message in ("SOUR:CURR 0", "OUTPut 0"):
            with suppress(CommunicationError):
                self.link.write(message)


def identify(instrument: StrictInstrument, model: str) -> str:
    """Return the reply to ``*IDN?``.

    Raises:
        CommunicationError: if it does not name ``model``.
    """
    identity = instrument.link.query("*IDN?", str)
    if model not in identity:
        raise CommunicationError(
            f"{instrument.name}: expected a {model}, but {identity!r} answers; "
            "correct its resource in the station file"
        )
    return identity


def _either_and_output(reply: str) -> tuple[int, bool]:
    """Return the bits that are set in either of two registers, and whether the output is on."""
    latched, present, output = reply.split(";")
    return int(latched) | int(present), bool(int(output))


def _present(reply: str) -> int:
    return int(reply.rpartition(";")[2])
