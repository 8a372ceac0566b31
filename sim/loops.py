"""One sample with all that is clipped to it: what its current does to the voltage, at one instant or a cycle.

The current of a loop is the sum over its sources of a direct part and at most one tone each. A voltage that
is no straight line in the current is followed around the cycle, of several frequencies around all of them.
"""

import math
from functools import cache
from itertools import pairwise
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from onnes.sim.cryostat import Cryostat
from onnes.sim.faults_wiring import LeadFaults
from onnes.sim.magnet import Magnet
from onnes.sim.samples import NonlinearSample, Sample
from onnes.sim.sources import Level, Timeline

Floats = NDArray[np.float64]

_PHASES: Final = 64  # around the cycle of one tone: harmonics up to 31 of a smooth voltage
_PHASES_OF_MORE: Final = 32  # around each cycle where there are several tones
_SAME_HZ: Final = 1e-9  # relative: closer frequencies are one
_PROBE_A: Final = 1e-6  # tells the resistance where nothing flows

_SQRT_2: Final = math.sqrt(2.0)


class Loop:
    """The loop of ``sample``; None stands for shorted contacts."""

    def __init__(self, sample: Sample | None, faults: LeadFaults, cryostat: Cryostat, magnet: Magnet) -> None:
        self.sample = sample
        self.faults = faults
        self.sources: list[Timeline[Level]] = []
        self.leads_ohm = 0.0  # of the two current leads together
        self._cryostat = cryostat
        self._magnet = magnet

    def voltage(self, amps: float, t: float) -> float:
        """Return the voltage of the sample at ``amps``, V."""
        if self.sample is None:
            return 0.0
        return self.sample.voltage(amps, self._cryostat.sample(t), self._magnet.at_sample(t), t)

    def needed_v(self, amps: float, t: float) -> float:
        """Return the voltage that it takes to drive ``amps`` through sample and leads, V."""
        return abs(self.voltage(amps, t)) + abs(amps) * self._leads_ohm(t)

    def limited(self, amps: float, limit_v: float, t: float) -> float:
        """Return the part of ``amps`` that a source with this limit can drive, A."""
        if not amps:
            return 0.0
        ohms = abs(self.voltage(amps, t) / amps) + self._leads_ohm(t)
        return math.copysign(limit_v / ohms, amps) if abs(amps) * ohms > limit_v else amps

    def terminals(self, amps: float, limit_v: float, t: float) -> tuple[float, float]:
        """Return (current in A, voltage in V) at the terminals of a source: of sample and leads together."""
        driven = self.limited(amps, limit_v, t)
        return driven, self.mean_voltage(t) + driven * self._leads_ohm(t)

    def ohms(self, t: float) -> float:
        """Return the resistance of the sample at its present current, ohm."""
        amps = sum(source.at(t).peak_a for source in self.sources) or _PROBE_A
        return abs(self.voltage(amps, t) / amps)

    def mean_voltage(self, t: float) -> float:
        """Return the voltage at ``t``, the mean over the cycle of all tones, V."""
        if self._floats(t):
            return 0.0
        levels = [source.at(t) for source in self.sources]
        if any(level.tone for level in levels) and self._straight_ohm(levels, t) is None:
            return float(np.mean(self._around(levels, _frequencies(levels), t)))
        if len(levels) == 1:
            amps, limit_v, _ = levels[0]
            volts = self.voltage(amps, t) if amps else 0.0
            if abs(volts) + abs(amps) * self._leads_ohm(t) <= limit_v:
                return volts
        driven = sum(self.limited(level.amps, level.limit_v, t) for level in levels)
        return self.voltage(driven, t) if driven else 0.0

    def changes(self, t0: float, t1: float, *, dc: bool) -> list[float]:
        """Return the times inside (t0, t1) at which its voltage may jump, sorted.

        Without ``dc`` those at which its alternating part may: no direct step without a tone beside it.
        """
        cuts = sorted(cut for source in self.sources for cut in source.changes(t0, t1))
        if not dc and cuts:
            sounds = [any(source.at(begin).tone for source in self.sources) for begin in (t0, *cuts)]
            cuts = [cut for cut, both in zip(cuts, pairwise(sounds), strict=True) if any(both)]
        return sorted(cuts + self.faults.edges(t0, t1)) if self.faults.spells else cuts

    def extremes(self, t: float) -> tuple[float, float]:
        """Return the lowest and the highest voltage of the cycle at ``t``, V."""
        levels = [source.at(t) for source in self.sources]
        if self._floats(t) or not levels:
            return 0.0, 0.0
        around = self._around(levels, _frequencies(levels), t)
        return float(around.min()), float(around.max())

    def heard(self, t: float, hz: float) -> tuple[complex, list[tuple[float, complex]]]:
        """Return the component of the voltage at ``hz``, and of each tone beside it frequency and component.

        A component is relative to the sine of its frequency, V rms. ``hz`` may be a multiple of the frequency
        of a tone. Where several tones flow, each is heard at the mean slope that the others leave it.
        """
        levels = [source.at(t) for source in self.sources]
        frequencies = _frequencies(levels)
        if not frequencies or self._floats(t):
            return 0j, []
        ohm = self._straight_ohm(levels, t)
        around = None if ohm is not None else self._around(levels, frequencies, t)
        total, others = 0j, []
        for place, own_hz in enumerate(frequencies):
            order = max(1, round(hz / own_hz))
            is_multiple = abs(order * own_hz - hz) <= _SAME_HZ * hz
            if not is_multiple:
                order = 1
            if around is not None:
                found = _component(around, place, order)
            else:
                found = 0j if ohm is None or order > 1 else ohm * _current(levels, own_hz)
            if is_multiple:
                total += found
            else:
                others.append((own_hz, found))
        return total, others

    def _straight_ohm(self, levels: list[Level], t: float) -> float | None:
        """Return the resistance in ohm if the voltage follows the current around the whole cycle, or None."""
        if self.sample is not None and not self.sample.is_linear:
            return None
        ohm = self.voltage(1.0, t)
        around_ohm = abs(ohm) + self._leads_ohm(t)
        for level in levels:
            if level.limit_v < math.inf and abs(level.peak_a) * around_ohm > level.limit_v:
                return None
        return ohm

    def _around(self, levels: list[Level], frequencies: list[float], t: float) -> Floats:
        """Return the voltage around the cycles: one axis for each of the ``frequencies``."""
        waves = [_wave(level, frequencies) for level in levels]
        amps: Floats = sum(waves, np.zeros(()))
        volts = self._voltages(amps, t)
        all_amps = sum(abs(level.peak_a) for level in levels)
        needed_v = float(np.abs(volts).max()) + all_amps * self._leads_ohm(t)
        if all(needed_v <= level.limit_v for level in levels):
            return volts
        most = [abs(self.limited(level.peak_a, level.limit_v, t)) for level in levels]
        cut = [np.clip(wave, -limit, limit) for wave, limit in zip(waves, most, strict=True)]
        return self._voltages(sum(cut, np.zeros(())), t)

    def _voltages(self, amps: Floats, t: float) -> Floats:
        sample = self.sample
        if sample is None:
            return np.zeros_like(amps)
        if sample.is_linear:
            return amps * self.voltage(1.0, t)
        kelvin, oersted = self._cryostat.sample(t), self._magnet.at_sample(t)
        if hasattr(sample, "voltages"):  # isinstance of a protocol would cost more than the answer
            return cast("NonlinearSample", sample).voltages(amps, kelvin, oersted, t)
        volts = [sample.voltage(float(current), kelvin, oersted, t) for current in amps.ravel()]
        return np.array(volts, dtype=np.float64).reshape(amps.shape)

    def _leads_ohm(self, t: float) -> float:
        return self.leads_ohm + self.faults.ohm(t) if self.faults.spells else self.leads_ohm

    def _floats(self, t: float) -> bool:
        return bool(self.faults.spells) and self.faults.is_floating(t)


def _same(hz: float, other_hz: float) -> bool:
    return abs(hz - other_hz) <= _SAME_HZ * hz


def _frequencies(levels: list[Level]) -> list[float]:
    """Return the different frequencies of the tones, Hz."""
    found: list[float] = []
    for level in levels:
        if level.tone is not None and not any(_same(level.tone.hz, hz) for hz in found):
            found.append(level.tone.hz)
    return found


def _current(levels: list[Level], hz: float) -> complex:
    """Return the current of all tones at ``hz`` relative to its sine, A rms."""
    amps = 0j
    for level in levels:
        tone = level.tone
        if tone is not None and _same(tone.hz, hz):
            amps += tone.peak * complex(math.cos(tone.phase), math.sin(tone.phase))
    return amps / _SQRT_2


def _component(around: Floats, place: int, order: int) -> complex:
    """Return the component at ``order`` times the frequency of one axis, relative to its sine, V rms."""
    cycle = around.mean(axis=tuple(axis for axis in range(around.ndim) if axis != place))
    return complex(2j / cycle.size * (cycle @ _turns(cycle.size, order)) / _SQRT_2)


def _wave(level: Level, frequencies: list[float]) -> Floats:
    """Return the current of one source around the cycles, A: one axis for each of the ``frequencies``."""
    tone = level.tone
    phases = _PHASES if len(frequencies) < 2 else _PHASES_OF_MORE
    if tone is None:
        return np.full((phases,) * len(frequencies), level.amps)
    place = next(k for k, hz in enumerate(frequencies) if _same(tone.hz, hz))
    along = [-1 if axis == place else 1 for axis in range(len(frequencies))]
    return level.amps + tone.peak * np.sin(_angles(phases) + tone.phase).reshape(along)


@cache
def _angles(phases: int) -> Floats:
    return np.linspace(0.0, 2.0 * math.pi, phases, endpoint=False, dtype=np.float64)


@cache
def _turns(phases: int, order: int) -> NDArray[np.complex128]:
    turns: NDArray[np.complex128] = np.exp(-1j * order * _angles(phases))
    return turns
