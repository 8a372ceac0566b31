"""What the resistivities of the superconductors have in common: normal state and resistive transition."""

import math
from typing import Final

from onnes.sim.phonons import phonons

_DEBYE_K: Final = 880.0  # (a), with exponent 3
TENTH: Final = 0.195799  # S(0.195799) = 0.1 to five digits


def smooth_step(x: float) -> float:
    """Return S(x) = x^2 (3 - 2x), x clipped to [0, 1].

    >>> round(smooth_step(0.195799), 5)
    0.1
    """
    x = min(max(x, 0.0), 1.0)
    return x * x * (3.0 - 2.0 * x)


class NormalState:
    """``rho`` g(T)/g(``at_k``), g = 1 + a BG(T) + C ln(300/max(T, 1)).

    C puts the minimum of g at ``minimum_k``; without it, C is 0.
    """

    def __init__(self, rho: float, at_k: float, a: float, minimum_k: float | None = None) -> None:
        self._lattice = phonons(_DEBYE_K, 3)
        self._a = a
        self._upturn = 0.0 if minimum_k is None else a * minimum_k * self._lattice.slope(minimum_k)
        self._scale = 1.0
        self._scale = rho / self(at_k)

    def __call__(self, T: float) -> float:
        """Return the resistivity in the unit of ``rho`` at ``T`` in K."""
        g = 1.0 + self._a * self._lattice(T)
        if self._upturn:
            g += self._upturn * math.log(300.0 / max(T, 1.0))
        return self._scale * g


class ResistiveTransition:
    """The share of the normal resistance; its 10 % point lies on H2 (1 - T/T10)^(1+alpha).

    ``w1_k`` + 0.05 K is the width without field, which grows by ``b`` ``w1_k`` up to H2.
    """

    def __init__(self, t10_k: float, h2_oe: float, alpha: float, w1_k: float, b: float) -> None:
        self._t10, self._h2, self._power = t10_k, h2_oe, 1.0 / (1.0 + alpha)
        self._width, self._broadening = w1_k, w1_k * b

    def __call__(self, T: float, H: float) -> float:
        """Return the share, 0 to 1, at ``T`` in K and ``H`` in Oe."""
        h = abs(H) / self._h2
        width = self._width + self._broadening * h + 0.05
        t10 = self._t10 * (1.0 - h**self._power)
        return smooth_step((T - t10 + TENTH * width) / width)
