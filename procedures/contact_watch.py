"""Tells from the points alone that a contact has opened, so that the source is off within the reading.

A steep transition is no open contact: what changes within a point then changes between points as well, and
what a thermometer's noise makes of it stays a small part of the voltage. Each test allows for both.
"""

from collections import deque
from statistics import median

from onnes.instruments.protocols import Resistance

_KEPT = 20
_LEAST = 10  # good points from which on there is something usual to compare with (a)
_OF_COMPLIANCE = 0.5  # a metal does not double its resistance from one point to the next (a)
_TIMES_USUAL = 10.0  # noise above ten times its median is that of a contact (a)
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
        self._last: tuple[float, Resistance] | None = None

    def judge(self, found: Resistance, time: float) -> str:
        """Return why a contact must have opened, ``""`` if it has not; a good resistance is remembered.

        Args:
            time: when it was taken, s.
        """
        reason = self._reason(found, time) if len(self._volts) >= _LEAST else ""
        if not reason and not found.flags:
            self._remember(found, time)
        return reason

    def _remember(self, found: Resistance, time: float) -> None:
        if self._last is not None:
            then, last = self._last
            step = abs(found.emf - last.emf)
            self._emf_steps.append(step)
            self._emf_rates.append(step / (time - then) if time > then else 0.0)
        self._volts.append(abs(found.voltage))
        self._noise.append(found.resistance_error * found.current)
        self._last = time, found

    def _reason(self, found: Resistance, time: float) -> str:
        usual_v, largest_v = median(self._volts), max(self._volts)
        if "compliance" in found.flags and largest_v < _OF_COMPLIANCE * self._compliance_v:
            return (
                f"the source is in compliance at {self._compliance_v:.3g} V, although the last "
                f"{len(self._volts)} points needed {largest_v:.3g} V at most"
            )
        if self._last is None or found.flags:
            return ""
        then, last = self._last
        changed_v = 2.0 * abs(found.resistance - last.resistance) * found.current
        known_v = max(changed_v, _OF_VOLTAGE * max(abs(found.voltage), usual_v))
        noise_v, usual_noise_v = found.resistance_error * found.current, median(self._noise)
        if noise_v > max(_TIMES_USUAL * usual_noise_v, known_v):
            return f"the noise of the voltage is {noise_v:.3g} V, usually {usual_noise_v:.3g} V"
        step_v = abs(found.emf - last.emf)
        usual_step_v = max(median(self._emf_steps), median(self._emf_rates) * (time - then))
        if step_v > max(_TIMES_USUAL * usual_step_v, _SIGMAS * noise_v, _EMF_STEP_V, known_v):
            return (
                f"the voltages at +I and -I have become unequal by {2.0 * step_v:.3g} V, "
                f"usually {2.0 * usual_step_v:.3g} V from point to point"
            )
        return ""
