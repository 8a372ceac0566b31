"""A 6221 that triggers the 2182A on its serial line and reads it, for delta and differential conductance."""

from dataclasses import dataclass
from typing import Literal

from onnes.instruments.errors import CommunicationError, InstrumentFault
from onnes.instruments.keithley2182a import OVERFLOW_V
from onnes.instruments.keithley6221 import Keithley6221
from onnes.instruments.relay import RelayedKeithley2182A
from onnes.instruments.reversal import SETTLE_S
from onnes.instruments.sourced import Sourced

Mode = Literal["DELT", "DCON"]

# Three A/D values in a row make a reading, so that readings whose numbers differ by this share none.
APART = 3

# In this order the 6221 sends them, whatever the order of the request (6221 reference manual).
_ELEMENTS = "READ,TST,RNUM,SOUR,COMP,AVOL"
_FIELDS = 6

# Arming sets the 2182A up and takes its zero: about 3 s at 5 line cycles, and at one a fraction of that.
_ARMS_WITHIN_S = 15.0
_ARM_POLL_S = 0.2
SILENT_S = 5.0  # beyond what the readings take; then the trigger link or the meter is gone (a)


@dataclass(frozen=True, slots=True)
class Triggered:
    """One reading of three A/D values: the part that alternates, V, and the mean without it, ``average``, V.

    ``time`` is on the scale of the 6221, s; ``current`` that of the staircase, A. A voltage beyond the range
    of the meter is 9.9e37.
    """

    volts: float
    time: float
    number: int
    current: float
    is_limited: bool
    average: float

    @property
    def overflows(self) -> bool:
        """Say whether the range of the meter did not hold a voltage of it."""
        return abs(self.volts) >= OVERFLOW_V


class TriggeredMeter(Sourced):
    """What delta and differential conductance have in common.

    Set up, the 2182A belongs to the 6221 until :meth:`stop`: nothing else is sent to it, and what it may have
    lost shows in that readings no longer come.

    Args:
        ramp_a_per_s: how fast a direct current goes up and down before the source is armed.
        abort_ramp_a_per_s: the same on an abort; None: within one second.
    """

    source: Keithley6221

    def __init__(
        self,
        source: Keithley6221,
        meter: RelayedKeithley2182A,
        *,
        compliance_v: float,
        ramp_a_per_s: float,
        abort_ramp_a_per_s: float | None = None,
    ) -> None:
        super().__init__(
            source,
            [],  # while the source has the meter for itself, nobody asks it for errors
            compliance_v=compliance_v,
            ramp_a_per_s=ramp_a_per_s,
            abort_ramp_a_per_s=abort_ramp_a_per_s,
        )
        self.meter = meter
        self._period_s = 0.0

    def _prepare_both(self, largest_a: float, line_cycles: float) -> None:
        """Set up the source at 0 A and off, and the meter over the serial line, autoranging."""
        self._prepare(largest_a)  # which gives the meter free, too
        self.meter.prepare_for_reversal(line_cycles)
        # Armed, the front autozero is off: one conversion is one integration.
        self._period_s = SETTLE_S + line_cycles / float(self.meter.line_frequency)

    def _volts_at(self, amps: float) -> float:
        """Return the voltage at a direct current, V, read over the serial line."""
        self.source.ramp_to(amps, self.ramp_a_per_s)
        self._clock.sleep(SETTLE_S)
        return self.meter.read_voltage()

    def _arm(self, mode: Mode) -> None:
        """Let the source take the meter over, and wait until it has.

        Raises:
            CommunicationError: if the source does not hear a 2182A.
            InstrumentFault: if it reports an error, or is not armed in time.
        """
        source, clock = self.source, self._clock
        source.delta_unit = "V"
        source.link.write(f"FORM:ELEM {_ELEMENTS}")
        source.check_errors()
        if not source.link.query(f"SOUR:{mode}:NVPR?", int):
            raise CommunicationError(
                f"{source.name} does not hear {self.meter.name} on its serial line; look at the cable, and "
                "at the baud rate of both"
            )
        source.link.write(f"SOUR:{mode}:ARM")
        deadline = clock.now() + _ARMS_WITHIN_S
        while not source.link.query(f"SOUR:{mode}:ARM?", int):
            source.check_errors()
            if clock.now() > deadline:
                raise InstrumentFault(
                    f"{source.name} is not armed after {_ARMS_WITHIN_S:g} s; look at {self.meter.name} and "
                    "at the serial cable"
                )
            clock.sleep(_ARM_POLL_S)

    def _wait_for_buffer(self, count: int) -> None:
        """Wait until the buffer of the source holds ``count`` readings.

        Raises:
            InstrumentFault: if that does not come in time.
        """
        deadline = self._clock.now() + (count + APART) * self._period_s + SILENT_S
        while self.source.link.query("TRAC:POIN:ACT?", int) < count:
            self._check_in_time(deadline)
            self._clock.sleep(APART * self._period_s)

    def _check_in_time(self, deadline: float) -> None:
        if self._clock.now() > deadline:
            raise InstrumentFault(
                f"{self.source.name} gets no new readings from {self.meter.name}; look at the trigger link "
                "and the serial cable between them, and at the power of the meter"
            )


def triggered(reply: str) -> list[Triggered]:
    """Return the readings of a reply.

    Raises:
        ValueError: if it is no whole number of readings.
    """
    parts = reply.split(",")
    if len(parts) % _FIELDS:
        raise ValueError(f"{reply!r} is no whole number of readings; expected {_ELEMENTS} of each")
    found = []
    for k in range(0, len(parts), _FIELDS):
        volts, time, number, current, limited, average = parts[k : k + _FIELDS]
        if limited not in ("T", "F"):
            raise ValueError(f"{reply!r} says {limited!r} of the compliance; expected T or F")
        found.append(
            Triggered(
                float(volts), float(time), int(float(number)), float(current), limited == "T", float(average)
            )
        )
    return found
