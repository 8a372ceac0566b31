"""chi' and chi'' of a sample from its alternating moment: per volume and field, outside or inside the sample.

4 pi chi, volume, dimensionless: a sample that screens all reads -1 inside (intrinsic) and -1/(1 - N) in the
applied field (external).
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from scipy.special import gammaincc

from onnes.analysis.ac_phase import AcMoments, Complexes
from onnes.analysis.isotherm import Floats
from onnes.analysis.result import Result, refused

Kind = Literal["external", "intrinsic"]
_AGREES = 3.0  # sigma: the first amplitude again, after the largest
_RARE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class AcCurve:
    """``chi`` = chi' + i chi'' (loss positive) at rising ``temperature`` (K), of one drive.

    ``sigma`` is the noise of either part of the signal, ``thermometer_k`` that of the temperature, which
    counts where a part is steep; ``scale_sigma`` the relative error that all points share, of volume and
    drive field. Amplitude in Oe (peak), frequency in Hz, ``dc_field_oe`` in Oe.
    """

    temperature: Floats
    chi: Complexes
    sigma: Floats
    amplitude_oe: float
    frequency_hz: float
    dc_field_oe: float
    kind: Kind = "external"
    demagnetisation: float = 0.0
    scale_sigma: float = 0.0
    thermometer_k: float = 0.0

    @property
    def real(self) -> Floats:
        """Return chi'."""
        return np.asarray(self.chi.real, dtype=np.float64)

    @property
    def loss(self) -> Floats:
        """Return chi''."""
        return np.asarray(self.chi.imag, dtype=np.float64)

    @property
    def real_sigma(self) -> Floats:
        """Return the noise of chi', that of the thermometer included."""
        return self._with_thermometer(self.real)

    @property
    def loss_sigma(self) -> Floats:
        """Return the noise of chi'', that of the thermometer included."""
        return self._with_thermometer(self.loss)

    def _with_thermometer(self, part: Floats) -> Floats:
        if len(part) < 3:
            return self.sigma
        slope = np.gradient(part, self.temperature)
        return np.asarray(np.hypot(self.sigma, slope * self.thermometer_k))


def ac_curve(
    temperature: Any,
    moments: AcMoments,
    *,
    volume_cm3: float,
    frequency_hz: float,
    dc_field_oe: float,
    geometry_sigma: float,
) -> AcCurve:
    """Return 4 pi m/(V h) of corrected moments of one amplitude, external, sorted by temperature.

    Points at exactly equal temperature become their mean.

    Args:
        geometry_sigma: relative error of the volume

    Raises:
        ValueError: if there is not one temperature a moment, the amplitudes differ by more than 1 %, or the
            volume is not a positive number.
    """
    t = np.asarray(temperature, dtype=np.float64)
    if t.shape != moments.moment.shape:
        raise ValueError(
            f"{t.shape} temperatures of {moments.moment.shape} moments; give one of each a point"
        )
    if not (math.isfinite(volume_cm3) and volume_cm3 > 0):
        raise ValueError(
            f"volume of the sample = {volume_cm3} cm^3 is not a positive number; correct the sample file"
        )
    amplitude = float(np.mean(moments.amplitude_oe)) if len(t) else math.nan
    if len(t) and float(np.ptp(moments.amplitude_oe)) > 0.01 * amplitude:
        raise ValueError(
            f"amplitudes from {moments.amplitude_oe.min():.4g} to {moments.amplitude_oe.max():.4g} Oe are "
            "not one curve; take each by itself"
        )
    places, group = np.unique(t, return_inverse=True)
    count = np.maximum(np.bincount(group, minlength=len(places)), 1)
    scale = 4 * math.pi / (volume_cm3 * moments.amplitude_oe)

    def mean(values: Floats) -> Floats:
        return np.asarray(np.bincount(group, values, minlength=len(places)) / count)

    chi = mean(scale * moments.moment.real) + 1j * mean(scale * moments.moment.imag)
    sigma = np.sqrt(np.bincount(group, (scale * moments.sigma) ** 2, minlength=len(places))) / count
    return AcCurve(places, chi, sigma, amplitude, frequency_hz, dc_field_oe, scale_sigma=geometry_sigma)


def intrinsic(curve: AcCurve, n: float) -> AcCurve:
    """Return chi/(1 - N chi) of an external curve, with its sigma.

    Raises:
        ValueError: if the curve is intrinsic already, or N is outside [0, 1).
    """
    if curve.kind != "external":
        raise ValueError("the curve is intrinsic already; the factor must not be taken out twice")
    if not 0 <= n < 1:
        raise ValueError(f"demagnetisation factor = {n} is outside [0, 1); correct the sample file")
    below = 1 - n * curve.chi
    return replace(
        curve,
        chi=curve.chi / below,
        sigma=curve.sigma / np.abs(below) ** 2,
        kind="intrinsic",
        demagnetisation=n,
    )


def heating_check(curve: AcCurve, again: AcCurve) -> Result:
    """Return the mean of chi' of the first amplitude, again less before, over the temperatures of both.

    Flag ``heated`` where it differs from zero by more than 3 sigma, or the differences scatter by more than
    their noise lets expect in one case of a thousand: the largest amplitude has warmed the sample, or left
    flux in it, which shows in the transition alone.
    """
    quantity, criterion = "change of chi by the largest amplitude", "mean of chi' again less chi' before"
    common, before, after = np.intersect1d(
        np.round(curve.temperature, 2), np.round(again.temperature, 2), return_indices=True
    )
    n = len(common)
    if not n:
        return refused(quantity, "1", criterion, "the two have no temperature in common")
    difference = again.real[after] - curve.real[before]
    noise = np.hypot(again.real_sigma[after], curve.real_sigma[before])
    value = float(difference.mean())
    sigma = float(np.sqrt(np.sum(noise**2))) / n
    chi2 = float(np.sum((difference / np.maximum(noise, 1e-12)) ** 2))
    goodness = {"chi2_per_dof": chi2 / n, "largest": float(np.max(np.abs(difference)))}
    is_heated = abs(value) > _AGREES * sigma or gammaincc(n / 2, chi2 / 2) < _RARE
    flags = ("heated",) if is_heated else ()
    window = {"temperature_k": (float(common.min()), float(common.max()))}
    return Result(quantity, value, sigma, "1", criterion, window, n, goodness, flags)


def screening(curve: AcCurve, below_k: float) -> Result:
    """Return chi' below ``below_k``, K: -1 of an intrinsic curve, -1/(1 - N) of an external one.

    Volume and drive field count in full in its sigma.
    """
    quantity = f"chi' ({curve.kind}) in the screening state"
    criterion = f"mean of chi' below {below_k:g} K"
    low = curve.temperature < below_k
    n = int(low.sum())
    if not n:
        return refused(quantity, "1", criterion, "no points")
    value = float(curve.real[low].mean())
    noise = float(np.sqrt(np.sum(curve.real_sigma[low] ** 2))) / n
    if n > 2:
        noise = max(noise, float(curve.real[low].std(ddof=1)) / n**0.5)
    scale = abs(value) * curve.scale_sigma
    goodness = {"sigma_noise": noise, "sigma_scale": scale, "demagnetisation": curve.demagnetisation}
    t = curve.temperature[low]
    window = {"temperature_k": (float(t.min()), float(t.max()))}
    return Result(quantity, value, math.hypot(noise, scale), "1", criterion, window, n, goodness)
