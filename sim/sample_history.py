"""The history of a magnetic sample: every turning point of temperature and true field, in their order.

Cryostat and magnet are closed forms, so the way of the sample between two looks is known. A critical state
depends on the turning points of that way alone, and on the crossings of Tc; so it is brought there, and costs
nothing on a plateau.
"""

import copy
import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final, Protocol

from onnes.sim.cryostat import Cryostat
from onnes.sim.magnet import Magnet
from onnes.sim.samples import MagneticSample

_LOOK_S: Final = 5.0  # grid for turns of the temperature; a swing after a fast ramp takes 310 s
_BEFORE_S: Final = 1e-6  # just before a step
_TURN_S: Final = 0.02  # to which a turn is found; the temperature is flat there
_CROSSING_S: Final = 1e-4
_STILL_K_PER_S: Final = 1e-7
_SAME_K: Final = 1e-4  # a smaller move changes a moment by less than 1e-5 of it
_SAME_OE: Final = 1e-3
_LOOKS_A_STOP: Final = (
    4  # so the sample follows within 20 s where both move at once, and its rest begins then
)


class Plant(Protocol):
    """What of a lab the sample feels."""

    cryostat: Cryostat
    magnet: Magnet


class SampleHistory:
    """A sample in the field and at the temperature of ``plant``, brought forward in lab time, s.

    Only :meth:`bring` moves the sample, and it is called at times that do not depend on who asks, so the
    moment does not either. The sample opens as if it had been cooled through Tc in the field of that moment.
    """

    def __init__(self, sample: MagneticSample, plant: Plant) -> None:
        self._sample = sample
        self._plant = plant
        self._seen = 0.0
        kelvin, oersted = plant.cryostat.sample(0.0), plant.magnet.at_sample(0.0)
        if sample.tc_k is not None and kelvin < sample.tc_k:
            sample.update(sample.tc_k, oersted, 0.0)
        sample.update(kelvin, oersted, 0.0)
        self._last = (kelvin, oersted)

    def bring(self, t: float) -> float:
        """Bring the sample to ``t`` and return its moment, emu.

        Raises:
            ValueError: if ``t`` lies before the last such time.
        """
        self._last = self._bring(self._sample, t)
        self._seen = t
        return self._sample.moment_emu()

    def moment_emu(self, t: float) -> float:
        """Return the moment at ``t``, emu, and leave the sample where it is.

        Raises:
            ValueError: if ``t`` lies before the last time that the sample was brought to.
        """
        sample = copy.deepcopy(self._sample)
        self._bring(sample, t)
        return sample.moment_emu()

    def _bring(self, sample: MagneticSample, t: float) -> tuple[float, float]:
        if t < self._seen:
            raise ValueError(f"t = {t:.9g} s is before {self._seen:.9g} s, where the sample is")
        cryostat, magnet = self._plant.cryostat, self._plant.magnet
        last = self._last
        for when in self._way(sample, self._seen, t):
            here = (cryostat.sample(when), magnet.at_sample(when))
            moved = abs(here[0] - last[0]) > _SAME_K or abs(here[1] - last[1]) > _SAME_OE
            if moved or when == t:
                sample.update(*here, when)
                last = here
        return last

    def _way(self, sample: MagneticSample, begin: float, end: float) -> Iterator[float]:
        """Yield every time after ``begin`` until ``end`` at which the sample must be looked at, in order."""
        stops = {end}
        for step in (*self._plant.magnet.steps(begin, end), *self._plant.cryostat.kicks(begin, end)):
            stops |= {max(begin, step - _BEFORE_S), step}
        grid = range(math.floor(begin / _LOOK_S) + 1, math.ceil(end / _LOOK_S))
        stops |= {k * _LOOK_S for k in grid if k % _LOOKS_A_STOP == 0}
        looks = sorted(stops | {begin} | {k * _LOOK_S for k in grid})
        for low, high in pairwise(looks):
            yield from self._turns(sample.tc_k, low, high)
            if high in stops:
                yield high

    def _turns(self, tc_k: float | None, low: float, high: float) -> Iterator[float]:
        """Yield where the temperature turns or goes through ``tc_k`` between two looks, in order."""
        cryostat = self._plant.cryostat
        found = []
        rates = cryostat.sample_rate(low), cryostat.sample_rate(high)
        if rates[0] * rates[1] < 0 and max(map(abs, rates)) > _STILL_K_PER_S:
            found.append(_switch(lambda t: cryostat.sample_rate(t) > 0, low, high, _TURN_S)[1])
        if tc_k is not None:
            for begin, end in list(pairwise([low, *found, high])):
                was_cold, is_cold = cryostat.sample(begin) < tc_k, cryostat.sample(end) < tc_k
                if was_cold is not is_cold:
                    sides = _switch(lambda t: cryostat.sample(t) < tc_k, begin, end, _CROSSING_S)
                    found.append(sides[1] if was_cold else sides[0])  # the one that is not below Tc
        yield from sorted(found)


def _switch(holds: Callable[[float], bool], low: float, high: float, closeness: float) -> tuple[float, float]:
    """Return two times this close, between which ``holds`` changes from what it is at ``low``."""
    at_low = holds(low)
    while high - low > closeness:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if holds(middle) is at_low else (low, middle)
    return low, high
