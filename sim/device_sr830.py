"""Stanford Research SR830: a lock-in of 1 mHz to 102 kHz with a buffer for two traces.

Facts from the manual; (a) is our assumption, (k) general knowledge to be checked against it. Fast transfers
(``FAST 1`` or ``2`` with ``STRD``) store points, but push none.
"""

import math
import struct
import sys
from array import array
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar, Final

from onnes.sim.device import InstrumentSettings
from onnes.sim.lock_in import InputNoise
from onnes.sim.sr830_buffer import TraceBuffer
from onnes.sim.srs import ExecutionError, Real, Setting, Whole, command, query
from onnes.sim.stanford_lock_in import OVER_SCALE, Angle, StanfordLockIn, degrees, scientific

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

SCALES_V: Final = tuple(k * 10.0**n for n in range(-9, 1) for k in (1, 2, 5))[1:28]  # 2 nV to 1 V
_TAU_S: Final = tuple(k * 10.0**n for n in range(-5, 5) for k in (1, 3))  # 10 us to 30 ks
_RATES_HZ: Final = tuple(2.0**n for n in range(-4, 10))  # 62.5 mHz to 512 Hz
_TRIGGERED: Final = 14  # as a sample rate
_MOST_HZ: Final = 102e3
_RESERVES_DB: Final = (60.0, 40.0, 20.0)  # high, normal, low noise (a)
_MOST_INPUT_V: Final = 1.4  # peak, on any scale (k)
_SLOW_TAU: Final = 13  # 30 s: longer ones only where it detects below 200 Hz
_UP_HZ, _DOWN_HZ = 203.12, 199.21  # where the range of the detected frequency changes
_NOISE: Final = 2  # what a display may show, of both
_EXPANDS: Final = (1, 10, 100)
_MORE_SETTINGS: Final = ("internal_hz", "harmonic", "displays", "offsets")  # beside those with one command
_KEEP_UP_S: Final = 60.0  # how often a running buffer catches up with nobody asking
_START_DELAY_S: Final = 0.5  # of STRD
# Bits of the lock-in status (SR830 manual, 5-27).
_INPUT, _OUTPUT, _UNLOCK, _RANGE, _TAU, _TRIGGER = 1, 4, 8, 16, 32, 64


class _Frequency(Real):
    """A frequency, rounded to 5 digits or 0.1 mHz, whichever is more."""

    def parse(self, text: str) -> float:
        return round(float(f"{super().parse(text):.4e}"), 4)


class _Amplitude(Real):
    """An amplitude, rounded to 2 mV."""

    def parse(self, text: str) -> float:
        return round(super().parse(text) / 2e-3) * 2e-3

    def format(self, value: float) -> str:
        return f"{value:.3f}"


class SR830(StanfordLockIn):
    """The lock-in on the ports ``<name>.A``, ``<name>.sine`` and ``<name>.ref``."""

    model = "sr830"
    identity = "Stanford_Research_Systems,SR830,s/nSIM0001,ver1.07"
    input_noise: ClassVar[InputNoise] = InputNoise(6e-9, 18.0)  # 10 nV at 10 Hz (k)
    time_constants_s: ClassVar[tuple[float, ...]] = _TAU_S

    # Defaults after *RST (k).
    phase_deg = Setting("PHAS", Angle(-360.0, 729.99, 2), 0.0)
    internal = Setting("FMOD", Whole(0, 1), 1)
    slope = Setting("RSLP", Whole(0, 2), 0)
    sine_v = Setting("SLVL", _Amplitude(4e-3, 5.0), 1.0)
    source = Setting("ISRC", Whole(0, 3), 0)
    ground = Setting("IGND", Whole(0, 1), 0)
    coupling = Setting("ICPL", Whole(0, 1), 0)
    notch = Setting("ILIN", Whole(0, 3), 0)
    scale_code = Setting("SENS", Whole(0, len(SCALES_V) - 1), len(SCALES_V) - 1)
    reserve = Setting("RMOD", Whole(0, 2), 2)
    tau_code = Setting("OFLT", Whole(0, len(_TAU_S) - 1), 8)
    slope_code = Setting("OFSL", Whole(0, 3), 1)
    sync = Setting("SYNC", Whole(0, 1), 0)
    front_panel = Setting("FPOP", Whole(0, 1), 0, index=(1, 2))
    aux_out_v = Setting("AUXV", Real(-10.5, 10.5, 3), 0.0, index=(1, 4))
    replies_to = Setting("OUTX", Whole(0, 1), 1, keeps=True)
    rate_code = Setting("SRAT", Whole(0, _TRIGGERED), 4)
    loops = Setting("SEND", Whole(0, 1), 1)
    starts_by_trigger = Setting("TSTR", Whole(0, 1), 0)
    fast = Setting("FAST", Whole(0, 2), 0)
    remote_override = Setting("OVRM", Whole(0, 1), 1)
    local = Setting("LOCL", Whole(0, 2), 0, keeps=True)
    key_click = Setting("KCLK", Whole(0, 1), 1)
    alarm = Setting("ALRM", Whole(0, 1), 1)
    keeps_status = Setting("*PSC", Whole(0, 1), 1, keeps=True)

    def __init__(self, name: str, lab: "VirtualLab", settings: InstrumentSettings) -> None:
        self.internal_hz = 1000.0
        self.harmonic = 1
        self.displays = [(0, 0), (0, 0)]  # what DDEF chose: quantity and ratio
        self.offsets = [(0.0, 0)] * 3  # of X, Y and R: % of full scale, expand
        self.buffer = TraceBuffer(self._shown)
        self._is_high = True  # the range of the detected frequency
        self._setups: dict[int, dict[str, Any]] = {}
        super().__init__(name, lab, settings)

    # --- settings

    def is_external(self) -> bool:
        """Say whether it follows the reference input."""
        return not self.internal

    def couples_dc(self) -> bool:
        """Say whether direct voltage reaches the input."""
        return bool(self.coupling)

    def full_scale_v(self, t: float) -> float:
        """Return the full scale of the outputs, V rms."""
        return self.front_end.span(SCALES_V[self.scale_code], t)

    def input_limit_v(self) -> float:
        """Return the largest voltage of the input before it overloads, V peak."""
        reserve = 10.0 ** (_RESERVES_DB[self.reserve] / 20.0)
        return float(min(_MOST_INPUT_V, math.sqrt(2.0) * OVER_SCALE * SCALES_V[self.scale_code] * reserve))

    def assign(self, attribute: str, value: Any, t: float) -> None:
        """Give a setting a new value, and note what follows from it."""
        if attribute == "tau_code" and value > _SLOW_TAU and self._is_high:
            raise ExecutionError
        self.buffer.catch_up(t, loops=bool(self.loops))
        super().assign(attribute, value, t)

    def reset(self, t: float) -> None:
        """Return to the state of ``*RST``."""
        super().reset(t)
        self.buffer.reset()
        self.displays = [(0, 0), (0, 0)]
        self.offsets = [(0.0, 0)] * 3
        self.assign("internal_hz", 1000.0, t)
        self.assign("harmonic", 1, t)

    def follow(self, t: float) -> None:
        """Let sine output and range follow the reference as it is from ``t`` on."""
        super().follow(t)
        hz = self.detected_hz
        if not hz or not (hz < _DOWN_HZ if self._is_high else hz > _UP_HZ):
            return
        self._is_high = not self._is_high
        self.latch("LIAS", _RANGE)
        if self._is_high:
            vars(self)["sync"] = 0
            if self.tau_code > _SLOW_TAU:
                vars(self)["tau_code"] = _SLOW_TAU
                self.latch("LIAS", _TAU)
                self.retune(t)

    @command("FREQ", _Frequency(1e-3, _MOST_HZ))
    def set_frequency(self, t: float, hz: float) -> None:
        """Set the frequency of the oscillator; an external reference brings its own."""
        if self.is_external() or hz * self.harmonic > _MOST_HZ:
            raise ExecutionError
        self.assign("internal_hz", hz, t)

    @query("FREQ")
    def get_frequency(self, t: float) -> str:
        """Return the frequency of the reference, Hz."""
        return f"{self.demodulator.reference(t).hz:.6g}"

    @command("HARM", Whole(1, 19_999))
    def set_harmonic(self, t: float, harmonic: int) -> None:
        """Detect a harmonic; one above 102 kHz becomes the largest below it (manual)."""
        hz = self.demodulator.reference(t).hz
        self.assign("harmonic", min(harmonic, max(1, int(_MOST_HZ / hz))) if hz else harmonic, t)

    @query("HARM")
    def get_harmonic(self, t: float) -> str:
        """Return the harmonic."""
        del t
        return str(self.harmonic)

    @command("DDEF", Whole(1, 2), Whole(0, 4), Whole(0, 2))
    def set_display(self, t: float, channel: int, quantity: int, ratio: int) -> None:
        """Choose what a display shows."""
        self.buffer.catch_up(t, loops=bool(self.loops))
        self.displays[channel - 1] = (quantity, ratio)

    @query("DDEF", Whole(1, 2))
    def get_display(self, t: float, channel: int) -> str:
        """Return what a display shows, and what it is divided by."""
        del t
        return "{},{}".format(*self.displays[channel - 1])

    @command("OEXP", Whole(1, 3), Real(-105.0, 105.0, 2), Whole(0, 2))
    def set_offset(self, t: float, channel: int, percent: float, expand: int) -> None:
        """Take an offset from X, Y or R and expand what is left."""
        self.look(t)
        self.buffer.catch_up(t, loops=bool(self.loops))
        self.offsets[channel - 1] = (percent, expand)

    @query("OEXP", Whole(1, 3))
    def get_offset(self, t: float, channel: int) -> str:
        """Return offset in % and expand."""
        del t
        return "{:.2f},{}".format(*self.offsets[channel - 1])

    @command("AOFF", Whole(1, 3))
    def offset_itself(self, t: float, channel: int) -> None:
        """Offset X, Y or R to 0."""
        output = self.demodulated(t)
        value = (output.real, output.imag, abs(output))[channel - 1]
        percent = 100.0 * value / self.full_scale_v(t)
        if abs(percent) > 105.0:
            raise ExecutionError
        self.set_offset(t, channel, round(percent, 2), self.offsets[channel - 1][1])

    @command("AGAN")
    def gain_itself(self, t: float) -> None:
        """Choose the smallest full scale that holds R; nothing happens above 1 s (manual)."""
        if self.time_constants_s[self.tau_code] > 1.0:
            return
        size = abs(self.demodulated(t))
        fits = (code for code, scale in enumerate(SCALES_V) if size <= scale)
        self.assign("scale_code", next(fits, len(SCALES_V) - 1), t)

    @command("ARSV")
    def reserve_itself(self, t: float) -> None:
        """Choose the smallest reserve that does not overload."""
        for reserve in (2, 1, 0):
            self.assign("reserve", reserve, t)
            if not self.input_overloads(t):
                return

    @command("APHS")
    def phase_itself(self, t: float) -> None:
        """Turn the phase so that Y becomes 0."""
        turned = self.phase_deg + degrees(self.demodulated(t))
        self.assign("phase_deg", round((turned + 180.0) % 360.0 - 180.0, 2), t)

    @command("SSET", Whole(1, 9))
    def keep_setup(self, t: float, place: int) -> None:
        """Keep all settings in one of nine places."""
        del t
        names = [setting.attribute for setting in self._settings if not setting.keeps] + list(_MORE_SETTINGS)
        self._setups[place] = {name: copy(vars(self)[name]) for name in names}

    @command("RSET", Whole(1, 9))
    def take_setup(self, t: float, place: int) -> None:
        """Take all settings from one of nine places."""
        if place not in self._setups:
            raise ExecutionError
        for attribute, value in self._setups[place].items():
            self.assign(attribute, copy(value), t)

    # --- readings

    def conditions(self, t: float) -> int:
        """Return the bits of ``LIAS`` that are true at ``t``."""
        bits = _UNLOCK if self.demodulator.is_unlocked(t) else 0
        if self.input_overloads(t):
            bits |= _INPUT
        return bits | (_OUTPUT if self._outputs(t)[1] else 0)

    def _outputs(self, t: float) -> tuple[tuple[float, float, float, float], bool]:
        """Return X, Y, R and the angle in degrees, and whether one is cut at its end of scale."""
        output = self.demodulated(t) if self.source < 2 else 0j  # nothing is wired to the input for currents
        full = self.full_scale_v(t)
        shown: list[float] = []
        is_cut = False
        for value, (percent, expand) in zip(
            (output.real, output.imag, abs(output)), self.offsets, strict=True
        ):
            left = value - percent / 100.0 * full
            most = OVER_SCALE * full / _EXPANDS[expand]
            is_cut |= abs(left) > most
            shown.append(min(max(left, -most), most))
        return (shown[0], shown[1], shown[2], degrees(output)), is_cut

    def _read(self, t: float) -> tuple[float, float, float, float]:
        shown, is_cut = self._outputs(t)
        if is_cut:
            self.latch("LIAS", _OUTPUT)
        return shown

    def _shown(self, t: float) -> tuple[float, float]:
        """Return what both displays show: X, R, X noise, aux 1, 2 and Y, angle, Y noise, aux 3, 4."""
        x, y, r, angle = self._read(t)
        first, second = self.displays[0][0], self.displays[1][0]
        noise = self.demodulator.noise_density(t) if _NOISE in {first, second} else 0.0
        return (x, r, noise, 0.0, 0.0)[first], (y, angle, noise, 0.0, 0.0)[second]

    @query("OUTP", Whole(1, 4))
    def get_output(self, t: float, which: int) -> str:
        """Return X, Y, R in V or the angle in degrees."""
        return scientific(self._read(t)[which - 1])

    @query("OUTR", Whole(1, 2))
    def get_shown(self, t: float, channel: int) -> str:
        """Return what a display shows."""
        return scientific(self._shown(t)[channel - 1])

    @query("SNAP", *(Whole(1, 11),) * 6, optional=4)
    def snap(self, t: float, *which: int) -> str:
        """Return 2 to 6 quantities of one instant."""
        values: tuple[float, ...] = (*self._read(t), 0.0, 0.0, 0.0, 0.0, self.demodulator.reference(t).hz)
        if max(which) > len(values):
            values = (*values, *self._shown(t))
        return ",".join([scientific(values[place - 1]) for place in which])

    @query("OAUX", Whole(1, 4))
    def get_aux(self, t: float, which: int) -> str:
        """Return an auxiliary input, V: nothing is wired to them."""
        del t, which
        return "0"

    # --- buffer

    def is_scanning(self) -> bool:
        """Say whether data are being stored."""
        return self.buffer.is_running

    def trigger(self, t: float) -> None:
        """Store a point, or begin to store."""
        self.latch("LIAS", _TRIGGER)
        if self.starts_by_trigger:
            self.start(t)
        self.buffer.trigger(t, loops=bool(self.loops))

    @command("TRIG")
    def take_trigger(self, t: float) -> None:
        """Act as on a trigger at the back."""
        self.trigger(t)

    @command("STRT")
    def start(self, t: float) -> None:
        """Store from now on."""
        if not self.buffer.is_running:
            self.buffer.start(t, None if self.rate_code == _TRIGGERED else _RATES_HZ[self.rate_code])
            self._keep_up(t)

    @command("STRD")
    def start_later(self, t: float) -> None:
        """Store from half a second later on."""
        self.lab.at(t + _START_DELAY_S, self.start)

    def _keep_up(self, t: float) -> None:
        if self.buffer.is_running:
            self.buffer.catch_up(t, loops=bool(self.loops))
            self.lab.at(t + _KEEP_UP_S, self._keep_up)

    @command("PAUS")
    def pause(self, t: float) -> None:
        """Stop storing."""
        self.buffer.catch_up(t, loops=bool(self.loops))
        self.buffer.pause()

    @command("REST")
    def forget(self, t: float) -> None:
        """Empty the buffer."""
        del t
        self.buffer.reset()

    @query("SPTS")
    def get_count(self, t: float) -> str:
        """Return how many points there are."""
        self.buffer.catch_up(t, loops=bool(self.loops))
        return str(len(self.buffer))

    def _points(self, t: float, channel: int, start: int, count: int) -> "array[float]":
        self.buffer.catch_up(t, loops=bool(self.loops))
        try:
            return self.buffer.points(channel, start, count)
        except IndexError:
            raise ExecutionError from None

    @query("TRCA", Whole(1, 2), Whole(0, 16_383), Whole(1, 16_383))
    def get_text(self, t: float, channel: int, start: int, count: int) -> str:
        """Return points as text, each with its comma."""
        return "".join(f"{scientific(point)}," for point in self._points(t, channel, start, count))

    @query("TRCB", Whole(1, 2), Whole(0, 16_383), Whole(1, 16_383))
    def get_floats(self, t: float, channel: int, start: int, count: int) -> bytes:
        """Return points of four bytes, IEEE and the least byte first, without a terminator."""
        points = self._points(t, channel, start, count)
        if sys.byteorder == "big":
            points.byteswap()
        return points.tobytes()

    @query("TRCL", Whole(1, 2), Whole(0, 16_383), Whole(1, 16_383))
    def get_packed(self, t: float, channel: int, start: int, count: int) -> bytes:
        """Return points of four bytes: mantissa of 16 bits, exponent, 0; mantissa x 2^(exponent - 124)."""
        packed = b""
        for point in self._points(t, channel, start, count):
            fraction, exponent = math.frexp(point)
            mantissa = min(round(fraction * 2**15), 2**15 - 1)
            packed += struct.pack("<hBB", mantissa, max(0, exponent - 15 + 124), 0)
        return packed
