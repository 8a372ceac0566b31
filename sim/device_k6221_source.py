"""Keithley 6221 as a dc source, and who of its modes has the output."""

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from onnes.sim.device import InstrumentSettings
from onnes.sim.scpi import Param, command, query
from onnes.sim.scpi_device import ScpiDevice
from onnes.sim.scpi_kinds import Boolean, Choice, Number, ScpiError
from onnes.sim.tones import Tone

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

LARGEST_A = 0.105
_RANGES_A = (2e-9, 2e-8, 2e-7, 2e-6, 2e-5, 2e-4, 2e-3, 2e-2, 1e-1)  # (k)
_OVER_RANGE = 1.05  # a range sources 5 % beyond its name, hence 105 mA (k)
_IN_COMPLIANCE = 8  # bit 3 of the measurement register (k)
_DRIVING = frozenset({"level_a", "output", "compliance_v"})  # what reaches the wiring
_MOST_A = tuple(full * _OVER_RANGE for full in _RANGES_A)


def _range_of(amps: float) -> float:
    return _RANGES_A[min(bisect_left(_MOST_A, abs(amps)), len(_RANGES_A) - 1)]


class K6221Source(ScpiDevice):
    """The source on the port ``<name>.out``.

    ``armed`` names the mode that has the output: ``wave``, ``delta``, ``differential``; empty for dc. Its
    settings, whose Params begin with that word, and the dc level are locked meanwhile.
    """

    output = Param("OUTPut[:STATe]", Boolean(), False)
    low_to_earth = Param("OUTPut:LTEarth", Boolean(), False)
    inner_shield = Param("OUTPut:ISHield", Choice("OLOW", "GUARd"), "OLOW")
    auto_range = Param("[SOURce[1]]:CURRent:RANGe:AUTO", Boolean(), True)
    level_a = Param("[SOURce[1]]:CURRent[:LEVel][:IMMediate][:AMPLitude]", Number(-LARGEST_A, LARGEST_A), 0.0)
    compliance_v = Param("[SOURce[1]]:CURRent:COMPliance", Number(0.1, 105.0), 10.0)
    filter_on = Param("[SOURce[1]]:CURRent:FILTer[:STATe]", Boolean(), False)
    delay_s = Param("[SOURce[1]]:DELay", Number(1e-3, 999999.999), 1.0)

    def __init__(self, name: str, lab: "VirtualLab", settings: InstrumentSettings) -> None:
        super().__init__(name, lab, settings)
        self.port = f"{name}.out"
        self.armed = ""
        self._range_a = _RANGES_A[0]

    # --- dc -------------------------------------------------------------------------------------------

    def assign(self, name: str, value: Any, t: float) -> None:
        """Set a Param; a level that the fixed range cannot source is a settings conflict."""
        if self.armed and name.startswith((f"{self.armed}_", "level_a", "auto_range")):
            raise ScpiError(-221)
        if name == "level_a":
            if self.auto_range:
                self._range_a = _range_of(value)
            elif abs(value) > self._range_a * _OVER_RANGE:
                raise ScpiError(-221)
        elif name == "auto_range" and value:
            self._range_a = _range_of(self.level_a)
        elif name == "output" and not value:
            self.disarm(t)
        super().assign(name, value, t)
        if name in _DRIVING:
            self.drive(t)

    def reset(self, t: float) -> None:
        """Return to the state of ``*RST``."""
        self.disarm(t)
        super().reset(t)

    @command("[SOURce[1]]:CURRent:RANGe", Number(-LARGEST_A, LARGEST_A))
    def set_range(self, t: float, amps: float) -> None:
        """Fix the lowest range that holds ``amps``."""
        wanted = _range_of(amps)
        if abs(self.level_a) > wanted * _OVER_RANGE:
            raise ScpiError(-221)
        self.assign("auto_range", False, t)
        self._range_a = wanted

    @query("[SOURce[1]]:CURRent:RANGe")
    def get_range(self, t: float) -> str:
        """Return the present range, A."""
        del t
        return f"{self._range_a:+.6E}"

    @command("[SOURce[1]]:CLEar[:IMMediate]")
    def clear_output(self, t: float) -> None:
        """Set 0 A and switch the output off."""
        self.disarm(t)
        self.assign("level_a", 0.0, t)
        self.assign("output", False, t)

    def condition(self, register: str, t: float) -> int:
        """Return bit 3 of the measurement register while the source is in compliance."""
        limited = register == "measurement" and self.lab.wiring.in_compliance(self.port, t)
        return _IN_COMPLIANCE if limited else 0

    # --- who has the output ---------------------------------------------------------------------------

    def flowing(self) -> tuple[float, Tone | None]:
        """Return the direct current in A and the alternating one that the output is to drive."""
        return self.level_a, None

    def drive(self, t: float) -> None:
        """Send to the wiring what flows from ``t`` on, and look whether it is in compliance."""
        self.watch("measurement", t)  # what became of the current before
        self.put_out(t)
        self.watch("measurement", t)

    def put_out(self, t: float) -> None:
        """Send to the wiring what flows from ``t`` on."""
        amps, tone = self.flowing() if self.output else (0.0, None)
        self.lab.wiring.set_source(self.port, t, amps, self.compliance_v, tone)

    def arm(self, mode: str, largest_a: float, t: float, *, fixes_range: bool) -> None:
        """Give the output to ``mode``; what was armed before is not any more.

        Raises:
            ScpiError: -221 if the source, or the range that stays fixed, cannot drive ``largest_a``.
        """
        full = self._range_a if fixes_range else _range_of(largest_a)
        if largest_a > full * _OVER_RANGE:
            raise ScpiError(-221)
        self.disarm(t)
        self._range_a = full
        self.armed = mode

    def disarm(self, t: float) -> None:
        """End the mode that is armed; the dc level flows again."""
        if self.armed:
            self.armed = ""
            self.drive(t)
