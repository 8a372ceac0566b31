"""What a lab file may say, table by table, and the checks of all of it with the line of each mistake."""

import difflib
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from onnes.instruments.errors import ConfigurationError
from onnes.sim.chamber import HeliumSettings
from onnes.sim.cryostat import CryostatSettings
from onnes.sim.device import InstrumentSettings
from onnes.sim.fault_settings import FaultSettings, WhenSettings
from onnes.sim.lab import DEVICES, canonical
from onnes.sim.lab_layers import Layer, Loc, Problems
from onnes.sim.magnet import MagnetSettings
from onnes.sim.magnetometer_machines import MagnetometerSettings
from onnes.sim.samples import check_sample
from onnes.sim.susceptometer import CoilSettings
from onnes.sim.wiring import DriveSettings, ReadSettings, ReferenceSettings

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
    magnetometer: MagnetometerSettings | None = None
    instrument: dict[str, dict[str, Any]]
    drive: tuple[DriveSettings, ...] = ()
    read: tuple[ReadSettings, ...] = ()
    reference: tuple[ReferenceSettings, ...] = ()
    coil: tuple[CoilSettings, ...] = ()
    fault: tuple[FaultSettings, ...] = ()


_TABLES: Mapping[str, type[BaseModel]] = {
    "lab": LabSettings,
    "cryostat": CryostatSettings,
    "magnet": MagnetSettings,
    "helium": HeliumSettings,
    "magnetometer": MagnetometerSettings,
    "drive": DriveSettings,
    "read": ReadSettings,
    "reference": ReferenceSettings,
    "coil": CoilSettings,
    "fault": FaultSettings,
}
_TABLES_INSIDE: Mapping[str, type[BaseModel]] = {"when": WhenSettings}


# --- checks -----------------------------------------------------------------------------------------------


def checked_lab(
    data: Mapping[str, Any], layers: list[Layer]
) -> tuple[LabFile, Mapping[str, InstrumentSettings]]:
    """Return the tables of a lab, and the settings of its instruments by their names.

    Raises:
        ConfigurationError: for all that is wrong in them, one problem a line, each with ``file:line:1``.
    """
    problems = Problems(layers)
    for loc in _not_finite(data):
        problems.add(f"{_dotted(loc)} is not a finite number; write the number", loc)
    file = _validated(LabFile, data, (), problems)
    instruments = _instruments(data.get("instrument"), problems)
    if file is not None and len(instruments) == len(file.instrument):
        for place, drive in enumerate(file.drive):
            _check_port(drive.port, instruments, ("drive", place, "port"), problems)
            _check_series(drive.port, drive.series_ohm, instruments, ("drive", place), problems)
        for place, read in enumerate(file.read):
            _check_port(read.port, instruments, ("read", place, "port"), problems)
        for place, coil in enumerate(file.coil):
            _check_port(coil.drive, instruments, ("coil", place, "drive"), problems)
            _check_port(coil.pickup, instruments, ("coil", place, "pickup"), problems)
            _check_series(coil.drive, coil.series_ohm, instruments, ("coil", place), problems)
            if coil.drive in {drive.port for drive in file.drive}:
                problems.add(
                    f"{coil.drive!r} drives a loop and a coil; give it one of them", ("coil", place, "drive")
                )
        for place, reference in enumerate(file.reference):
            _check_port(reference.port, instruments, ("reference", place, "port"), problems)
            _check_port(reference.source, instruments, ("reference", place, "from"), problems)
    for name, settings in instruments.items():
        for key, text in settings.conflicts(instruments):
            problems.add(f"{key} of {name!r} {text}", ("instrument", name, key))
    sample = data.get("sample")
    if isinstance(sample, Mapping):
        _check_sample(sample, problems)
    problems.report()
    if file is None:  # every reason for that is in the report
        raise ConfigurationError("the lab file is not valid")
    return file, instruments


def _instruments(tables: object, problems: Problems) -> Mapping[str, InstrumentSettings]:
    found: dict[str, InstrumentSettings] = {}
    holders: dict[str, Loc] = {}
    for name, table in tables.items() if isinstance(tables, Mapping) else ():
        if not isinstance(table, Mapping):
            continue  # reported already
        model, loc = table.get("model"), ("instrument", name)
        if not isinstance(model, str) or model not in DEVICES:
            near = difflib.get_close_matches(str(model), DEVICES, n=1)
            hint = f"; did you mean {near[0]!r}" if near else ""
            text = f"there is no instrument model {model!r}; there are {', '.join(DEVICES)}{hint}"
            problems.add(text, (*loc, "model"))
            continue
        settings = _validated(DEVICES[model].settings_model, table, loc, problems)
        if settings is None:
            continue
        found[name] = settings
        for place, resource in enumerate(settings.resources):
            here = (*loc, "resources", place)
            try:
                holder = holders.setdefault(canonical(resource), here)
            except ValueError as error:
                problems.add(str(error), here)
            else:
                if holder != here:
                    problems.add(f"{resource} is given to both {holder[1]!r} and {name!r}", here, holder)
    return found


def _check_port(
    port: str, instruments: Mapping[str, InstrumentSettings], loc: Loc, problems: Problems
) -> None:
    name, _, terminal = port.partition(".")
    if name not in instruments:
        problems.add(f"port {port!r} belongs to no instrument; there are {', '.join(instruments)}", loc)
    elif terminal not in (terminals := DEVICES[instruments[name].model].terminals):
        problems.add(f"{name!r} has no terminal {terminal!r}; it has {', '.join(terminals)}", loc)


def _check_series(
    port: str,
    series_ohm: float | None,
    instruments: Mapping[str, InstrumentSettings],
    loc: Loc,
    problems: Problems,
) -> None:
    name, _, terminal = port.partition(".")
    if name not in instruments:
        return  # reported already
    gives_voltage = terminal in DEVICES[instruments[name].model].voltage_terminals
    if gives_voltage and series_ohm is None:
        problems.add(f"{port!r} gives a voltage; give series_ohm, which makes a current of it", loc)
    elif series_ohm is not None and not gives_voltage:
        problems.add(f"{port!r} gives a current, which no series_ohm changes; leave it out", loc)


def _validated(model: type[M], data: object, loc: Loc, problems: Problems) -> M | None:
    try:
        # Through JSON, where strict means: a number is a number, but a list may become a tuple.
        return model.model_validate_json(json.dumps(data, default=str), strict=True)
    except ValidationError as error:
        for detail in error.errors():
            where = (*loc, *detail["loc"])
            problems.add(_problem(detail, where, model), where)
        return None


def _problem(detail: ErrorDetails, loc: Loc, model: type[BaseModel]) -> str:
    key, where = str(loc[-1]), _dotted(loc[:-1])
    if detail["type"] == "extra_forbidden":
        keys = sorted(_model_of(loc[:-1], model).model_fields)
        near = difflib.get_close_matches(key, keys, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        place = f" in [{where}]" if where else ""
        return f"unknown key {key!r}{place}; expected one of {', '.join(keys)}{hint}"
    if detail["type"] == "missing":
        return f"{f'[{where}]' if where else 'the lab'} has no {key!r}; it must be given"
    text = detail["msg"].removeprefix("Value error, ").removeprefix("Input ").replace("an object", "a table")
    return f"{_dotted(loc)} = {detail['input']!r}: {text[:1].lower()}{text[1:]}"


def _model_of(loc: Loc, model: type[BaseModel]) -> type[BaseModel]:
    if loc and str(loc[-1]) in _TABLES_INSIDE:
        return _TABLES_INSIDE[str(loc[-1])]
    return _TABLES.get(str(loc[0]), model) if loc and model is LabFile else model


def _dotted(loc: Loc) -> str:
    return ".".join(f"{part + 1}" if isinstance(part, int) else part for part in loc)


def _not_finite(data: object, loc: Loc = ()) -> Iterator[Loc]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _not_finite(value, (*loc, key))
    elif isinstance(data, list):
        for place, value in enumerate(data):
            yield from _not_finite(value, (*loc, place))
    elif isinstance(data, float) and not math.isfinite(data):
        yield loc


_HERE = "sample"  # what check_sample says before its own words


def _check_sample(table: Mapping[str, Any], problems: Problems) -> None:
    try:
        check_sample(table, _HERE)
    except ConfigurationError as error:
        text = str(error).removeprefix(f"{_HERE}: ")
        # The key that the message names first is the one it is about; in quotes if it is an unknown one.
        quoted = [(text.find(repr(key)), key) for key in table if repr(key) in text]
        plain = [
            (match.start(), key) for key in table if (match := re.search(rf"\b{re.escape(key)}\b", text))
        ]
        about = sorted(quoted or plain)
        problems.add(text, ("sample", *(key for _, key in about[:1])))
