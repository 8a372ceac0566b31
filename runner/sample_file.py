"""The sample file: what is mounted, how large it is, what it stands, and what the twin mounts instead."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, PlainValidator, PrivateAttr

from onnes.instruments.quantities import (
    Current,
    Length,
    OfKind,
    Power,
    ResistanceValue,
    Temperature,
    TemperatureRange,
    TemperatureRate,
    Voltage,
)
from onnes.instruments.toml_file import Problem, line_of, load_toml, read_text
from onnes.runner.plan_limits import PlanLimits, at_most, limits_of
from onnes.runner.problems import choice
from onnes.runner.references import shown
from onnes.sim.samples import PARAMETERS

Mass = Annotated[Decimal, OfKind("mass")]
_FORMULAS = ("aharoni", "prozorov_kogan", "brandt")


def _demagnetisation(value: object) -> str | float:
    if isinstance(value, str) and value in _FORMULAS:
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise ValueError(
        f"{value!r} is no demagnetising factor; expected {choice(_FORMULAS)}, or a number from 0 to 1; "
        "1/3 is a sphere"
    )


Demagnetisation = Annotated[str | float, PlainValidator(_demagnetisation)]
Axis = Literal["length", "width", "thickness"]

_CM_IN = {"mm": Decimal(10), "nm": Decimal(10_000_000)}


class _Part(BaseModel, extra="forbid", frozen=True):
    """A table of a sample file; an unknown key is an error."""


class Uncertainty(_Part):
    """Standard uncertainty of the geometry."""

    length: Length | None = None
    width: Length | None = None
    thickness: Length | None = None


class Geometry(_Part):
    """Shape and size; ``length`` is between the voltage contacts, ``lateral`` the whole piece.

    ``demagnetisation`` is a formula by its author, or the factor itself; ``background`` the file of an empty
    holder, relative to the sample file.
    """

    shape: Literal["film", "bar", "plate", "wire", "disk", "sphere", "powder"]
    length: Length | None = None
    width: Length | None = None
    thickness: Length | None = None
    uncertainty: Uncertainty = Uncertainty()
    lateral: tuple[Length, Length] | None = None
    mass: Mass | None = None
    demagnetisation: Demagnetisation | None = None
    background: str | None = None


class Mounting(_Part):
    """One way to mount the sample: in words, and along which edge of the body the field is."""

    field_along: str
    axis: Axis | None = None


class Contacts(_Part):
    """What the leads are attached with."""

    kind: str = ""
    max_resistance: ResistanceValue | None = None


class SampleLimits(_Part):
    """What the sample and its contacts stand."""

    temperature: TemperatureRange | None = None
    temperature_rate: TemperatureRate | None = None
    current: Current | None = None
    voltage: Voltage | None = None
    power: Power | None = None


class Expected(_Part):
    """What is known or guessed before the measurement: for checks and the plan, never for analysis."""

    tc: Temperature | None = None
    transition_width: Temperature | None = None
    resistance: ResistanceValue | None = None
    hysteretic: bool | None = None
    gap: Voltage | None = None


class SampleDefaults(_Part):
    """Values of blocks that are the sample's own."""

    current: Current | None = None


class SampleFile(_Part):
    """A sample file. ``virtual`` is what the twin mounts: the keys of ``[sample]`` of a lab file.

    ``standard`` says that the sample is one whose moment is known: it tells of the magnet, not of itself.
    """

    sample: Literal[1]
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9.\-]+$")]
    version: Annotated[int, Field(ge=1)] = 1
    title: str = ""
    material: str = ""
    standard: Literal["palladium"] | None = None
    geometry: Geometry
    mounting: dict[str, Mounting] = Field(default_factory=dict)
    contacts: Contacts = Contacts()
    limits: SampleLimits = SampleLimits()
    expected: Expected = Expected()
    defaults: SampleDefaults = SampleDefaults()
    virtual: dict[str, Any] = Field(default_factory=dict)

    _path: Path = PrivateAttr(default=Path())
    _text: str = PrivateAttr(default="")

    @property
    def path(self) -> Path:
        """Return the file it was read from."""
        return self._path

    @property
    def text(self) -> str:
        """Return the file as it was read."""
        return self._text

    def plan_limits(self) -> PlanLimits:
        """Return the limits of the sample; each names the file, line and key that set it."""
        own = self.limits
        most = {
            kind: at_most(kind, value, self._set_by(kind))
            for kind in ("temperature_rate", "current", "voltage", "power")
            if (value := getattr(own, kind)) is not None
        }
        if own.temperature is None:
            return PlanLimits(**most)
        low, high = own.temperature
        return PlanLimits(
            temperature=limits_of("temperature", low, high, self._set_by("temperature")), **most
        )

    def _set_by(self, kind: str) -> str:
        return f"{shown(self._path)}:{line_of(self._text, ('limits', kind))} limits.{kind}"

    def geometry_cm(self) -> dict[str, float]:
        """Return length, width, thickness and both sides of the whole piece in cm, as far as given."""
        geometry = self.geometry
        first, second = geometry.lateral or (None, None)
        sizes = {
            "length": geometry.length,
            "width": geometry.width,
            "thickness": geometry.thickness,
            "lateral_1": first,
            "lateral_2": second,
        }
        return {f"{name}_cm": float(size) for name, size in sizes.items() if size is not None}

    def geometry_uncertainty_cm(self) -> dict[str, float]:
        """Return the standard uncertainty of length, width and thickness in cm, as far as it is given."""
        given = self.geometry.uncertainty
        sizes = {"length": given.length, "width": given.width, "thickness": given.thickness}
        return {f"{name}_cm": float(size) for name, size in sizes.items() if size is not None}

    def body(self, mounting: str | None) -> dict[str, Any]:
        """Return what a moment is judged by beside the sizes, as far as it is given.

        Keys: ``shape``, ``mass_g``, ``demagnetisation``, ``background`` (a path), ``standard``, and of the
        mounting ``axis`` and ``field_along``.
        """
        geometry, mounted = self.geometry, self.mounting.get(mounting or "")
        background = geometry.background
        found = {
            "shape": geometry.shape,
            "standard": self.standard,
            "mass_g": None if geometry.mass is None else float(geometry.mass),
            "demagnetisation": geometry.demagnetisation,
            "background": None if background is None else str((self._path.parent / background).resolve()),
            "axis": None if mounted is None else mounted.axis,
            "field_along": None if mounted is None else mounted.field_along,
        }
        return {key: value for key, value in found.items() if value is not None}

    def virtual_sample(self, mounting: str | None = None) -> Mapping[str, Any]:
        """Return what the virtual lab mounts: ``[virtual]`` with the geometry, a film's thickness in nm.

        Args:
            mounting: how it is mounted; its ``axis``, or without one its name, is the ``orientation`` of a
                model that knows one.
        """
        geometry = self.geometry
        unit = "nm" if geometry.shape == "film" else "mm"
        sizes = {
            "length_mm": _in(geometry.length, "mm"),
            "width_mm": _in(geometry.width, "mm"),
            f"thickness_{unit}": _in(geometry.thickness, unit),
        }
        found: dict[str, Any] = {name: size for name, size in sizes.items() if size is not None}
        known = {parameter.name for parameter in PARAMETERS.get(str(self.virtual.get("model")), ())}
        beside = {
            "orientation": self._orientation(mounting),
            "mass_g": None if geometry.mass is None else float(geometry.mass),
            "lateral_mm": None if geometry.lateral is None else _edge_mm(*geometry.lateral),
        }
        found |= {key: value for key, value in beside.items() if key in known and value is not None}
        return found | self.virtual

    def _orientation(self, mounting: str | None) -> str | None:
        mounted = self.mounting.get(mounting or "")
        if mounted is None or mounted.axis is None:
            return mounting
        return "perpendicular" if mounted.axis == "thickness" else "parallel"


def _edge_mm(first_cm: Decimal, second_cm: Decimal) -> float:
    """Return the edge of the square of the same area: the twin knows no other film."""
    return float((first_cm * second_cm).sqrt() * _CM_IN["mm"])


def _in(length_cm: Decimal | None, unit: str) -> float | None:
    return None if length_cm is None else float(length_cm * _CM_IN[unit])


def load_sample_file(path: Path) -> SampleFile:
    """Return the sample file at ``path``.

    Raises:
        ConfigurationError: if there is no such file or it says something wrong, with every line.
    """
    text = read_text(path)
    sample = load_toml(path, SampleFile, partial(_problems, path))
    sample._path, sample._text = path, text
    return sample


def _problems(path: Path, sample: SampleFile) -> Iterator[Problem]:
    for name in ("length", "width", "thickness"):
        size = getattr(sample.geometry, name)
        if size is not None and size <= 0:
            yield Problem(("geometry", name), f"geometry.{name} is not above zero")
    for name, size in (("lateral", min(sample.geometry.lateral or (1,))), ("mass", sample.geometry.mass)):
        if size is not None and size <= 0:
            yield Problem(("geometry", name), f"geometry.{name} is not above zero")
    background = sample.geometry.background
    if background is not None and not (path.parent / background).is_file():
        yield Problem(
            ("geometry", "background"),
            f"geometry.background: there is no file {shown(path.parent / background)}; "
            "measure the empty holder, or leave it out",
        )
    for name in ("temperature_rate", "current", "voltage", "power"):
        most = getattr(sample.limits, name)
        if most is not None and most <= 0:
            yield Problem(("limits", name), f"limits.{name} is not above zero; it is the most allowed")
    if sample.virtual and not isinstance(sample.virtual.get("model"), str):
        yield Problem(("virtual",), "virtual has no model; expected e.g. 'model = \"bilayer\"'")
