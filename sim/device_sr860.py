"""Stanford Research SR860: a lock-in of 1 mHz to 500 kHz with numbered and named arguments.

Facts from public drivers; (k) is general knowledge to be checked against the manual, (a) our assumption. Its
capture buffer and streaming are not here, and dual and chopped references act as the external one.
"""

from typing import Any, ClassVar, Final

from onnes.sim.lock_in import InputNoise
from onnes.sim.srs import ExecutionError, Real, Setting, Whole, Words, command, query
from onnes.sim.stanford_lock_in import OVER_SCALE, Angle, StanfordLockIn, degrees

SCALES_V: Final = tuple(k * 10.0**n for n in range(0, -10, -1) for k in (1.0, 0.5, 0.2))[:28]  # 1 V to 1 nV
_TAU_S: Final = tuple(k * 10.0**n for n in range(-6, 5) for k in (1, 3))  # 1 us to 30 ks
_INPUT_RANGES_V: Final = (1.0, 0.3, 0.1, 0.03, 0.01)  # peak
_LEVELS: Final = (0.1, 0.25, 0.5, 1.0)  # of the input range, at which the indicator rises (a)
_MOST_HZ: Final = 500e3
_EXTERNAL: Final = 1  # as a reference source
_SYNC_BELOW_HZ: Final = 200.0  # where the synchronous filter works (k)
# Bits of lock-in status and of the status of the moment (k): scales of channels 1 and 2, unlock, input range,
# frequency out of the range of the synchronous filter.
_SCALE_1, _SCALE_2, _UNLOCK, _INPUT, _SYNC = 1, 2, 8, 16, 32

_HZ: Final = Real(1e-3, _MOST_HZ)
_SWITCH: Final = Words("OFF", "ON")
_QUANTITY: Final = Words(
    *("X", "Y", "R", "THeta", "IN1", "IN2", "IN3", "IN4", "XNOise", "YNOise", "OUT1", "OUT2"),
    *("PHAse", "SAMp", "LEVel", "FInt", "FExt"),
)


class SR860(StanfordLockIn):
    """The lock-in on the ports ``<name>.A``, ``<name>.sine`` and ``<name>.ref``."""

    model = "sr860"
    identity = "Stanford_Research_Systems,SR860,SIM0001,v1.47"
    input_noise: ClassVar[InputNoise] = InputNoise(2.5e-9, 20.0)  # corner (a)
    time_constants_s: ClassVar[tuple[float, ...]] = _TAU_S

    # Defaults after *RST (k).
    phase_deg = Setting("PHAS", Angle(-360e3, 360e3, 6), 0.0)
    internal_hz = Setting("FREQINT", _HZ, 1e5)
    harmonic = Setting("HARM", Whole(1, 99), 1)
    dual_harmonic = Setting("HARMDUAL", Whole(1, 99), 1)
    sine_v = Setting("SLVL", Real(1e-9, 2.0), 1e-9)
    sine_level_v = Setting("SOFF", Real(-5.0, 5.0), 0.0)
    sine_mode = Setting("REFM", Words("COMmon", "DIFference"), 0)
    timebase = Setting("TBMODE", Words("AUTO", "INternal"), 0)
    reference_source = Setting("RSRC", Words("INTernal", "EXTernal", "DUAL", "CHOP"), 0)
    reference_trigger = Setting("RTRG", Words("SIN", "POSttl", "NEGttl", "3", "4"), 0)
    reference_input = Setting("REFZ", Words("50ohms", "1Meg"), 1)
    input_mode = Setting("IVMD", Words("VOLTage", "CURRent"), 0)
    voltage_mode = Setting("ISRC", Words("A", "A-B"), 0)
    coupling = Setting("ICPL", Words("AC", "DC"), 0)
    ground = Setting("IGND", Words("FLOat", "GROund"), 0)
    range_code = Setting("IRNG", Words("1Volt", "300Mvolt", "100Mvolt", "30Mvolt", "10Mvolt"), 0)
    current_gain = Setting("ICUR", Words("1MEG", "100MEG"), 0)
    scale_code = Setting("SCAL", Whole(0, len(SCALES_V) - 1), 0)
    tau_code = Setting("OFLT", Whole(0, len(_TAU_S) - 1), 10)
    slope_code = Setting("OFSL", Whole(0, 3), 0)
    sync = Setting("SYNC", _SWITCH, 0)
    advanced_filter = Setting("ADVFILT", _SWITCH, 0)
    aux_out_v = Setting("AUXV", Real(-10.5, 10.5, 3), 0.0, index=(0, 3))
    preset_hz = Setting("PSTF", _HZ, 1e3, index=(0, 3), keeps=True)
    preset_v = Setting("PSTA", Real(1e-9, 2.0), 0.1, index=(0, 3), keeps=True)
    preset_level_v = Setting("PSTL", Real(-5.0, 5.0), 0.0, index=(0, 3), keeps=True)
    trace = Setting("CDSP", Whole(0, 16), (0, 1, 2, 3), index=(0, 3))
    graph = Setting("CGRF", _SWITCH, 1, index=(0, 3))
    graph_speed = Setting("GSPD", Whole(0, 16), 0)
    is_lit = Setting("DBLK", _SWITCH, 1)
    layout = Setting("DLAY", Whole(0, 5), 0)

    # --- settings

    def is_external(self) -> bool:
        """Say whether it follows the reference input."""
        return bool(self.reference_source)

    def couples_dc(self) -> bool:
        """Say whether direct voltage reaches the input."""
        return bool(self.coupling)

    def full_scale_v(self, t: float) -> float:
        """Return the full scale of the outputs, V rms."""
        return self.front_end.span(SCALES_V[self.scale_code], t)

    def input_limit_v(self) -> float:
        """Return the largest voltage of the input before it overloads, V peak."""
        return _INPUT_RANGES_V[self.range_code]

    def sine_offset_v(self) -> float:
        """Return the direct voltage of the sine output, V."""
        return float(self.sine_level_v)

    def assign(self, attribute: str, value: Any, t: float) -> None:
        """Give a setting a new value; frequency and harmonic go together."""
        wanted = {"internal_hz": self.internal_hz, "harmonic": self.harmonic, attribute: value}
        if wanted["internal_hz"] * wanted["harmonic"] > _MOST_HZ:
            raise ExecutionError
        super().assign(attribute, value, t)

    @command("FREQ", _HZ)
    def set_frequency(self, t: float, hz: float) -> None:
        """Set the frequency of the oscillator."""
        self.assign("internal_hz", hz, t)

    @query("FREQ")
    def get_frequency(self, t: float) -> str:
        """Return the frequency of the reference, Hz."""
        return _number(self.demodulator.reference(t).hz)

    @query("FREQEXT")
    def get_external(self, t: float) -> str:
        """Return the frequency at the reference input, Hz."""
        given = self.lab.wiring.reference(f"{self.name}.ref")
        return _number(0.0 if given is None else given.at(t).hz)

    @query("FREQDET")
    def get_detected(self, t: float) -> str:
        """Return the detected frequency, Hz."""
        return _number(self.harmonic * self.demodulator.reference(t).hz)

    @query("TBSTAT")
    def get_timebase(self, t: float) -> str:
        """Return that its own time base runs."""
        del t
        return "1"

    @command("APHS")
    def phase_itself(self, t: float) -> None:
        """Turn the phase so that Y becomes 0."""
        turned = self.phase_deg + degrees(self.demodulated(t))
        self.assign("phase_deg", round((turned + 180.0) % 360.0 - 180.0, 6), t)

    @command("ARNG")
    def range_itself(self, t: float) -> None:
        """Choose the smallest input range that does not overload."""
        crest = self.demodulator.crest_v(t, dc=self.couples_dc())
        fitting = [code for code, volts in enumerate(_INPUT_RANGES_V) if crest <= volts]
        self.assign("range_code", max(fitting, default=0), t)

    @command("ASCL")
    def scale_itself(self, t: float) -> None:
        """Choose the smallest full scale that holds R."""
        size = abs(self.demodulated(t))
        fitting = [code for code, volts in enumerate(SCALES_V) if size <= volts]
        self.assign("scale_code", max(fitting, default=0), t)

    @command("DCAP")
    def keep_picture(self, t: float) -> None:
        """Keep a picture of the screen on a stick that is not there."""

    # --- readings

    def conditions(self, t: float) -> int:
        """Return the bits of ``LIAS`` that are true at ``t``."""
        output, most = self.demodulated(t), OVER_SCALE * self.full_scale_v(t)
        bits = _UNLOCK if self.demodulator.is_unlocked(t) else 0
        bits |= _INPUT if self.input_overloads(t) else 0
        bits |= _SCALE_1 if abs(output.real) > most else 0
        bits |= _SCALE_2 if abs(output.imag) > most else 0
        is_fast = self.harmonic * self.demodulator.reference(t).hz > _SYNC_BELOW_HZ
        return bits | (_SYNC if self.sync and is_fast else 0)

    @query("CUROVLDSTAT")
    def get_conditions(self, t: float) -> str:
        """Return what overloads or is unlocked now."""
        return str(self.conditions(t))

    @query("OUTP", _QUANTITY)
    def get_output(self, t: float, which: int) -> str:
        """Return one quantity in its unit: V, degrees or Hz."""
        return _number(self._values(t, (which,))[0])

    @query("SNAP", _QUANTITY, _QUANTITY, _QUANTITY, optional=1)
    def snap(self, t: float, *which: int) -> str:
        """Return two or three quantities of one instant."""
        return ",".join(_number(value) for value in self._values(t, which))

    @query("SNAPD")
    def snap_displays(self, t: float) -> str:
        """Return what the four displays show."""
        return ",".join(_number(value) for value in self._values(t, self.trace))

    def _values(self, t: float, which: tuple[int, ...]) -> list[float]:
        """Return quantities by their numbers; the readings are not cut at full scale (k)."""
        output = self.demodulated(t) if not self.input_mode else 0j
        values = [output.real, output.imag, abs(output), degrees(output), 0.0, 0.0, 0.0, 0.0]
        if max(which) < len(values):
            return [values[place] for place in which]
        noise = self.demodulator.noise_density(t)
        values += [noise, noise, *self.aux_out_v[:2], self.phase_deg, self.sine_v, self.sine_level_v]
        values += [self.internal_hz, self.demodulator.reference(t).hz if self.is_external() else 0.0]
        return [values[place] for place in which]

    @query("OAUX", Whole(0, 3))
    def get_aux(self, t: float, which: int) -> str:
        """Return an auxiliary input, V: nothing is wired to them."""
        del t, which
        return "0"

    @query("ENBW")
    def get_bandwidth(self, t: float) -> str:
        """Return the equivalent noise bandwidth, Hz."""
        del t
        return _number(self.demodulator.listening.bandwidth_hz)

    @query("ILVL")
    def get_level(self, t: float) -> str:
        """Return how full the input is, from 0 to 4, which is overload."""
        part = self.demodulator.crest_v(t, dc=self.couples_dc()) / self.input_limit_v()
        return str(sum(part > level for level in _LEVELS))


def _number(value: float) -> str:
    return f"{value:.9g}"
