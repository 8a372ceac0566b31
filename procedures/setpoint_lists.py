"""Lists of setpoints: read from the text of a parameter, and shown."""

import json

from onnes.procedures.options import numbers


def temperatures_of(text: str) -> tuple[float, ...]:
    """Return the temperatures, K, that the JSON text lists.

    Raises:
        ValueError: if it is anything but a list of numbers.
    """
    return _setpoints("temperatures", text, "K")


def fields_of(text: str) -> tuple[float, ...]:
    """Return the fields, Oe, that the JSON text lists.

    Raises:
        ValueError: if it is anything but a list of numbers.
    """
    return _setpoints("fields_oe", text, "Oe")


def biases_of(text: str) -> tuple[float, ...]:
    """Return the voltages, V, that the JSON text lists.

    Raises:
        ValueError: if it is anything but a list of numbers.
    """
    return _setpoints("biases_v", text, "V")


def currents_of(text: str) -> tuple[float, ...]:
    """Return the currents, A, that the JSON text lists.

    Raises:
        ValueError: if it is anything but a list of numbers.
    """
    return _setpoints("currents_a", text, "A")


def spread(values: tuple[float, ...], unit: str) -> str:
    """Return the range of ``values``, for the name of a folder.

    >>> spread((10.0, 2.0), "K")
    '2K-10K'
    """
    low, high = min(values) + 0.0, max(values) + 0.0  # no "-0Oe"
    return f"{low:.9g}{unit}" if low == high else f"{low:.9g}{unit}-{high:.9g}{unit}"


def listed(values: tuple[float, ...]) -> str:
    """Return ``values`` for a person, without a comma: a line of MultiVu takes none.

    >>> listed((2.0, 5.0, 10.5))
    '2 5 and 10.5'
    """
    *first, last = (f"{value:.9g}" for value in values)
    return f"{' '.join(first)} and {last}" if first else last


def _setpoints(what: str, text: str, unit: str) -> tuple[float, ...]:
    found = json.loads(text)
    if isinstance(found, dict):
        raise ValueError(f"{what} is {text}; measured is at setpoints alone: give a list of them, {unit}")
    return numbers(what, found)
