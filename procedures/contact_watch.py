"""Tells from the points alone that a contact has opened, so that the source is off within the reading.

A steep transition is no open contact: what changes within a point then changes between points as well, and
what a thermometer's noise makes of it stays a small part of the voltage. Each test allows for both. A change
that explains a point explains it once: after a transition the voltages are as equal as they were before it.
And no change explains a voltage against the current: a resistance falls to zero and not below.
"""

import math
from collections import deque
from collections.abc import Collection
from statistics import quantiles

from onnes.instruments.protocols import Resistance

_KEPT = 20
_LEAST = 10  # good points from which on there is something usual to compare with (a)
_OF_COMPLIANCE = 0.5  # a metal does not double its resistance from one point to the next (a)
# Noise above ten times the usual one is that of a contact (a). What is usual is the upper quartile: the error
# of two triples scatters so much that ten times the median of twenty is passed once a night by chance (seen).
_TIMES_USUAL = 10.0
_SIGMAS = 3.0  # an asymmetry of +I and -I above three standard errors is real (a)
_OF_VOLTAGE = 0.1  # noise of the temperature makes less of the voltage than this, even at a sharp Tc (a)
_EMF_STEP_V = 1e-5  # thermal EMFs of the leads of a cryostat stay below some uV (a)


class ContactWatch:
    """Judges each resistance of one wiring on the last good ones.

    Args:
        compliance_v: the largest voltage that the source gives, V.
    """

    def __init__(self, compliance_v: float) -> None:
        self._compliance_v = compliance_v
        self._volts: deque[float] = deque(maxlen=_KEPT)
        self._noise: deque[float] = deque(maxlen=_KEPT)
        self._emf_steps: deque[float] = deque(maxlen=_KEPT)
        self._emf_rates: deque[float] = deque(maxlen=_KEPT)
        self._last: Resistance | None = None
        self._explained = 0  # good points since, which only a change explains
        self._usual: tuple[float, Resistance] | None = None  # the last that no change had to explain

    def judge(self, found: Resistance, time: float) -> str:
        """Return why a contact must have opened, ``""`` if it has not; a good resistance is remembered.

        Points that only a change of the resistance explained may have been taken as the contact opened: they
        stay, as they may have been a transition, but the reason says that they are doubtful.

        Args:
            time: when it was taken, s.
        """
        knows = len(self._volts) >= _LEAST
        # The change since the last point bounds what a change within this one makes of noise and asymmetry.
        changed_v = 0.0 if self._last is None else abs(found.resistance - self._last.resistance)
        changed_v *= 2.0 * found.current
        reason = self._against(found, time) or (self._reason(found, time, changed_v) if knows else "")
        if not reason and not found.flags:
            self._last = found
            if knows and self._reason(found, time, 0.0):
                self._explained += 1
            else:
                self._explained = 0
                self._remember(found, time)
        return reason + self._doubts() if reason else ""

    def _against(self, found: Resistance, time: float) -> str:
        """Return a reason if the voltage goes against the current, as noise of an open input does."""
        if not found.signs or found.flags:
            return ""
        if self._usual is None:
            emf, known_v = found.emf, _OF_VOLTAGE * max(map(abs, found.readings))
        else:  # what the point itself has for an EMF is spoilt where its resistance changes
            then, last = self._usual
            emf, known_v = last.emf, _TIMES_USUAL * _usual(self._emf_rates) * (time - then)
            known_v = max(known_v, _TIMES_USUAL * _usual(self._noise) * math.sqrt(len(found.readings)))
        against_v = [sign * (emf - v) for sign, v in zip(found.signs, found.readings, strict=True)]
        # All of them against it are those of leads that were swapped, which costs a sign and no point.
        if max(against_v) <= max(_EMF_STEP_V, known_v) or min(against_v) > 0:
            return ""
        return f"the voltage is up to {max(against_v):.3g} V against the current, which no resistance does"

    def _doubts(self) -> str:
        count = self._explained
        if count == 1:
            return "; the point before it is doubtful, as only a change of resistance explains it"
        why = "are doubtful, as only a change of resistance explains them"
        return f"; the {count} points before it {why}" if count else ""

    def _remember(self, found: Resistance, time: float) -> None:
        if self._usual is not None:
            then, last = self._usual
            step = abs(found.emf - last.emf)
            self._emf_steps.append(step)
            self._emf_rates.append(step / (time - then) if time > then else 0.0)
        self._volts.append(abs(found.voltage))
        self._noise.append(found.resistance_error * found.current)
        self._usual = time, found

    def _reason(self, found: Resistance, time: float, changed_v: float) -> str:
        if "compliance" in found.flags:
            needed_v = max(self._volts)
            if needed_v >= _OF_COMPLIANCE * self._compliance_v:
                return ""
            return (
                f"the source is in compliance at {self._compliance_v:.3g} V, although the last "
                f"{len(self._volts)} points needed {needed_v:.3g} V at most"
            )
        if self._usual is None or found.flags:
            return ""
        then, last = self._usual
        noise_v, step_v = found.resistance_error * found.current, abs(found.emf - last.emf)
        known_v = max(changed_v, _OF_VOLTAGE * abs(found.voltage))
        if noise_v > known_v:
            usual_v = _usual(self._noise)
            if noise_v > max(_TIMES_USUAL * usual_v, _OF_VOLTAGE * _usual(self._volts)):
                return f"the noise of the voltage is {noise_v:.3g} V, usually {usual_v:.3g} V"
        if step_v > max(known_v, _SIGMAS * noise_v, _EMF_STEP_V):
            usual_v = max(_usual(self._emf_steps), _usual(self._emf_rates) * (time - then))
            if step_v > max(_TIMES_USUAL * usual_v, _OF_VOLTAGE * _usual(self._volts)):
                return (
                    f"the voltages at +I and -I have become unequal by {2.0 * step_v:.3g} V, "
                    f"usually {2.0 * usual_v:.3g} V from point to point"
                )
        return ""


def _usual(values: Collection[float]) -> float:
    return quantiles(values, n=4)[2] if len(values) > 1 else max(values, default=0.0)
