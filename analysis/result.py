"""What an analysis answers: a number with its uncertainty and criterion, or the reason why there is none."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

Window = Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Result:
    """One quantity of one sample.

    ``value`` and ``sigma`` (one standard deviation) are in ``unit``. ``criterion`` says how the quantity is
    defined, with its numbers. ``window`` gives the ranges of the data that were used, as {"temperature_k":
    (low, high)} and ``field_oe`` alike, ``n`` the number of points in them. ``goodness`` holds what judges
    the fit and every term of the uncertainty. ``flags`` are short words for what a reader must know.

    No answer is ``value = None`` with a ``reason``, never a number that the data do not carry. ``sigma`` is
    None beside a value where the uncertainty is not known; a flag says why.

    Raises:
        ValueError: if a value is not finite, a sigma is negative or not finite, a value comes with a reason,
            or neither is there.

    >>> Result("Tc", 39.3, 0.01, "K", "tangent onset").value
    39.3
    """

    quantity: str
    value: float | None
    sigma: float | None
    unit: str
    criterion: str
    window: Window = field(default_factory=dict)
    n: int = 0
    goodness: Mapping[str, float] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    reason: str = ""

    def __post_init__(self) -> None:
        if (self.value is None) != bool(self.reason):
            raise ValueError(
                f"{self.quantity}: value = {self.value}, reason = {self.reason!r}; give one of the two"
            )
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(
                f"{self.quantity} = {self.value} {self.unit} is not finite; give a reason instead"
            )
        if self.sigma is not None and not (math.isfinite(self.sigma) and self.sigma >= 0):
            raise ValueError(
                f"{self.quantity}: sigma = {self.sigma} {self.unit} is not a finite, positive number"
            )


def refused(
    quantity: str,
    unit: str,
    criterion: str,
    reason: str,
    *,
    window: Window | None = None,
    n: int = 0,
    goodness: Mapping[str, float] | None = None,
    flags: tuple[str, ...] = (),
) -> Result:
    """Return the result that is no answer but a ``reason``."""
    return Result(quantity, None, None, unit, criterion, window or {}, n, goodness or {}, flags, reason)
