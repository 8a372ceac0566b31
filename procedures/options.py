"""What the structured parameters of a measurement say: settling, use of the magnet, preparation, reference.

Each travels as one text parameter of compact JSON, which a stock PyMeasure header gives back unchanged.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self, get_args

from onnes.instruments.lock_in_readings import INDEPENDENT_TAU
from onnes.instruments.lock_ins import SETTLING_TAU, LockInUse, Slope
from onnes.instruments.protocols import FieldApproach, FieldMode
from onnes.instruments.spelling import nearest

LOCK_IN = "lock_in"
_READING_S = 0.1  # for estimates alone: one voltage reading of a nanovoltmeter


def compact(value: object) -> str:
    """Return JSON on one line without spaces, with all digits; NaN is refused."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def mapping(text: str, what: str) -> dict[str, Any]:
    """Return the JSON object that ``text`` is.

    Raises:
        ValueError: if it is none; ``what`` names it.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{what} is not JSON: {error}; got {text!r}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{what} is {text}; expected a JSON object")
    return found


def number(what: str, value: object) -> float:
    """Return a finite number as float.

    Raises:
        ValueError: if it is anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{what} is {value!r}; expected a finite number")
    return float(value)


def positive(what: str, value: object) -> float:
    """Return a finite number above zero as float.

    Raises:
        ValueError: if it is anything else.
    """
    found = number(what, value)
    if not found > 0:
        raise ValueError(f"{what} = {found:.9g} must be above zero")
    return found


def whole(what: str, value: object) -> int:
    """Return a whole number above zero.

    Raises:
        ValueError: if it is anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{what} is {value!r}; expected a whole number from 1")
    return value


def numbers(what: str, value: object) -> tuple[float, ...]:
    """Return a list of finite numbers as a tuple.

    Raises:
        ValueError: if it is no list, is empty or holds anything but finite numbers.
    """
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(f"{what} is {value!r}; expected a list of at least one number")
    return tuple(number(what, item) for item in value)


class Options:
    """Optional keys of a JSON object; a missing one has the default."""

    TITLE: ClassVar[str]

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return what ``text`` says; ``{}`` is all defaults.

        Raises:
            ValueError: if it is no JSON object, or has a key or value that does not belong there.
        """
        given = mapping(text, cls.TITLE)
        known = list(cls.__annotations__)
        known.remove("TITLE")
        for key in given:
            if key not in known:
                raise ValueError(
                    f"unknown key {key!r} in {cls.TITLE}; expected some of {', '.join(known)}"
                    f"{nearest(key, known)}"
                )
        return cls(**given)

    def to_json(self) -> str:
        """Return the keys that are not default, as :meth:`from_json` takes them."""
        return compact({key: value for key, value in asdict(self).items() if value is not None})  # type: ignore[call-overload]  # subclasses are dataclasses


@dataclass(frozen=True, slots=True)
class Settle(Options):
    """When a temperature counts as settled; None stands for the default at that temperature.

    Over the window ``for_s`` a straight line is fitted: ``within_k`` is judged on its mean,
    ``slope_k_per_min`` on its slope. ``then_wait_s`` follows, for the sample's lag.
    """

    TITLE: ClassVar[str] = "settle"

    within_k: float | None = None
    slope_k_per_min: float | None = None
    for_s: float | None = None
    then_wait_s: float | None = None
    timeout_s: float | None = None

    def __post_init__(self) -> None:
        for name in ("within_k", "slope_k_per_min", "timeout_s"):
            if getattr(self, name) is not None:
                positive(f"{self.TITLE}.{name}", getattr(self, name))
        for name in ("for_s", "then_wait_s"):
            value = getattr(self, name)
            if value is not None and number(f"{self.TITLE}.{name}", value) < 0:
                raise ValueError(f"{self.TITLE}.{name} = {value:.9g} is negative")


@dataclass(frozen=True, slots=True)
class MagnetUse(Options):
    """How the field is changed; None stands for the default: the station's rate, and the wait of the mode."""

    TITLE: ClassVar[str] = "magnet"

    rate_oe_per_s: float | None = None
    approach: FieldApproach = "linear"
    mode: FieldMode = "driven"
    then_wait_s: float | None = None

    def __post_init__(self) -> None:
        if self.rate_oe_per_s is not None:
            positive(f"{self.TITLE}.rate_oe_per_s", self.rate_oe_per_s)
        if self.then_wait_s is not None and number(f"{self.TITLE}.then_wait_s", self.then_wait_s) < 0:
            raise ValueError(f"{self.TITLE}.then_wait_s = {self.then_wait_s:.9g} is negative")
        for name, choices in (("approach", get_args(FieldApproach)), ("mode", get_args(FieldMode))):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"{self.TITLE}.{name} is {getattr(self, name)!r}; expected one of {', '.join(choices)}"
                )


@dataclass(frozen=True, slots=True)
class Prepare(Options):
    """How a known history is made: warm, take the field away, cool; None stands for the default.

    The defaults hang on the temperature below which the history counts, and on the station:
    :class:`onnes.procedures.preparation.Recipe` has them.
    """

    TITLE: ClassVar[str] = "prepare"

    warm_to_k: float | None = None
    degauss_from_oe: float | None = None
    approach: FieldApproach = "oscillate"
    relax_s: float = 300.0  # a magnet relaxes for 5 min after a ramp (seen)
    cool_rate_k_per_min: float | None = None
    soak_s: float = 300.0

    def __post_init__(self) -> None:
        for name in ("warm_to_k", "cool_rate_k_per_min"):
            if getattr(self, name) is not None:
                positive(f"{self.TITLE}.{name}", getattr(self, name))
        for name in ("degauss_from_oe", "relax_s", "soak_s"):
            value = getattr(self, name)
            if value is not None and number(f"{self.TITLE}.{name}", value) < 0:
                raise ValueError(f"{self.TITLE}.{name} = {value:.9g} is negative")
        if self.approach not in get_args(FieldApproach):
            raise ValueError(
                f"{self.TITLE}.approach is {self.approach!r}; "
                f"expected one of {', '.join(get_args(FieldApproach))}"
            )


@dataclass(frozen=True, slots=True)
class LockInOptions(Options):
    """How a lock-in listens; None stands for the default of :class:`onnes.instruments.lock_ins.LockInUse`."""

    TITLE: ClassVar[str] = "lockin"

    frequency_hz: float | None = None
    time_constant_s: float | None = None
    slope_db: Slope | None = None
    settle: float | None = None
    sync: bool | None = None
    harmonic: int | None = None

    def __post_init__(self) -> None:
        for name in ("frequency_hz", "time_constant_s"):
            if getattr(self, name) is not None:
                positive(f"{self.TITLE}.{name}", getattr(self, name))
        for name, choices in (("slope_db", get_args(Slope)), ("settle", tuple(SETTLING_TAU))):
            if getattr(self, name) not in (None, *choices):
                raise ValueError(
                    f"{self.TITLE}.{name} is {getattr(self, name)!r}; "
                    f"expected one of {', '.join(f'{choice:g}' for choice in choices)}"
                )
        if self.sync is not None and not isinstance(self.sync, bool):
            raise ValueError(f"{self.TITLE}.sync is {self.sync!r}; expected true or false")
        if self.harmonic is not None:
            whole(f"{self.TITLE}.harmonic", self.harmonic)

    def use(self, **usual: Any) -> LockInUse:
        """Return what is given, with ``usual`` and then the defaults for the rest."""
        given = {key: value for key, value in asdict(self).items() if value is not None}
        return LockInUse(**(usual | given))


@dataclass(frozen=True, slots=True)
class Reference(Options):
    """A point that is measured again and again, so that a drift shows; without both keys there is none."""

    TITLE: ClassVar[str] = "reference"

    temperature_k: float | None = None
    field_oe: float | None = None

    def __post_init__(self) -> None:
        if (self.temperature_k is None) != (self.field_oe is None):
            raise ValueError(f"{self.TITLE} needs both temperature_k and field_oe, or neither")
        if self.temperature_k is not None:
            positive(f"{self.TITLE}.temperature_k", self.temperature_k)
        if self.field_oe is not None:
            number(f"{self.TITLE}.field_oe", self.field_oe)


def canonical(given: str | Mapping[str, Any] | list[Any]) -> str:
    """Return JSON text without spaces, from JSON text or from what it stands for.

    Raises:
        ValueError: if it is no JSON or holds NaN.
    """
    return compact(json.loads(given) if isinstance(given, str) else given)


def reading_s(method: str, lockin: str) -> float:
    """Return about how long one independent reading takes by a method, s; of an unnamed one a reversal.

    Behind the filter of a lock-in readings are independent only some time constants apart.
    """
    if method != LOCK_IN:
        return _READING_S
    use = LockInOptions.from_json(lockin).use()
    return INDEPENDENT_TAU[use.slope_db] * use.time_constant_s
