"""The residual field: what a magnet keeps when no current flows, and whether a measuring field stands it.

No magnet of a PPMS or MPMS has a field sensor: the reported field is the current of the supply, and the field
at the sample is that plus the residual field.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, Self, get_args

from onnes.instruments.spelling import nearest
from onnes.procedures.options import compact, mapping, number, positive

Source = Literal["estimate", "calibration", "pd"]

_K = 2.0  # a residual is inside 2 sigma in 19 of 20 cases
# The most that Quantum Design states for any of its magnets: 14 T, after the full field (note 1070-207).
_AT_MOST_OE = 120.0
_AT_MOST = "nothing was measured; no magnet of Quantum Design keeps more, note 1070-207"


@dataclass(frozen=True, slots=True)
class Residual:
    """What is known of the field that the preparation leaves behind, and how much of a field it may be.

    An estimate is a bound without a sign, ``bound_oe``; a calibration, or a Pd standard measured the same
    night, gives ``value_oe`` with ``sigma_oe``. ``accept`` is the fraction of the measuring field that may be
    wrong. ``correct`` says that the magnet is asked for that much less; None: where there is a value.

    Raises:
        ValueError: if a key has the wrong value, is missing, or does not belong to ``source``.
    """

    TITLE: ClassVar[str] = "residual"
    _KEYS: ClassVar[dict[str, str]] = {
        "from": "source",
        "accept": "accept",
        "correct": "correct",
        "value_oe": "value_oe",
        "sigma_oe": "sigma_oe",
        "bound_oe": "bound_oe",
        "known": "known",
    }

    source: Source = "estimate"
    accept: float = 0.05
    correct: bool | None = None
    value_oe: float | None = None
    sigma_oe: float | None = None
    bound_oe: float | None = None
    known: str = ""

    def __post_init__(self) -> None:
        if self.source not in get_args(Source):
            raise ValueError(
                f"{self.TITLE}.from is {self.source!r}; expected one of {', '.join(get_args(Source))}"
            )
        if positive(f"{self.TITLE}.accept", self.accept) >= 1:
            raise ValueError(
                f"{self.TITLE}.accept = {self.accept:.9g} is outside (0, 1), a fraction of the field"
            )
        if self.correct is not None and not isinstance(self.correct, bool):
            raise ValueError(f"{self.TITLE}.correct is {self.correct!r}; expected true or false")
        if not isinstance(self.known, str):
            raise ValueError(f"{self.TITLE}.known is {self.known!r}; expected text")
        if self.source == "estimate":
            self._check_estimate()
        else:
            self._check_measured()

    def _check_estimate(self) -> None:
        if self.value_oe is not None or self.sigma_oe is not None:
            raise ValueError(
                f"{self.TITLE}.value_oe and sigma_oe belong to a calibration or pd; an estimate has bound_oe"
            )
        if self.correct:
            raise ValueError(
                f"{self.TITLE}.correct is true, but an estimate is a bound without a sign, which cannot be "
                "corrected; measure the residual field with a Pd standard, or say false"
            )
        if self.bound_oe is not None:
            positive(f"{self.TITLE}.bound_oe", self.bound_oe)

    def _check_measured(self) -> None:
        if self.bound_oe is not None:
            raise ValueError(f"{self.TITLE}.bound_oe belongs to an estimate; {self.source} has value_oe")
        if self.value_oe is None or self.sigma_oe is None:
            raise ValueError(f"{self.TITLE}: {self.source} needs value_oe and sigma_oe")
        number(f"{self.TITLE}.value_oe", self.value_oe)
        positive(f"{self.TITLE}.sigma_oe", self.sigma_oe)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return what ``text`` says; ``{}`` is an estimate with the largest bound.

        Raises:
            ValueError: if it is no JSON object, or has a key or value that does not belong there.
        """
        given = mapping(text, cls.TITLE)
        for key in given:
            if key not in cls._KEYS:
                raise ValueError(
                    f"unknown key {key!r} in {cls.TITLE}; expected some of {', '.join(cls._KEYS)}"
                    f"{nearest(key, cls._KEYS)}"
                )
        return cls(**{cls._KEYS[key]: value for key, value in given.items()})

    def to_json(self) -> str:
        """Return the keys that are given, as :meth:`from_json` takes them."""
        values = {key: getattr(self, name) for key, name in self._KEYS.items()}
        return compact({key: value for key, value in values.items() if value not in (None, "")})

    @property
    def is_corrected(self) -> bool:
        """Say whether the magnet is asked for less by the residual field."""
        return self.value_oe is not None and self.correct is not False

    @property
    def error_oe(self) -> float:
        """Return one sigma of a measured residual field, the bound of an estimated one, Oe."""
        if self.sigma_oe is not None:
            return self.sigma_oe
        return _AT_MOST_OE if self.bound_oe is None else self.bound_oe

    def setpoint_oe(self, field_oe: float) -> float:
        """Return what the magnet is asked for, Oe, so that ``field_oe`` is at the sample."""
        return field_oe - (self.value_oe or 0.0) if self.is_corrected else field_oe

    def at_sample_oe(self, reported_oe: float) -> float:
        """Return the field at the sample, Oe, as far as the residual field is known."""
        return reported_oe + (self.value_oe or 0.0)

    def __str__(self) -> str:
        if self.value_oe is not None:
            how = self.known or {"calibration": "a calibration", "pd": "a Pd standard"}[self.source]
            return f"{self.value_oe:.4g} +- {self.sigma_oe:.2g} Oe ({how})"
        how = self.known or ("an estimate" if self.bound_oe is not None else _AT_MOST)
        return f"at most {self.error_oe:.4g} Oe ({how})"


@dataclass(frozen=True, slots=True)
class Gate:
    """A measuring field that the residual field lets through.

    ``field_oe`` is wanted at the sample and ``setpoint_oe`` asked of the magnet; ``wrong_oe`` is how wrong
    the field at the sample may be. ``message`` says so to a person.
    """

    field_oe: float
    setpoint_oe: float
    wrong_oe: float
    message: str


def gate(residual: Residual, field_oe: float) -> Gate:
    """Return what to ask of the magnet for ``field_oe`` at the sample, Oe.

    How wrong it may be is twice the sigma where the residual field is corrected, that and its size where it
    is not, and the bound of an estimate.

    Raises:
        ValueError: if that is more than the accepted fraction of the measuring field.
    """
    if residual.value_oe is None:
        wrong_oe, of = residual.error_oe, "bound"
    elif residual.is_corrected:
        wrong_oe, of = _K * residual.error_oe, "2 sigma, corrected"
    else:
        wrong_oe, of = abs(residual.value_oe) + _K * residual.error_oe, "size + 2 sigma, not corrected"
    accepted_oe = residual.accept * abs(field_oe)
    share = wrong_oe / abs(field_oe) if field_oe else math.inf
    if not wrong_oe <= accepted_oe:
        raise ValueError(
            f"residual field {residual}: {wrong_oe:.4g} Oe ({of}) is {share:.3g} of the measuring field "
            f"{field_oe:.9g} Oe, outside [0, {residual.accept:.3g}], the fraction set by residual.accept; "
            f"{_advice(residual)}, take a larger field, or accept more"
        )
    return Gate(
        field_oe,
        residual.setpoint_oe(field_oe),
        wrong_oe,
        f"residual field {residual}: {wrong_oe:.4g} Oe ({of}) is {share:.3g} of {field_oe:.9g} Oe, "
        f"accepted up to {residual.accept:.3g}",
    )


def _advice(residual: Residual) -> str:
    if residual.value_oe is None:
        return "measure it with a Pd standard and correct it, degauss with oscillate"
    if residual.is_corrected:
        return "measure it better with a Pd standard"
    return "correct it, degauss with oscillate"
