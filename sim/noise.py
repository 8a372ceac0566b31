"""Counter-based noise: the value belongs to (seed, stream, counter), never to how often someone asked.

The counter is lab time: integer microseconds of a reading, the index of a held interval, the node of an
octave. So a second reader, or a program run twice, changes nothing.
"""

import math
from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

_MASK: Final = 0xFFFF_FFFF_FFFF_FFFF
_ODD: Final = 0x9E37_79B9_7F4A_7C15  # the increment of splitmix64
_MIX_1: Final = 0xBF58_476D_1CE4_E5B9
_MIX_2: Final = 0x94D0_49BB_1331_11EB
_UNIT: Final = 2.0**-53
_TURN: Final = 2.0 * math.pi


def stream_key(seed: int, name: str) -> int:
    """Return the 64-bit key of the noise stream ``name`` of a lab with this seed."""
    return int.from_bytes(blake2b(f"{seed}/{name}".encode(), digest_size=8).digest(), "big")


def _mixed(z: int) -> int:
    z = ((z ^ (z >> 30)) * _MIX_1) & _MASK
    z = ((z ^ (z >> 27)) * _MIX_2) & _MASK
    return z ^ (z >> 31)


def uniform(key: int, n: int) -> float:
    """Return number ``n`` of the stream, evenly spread over (0, 1]."""
    return ((_mixed((key + n * _ODD) & _MASK) >> 11) + 1) * _UNIT


def white(key: int, n: int) -> float:
    """Return number ``n`` of the stream, normal with mean 0 and standard deviation 1 (Box-Muller)."""
    z = (key + n * _ODD) & _MASK
    z = ((z ^ (z >> 30)) * _MIX_1) & _MASK
    z = ((z ^ (z >> 27)) * _MIX_2) & _MASK
    first = z ^ (z >> 31)
    z = (first + _ODD) & _MASK
    z = ((z ^ (z >> 30)) * _MIX_1) & _MASK
    z = ((z ^ (z >> 27)) * _MIX_2) & _MASK
    radius = math.sqrt(-2.0 * math.log(((first >> 11) + 1) * _UNIT))
    return radius * math.cos(_TURN * (((z ^ (z >> 31)) >> 11) * _UNIT))


def white_array(key: int, n: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return ``white(key, k)`` for each k of the array; the same numbers to the last few bits."""
    odd, mix_1, mix_2 = np.uint64(_ODD), np.uint64(_MIX_1), np.uint64(_MIX_2)

    def mixed(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
        z = (z ^ (z >> np.uint64(30))) * mix_1
        z = (z ^ (z >> np.uint64(27))) * mix_2
        return z ^ (z >> np.uint64(31))

    first = mixed(np.asarray(n, dtype=np.int64).astype(np.uint64) * odd + np.uint64(key))
    second = mixed(first + odd)
    radius = np.sqrt(-2.0 * np.log(((first >> np.uint64(11)) + np.uint64(1)).astype(np.float64) * _UNIT))
    turns = (second >> np.uint64(11)).astype(np.float64) * _UNIT
    return np.asarray(radius * np.cos(_TURN * turns), dtype=np.float64)


def microseconds(t: float) -> int:
    """Return lab time ``t`` in s as the counter of a reading: integer microseconds."""
    return round(t * 1e6)


class Held:
    """The noise of a converter that updates every ``interval_s``: one white value an interval."""

    def __init__(self, key: int, interval_s: float) -> None:
        self._key = key
        self._interval_s = interval_s
        self._index = 0  # of the value at hand: only a memory of a pure value
        self._value = white(key, 0)

    def __call__(self, t: float) -> float:
        """Return the value that is held at lab time ``t``, of unit rms."""
        index = math.floor(t / self._interval_s)
        if index != self._index:
            self._index, self._value = index, white(self._key, index)
        return self._value


class Pink:
    """Drift with a spectrum of 1/f and unit rms, as a function of lab time in s.

    White nodes on ``octaves`` grids, each four times as coarse as the one before, joined by straight lines
    and added. The finest grid has a node every ``fastest_s``; below that time the drift is a straight line.
    """

    def __init__(self, key: int, fastest_s: float = 4.0, octaves: int = 8) -> None:
        self._keys = [stream_key(key, f"octave {j}") for j in range(octaves)]
        self._fastest_s = fastest_s
        # A line between two white nodes has a mean square of 2/3 of theirs.
        self._scale = 1.0 / math.sqrt(octaves * 2.0 / 3.0)
        # Each octave's piece at hand, [node, value there, value at the next], and the sum of them all: a
        # straight line between two nodes of the finest grid. Only memories of pure values: reading in another
        # order gives the same numbers.
        self._pieces = [(0, white(key, 0), white(key, 1)) for key in self._keys]
        self._go_to(0)

    def __call__(self, t: float) -> float:
        """Return the drift at lab time ``t``."""
        node = math.floor(t / self._fastest_s)
        if node != self._node:
            self._go_to(node)
        return self._value + self._slope * (t - node * self._fastest_s)

    def _go_to(self, node: int) -> None:
        value = slope = 0.0
        for octave, key in enumerate(self._keys):
            nodes = 4**octave
            index, within = divmod(node, nodes)
            piece = self._pieces[octave]
            if piece[0] != index:
                piece = self._pieces[octave] = (index, white(key, index), white(key, index + 1))
            rise = (piece[2] - piece[1]) / nodes  # from one node of the finest grid to the next
            value += piece[1] + rise * within
            slope += rise
        self._node = node
        self._value, self._slope = value * self._scale, slope * self._scale / self._fastest_s
