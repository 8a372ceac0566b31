"""The one place where PyMeasure's experiment names enter, with parameters that lose no digit.

The next release of PyMeasure moves names and converts at assignment; only this file would change.
"""

import math
from collections.abc import Callable
from typing import Any

from pymeasure.experiment import BooleanParameter, ListParameter, Parameter, Procedure
from pymeasure.experiment import FloatParameter as _FloatParameter
from pymeasure.experiment import IntegerParameter as _IntegerParameter

from onnes.procedures.options import canonical

__all__ = [
    "BooleanParameter",
    "FloatParameter",
    "IntegerParameter",
    "JsonParameter",
    "ListParameter",
    "Parameter",
    "Procedure",
]


class FloatParameter(_FloatParameter):
    """A number whose text has all 17 digits; PyMeasure's own writes six.

    >>> str(FloatParameter("Excitation current", units="A", default=0.00012345678901234567))
    '0.00012345678901234567 A'
    """

    def convert(self, value: Any) -> float:
        """Return ``value`` as float.

        Raises:
            ValueError: if it is no finite number within the limits, or has another unit.
        """
        if isinstance(value, str):
            number, _, units = value.strip().partition(" ")
            if units not in ("", self.units):
                raise ValueError(f"{self.name} = {value!r} has the unit {units!r}; expected {self.units!r}")
        else:
            number = value
        try:
            found = float(number)
        except (TypeError, ValueError):
            raise ValueError(f"{self.name} = {value!r} is not a number") from None
        if not math.isfinite(found) or not self.minimum <= found <= self.maximum:
            unit = f" {self.units}" if self.units else ""
            raise ValueError(
                f"{self.name} = {found!r}{unit} is outside [{self.minimum!r}, {self.maximum!r}]{unit}"
            )
        return found

    def __str__(self) -> str:
        if not self.is_set():
            return ""
        return f"{self._value!r} {self.units}" if self.units else repr(self._value)


class IntegerParameter(_IntegerParameter):
    """A whole number; PyMeasure's own cuts 7.9 to 7 without a word."""

    def convert(self, value: Any) -> int:
        """Return ``value`` as int.

        Raises:
            ValueError: if it is no whole number within the limits.
        """
        try:
            found = float(value)
            if found != int(found):
                raise ValueError
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"{self.name} = {value!r} is not a whole number") from None
        if not self.minimum <= found <= self.maximum:
            raise ValueError(f"{self.name} = {int(found)} is outside [{self.minimum}, {self.maximum}]")
        return int(found)


class JsonParameter(Parameter):
    """A structured value: it travels as compact JSON text, which a header gives back unchanged.

    Args:
        check: raises ValueError when the text says something that it must not.
    """

    def __init__(self, name: str, check: Callable[[str], object], **kwargs: Any) -> None:
        self.check = check
        super().__init__(name, **kwargs)

    def convert(self, value: Any) -> str:
        """Return JSON text, from text or from what it stands for.

        Raises:
            ValueError: if it is no JSON, or not what this parameter takes.
        """
        text = canonical(value)
        self.check(text)
        return text
