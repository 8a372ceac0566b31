"""Keithley 6221 current source: dc sourcing, and the settings of its wave and delta modes.

Facts from the manual's command tables and the ranges in PyMeasure's driver; what is marked (k) there or
here is general knowledge to be checked against the manual. Arming a wave, a sweep or delta is refused with
-221.
"""

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from onnes.sim.device import InstrumentSettings, Reply
from onnes.sim.scpi import Boolean, Choice, Integer, Number, Param, ScpiError, command, query
from onnes.sim.scpi_device import ScpiDevice

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

_RANGES_A = (2e-9, 2e-8, 2e-7, 2e-6, 2e-5, 2e-4, 2e-3, 2e-2, 1e-1)  # (k)
_OVER_RANGE = 1.05  # a range sources 5 % beyond its name, hence 105 mA (k)
_IN_COMPLIANCE = 8  # bit 3 of the measurement register (k)
_INFINITE = 9.9e37
_DRIVING = frozenset({"level_a", "output", "compliance_v"})  # what reaches the wiring


_MOST_A = tuple(full * _OVER_RANGE for full in _RANGES_A)


def _range_of(amps: float) -> float:
    return _RANGES_A[min(bisect_left(_MOST_A, abs(amps)), len(_RANGES_A) - 1)]


class K6221(ScpiDevice):
    """The source on the port ``<name>.out``."""

    model = "k6221"
    terminals = ("out", "phase_marker")
    identity = "KEITHLEY INSTRUMENTS INC.,MODEL 6221,SIM0001,A01"

    output = Param("OUTPut[:STATe]", Boolean(), False)
    low_to_earth = Param("OUTPut:LTEarth", Boolean(), False)
    inner_shield = Param("OUTPut:ISHield", Choice("OLOW", "GUARd"), "OLOW")
    auto_range = Param("[SOURce[1]]:CURRent:RANGe:AUTO", Boolean(), True)
    level_a = Param("[SOURce[1]]:CURRent[:LEVel][:IMMediate][:AMPLitude]", Number(-0.105, 0.105), 0.0)
    compliance_v = Param("[SOURce[1]]:CURRent:COMPliance", Number(0.1, 105.0), 10.0)
    filter_on = Param("[SOURce[1]]:CURRent:FILTer[:STATe]", Boolean(), False)
    delay_s = Param("[SOURce[1]]:DELay", Number(1e-3, 999999.999), 1.0)

    wave_function = Param(
        "[SOURce[1]]:WAVE:FUNCtion",
        Choice("SINusoid", "SQUare", "RAMP", *(f"ARBitrary{n}" for n in range(5))),
        "SIN",
    )
    wave_hz = Param("[SOURce[1]]:WAVE:FREQuency", Number(1e-3, 1e5), 1e3)
    wave_peak_a = Param("[SOURce[1]]:WAVE:AMPLitude", Number(2e-12, 0.105), 1e-3)
    wave_offset_a = Param("[SOURce[1]]:WAVE:OFFSet", Number(-0.105, 0.105), 0.0)
    wave_duty_percent = Param("[SOURce[1]]:WAVE:DCYCle", Number(0.0, 100.0), 50.0)
    wave_duration_s = Param(
        "[SOURce[1]]:WAVE:DURation:TIME", Number(100e-9, 999999.999, infinite=True), _INFINITE
    )
    wave_cycles = Param(
        "[SOURce[1]]:WAVE:DURation:CYCLes", Number(1e-3, 99999999900.0, infinite=True, digits=10), _INFINITE
    )
    wave_ranging = Param("[SOURce[1]]:WAVE:RANGing", Choice("BEST", "FIXed"), "BEST")
    phase_marker_deg = Param("[SOURce[1]]:WAVE:PMARk[:LEVel]", Number(-180.0, 180.0), 0.0)
    phase_marker_on = Param("[SOURce[1]]:WAVE:PMARk:STATe", Boolean(), False)
    phase_marker_line = Param("[SOURce[1]]:WAVE:PMARk:OLINe", Integer(1, 6), 3)

    delta_low_a = Param("[SOURce[1]]:DELTa:LOW", Number(-0.105, 0.0), -1e-5)
    delta_high_a = Param("[SOURce[1]]:DELTa:HIGH", Number(0.0, 0.105), 1e-5)
    delta_delay_s = Param("[SOURce[1]]:DELTa:DELay", Number(0.0, 9999.999, infinite=True), 2e-3)
    delta_count = Param("[SOURce[1]]:DELTa:COUNt", Integer(1, 65536, infinite=True), _INFINITE)
    delta_compliance_abort = Param("[SOURce[1]]:DELTa:CABort", Boolean(), False)
    delta_cold_switching = Param("[SOURce[1]]:DELTa:CSWitch", Boolean(), False)
    sweep_count = Param("[SOURce[1]]:SWEep:COUNt", Integer(1, 65536, infinite=True), 1)
    unit = Param("UNIT[:VOLTage[:DC]]", Choice("V", "OHMS", "W", "SIEMens"), "V")

    buffer_points = Param("TRACe:POINts", Integer(1, 1_000_000), 100)
    buffer_feed = Param("TRACe:FEED", Choice("SENSe[1]", "CALCulate[1]", "NONE"), "SENS")
    buffer_control = Param("TRACe:FEED:CONTrol", Choice("NEXT", "NEVer"), "NEV")
    data_format = Param("FORMat[:DATA]", Choice("ASCii"), "ASC")

    def __init__(self, name: str, lab: "VirtualLab", settings: InstrumentSettings) -> None:
        super().__init__(name, lab, settings)
        self._port = f"{name}.out"
        self._range_a = _RANGES_A[0]

    # --- the source -----------------------------------------------------------------------------------

    def assign(self, name: str, value: Any, t: float) -> None:
        """Set a Param; a level that the fixed range cannot source is a settings conflict."""
        if name == "level_a":
            if self.auto_range:
                self._range_a = _range_of(value)
            elif abs(value) > self._range_a * _OVER_RANGE:
                raise ScpiError(-221)
        elif name == "auto_range" and value:
            self._range_a = _range_of(self.level_a)
        elif name == "delta_high_a":
            vars(self)["delta_low_a"] = -value
        if name not in _DRIVING:
            vars(self)[name] = value
            return
        self.watch("measurement", t)  # what became of the level before
        vars(self)[name] = value
        amps = self.level_a if self.output else 0.0
        self.lab.wiring.set_source(self._port, t, amps, self.compliance_v)
        self.watch("measurement", t)

    @command("[SOURce[1]]:CURRent:RANGe", Number(-0.105, 0.105))
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
        self.assign("level_a", 0.0, t)
        self.assign("output", False, t)

    def condition(self, register: str, t: float) -> int:
        """Return bit 3 of the measurement register while the source is in compliance."""
        limited = register == "measurement" and self.lab.wiring.in_compliance(self._port, t)
        return _IN_COMPLIANCE if limited else 0

    # --- what needs an engine that is not here yet, and what ends it ------------------------------------

    @command("[SOURce[1]]:WAVE:ARM[:IMMediate]")
    @command("[SOURce[1]]:WAVE:INITiate")
    @command("[SOURce[1]]:DELTa:ARM")
    @command("[SOURce[1]]:SWEep:ARM")
    @command("INITiate[:IMMediate]")
    def refuse_arming(self, t: float) -> None:
        """Refuse: nothing can be armed, and what is not armed cannot be started."""
        del t
        raise ScpiError(-221)

    @command("[SOURce[1]]:WAVE:ABORt")
    @command("[SOURce[1]]:SWEep:ABORt")
    @command("ABORt")
    def abort(self, t: float) -> None:
        """End what runs; nothing does."""

    @query("[SOURce[1]]:WAVE:ARM")
    @query("[SOURce[1]]:DELTa:ARM")
    @query("[SOURce[1]]:DELTa:NVPResent")
    def no(self, t: float) -> str:
        """Say that nothing is armed and no nanovoltmeter is heard on the serial line."""
        del t
        return "0"

    @query("SENSe[1]:DATA[:LATest]")
    @query("SENSe[1]:DATA:FRESh")
    def no_reading(self, t: float) -> Reply:
        """Refuse: readings exist only while delta runs."""
        del t
        raise ScpiError(-221)

    @query("TRACe:DATA")
    def no_data(self, t: float) -> Reply:
        """Refuse: the buffer is empty."""
        del t
        raise ScpiError(-230)

    @command("TRACe:CLEar")
    def clear_buffer(self, t: float) -> None:
        """Empty the buffer, which is empty."""

    @command("[SOURce[1]]:WAVE:ARBitrary:DATA", Number(-1.0, 1.0), repeats=True)
    def take_wave(self, t: float, *points: float) -> None:
        """Take the points of an arbitrary wave, at most 100 in one message."""
        del t
        if len(points) > 100:
            raise ScpiError(-108)

    @command("[SOURce[1]]:WAVE:ARBitrary:COPY", Integer(1, 4))
    def keep_wave(self, t: float, location: int) -> None:
        """Keep the points in one of four places."""

    @command("SYSTem:BEEPer[:IMMediate]", Number(65.0, 2e6), Number(0.0, 7.9))
    def beep(self, t: float, hz: float, seconds: float) -> None:
        """Make no sound."""
