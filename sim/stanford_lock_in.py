"""What the lock-ins of Stanford Research have in common: input, demodulator, reference, sine output."""

import math
from typing import TYPE_CHECKING, Any, ClassVar, Final

from onnes.sim.device import InstrumentSettings
from onnes.sim.fault_settings import Spell
from onnes.sim.faults_front_end import FrontEnd
from onnes.sim.lock_in import REACH_TAU, Demodulator, InputNoise, Listening
from onnes.sim.noise import stream_key
from onnes.sim.srs import Real
from onnes.sim.srs_device import SrsDevice
from onnes.sim.tones import Tone

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

OVER_SCALE: Final = 1.09  # an output shows up to 109 % of full scale (SR830 manual)
SLOPES_DB: Final = (6, 12, 18, 24)


class Angle(Real):
    """An angle in degrees, wrapped to half a turn around 0."""

    def parse(self, text: str) -> float:
        """Return the angle of ``text``."""
        return round((super().parse(text) + 180.0) % 360.0 - 180.0, self.digits)


class _FrontEnds(FrontEnd):
    """X and Y of one input: what befalls one befalls the other."""

    def __init__(self, demodulator: Demodulator) -> None:
        super().__init__(lambda t: demodulator.output(t).real)
        self.quadrature = FrontEnd(lambda t: demodulator.output(t).imag)

    def suffer(self, spell: Spell) -> None:
        super().suffer(spell)
        self.quadrature.suffer(spell)


class StanfordLockIn(SrsDevice):
    """The input ``A``, the output ``sine`` and the reference input ``ref``.

    Its own oscillator stands at phase 0 at lab time 0. The sine output follows the reference. A subclass
    declares the settings that are named here.
    """

    terminals: ClassVar[tuple[str, ...]] = ("A", "sine", "ref")
    voltage_terminals: ClassVar[tuple[str, ...]] = ("sine",)
    input_noise: ClassVar[InputNoise]
    time_constants_s: ClassVar[tuple[float, ...]]

    phase_deg: float
    internal_hz: float
    harmonic: int
    sine_v: float
    tau_code: int
    slope_code: int

    def __init__(self, name: str, lab: "VirtualLab", settings: InstrumentSettings) -> None:
        super().__init__(name, lab, settings)
        key = stream_key(lab.seed, f"{name}.noise")
        self.demodulator = Demodulator(lab.wiring, f"{name}.A", f"{name}.ref", key, self.input_noise)
        self.front_end: _FrontEnds = _FrontEnds(self.demodulator)
        self._looked = 0.0
        lab.wiring.follow_reference(f"{name}.ref", self.follow)
        self.retune(0.0)

    # --- what a subclass says of its settings

    def is_external(self) -> bool:
        """Say whether it follows the reference input."""
        raise NotImplementedError

    def full_scale_v(self, t: float) -> float:
        """Return the full scale of the outputs, V rms."""
        raise NotImplementedError

    def input_limit_v(self) -> float:
        """Return the largest voltage of the input before it overloads, V peak."""
        raise NotImplementedError

    def couples_dc(self) -> bool:
        """Say whether direct voltage reaches the input."""
        raise NotImplementedError

    def sine_offset_v(self) -> float:
        """Return the direct voltage of the sine output, V."""
        return 0.0

    def conditions(self, t: float) -> int:
        """Return the bits of ``LIAS`` that are true at ``t``."""
        raise NotImplementedError

    # --- tuning

    def assign(self, attribute: str, value: Any, t: float) -> None:
        """Give a setting a new value; what the old ones have done is seen first."""
        self.look(t)
        super().assign(attribute, value, t)
        self.retune(t)

    def retune(self, t: float) -> None:
        """Listen as the settings say, and let the sine output follow."""
        self.demodulator.listen(
            t,
            Listening(
                hz=None if self.is_external() else self.internal_hz,
                harmonic=self.harmonic,
                phase=math.radians(self.phase_deg),
                tau_s=self.time_constants_s[self.tau_code],
                poles=SLOPES_DB[self.slope_code] // 6,
            ),
        )
        self.follow(t)

    def follow(self, t: float) -> None:
        """Let the sine output follow the reference as it is from ``t`` on."""
        hz, phase = self.demodulator.reference(t)
        tone = Tone(hz, math.sqrt(2.0) * self.sine_v, phase) if hz and self.sine_v else None
        port = f"{self.name}.sine"
        self.lab.wiring.set_source(port, t, self.sine_offset_v(), math.inf, tone)
        self.lab.wiring.set_reference(port, t, hz, phase)

    @property
    def detected_hz(self) -> float:
        """Return the detected frequency now, Hz; 0 without a reference."""
        return self.harmonic * self.demodulator.reference(math.inf).hz

    # --- readings

    def demodulated(self, t: float) -> complex:
        """Return X + iY as the input gives it, V rms."""
        output = self.demodulator.output(t)
        return complex(self.front_end.shown(output.real, t), self.front_end.quadrature.shown(output.imag, t))

    def input_overloads(self, t: float) -> bool:
        """Say whether the input is driven beyond what it takes."""
        if self.front_end.overloads(t):
            return True
        return self.demodulator.crest_v(t, dc=self.couples_dc()) > self.input_limit_v()

    def look(self, t: float) -> None:
        """Latch the bits of what has happened until ``t``: at each jump of the input, and now.

        What is older than the lab remembers for its filter to look back on cannot be latched any more.
        """
        bits = 0
        earliest = t - self.lab.wiring.memory_s + REACH_TAU * self.demodulator.listening.tau_s
        begin = max(self._looked, earliest)
        for instant in (*self.demodulator.steps(begin, t, dc=self.couples_dc()), t):
            bits |= self.conditions(instant)
        self.latch("LIAS", bits)
        self._looked = t


def scientific(value: float) -> str:
    """Return a reading as it travels: six digits and three of the exponent.

    >>> scientific(-4.17234e-7)
    '-4.17234e-007'
    """
    mantissa, exponent = f"{value:.5e}".split("e")
    return f"{mantissa}e{exponent[0]}{int(exponent[1:]):03d}"


def degrees(value: complex) -> float:
    """Return the angle of X + iY, degrees."""
    return math.degrees(math.atan2(value.imag, value.real))
