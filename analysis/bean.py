"""Jc from the width of a magnetisation loop, by Bean's critical state, at equal internal field.

Bean RMP 36, 31 (1964); Gyorgy, APL 55, 283 (1989), for the rectangle. Lengths in cm, M in emu/cm^3,
Jc in A/cm^2. Evaluated at equal applied field a bar reads some 10 % too high: its legs are then compared
in different fields.
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from onnes.analysis.demagnetisation import FLAT
from onnes.analysis.isotherm import Floats
from onnes.analysis.loop import IncompleteLoop, legs, opening, tip_slopes, width_at_zero
from onnes.analysis.result import Result, Window, refused

_QUANTITY = "critical current density at H_i = 0"
_GEOMETRY = 0.05  # relative error of sizes, and of the volume with them
_N_SIGMA = 0.015  # how far the models of a 1 x 1 x 5 bar are apart
_FULL = 2.0  # H*: by as much the field must turn for the currents to have turned everywhere
# A slab that is just short of full penetration reads Jc so low that its range looks like 2 H*; with this
# margin, and the slope of its tips, none passes (computed for all ranges of slab and square bar).
_MARGIN = 1.15
_SCREENING = -0.1  # slope of 4 pi M over H_i at a tip: below this flux has not reached the centre
_SEEN = 5.0  # sigma: a loop that is less open is closed
# (a) Jc falls with the field; points and kinks make a loop wider elsewhere by less.
_WIDER = 1.2


class Shape(Protocol):
    """Cross-section of a sample across the field."""

    @property
    def factor(self) -> float:
        """Return Jc over the width of the loop in emu/cm^3, 1/cm."""

    @property
    def reach_cm(self) -> float:
        """Return how far flux must go to reach the centre, cm."""

    @property
    def name(self) -> str:
        """Return its name and sizes."""


@dataclass(frozen=True, slots=True)
class Slab:
    """A plate in the field along its face, ``thickness_cm``."""

    thickness_cm: float

    def __post_init__(self) -> None:
        _check(thickness=self.thickness_cm)

    @property
    def factor(self) -> float:
        """Return 20/w."""
        return 20 / self.thickness_cm

    @property
    def reach_cm(self) -> float:
        """Return half the thickness."""
        return self.thickness_cm / 2

    @property
    def name(self) -> str:
        """Return name and thickness."""
        return f"slab of {self.thickness_cm:g} cm"


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A bar or film across the field, its two sides in any order."""

    sides_cm: tuple[float, float]

    def __post_init__(self) -> None:
        for side in self.sides_cm:
            _check(side=side)

    @property
    def factor(self) -> float:
        """Return 20/[w (1 - w/3b)], w <= b."""
        w, b = sorted(self.sides_cm)
        return 20 / (w * (1 - w / (3 * b)))

    @property
    def reach_cm(self) -> float:
        """Return half the shorter side."""
        return min(self.sides_cm) / 2

    @property
    def name(self) -> str:
        """Return name and sides."""
        return f"rectangle of {self.sides_cm[0]:g} x {self.sides_cm[1]:g} cm"


@dataclass(frozen=True, slots=True)
class Cylinder:
    """A cylinder in the field along its axis, ``radius_cm``."""

    radius_cm: float

    def __post_init__(self) -> None:
        _check(radius=self.radius_cm)

    @property
    def factor(self) -> float:
        """Return 15/R."""
        return 15 / self.radius_cm

    @property
    def reach_cm(self) -> float:
        """Return the radius."""
        return self.radius_cm

    @property
    def name(self) -> str:
        """Return name and radius."""
        return f"cylinder of radius {self.radius_cm:g} cm"


@dataclass(frozen=True, slots=True, eq=False)
class LoopCurrent:
    """Jc of one loop.

    ``at_zero``: Jc at H_i = 0, A/cm^2. For the plot: ``jc`` with its noise ``sigma`` (A/cm^2) over the
    internal field ``field`` (Oe); ``valid`` where the field has turned by 2 H* since the last turn; empty
    where there is no loop.
    """

    at_zero: Result
    field: Floats
    jc: Floats
    sigma: Floats
    valid: np.ndarray


def loop_current(
    field_oe: Any,
    moment_emu: Any,
    sigma_emu: Any,
    *,
    volume_cm3: float,
    shape: Shape,
    n: float,
    n_sigma: float = _N_SIGMA,
    geometry_sigma: float = _GEOMETRY,
) -> LoopCurrent:
    """Return Jc of a loop whose points come in the order in which they were measured.

    Sigma of Jc at H_i = 0 holds noise, geometry, the factor N and the way to zero; goodness keeps them apart,
    with ``at_applied_field``: what the loop would read at applied H = 0, and ``h_star_oe``, the field of full
    penetration. A loop too narrow for Bean's state is flagged ``range_below_2h_star``: its Jc is too low. One
    that is wider by a fifth elsewhere than at zero is flagged ``wider_elsewhere``: flux jumps make it so. A
    plate across the field is refused: its currents see no field H - N 4 pi M.

    Raises:
        ValueError: if the arrays differ in length, a sigma is negative, the volume is not a positive number,
            or ``n`` is outside [0, 1).
    """
    if not (math.isfinite(volume_cm3) and volume_cm3 > 0):
        raise ValueError(
            f"volume of the sample = {volume_cm3} cm^3 is not a positive number; correct the sample file"
        )
    if not 0 <= n < 1:
        raise ValueError(f"demagnetisation factor = {n} is outside [0, 1)")
    to_g = 4 * math.pi / volume_cm3
    criterion = f"Bean, {shape.name}, loop width at equal internal field, N = {n:.4g}"
    moment = np.asarray(moment_emu, dtype=np.float64)
    try:
        if n > FLAT:
            raise IncompleteLoop(
                f"N = {n:.4g}: a plate across the field has no internal field H - N 4 pi M; its Jc is not "
                "found here"
            )
        whole = legs(field_oe, to_g * moment, to_g * np.asarray(sigma_emu, dtype=np.float64))
        own = opening(whole, n)
        zero, noise, to_zero = width_at_zero(whole, n)
        low = width_at_zero(whole, max(n - n_sigma, 0.0))[0]
        high = width_at_zero(whole, min(n + n_sigma, 0.999))[0]
        applied = opening(whole, 0.0)
        slopes = tip_slopes(whole, n)
    except IncompleteLoop as error:
        empty = np.empty(0)
        nothing = refused(_QUANTITY, "A/cm^2", criterion, str(error), n=len(moment))
        return LoopCurrent(nothing, empty, empty, empty, np.empty(0, dtype=bool))
    scale = shape.factor / (4 * math.pi)
    jc, sigma = scale * own.width, scale * own.sigma
    h_star = 0.4 * math.pi * np.maximum(jc, 0.0) * shape.reach_cm
    from_turn = np.minimum(own.field - own.field[0], own.field[-1] - own.field)
    valid = (from_turn > _FULL * _MARGIN * h_star) & (min(slopes) >= _SCREENING)
    window: Window = {"field_oe": (float(own.field[0]), float(own.field[-1]))}
    zero_h_star = 0.4 * math.pi * scale * abs(zero) * shape.reach_cm
    goodness = {
        "sigma_noise": scale * noise,
        "sigma_geometry": abs(scale * zero) * geometry_sigma,
        "sigma_n": scale * abs(high - low) / 2,
        "sigma_to_zero": scale * to_zero,
        "at_applied_field": scale * float(np.interp(0.0, applied.field, applied.width)),
        "h_star_oe": zero_h_star,
        "range_over_h_star": float(min(-own.field[0], own.field[-1])) / max(zero_h_star, 1e-300),
        "tip_slope": min(slopes),
        "widest_over_zero": _upper(jc, sigma) / max(scale * zero, 1e-300),
    }
    at_zero = _judged(criterion, scale * zero, goodness, window, len(moment))
    return LoopCurrent(at_zero, own.field, jc, sigma, valid)


def _judged(criterion: str, value: float, goodness: dict[str, float], window: Window, n: int) -> Result:
    noise = goodness["sigma_noise"]
    if value < _SEEN * noise:
        why = (
            f"is within {_SEEN:g} sigma of zero (sigma {noise:.2g} A/cm^2)"
            if value > -_SEEN * noise
            else "is negative: the fields are too far apart at H_i = 0, or the legs are exchanged"
        )
        reason = f"the loop is not open at H_i = 0: Jc = {value:.3g} A/cm^2 {why}"
        return refused(_QUANTITY, "A/cm^2", criterion, reason, window=window, n=n, goodness=goodness)
    flags: tuple[str, ...] = ()
    if goodness["range_over_h_star"] < _FULL * _MARGIN or goodness["tip_slope"] < _SCREENING:
        flags = ("range_below_2h_star",)
    if goodness["widest_over_zero"] > _WIDER:
        flags += ("wider_elsewhere",)
    sigma = math.hypot(*(goodness[f"sigma_{term}"] for term in ("noise", "geometry", "n", "to_zero")))
    return Result(_QUANTITY, value, sigma, "A/cm^2", criterion, window, n, goodness, flags)


def _upper(jc: Floats, sigma: Floats) -> float:
    """Return the largest Jc that three neighbours reach beyond 3 sigma: one point may be bad."""
    low = jc - 3 * sigma
    return float(np.max(np.minimum(np.minimum(low[:-2], low[1:-1]), low[2:])))


def _check(**sizes_cm: float) -> None:
    for name, size in sizes_cm.items():
        if not (math.isfinite(size) and size > 0):
            raise ValueError(
                f"{name} of the sample = {size} cm is not a positive number; correct the sample file"
            )
