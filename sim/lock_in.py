"""The demodulator of a lock-in amplifier: what its filter has made of the past of the input.

The output at a time is a pure function of that time and of the settings since the last change: reading it
more often changes nothing, and readings within one time constant share their noise. Left out are the ripple
at twice the reference, and with it the synchronous filter that takes it away.
"""

import cmath
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from onnes.sim.noise import microseconds, white, white_array
from onnes.sim.sources import Reference, Timeline

if TYPE_CHECKING:
    from onnes.sim.wiring import Wiring

REACH_TAU: Final = 24.0  # older input has decayed to 3e-7 of itself in four poles
_NOISE_REACH_TAU: Final = 16.0  # and its noise to 1e-4 in amplitude
_INSTANT_S: Final = 0.05  # shorter time constants settle at once (a)
# Where the past is cut beside its jumps, in time constants. Each piece is asked at its centre of weight, so
# that an input that changes as a straight line is answered exactly.
_LADDER: Final = (1.5, 3.0, 5.0, 8.0)
_NEGLIGIBLE: Final = 1e-7
_NODES_PER_TAU: Final = 3.0  # of the grid that noise lives on
_BANDWIDTH: Final = {1: 1 / 4, 2: 1 / 8, 3: 3 / 32, 4: 5 / 64}  # of n poles, times tau (SR830 manual)
_BOLTZMANN: Final = 1.380649e-23  # J/K
_LEADS_K: Final = 300.0  # the warm end of the leads stands for all of them (a)
_ACQUIRE_CYCLES: Final = 2.0  # an external reference is locked after 2 cycles + 5 ms, at least
_ACQUIRE_S: Final = 5e-3
_ACQUIRE_AT_LEAST_S: Final = 40e-3  # 40 ms (SR830 specifications)


class Phasors(Protocol):
    """Who brings an alternating voltage to a port, instead of the contacts of a loop."""

    def phasor(self, port: str, t: float, hz: float, phase: float, harmonic: int) -> complex:
        """Return X + iY at ``harmonic`` times the reference ``sin(2 pi hz t + phase)``, V rms.

        It is that of the instant ``t``, without noise and before the phase setting of the lock-in.
        """

    def changes(self, port: str, t0: float, t1: float) -> list[float]:
        """Return the times inside (t0, t1), s, at which it may jump."""

    def ohms(self, port: str, t: float) -> float:
        """Return the resistance whose thermal noise is heard, ohm."""


@dataclass(frozen=True, slots=True)
class InputNoise:
    """The noise of a shorted input: ``density`` in V/sqrt(Hz) far above ``corner_hz``, with 1/f below it."""

    density: float
    corner_hz: float

    def at(self, hz: float, ohms: float) -> float:
        """Return the density at ``hz`` with a source resistance, V/sqrt(Hz)."""
        thermal = 4.0 * _BOLTZMANN * _LEADS_K * ohms
        return math.sqrt(self.density**2 * (1.0 + self.corner_hz / hz) + thermal)


@dataclass(frozen=True, slots=True)
class Listening:
    """How a lock-in listens.

    ``hz`` is the frequency of its own oscillator, None if it follows the reference at its input; ``phase``
    its phase setting in radians; the filter has ``poles`` (1 to 4) of ``tau_s`` each.
    """

    hz: float | None = 1000.0
    harmonic: int = 1
    phase: float = 0.0
    tau_s: float = 0.1
    poles: int = 2

    @property
    def bandwidth_hz(self) -> float:
        """Return the equivalent noise bandwidth, Hz."""
        return _BANDWIDTH[self.poles] / self.tau_s


def passed(poles: int, x: float) -> float:
    """Return the part of a step that ``poles`` equal poles show ``x`` time constants after it.

    It is the regularised incomplete gamma function P(poles, x).
    """
    term = total = 1.0
    for k in range(1, poles):
        term *= x / k
        total += term
    return 1.0 - math.exp(-x) * total


def _passed_turning(poles: int, z: complex) -> complex:
    term = total = 1.0 + 0j
    for k in range(1, poles):
        term *= z / k
        total += term
    return 1.0 - cmath.exp(-z) * total


class Demodulator:
    """X + iY of one port of the wiring.

    What it is asked lies after the last change of its settings. A change lets the filter go on from the last
    output (a).

    Args:
        reference: the reference input.
        key: of its noise.
    """

    def __init__(self, wiring: "Wiring", port: str, reference: str, key: int, noise: InputNoise) -> None:
        self.listening = Listening()
        self._wiring = wiring
        self._port = port
        self._reference = reference
        self._key = key
        self._noise = noise
        self._begin = 0.0  # when the settings changed last, and the output then
        self._first = 0j
        self._followed_since = -math.inf
        self._nodes: tuple[int, int, NDArray[np.complex128]] = (0, -1, np.empty(0, dtype=np.complex128))

    def listen(self, t: float, listening: Listening) -> None:
        """Take new settings at ``t`` in s; nothing happens if they are those it has."""
        if listening == self.listening:
            return
        if listening.hz is None and self.listening.hz is not None:
            self._followed_since = t
        self._first = self.output(t)
        self._begin = t
        self.listening = listening
        self._wiring.look_back(REACH_TAU * listening.tau_s)

    def reference(self, t: float) -> Reference:
        """Return the reference that it multiplies with; 0 Hz if it has none."""
        if self.listening.hz is not None:
            return Reference(self.listening.hz)
        given = self._given()
        return Reference() if given is None else given.at(t)

    def is_unlocked(self, t: float) -> bool:
        """Say whether it looks for an external reference in vain, or has not found it yet."""
        if self.listening.hz is not None:
            return False
        given = self._given()
        if given is None:
            return True
        hz = given.at(t).hz
        if not hz:
            return True
        acquired_s = max(_ACQUIRE_CYCLES / hz + _ACQUIRE_S, _ACQUIRE_AT_LEAST_S)
        return t < max(given.since(t), self._followed_since) + acquired_s

    def output(self, t: float) -> complex:
        """Return X + iY at ``t``, V rms."""
        listening = self.listening
        density = self.noise_density(t)
        if listening.tau_s < _INSTANT_S:
            n = 2 * microseconds(t)
            noise = complex(white(self._key, n), white(self._key, n + 1))
            return self._input(t) + density * math.sqrt(listening.bandwidth_hz) * noise
        return self._filtered(t) + self._filtered_noise(t, density)

    def steps(self, t0: float, t1: float, *, dc: bool = False) -> list[float]:
        """Return the times inside (t0, t1) at which input or reference may jump, s.

        With ``dc`` also those at which the direct voltage at the input may.
        """
        cuts = self._wiring.changes(self._port, t0, t1, dc=dc)
        given = self._given() if self.listening.hz is None else None
        return sorted(cuts if given is None else cuts + given.changes(t0, t1))

    def crest_v(self, t: float, *, dc: bool) -> float:
        """Return the largest voltage of the cycle at the input, V; without ``dc`` of its alternating part."""
        low, high = self._wiring.extremes(self._port, t)
        heard = math.sqrt(2.0) * abs(self._input(t))
        return max(abs(low), abs(high), heard) if dc else max(0.5 * (high - low), heard)

    def _given(self) -> Timeline[Reference] | None:
        return self._wiring.reference(self._reference)

    def _input(self, t: float) -> complex:
        """Return what comes in at ``t`` at the detected frequency, V rms."""
        return self._heard(t)[0]

    def _heard(self, t: float) -> tuple[complex, list[tuple[float, complex]]]:
        reference, listening = self.reference(t), self.listening
        if not reference.hz:
            return 0j, []
        found, others = self._wiring.heard(self._port, t, reference.hz, reference.phase, listening.harmonic)
        if not listening.phase:
            return found, others
        back = cmath.exp(-1j * listening.phase)
        return found * back, [(hz, other * back) for hz, other in others]

    def noise_density(self, t: float) -> float:
        """Return the noise at the input at the detected frequency, V/sqrt(Hz)."""
        hz = self.listening.harmonic * self.reference(t).hz
        if not hz:
            return 0.0
        own = self._noise.at(hz, self._wiring.ohms(self._port, t))
        return math.hypot(own, self._wiring.lead_noise(self._port, t))

    def _filtered(self, t: float) -> complex:
        tau, poles = self.listening.tau_s, self.listening.poles
        begin = max(self._begin, t - REACH_TAU * tau)
        edges = [x * tau for x in _LADDER if t - x * tau > begin]  # as ages
        edges += [t - step for step in self.steps(begin, t)]
        total = 0j
        age = before = centre_before = 0.0
        for older in [*sorted(edges), t - begin]:
            until, centre_until = passed(poles, older / tau), passed(poles + 1, older / tau)
            weight = until - before
            if weight > _NEGLIGIBLE:
                centre = poles * tau * (centre_until - centre_before) / weight
                found, others = self._heard(t - min(max(centre, age), older))
                total += weight * found
                for hz, other in others:
                    total += other * self._turned(hz, t, age, older)
            age, before, centre_before = older, until, centre_until
        return total + (1.0 - before) * self._first

    def _turned(self, hz: float, t: float, age: float, older: float) -> complex:
        """Return what passes at ``t`` of a tone of 1 V, ``hz`` beside the reference, between two ages."""
        poles, turn = self.listening.poles, 2j * math.pi * hz
        s = 1.0 / self.listening.tau_s + turn
        share = _passed_turning(poles, s * older) - _passed_turning(poles, s * age)
        return cmath.exp(turn * t) * share / (s * self.listening.tau_s) ** poles

    def _filtered_noise(self, t: float, density: float) -> complex:
        """Return the noise at ``t``: white on a grid of lab time, through the same filter."""
        tau, poles = self.listening.tau_s, self.listening.poles
        step = tau / _NODES_PER_TAU
        begin = max(self._begin, t - _NOISE_REACH_TAU * tau)
        first, last = math.floor(begin / step), math.floor(t / step)
        edges = np.arange(first, last + 2) * step
        edges[0], edges[-1] = begin, t
        x = (t - edges) / tau
        total = term = np.ones_like(x)
        for k in range(1, poles):
            term = term * (x / k)
            total = total + term
        shown = np.exp(-x) * total  # what is not passed yet; the weights are its differences
        return complex(density / math.sqrt(2.0 * step) * (self._grid(first, last) @ np.diff(shown)))

    def _grid(self, first: int, last: int) -> NDArray[np.complex128]:
        """Return the noise of the nodes ``first`` to ``last``, of unit rms in X and in Y."""
        if self._nodes[:2] != (first, last):  # only a memory of pure values
            n = 2 * np.arange(first, last + 1, dtype=np.int64)
            both = white_array(self._key, np.concatenate((n, n + 1)))
            self._nodes = (first, last, both[: n.size] + 1j * both[n.size :])
        return self._nodes[2]
