"""Lab files: read, laid over each other, checked with the line of each mistake, and made into a lab."""

import difflib
import hashlib
import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from onnes.instruments.clock import Clock
from onnes.instruments.errors import ConfigurationError
from onnes.sim.chamber import Chamber, HeliumSettings
from onnes.sim.cryostat import Cryostat, CryostatSettings
from onnes.sim.device import InstrumentSettings
from onnes.sim.faults import FaultSettings
from onnes.sim.lab import DEVICES, VirtualLab, canonical
from onnes.sim.magnet import Magnet, MagnetSettings
from onnes.sim.samples import Sample, make_sample
from onnes.sim.toml_lines import toml_lines
from onnes.sim.wiring import DriveSettings, ReadSettings, ReferenceSettings, Wiring

SHIPPED = ("default", "contaminated", "demo")

_Loc = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)


class LabSettings(BaseModel):
    """The table ``[lab]``: who this lab is, and what is the same for all of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    seed: int = Field(ge=0)
    epoch: AwareDatetime
    strict: bool = False
    line_hz: Literal[50, 60] = 50


class LabFile(BaseModel):
    """A whole lab file, after it was laid over the default lab."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lab: LabSettings
    cryostat: CryostatSettings
    magnet: MagnetSettings
    helium: HeliumSettings
    sample: dict[str, Any]
    instrument: dict[str, dict[str, Any]]
    drive: tuple[DriveSettings, ...] = ()
    read: tuple[ReadSettings, ...] = ()
    reference: tuple[ReferenceSettings, ...] = ()
    fault: tuple[FaultSettings, ...] = ()


_TABLES: Mapping[str, type[BaseModel]] = {
    "lab": LabSettings,
    "cryostat": CryostatSettings,
    "magnet": MagnetSettings,
    "helium": HeliumSettings,
    "drive": DriveSettings,
    "read": ReadSettings,
    "reference": ReferenceSettings,
    "fault": FaultSettings,
}


@dataclass(frozen=True, slots=True)
class _Layer:
    """One of the files (or mappings) that make a lab, with the places of its keys."""

    source: str
    data: Mapping[str, Any]
    lines: Mapping[_Loc, int] = field(default_factory=dict)

    def place(self, loc: _Loc) -> tuple[int, int]:
        """Return how much of ``loc`` stands in this layer, and the line of that."""
        for length in range(len(loc), 0, -1):
            if loc[:length] in self.lines:
                return length, self.lines[loc[:length]]
        return 0, 1


def lab_key(name_or_path: str | Path) -> str:
    """Return the key under which a lab is registered: its name, or the resolved path of its file."""
    text = str(name_or_path)
    return str(Path(text).resolve()) if _is_path(text) else text


def load_lab(
    name_or_path: str | Path,
    clock: Clock,
    *,
    seed: int | None = None,
    sample: Mapping[str, Any] | None = None,
    under: Mapping[str, Any] | None = None,
) -> VirtualLab:
    """Make the lab of a shipped name or of a file, on ``clock``.

    The default lab lies at the bottom, ``under`` on it, the file on top; a higher layer wins key by key, and
    replaces a list of tables as a whole. A layer that names another sample ``model`` replaces ``[sample]``.

    Args:
        seed: wins over that of the file.
        sample: what is mounted instead of ``[sample]``: ``{source instrument: table}`` for the loops that the
            source drives, or one table for every loop.
        under: tables of a lab file between the default lab and the file.

    Raises:
        ConfigurationError: for an unknown name, a missing file, and all that is wrong in it, one problem a
            line, each with ``file:line:1``.
    """
    layers = [_shipped("default")]
    if under is not None:
        layers.append(_Layer("the lab under " + str(name_or_path), under))
    if str(name_or_path) != "default":
        layers.append(_top(str(name_or_path)))
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = _merged(merged, layer.data)
    if seed is not None:
        merged = _merged(merged, {"lab": {"seed": seed}})
    file, instruments = _checked(merged, layers)
    loops = _mounted(file, sample, layers)
    return _built(file, instruments, loops, clock, _hash(file, sample))


# --- layers -----------------------------------------------------------------------------------------------


def _is_path(text: str) -> bool:
    return text.endswith(".toml") or "/" in text or "\\" in text


def _shipped(name: str) -> _Layer:
    source = f"lab_{name}.toml"
    return _layer(source, files("onnes.sim").joinpath(source).read_text(encoding="utf-8"))


def _top(name_or_path: str) -> _Layer:
    if name_or_path in SHIPPED:
        return _shipped(name_or_path)
    if not _is_path(name_or_path):
        near = difflib.get_close_matches(name_or_path, SHIPPED, n=1)
        hint = f"; did you mean {near[0]!r}" if near else ""
        raise ConfigurationError(
            f"there is no lab {name_or_path!r}; the shipped ones are {', '.join(SHIPPED)}, a lab file is "
            f"given by its path, such as labs/mine.toml{hint}"
        )
    try:
        text = Path(name_or_path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"cannot read the lab file {name_or_path}: {error.strerror or error}; look at the path, which "
            f"counts from {Path.cwd()}"
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{name_or_path}:1:1: is not UTF-8 text; save it as UTF-8") from None
    return _layer(name_or_path, text, Path(name_or_path).stem)


def _layer(source: str, text: str, name: str | None = None) -> _Layer:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", str(error))
        problem, line, column = found.groups() if found else (str(error), None, None)
        end = text.count("\n") + 1
        raise ConfigurationError(
            f"{source}:{line or end}:{column or 1}: {problem[:1].lower()}{problem[1:]}; expected TOML"
        ) from None
    if name is not None and isinstance(data.setdefault("lab", {}), dict):
        data["lab"].setdefault("name", name)  # so that no data file says "default" of a lab that is not
    return _Layer(source, data, toml_lines(text))


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        if not isinstance(value, Mapping) or not isinstance(old, Mapping):
            result[key] = value
        elif key == "sample" and value.get("model", old.get("model")) != old.get("model"):
            result[key] = dict(value)
        else:
            result[key] = _merged(old, value)
    return result


# --- checks -----------------------------------------------------------------------------------------------


class _Problems:
    """What is wrong, each with the place it came from."""

    def __init__(self, layers: list[_Layer]) -> None:
        self._layers = layers
        self._found: list[tuple[int, int, str]] = []

    def add(self, loc: _Loc, problem: str) -> None:
        """Note ``problem`` at ``loc``: in the layer that says most about it, the upper one if two do."""
        best = (0, 1, 0)
        for height, layer in enumerate(self._layers):
            length, line = layer.place(loc)
            if length >= best[0] and (length or not layer.lines):
                best = (length, line, height)
            if loc[:1] in layer.lines and isinstance(layer.data.get(str(loc[0])), list):
                best = (length, line, height)  # this list of tables replaced those below
        _, line, height = best
        layer = self._layers[height]
        place = f"{layer.source}:{line}:1: " if layer.lines else f"{layer.source}: "
        self._found.append((height, line, place + problem))

    def report(self) -> None:
        """Raise ConfigurationError if there are any."""
        if self._found:
            raise ConfigurationError("\n".join(text for _, _, text in sorted(self._found)))


def _checked(
    merged: Mapping[str, Any], layers: list[_Layer]
) -> tuple[LabFile, Mapping[str, InstrumentSettings]]:
    problems = _Problems(layers)
    for loc in _not_finite(merged):
        problems.add(loc, f"{_dotted(loc)} is not a finite number; write the number")
    file = _validated(LabFile, merged, (), problems)
    tables = merged.get("instrument", {})
    instruments: dict[str, InstrumentSettings] = {}
    holders: dict[str, str] = {}
    for name, table in tables.items() if isinstance(tables, Mapping) else ():
        loc = ("instrument", name)
        model = table.get("model") if isinstance(table, Mapping) else None
        if not isinstance(model, str) or model not in DEVICES:
            near = difflib.get_close_matches(str(model), DEVICES, n=1)
            hint = f"; did you mean {near[0]!r}" if near else ""
            models = ", ".join(DEVICES)
            problems.add((*loc, "model"), f"there is no instrument model {model!r}; there are {models}{hint}")
            continue
        settings = _validated(DEVICES[model].settings_model, table, loc, problems)
        if settings is None:
            continue
        instruments[name] = settings
        for place, resource in enumerate(settings.resources):
            try:
                holder = holders.setdefault(canonical(resource), name)
            except ValueError as error:
                problems.add((*loc, "resources", place), str(error))
            else:
                if holder != name:
                    problems.add((*loc, "resources", place), f"{resource} belongs to {holder!r} already")
    sample = merged.get("sample")
    if isinstance(sample, Mapping):
        _check_sample(sample, problems)
    problems.report()
    if file is None:  # every reason for that is in the report
        raise ConfigurationError("the lab file is not valid")
    return file, instruments


def _validated(model: type[M], data: object, loc: _Loc, problems: _Problems) -> M | None:
    try:
        # Through JSON, where strict means: a number is a number, but a list may become a tuple.
        return model.model_validate_json(json.dumps(data, default=str), strict=True)
    except ValidationError as error:
        for detail in error.errors():
            problems.add((*loc, *detail["loc"]), _problem(detail, (*loc, *detail["loc"]), model))
        return None


def _problem(detail: ErrorDetails, loc: _Loc, model: type[BaseModel]) -> str:
    key, where = str(loc[-1]), _dotted(loc[:-1])
    if detail["type"] == "extra_forbidden":
        keys = sorted(_model_of(loc[:-1], model).model_fields)
        near = difflib.get_close_matches(key, keys, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        place = f" in [{where}]" if where else ""
        return f"unknown key {key!r}{place}; expected one of {', '.join(keys)}{hint}"
    if detail["type"] == "missing":
        return f"{f'[{where}]' if where else 'the lab'} has no {key!r}; it must be given"
    text = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{_dotted(loc)} = {detail['input']!r}: {text[:1].lower()}{text[1:]}"


def _model_of(loc: _Loc, model: type[BaseModel]) -> type[BaseModel]:
    return _TABLES.get(str(loc[0]), model) if loc and model is LabFile else model


def _dotted(loc: _Loc) -> str:
    return ".".join(f"{part + 1}" if isinstance(part, int) else part for part in loc)


def _not_finite(data: object, loc: _Loc = ()) -> Iterator[_Loc]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _not_finite(value, (*loc, key))
    elif isinstance(data, list):
        for place, value in enumerate(data):
            yield from _not_finite(value, (*loc, place))
    elif isinstance(data, float) and not math.isfinite(data):
        yield loc


_HERE = "sample"  # what make_sample says before its own words


def _check_sample(table: Mapping[str, Any], problems: _Problems) -> None:
    try:
        make_sample(table, _HERE)
    except ConfigurationError as error:
        text = str(error).removeprefix(f"{_HERE}: ")
        # The first key that the message names is the one it is about.
        found = ((re.search(rf"\b{re.escape(key)}\b", text), key) for key in table)
        about = sorted((match.start(), key) for match, key in found if match is not None)
        problems.add(("sample", *(key for _, key in about[:1])), text)


# --- the lab ----------------------------------------------------------------------------------------------


def _mounted(file: LabFile, sample: Mapping[str, Any] | None, layers: list[_Layer]) -> dict[str, Sample]:
    """Return {loop: sample}."""
    loops = {drive.loop: make_sample(file.sample, layers[-1].source) for drive in file.drive}
    if sample is None:
        return loops
    if not all(isinstance(table, Mapping) for table in sample.values()):
        return {loop: make_sample(sample, "sample") for loop in loops}
    for source, table in sample.items():
        driven = [drive.loop for drive in file.drive if drive.port.partition(".")[0] == source]
        if not driven:
            ports = ", ".join(drive.port for drive in file.drive)
            raise ConfigurationError(
                f"a sample is wired to {source!r}, which drives no loop of the lab {file.lab.name!r}; its "
                f"drives are {ports}; add a [[drive]] to the lab file or correct the source of the wiring"
            )
        loops |= {loop: make_sample(table, f"sample at {source}") for loop in driven}
    return loops


def _hash(file: LabFile, sample: Mapping[str, Any] | None) -> str:
    """Return the hash of all that the lab does, without its seed, which is recorded beside it."""
    content = file.model_dump(mode="json")
    del content["lab"]["seed"]
    text = json.dumps([content, sample], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _built(
    file: LabFile,
    instruments: Mapping[str, InstrumentSettings],
    loops: Mapping[str, Sample],
    clock: Clock,
    sha256: str,
) -> VirtualLab:
    seed = file.lab.seed
    cryostat = Cryostat(file.cryostat, seed)
    magnet = Magnet(file.magnet, seed)
    lab = VirtualLab(
        clock,
        cryostat=cryostat,
        magnet=magnet,
        chamber=Chamber(file.helium, magnet),
        wiring=Wiring(file.drive, file.read, loops, cryostat, magnet, seed),
        name=file.lab.name,
        seed=seed,
        line_hz=float(file.lab.line_hz),
        strict=file.lab.strict,
        sha256=sha256,
        epoch=file.lab.epoch,
    )
    for name, settings in instruments.items():
        lab.add(name, settings)
    for fault in file.fault:
        lab.faults.plan(fault)
    return lab
