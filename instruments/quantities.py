"""Quantities as people type them: a number with its unit, read exactly.

One pint registry of our own holds the units that may be typed and nothing else, with Decimal throughout, so
that 5 Oe stays 5 and 0.3 T is 3000 Oe. pint's default registry takes ``3 V/sqrt(Hz)`` as V/Hz without a word,
does not know emu, and makes 5 Oe 0.00049999999996669 T.
"""

import difflib
import math
import re
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import cache
from typing import Annotated, Any

import pint
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

_DEFINITIONS = """
micro- = 1e-6 = u-
nano- = 1e-9 = n-
milli- = 1e-3 = m-
centi- = 1e-2 = c-
kilo- = 1e3 = k-
mega- = 1e6 = M-
giga- = 1e9 = G-
meter = [length] = m
second = [time] = s
minute = 60 second = min
hour = 60 minute = h
gram = [mass] = g
kelvin = [temperature] = K
ampere = [current] = A
degree = [angle] = deg
fraction = []
percent = 0.01 fraction
hertz = 1 / second = Hz
watt = 1e3 gram * meter ** 2 / second ** 3 = W
volt = watt / ampere = V
ohm = volt / ampere
tesla = volt * second / meter ** 2 = T
gauss = 1e-4 tesla = G
oersted = 1e-4 tesla = Oe
emu = 1e-3 ampere * meter ** 2
byte = [information] = B
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of quantity: its name in a sentence, the unit it is kept in, and all that may be typed."""

    name: str
    base: str
    units: tuple[str, ...]
    example: str


# The first unit is the one that a message suggests.
KINDS = {
    "temperature": Kind("a temperature", "K", ("K", "mK"), "10 K"),
    "field": Kind("a field", "Oe", ("Oe", "kOe", "T", "mT", "uT", "G"), "5 Oe"),
    "temperature_rate": Kind("a temperature rate", "K/min", ("K/min", "mK/min", "K/s"), "10 K/min"),
    "field_rate": Kind("a field rate", "Oe/s", ("Oe/s", "Oe/min", "T/min", "mT/s", "mT/min"), "100 Oe/s"),
    "current": Kind("a current", "A", ("A", "mA", "uA", "nA"), "100 uA"),
    "current_rate": Kind("a current rate", "A/s", ("A/s", "mA/s", "uA/s"), "1 mA/s"),
    "voltage": Kind("a voltage", "V", ("V", "mV", "uV", "nV"), "50 mV"),
    "power": Kind("a power", "W", ("W", "mW", "uW", "nW"), "1 uW"),
    "resistance": Kind("a resistance", "ohm", ("ohm", "mohm", "kohm"), "100 ohm"),
    "frequency": Kind("a frequency", "Hz", ("Hz", "kHz", "mHz"), "17.77 Hz"),
    "time": Kind("a time", "s", ("s", "ms", "min", "h"), "60 s"),
    "length": Kind("a length", "cm", ("m", "cm", "mm", "um", "nm"), "2 mm"),
    "mass": Kind("a mass", "g", ("g", "mg", "ug"), "12.3 mg"),
    "angle": Kind("an angle", "deg", ("deg",), "90 deg"),
    "moment": Kind("a moment", "emu", ("emu",), "1e-5 emu"),
    "electric_field": Kind("an electric field", "uV/cm", ("uV/cm",), "1 uV/cm"),
    "current_density": Kind("a current density", "A/cm2", ("A/cm2",), "1e6 A/cm2"),
    "data_size": Kind("an amount of data", "GB", ("GB", "MB"), "1 GB"),  # decimal, as makers of drives count
    "field_constant": Kind("a field of a coil per current", "Oe/A", ("Oe/A", "T/A"), "100 Oe/A"),
    "pickup_constant": Kind(
        "a voltage of a pick-up coil per frequency and moment", "V/Hz/emu", ("V/Hz/emu",), "2e-4 V/Hz/emu"
    ),
    "fraction": Kind("a fraction", "fraction", ("%",), "5 %"),
}

# The units that pint's grammar spells otherwise.
_SPELLED = {"%": "percent", "A/cm2": "A/cm**2"}
# The micro sign, the Greek mu and the two capital omegas that keyboards and word processors produce.
_READ_AS = str.maketrans(
    {
        "\N{MICRO SIGN}": "u",
        "\N{GREEK SMALL LETTER MU}": "u",
        "\N{OHM SIGN}": "ohm",
        "\N{GREEK CAPITAL LETTER OMEGA}": "ohm",
    }
)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?(?![0-9.eE])")
_UNIT_AT_END = re.compile(r"(?:^|\s|\.\.)[+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?\s*([^\s0-9.][^\s]*)$")
_NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)\b", re.IGNORECASE)
# A rate per minute has no finite decimal per second; with these digits the rounding comes after them.
_DIGITS = 60


def _registry() -> pint.UnitRegistry[Decimal]:
    registry: pint.UnitRegistry[Decimal] = pint.UnitRegistry(None, non_int_type=Decimal)
    registry.load_definitions(_DEFINITIONS.strip().splitlines())
    return registry


@cache
def _factor(unit: str, base: str) -> Decimal:
    """Return how many ``base`` one ``unit`` is."""
    registry = _shared_registry()
    with localcontext() as context:
        context.prec = _DIGITS
        one = registry.Quantity(Decimal(1), _SPELLED.get(unit, unit))
        return Decimal(one.to(_SPELLED.get(base, base)).magnitude)


@cache
def _shared_registry() -> pint.UnitRegistry[Decimal]:
    return _registry()


def units_of(kind: str) -> tuple[str, ...]:
    """Return the units in which a quantity of ``kind`` may be typed."""
    return KINDS[kind].units


def base_unit(kind: str) -> str:
    """Return the unit in which :func:`quantity` gives a quantity of ``kind``."""
    return KINDS[kind].base


def unit_in(text: str) -> str:
    """Return the unit at the end of ``text``, as :func:`quantity` reads it; empty where there is none.

    >>> unit_in("0..12 T step 50 mT")
    'mT'
    """
    last = _UNIT_AT_END.search(text.strip())
    return last.group(1).translate(_READ_AS) if last else ""


def show(value: Decimal | float, kind: str, unit: str) -> str:
    """Return ``value``, in the base unit of ``kind``, as text in ``unit``.

    >>> show(Decimal(120000), "field", "T")
    '12 T'
    """
    with localcontext() as context:
        context.prec = _DIGITS
        number = Decimal(repr(value) if isinstance(value, float) else value) / _factor(unit, base_unit(kind))
    return f"{float(tidy(number)):.9g} {unit}"


def expected(kind: str) -> str:
    """Return what to type for ``kind``: ``a field in Oe, kOe, T, mT, uT or G; e.g. '5 Oe'``."""
    known = KINDS[kind]
    units = known.units[0] if len(known.units) == 1 else f"{', '.join(known.units[:-1])} or {known.units[-1]}"
    return f"{known.name} in {units}; e.g. '{known.example}'"


def quantity(text: str, kind: str) -> Decimal:
    """Return the number that ``text`` says, in the base unit of ``kind``.

    Raises:
        ValueError: if ``text`` has no unit or one of another kind, is NaN or infinite, or has anything left
            over; the text says what was expected, with an example.

    >>> quantity("0.3 T", "field")
    Decimal('3000')
    >>> quantity("0.9 T/min", "field_rate")
    Decimal('150')
    """
    known = KINDS[kind]
    stripped = text.strip()
    if _NOT_FINITE.match(stripped):
        raise ValueError(f"'{text}' is not a finite number; expected {expected(kind)}")
    number = _NUMBER.match(stripped)
    if number is None:
        raise ValueError(f"'{text}' is not a number with a unit; expected {expected(kind)}")
    unit = stripped[number.end() :].strip().translate(_READ_AS)
    if not unit:
        raise ValueError(f"'{text}' has no unit; expected {known.name}; e.g. '{stripped} {known.units[0]}'")
    if unit not in known.units:
        raise ValueError(_wrong_unit(text, unit, kind))
    with localcontext() as context:
        context.prec = _DIGITS
        value = Decimal(number.group()) * _factor(unit, known.base)
    if not math.isfinite(float(value)):
        raise ValueError(f"'{text}' is too large for a number; expected {expected(kind)}")
    return tidy(value)


def tidy(value: Decimal) -> Decimal:
    """Return ``value`` with at most 28 digits, no trailing zeros and no exponent where none is needed.

    >>> tidy(Decimal("3.00E+3"))
    Decimal('3000')
    """
    rounded = (+value).normalize()
    exponent = rounded.as_tuple().exponent
    if isinstance(exponent, int) and 0 < exponent <= 12:
        return rounded.quantize(Decimal(1))
    return rounded


def _wrong_unit(text: str, unit: str, kind: str) -> str:
    word = unit.rpartition(" ")[2]
    if word in ("rms", "peak", "pp"):
        of_current = ": a current is direct, and rms where a lock-in measures" if kind == "current" else ""
        return f"'{text}' says {word}, which is not said here{of_current}; expected {expected(kind)}"
    for other in KINDS.values():
        if unit in other.units:
            return f"'{text}' is {other.name}; expected {expected(kind)}"
    by_lower_case = {name.lower(): name for name in KINDS[kind].units}
    near = difflib.get_close_matches(unit.lower(), by_lower_case, n=1)
    hint = f"; did you mean '{by_lower_case[near[0]]}'?" if near else ""
    return f"'{text}' has the unknown unit '{unit}'; expected {expected(kind)}{hint}"


def quantity_range(text: str, kind: str) -> tuple[Decimal, Decimal]:
    """Return both ends of ``300 K .. 2 K`` or ``2..300 K`` in the order given, in the base unit of ``kind``.

    A first end without a unit has that of the second.

    Raises:
        ValueError: if ``text`` is not two quantities of ``kind`` with ``..`` between them.

    >>> quantity_range("-9..9 T", "field")
    (Decimal('-90000'), Decimal('90000'))
    """
    parts = [part.strip() for part in text.split("..")]
    if len(parts) != 2 or not all(parts) or "..." in text:
        raise ValueError(
            f"'{text}' is not a range; expected two ends with '..' between; e.g. '0 .. {KINDS[kind].example}'"
        )
    first, last = parts
    end = quantity(last, kind)
    bare = _NUMBER.fullmatch(first)
    if bare is not None:
        last_number = _NUMBER.match(last)
        unit = last[last_number.end() :] if last_number else ""
        first = f"{first} {unit.strip()}"
    return quantity(first, kind), end


@dataclass(frozen=True, slots=True)
class OfKind:
    """Annotates a pydantic field as a quantity of ``kind``: text in the file, Decimal in the model."""

    kind: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Return a schema that reads text with :func:`quantity`."""
        del source, handler
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return a JSON Schema of text with the expected units as description."""
        del schema, handler
        return {"type": "string", "description": expected(self.kind), "examples": [KINDS[self.kind].example]}

    def read(self, value: object) -> Decimal:
        """Return the quantity that ``value`` says; a bare number has no unit.

        Raises:
            ValueError: if it is no quantity of this kind.
        """
        if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
            raise ValueError(f"{value!r} is not a number with a unit; expected {expected(self.kind)}")
        return quantity(str(value), self.kind)


@dataclass(frozen=True, slots=True)
class RangeOfKind(OfKind):
    """Annotates a pydantic field as a range of ``kind``, lower end first: ``1.9..350 K``."""

    def read(self, value: object) -> tuple[Decimal, Decimal]:  # type: ignore[override]  # two ends instead of one
        """Return both ends of the range that ``value`` says.

        Raises:
            ValueError: if it is no range of this kind, or goes down.
        """
        if not isinstance(value, str):
            example = KINDS[self.kind].example
            raise ValueError(f"{value!r} is not a range; expected e.g. '0 .. {example}'")
        low, high = quantity_range(value, self.kind)
        if low > high:
            raise ValueError(f"'{value}' goes down; expected the lower end first")
        return low, high


Temperature = Annotated[Decimal, OfKind("temperature")]
TemperatureRate = Annotated[Decimal, OfKind("temperature_rate")]
Field = Annotated[Decimal, OfKind("field")]
FieldRate = Annotated[Decimal, OfKind("field_rate")]
Current = Annotated[Decimal, OfKind("current")]
CurrentRate = Annotated[Decimal, OfKind("current_rate")]
Voltage = Annotated[Decimal, OfKind("voltage")]
Power = Annotated[Decimal, OfKind("power")]
ResistanceValue = Annotated[Decimal, OfKind("resistance")]
Time = Annotated[Decimal, OfKind("time")]
Length = Annotated[Decimal, OfKind("length")]
Fraction = Annotated[Decimal, OfKind("fraction")]
TemperatureRange = Annotated[tuple[Decimal, Decimal], RangeOfKind("temperature")]
FieldConstant = Annotated[Decimal, OfKind("field_constant")]
PickupConstant = Annotated[Decimal, OfKind("pickup_constant")]
FieldRange = Annotated[tuple[Decimal, Decimal], RangeOfKind("field")]
FrequencyRange = Annotated[tuple[Decimal, Decimal], RangeOfKind("frequency")]
