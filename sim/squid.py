"""One moment through the coils: the voltage of a dipole in a second-order gradiometer, and the two fits.

Coil radius and baseline are those of the MPMS (k); MultiVu's own measure of a fit is not public. Ours is
one minus the rms of what the fit leaves over the rms of the signal: with the sample 1.1 mm off and a scan of
35 mm it gives 0.85, and the fixed fit reads 2.2 % too little. A real MPMS3 gave 0.71 and 4.5 % (seen).
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RADIUS_CM: Final = 0.97
BASELINE_CM: Final = 1.519
_STEPS: Final = 8  # of Newton's method for the free centre; three are enough for 3 mm
_LARGEST_STEP_CM: Final = 0.2
_SMALLEST_STEP_CM: Final = 1e-7
_PHASES: Final = 64  # of one period of the vibration


def _coils(u: Array) -> Array:
    """Return the flux of a dipole at ``u`` in cm through the three coils, before it is scaled."""
    r2 = RADIUS_CM**2
    up, down = BASELINE_CM + u, u - BASELINE_CM
    result: Array = 2.0 * (r2 + u * u) ** -1.5 - (r2 + up * up) ** -1.5 - (r2 + down * down) ** -1.5
    return result


_AT_CENTRE: Final = float(_coils(np.zeros(1))[0])


def response(position_cm: Array) -> Array:
    """Return the signal of a dipole at these positions from the middle of the coils, 1 at the middle."""
    return _coils(position_cm) / _AT_CENTRE


def slope(position_cm: Array) -> Array:
    """Return how the :func:`response` changes with position, 1/cm."""
    r2 = RADIUS_CM**2
    u = position_cm
    up, down = BASELINE_CM + u, u - BASELINE_CM
    result: Array = -6.0 * u * (r2 + u * u) ** -2.5
    result += 3.0 * up * (r2 + up * up) ** -2.5 + 3.0 * down * (r2 + down * down) ** -2.5
    return result / _AT_CENTRE


def positions(length_cm: float, points: int, *, oscillating: bool = False) -> Array:
    """Return where the voltage is read, cm from the given centre, shape (points,); evenly, or as a sine."""
    if oscillating:
        phase = math.pi * (np.arange(points) + 0.5) / points
        return -0.5 * length_cm * np.cos(phase)
    return np.linspace(-0.5 * length_cm, 0.5 * length_cm, points)


@dataclass(frozen=True, slots=True)
class DipoleFit:
    """What a fit of one scan gives: moment and its error, emu, quality 0 to 1, centre from the given one, cm.

    ``drift`` is the change of the background along the scan, in the unit of the voltage.
    """

    moment_emu: float
    error_emu: float
    quality: float
    centre_cm: float
    drift: float


def fit_fixed(position_cm: Array, volts: Array, emu_per_v: float) -> DipoleFit:
    """Fit offset, drift and moment with the sample at the given centre: linear least squares."""
    return _solved(position_cm, volts, emu_per_v, 0.0)


def fit_free(position_cm: Array, volts: Array, emu_per_v: float) -> DipoleFit:
    """Fit the centre of the sample too: Gauss and Newton's steps from the given centre.

    A centre that runs out of the scan is no centre; then the fit stays at the given one.
    """
    centre = 0.0
    for _ in range(_STEPS):
        matrix, best = _linear(position_cm, volts, centre)
        if best[2] == 0.0:
            return _solved(position_cm, volts, emu_per_v, 0.0)
        towards = -best[2] * slope(position_cm - centre)
        step = float(np.linalg.lstsq(np.column_stack([matrix, towards]), volts, rcond=None)[0][3])
        centre += max(-_LARGEST_STEP_CM, min(_LARGEST_STEP_CM, step))
        if abs(centre) > np.abs(position_cm).max():
            return _solved(position_cm, volts, emu_per_v, 0.0)
        if abs(step) < _SMALLEST_STEP_CM:
            break
    return _solved(position_cm, volts, emu_per_v, centre)


def vibrating(amplitude_cm: float, centre_cm: float) -> float:
    """Return the share of the moment that a VSM sees with the sample off centre, 1 at the middle.

    It reads the second harmonic of the vibration, which the curvature of the response makes.
    """
    phase = 2.0 * math.pi * (np.arange(_PHASES) + 0.5) / _PHASES
    weight = np.cos(2.0 * phase)
    way = amplitude_cm * np.cos(phase)
    return float((weight @ response(way - centre_cm)) / (weight @ response(way)))


@lru_cache(maxsize=32)
def fit_error_per_volt(length_cm: float, points: int, *, oscillating: bool = False) -> float:
    """Return the error of the fitted amplitude that white noise of 1 V rms in each reading makes."""
    z = positions(length_cm, points, oscillating=oscillating)
    matrix, _ = _linear(z, np.zeros(points), 0.0)
    return math.sqrt(float(np.linalg.inv(matrix.T @ matrix)[2, 2]))


def _linear(position_cm: Array, volts: Array, centre_cm: float) -> tuple[Array, Array]:
    matrix = np.column_stack([np.ones_like(position_cm), position_cm, response(position_cm - centre_cm)])
    best = np.linalg.lstsq(matrix, volts, rcond=None)[0].astype(np.float64)
    return matrix, best


def _solved(position_cm: Array, volts: Array, emu_per_v: float, centre_cm: float) -> DipoleFit:
    matrix, best = _linear(position_cm, volts, centre_cm)
    left = volts - matrix @ best
    signal = volts - matrix[:, :2] @ best[:2]
    total, rest = float(signal @ signal), float(left @ left)
    quality = max(0.0, 1.0 - math.sqrt(rest / total)) if total > 0 else 0.0
    variance = rest / (len(volts) - 3) * float(np.linalg.inv(matrix.T @ matrix)[2, 2])
    drift = float(best[1]) * float(position_cm[-1] - position_cm[0])
    return DipoleFit(
        float(best[2]) * emu_per_v, math.sqrt(variance) * abs(emu_per_v), quality, centre_cm, drift
    )
