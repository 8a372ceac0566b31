"""Amplitudes as people type them: a peak or an rms value, and the word that says which.

An alternating field is kept as its peak, which is what limits count; without a word it is one. An alternating
voltage is kept as rms, which is what a lock-in shows; without a word it could be either, and is refused.
"""

from decimal import Decimal

from onnes.instruments.quantities import KINDS, quantity, unit_in
from onnes.runner.quantity_text import Typed, all_positive, read_quantity, read_values, shape
from onnes.runner.yaml_text import place_of

_PEAK_PER_RMS = Decimal(2).sqrt()  # of a sine


def read_rms(value: object, kind: str) -> Typed:
    """Return the rms value of ``kind`` that ``value`` says; a peak is turned into one.

    Raises:
        ValueError: if it does not say ``rms`` or ``peak``, is no quantity of ``kind``, or is not above zero.
    """
    if not isinstance(value, str):
        raise ValueError(f"a {shape(value)} is no quantity; expected {_example(kind)}")
    bare, word = _parted(value)
    if not word:
        raise ValueError(f"'{value}' does not say rms or peak; expected {_example(kind)}")
    number = quantity(bare, kind)
    if number <= 0:
        raise ValueError(f"'{value}' is not above 0; expected {_example(kind)}")
    return Typed(
        number if word == "rms" else number / _PEAK_PER_RMS, str(value), unit_in(bare), place_of(value)
    )


def read_peaks(value: object, kind: str) -> tuple[Typed, ...]:
    """Return the peaks that ``value`` says, a quantity, a grid, or a list of them; an rms value becomes one.

    Raises:
        PlacedError: with every item that says no value, or one that is not above zero.
    """
    return all_positive(read_values(value, kind, _read_peak), kind)


def _read_peak(value: object, kind: str) -> Typed:
    if not isinstance(value, str):
        return read_quantity(value, kind)
    bare, word = _parted(value)
    number = quantity(bare, kind) if word else read_quantity(value, kind).number
    return Typed(
        number * _PEAK_PER_RMS if word == "rms" else number, str(value), unit_in(bare), place_of(value)
    )


def _parted(text: str) -> tuple[str, str]:
    """Return what stands before the word ``rms`` or ``peak`` at the end, and the word, or an empty one."""
    bare, _, word = text.strip().rpartition(" ")
    return (bare, word) if word in ("rms", "peak") else (text, "")


def _example(kind: str) -> str:
    known = KINDS[kind]
    return f"{known.name} with the word; e.g. '0.2 {known.units[1]} rms'"
