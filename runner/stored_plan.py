"""The plan of a night that is taken up again: the sequence as stored, with the files it was begun with."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from onnes.instruments.errors import ConfigurationError
from onnes.instruments.station_file import load_station_file
from onnes.instruments.toml_file import read_text
from onnes.runner.plan import Files, Plan, make_plan, sha256_of
from onnes.storage.night import NIGHT_MANIFEST, SEQUENCE


def plan_of_night(night: Path, manifest: Mapping[str, Any]) -> Plan:
    """Return the plan of the night in the folder ``night``, as it was when the night was started.

    Args:
        manifest: what ``night.json`` says.

    Raises:
        ConfigurationError: if sequence, station file or a sample file is not what the night was started with,
            or the manifest does not say what that was: every reason, one a line.
        SequenceError: if this version of the language does not read the sequence any more.
    """
    told = _Told(night / NIGHT_MANIFEST, manifest)
    station = Path(told.text("station", "path"))
    samples = {wiring: Path(told.text("samples", wiring, "path")) for wiring in told.table("samples")}
    reasons = [
        *_changed("sequence", night / SEQUENCE, told.text("sequence_sha256")),
        *_other_station(station, told.text("station", "name"), told.text("station", "sha256")),
    ]
    for wiring, path in samples.items():
        reasons += _changed("sample file", path, told.text("samples", wiring, "sha256"))
    if reasons:
        raise ConfigurationError("\n".join(reasons))
    plan = make_plan(night / SEQUENCE, files=Files(station, samples))
    original = Path(told.text("sequence"))
    if _differs(original, plan.sha256):
        text = f"{original}: changed since this night was started; {plan.path}, as stored then, is what runs"
        return replace(plan, messages=(*plan.messages, text))
    return plan


class _Told:
    """What a manifest says, with the message where it says nothing."""

    def __init__(self, path: Path, entries: Mapping[str, Any]) -> None:
        self._path, self._entries = path, entries

    def text(self, *keys: str) -> str:
        found = self._at(keys)
        if not isinstance(found, str):
            raise self._nothing(keys)
        return found

    def table(self, *keys: str) -> Mapping[str, Any]:
        found = self._at(keys)
        if not isinstance(found, Mapping):
            raise self._nothing(keys)
        return found

    def _at(self, keys: tuple[str, ...]) -> object:
        found: object = self._entries
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found

    def _nothing(self, keys: tuple[str, ...]) -> ConfigurationError:
        return ConfigurationError(
            f"{self._path} does not say {'.'.join(keys)}; the night cannot be taken up, start a new one"
        )


def _changed(what: str, path: Path, sha256: str) -> Iterator[str]:
    if not path.is_file():
        yield f"{path}: the {what} of this night is missing; put it back, or start a new night"
    elif sha256_of(read_text(path)) != sha256:
        yield f"{path}: the {what} changed since this night was started; put it back, or start a new night"


def _other_station(path: Path, name: str, sha256: str) -> Iterator[str]:
    if path.is_file() and (now := load_station_file(path).name) != name:
        yield f"{path} is the station {now}, the night was started on {name}; resume it there"
    else:
        yield from _changed("station file", path, sha256)


def _differs(original: Path, sha256: str) -> bool:
    """Say whether the file is there and says something else; it is not needed, so it may be gone."""
    try:
        return sha256_of(read_text(original)) != sha256
    except ConfigurationError:
        return False
