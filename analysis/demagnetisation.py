"""Demagnetisation factors of a sample in the field along its side ``along_cm``, and what they change.

The factor is a model of the sample, so it comes with the name of the model: for a screening bar of
1 x 1 x 5 mm along its length the three models differ by 0.03, and with them every quantity divided by 1 - N.
"""

import math
from typing import NamedTuple

FLAT = 0.9  # a body with a larger factor is a plate across the field: 1 - N is then the error of N
_SQUARE = 2.0  # Brandt's formula is that of a cylinder: a cross-section wider than this is none


class Demagnetisation(NamedTuple):
    """``n``, the factor N of B = H_a + (1 - N) 4 pi M, between 0 and 1, and the name of its model."""

    n: float
    name: str


def aharoni(across_cm: tuple[float, float], along_cm: float) -> Demagnetisation:
    """Return the magnetometric factor of a uniformly magnetised prism: J. Appl. Phys. 83, 3432 (1998).

    ``across_cm``: the two sides across the field, cm.

    Raises:
        ValueError: if a side is not a positive number.

    >>> round(aharoni((1.0, 1.0), 1.0).n, 12)
    0.333333333333
    """
    a, b, c = _sides(across_cm, along_cm)
    p, q, s, r = math.hypot(a, b), math.hypot(b, c), math.hypot(a, c), math.hypot(a, b, c)
    # The paper's logarithms, as ln[(r-a)/(r+a)] = -2 asinh(a/q), so that a thin film keeps its digits.
    total = (
        -(b**2 - c**2) / (b * c) * math.asinh(a / q)
        - (a**2 - c**2) / (a * c) * math.asinh(b / s)
        + b / c * math.asinh(a / b)
        + a / c * math.asinh(b / a)
        - c / a * math.asinh(b / c)
        - c / b * math.asinh(a / c)
        + 2 * math.atan2(a * b, c * r)
        + (a**3 + b**3 - 2 * c**3) / (3 * a * b * c)
        + (a**2 + b**2 - 2 * c**2) * r / (3 * a * b * c)
        + c * (s + q) / (a * b)
        - (p**3 + q**3 + s**3) / (3 * a * b * c)
    )
    return Demagnetisation(total / math.pi, "Aharoni, uniform magnetisation")


def prozorov_kogan(across_cm: tuple[float, float], along_cm: float) -> Demagnetisation:
    """Return the effective factor of a fully screening prism: Phys. Rev. Applied 10, 014030 (2018).

    Raises:
        ValueError: as ``aharoni``.

    >>> round(prozorov_kogan((0.1, 0.1), 0.5).n, 4)
    0.1176
    """
    a, b, c = _sides(across_cm, along_cm)
    return Demagnetisation(4 * a * b / (4 * a * b + 3 * c * (a + b)), "Prozorov-Kogan, full screening")


def brandt(across_cm: tuple[float, float], along_cm: float) -> Demagnetisation:
    """Return the factor of a fully screening cylinder or bar along its axis: Phys. Rev. B 60, 11939 (1999).

    The width of a cross-section that is not square is the geometric mean of its sides (an assumption).

    Raises:
        ValueError: as ``aharoni``, and if one side across the field is more than twice the other.

    >>> round(brandt((0.1, 0.1), 0.5).n, 3)
    0.107
    """
    a, b, c = _sides(across_cm, along_cm)
    if max(a, b) > _SQUARE * min(a, b):
        raise ValueError(
            f"cross-section {2 * a:g} x {2 * b:g} cm is far from square, Brandt's factor is that of a "
            "cylinder; use prozorov_kogan"
        )
    s = c / math.sqrt(a * b)
    q = 4 / (3 * math.pi) + 2 / (3 * math.pi) * math.tanh(1.27 * s * math.log1p(1 / s))
    return Demagnetisation(1 - 1 / (1 + q / s), "Brandt, full screening")


def disk(diameter_cm: float, thickness_cm: float) -> Demagnetisation:
    """Return the factor of a fully screening disk in the field along its axis, 1/(1 + 1.6 t/d).

    Raises:
        ValueError: as ``aharoni``.
    """
    d, _, t = _sides((diameter_cm, diameter_cm), thickness_cm)
    return Demagnetisation(1 / (1 + 1.6 * t / d), "disk, full screening")


def given(n: float) -> Demagnetisation:
    """Return a factor that the user knows.

    Raises:
        ValueError: if it is outside [0, 1).
    """
    if not 0 <= n < 1:
        raise ValueError(f"demagnetisation factor = {n} is outside [0, 1); correct the sample file")
    return Demagnetisation(n, "given")


def factor(model: str | float, across_cm: tuple[float, float], along_cm: float) -> Demagnetisation:
    """Return the factor by ``model`` as a sample file names it: a number, or the name of a prism's formula.

    Raises:
        ValueError: as the models do, and if there is no model of this name.
    """
    if not isinstance(model, str):
        return given(model)
    if model not in _PRISMS:
        raise ValueError(
            f"demagnetisation = {model!r} is none of {', '.join(_PRISMS)}, and no number; "
            "correct the sample file"
        )
    return _PRISMS[model](across_cm, along_cm)


_PRISMS = {"prozorov_kogan": prozorov_kogan, "aharoni": aharoni, "brandt": brandt}


def intrinsic(chi: float, n: float) -> float:
    """Return 4 pi chi in the internal field, chi/(1 - N chi), from that in the applied field.

    >>> round(intrinsic(-1 / (1 - 0.1), 0.1), 12)
    -1.0
    """
    return chi / (1 - n * chi)


def external(chi: float, n: float) -> float:
    """Return 4 pi chi in the applied field, chi/(1 + N chi), from that in the internal field.

    >>> round(external(-1.0, 0.1), 4)
    -1.1111
    """
    return chi / (1 + n * chi)


def _sides(across_cm: tuple[float, float], along_cm: float) -> tuple[float, float, float]:
    """Return half the sides, cm."""
    for side in (*across_cm, along_cm):
        if not (math.isfinite(side) and side > 0):
            raise ValueError(
                f"side of the sample = {side} cm is not a positive number; correct the sample file"
            )
    return across_cm[0] / 2, across_cm[1] / 2, along_cm / 2
