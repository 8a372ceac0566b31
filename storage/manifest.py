"""Manifests: JSON objects that are replaced as a whole, so that a reader finds the old one or the new one."""

import json
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from onnes.instruments.clock import Clock
from onnes.instruments.errors import StorageError

# On Windows a file cannot be replaced while a reader or a virus scanner holds it open: some milliseconds.
_RENAME_TRIES = 25
_RENAME_PAUSE_S = 0.02


def plain_json(value: Any, where: str = "value") -> Any:
    """Return ``value`` made of what JSON has; floats keep all their digits.

    NaN becomes ``null`` and an infinity the text ``"inf"`` or ``"-inf"``: JSON has no word for them. Numpy
    scalars and arrays, tuples, paths, enums, decimals and times become their plain counterparts.

    Args:
        where: names the entry in the error.

    Raises:
        TypeError: for anything else.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return plain_json(value.value, where)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, np.generic | np.ndarray):
        return plain_json(value.tolist(), where)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float | Decimal):
        number = float(value)
        if math.isnan(number):
            return None
        return number if math.isfinite(number) else repr(number)
    if isinstance(value, Mapping):
        return {_key(key, where): plain_json(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{where} = {value!r} of type {type(value).__name__} cannot stand in JSON")


def _key(key: object, where: str) -> str:
    if isinstance(key, str):
        return str(key)
    raise TypeError(f"{where} has the key {key!r} of type {type(key).__name__}; keys of JSON are text")


def json_bytes(value: Any, *, indent: int | None = None) -> bytes:
    """Return ``value`` as UTF-8 JSON; half a surrogate pair is written as its escape."""
    separators = (",", ": ") if indent else (", ", ": ")
    text = json.dumps(
        plain_json(value), ensure_ascii=False, allow_nan=False, indent=indent, separators=separators
    )
    return text.encode("utf-8", "backslashreplace")


def _dumps(plain: Any) -> str:
    return json.dumps(plain, ensure_ascii=False, allow_nan=False)


def sync_folder(folder: Path) -> None:
    """Put the names in ``folder`` on the disk, where the system knows how (Windows does it by itself)."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def replace_file(path: Path, content: bytes, wall: Clock) -> None:
    """Write ``content`` beside ``path`` and rename it over it.

    Raises:
        StorageError: if that fails; ``path`` is then as it was.
    """
    beside = path.with_name(f".{path.name}.new")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        rename(beside, path, wall)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise StorageError(
            f"cannot replace {path}: {error.strerror or error}; "
            "make room, or close the program that has it open"
        ) from error


def rename(old: Path, new: Path, wall: Clock) -> None:
    """Rename ``old`` to ``new``, a file over what is there, and wait for who holds it open on Windows.

    Raises:
        OSError: if that fails.
    """
    for left in reversed(range(_RENAME_TRIES)):
        try:
            old.replace(new)
        except PermissionError:
            if not left:
                raise
            wall.sleep(_RENAME_PAUSE_S)
        else:
            return


class Manifest:
    """A JSON object in memory and on the disk.

    Args:
        path: the file.
        wall: pauses between tries when the file is held open.
        entries: what it begins with; nothing is written yet.
    """

    def __init__(self, path: Path, wall: Clock, entries: Mapping[str, Any]) -> None:
        self.path = path
        self._wall = wall
        self.entries: dict[str, Any] = plain_json(entries, path.name)
        self.dirty = True

    def put(self, entries: Mapping[str, Any]) -> None:
        """Change entries in memory; :meth:`write` brings them to the disk.

        Raises:
            TypeError: if a value cannot stand in JSON; nothing is changed then.
        """
        self.entries.update(plain_json(entries, self.path.name))
        self.dirty = True

    def content(self) -> bytes:
        """Return the text of the file: an entry a line, and of a list of objects one object a line."""
        # The standard indentation is written in Python and takes 0.1 s for the setpoints of a long sweep.
        lines = []
        for key, value in self.entries.items():
            text = _dumps(value)
            if isinstance(value, list) and value and isinstance(value[0], dict):
                text = "[\n    " + ",\n    ".join(map(_dumps, value)) + "\n  ]"
            lines.append(f"  {_dumps(key)}: {text}")
        return ("{\n" + ",\n".join(lines) + "\n}\n").encode("utf-8", "backslashreplace")

    def remove(self, *keys: str) -> None:
        """Take entries out in memory."""
        for key in keys:
            self.entries.pop(key, None)
        self.dirty = True

    def write(self) -> None:
        """Replace the file when something has changed, or when it is gone with its folder.

        Raises:
            StorageError: if that fails; the changes are kept and written by the next call.
        """
        if self.dirty or not exists(self.path):
            replace_file(self.path, self.content(), self._wall)
            self.dirty = False


def exists(path: Path) -> bool:
    """Return whether ``path`` can be seen; on a drive that is gone nothing can."""
    try:
        return path.exists()
    except OSError:
        return False


def read_manifest(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        StorageError: if there is none at ``path`` or it is not an object.
    """
    try:
        entries = json.loads(path.read_bytes())
    except OSError as error:
        raise StorageError(
            f"cannot read {path}: {error.strerror}; is {path.parent} the right folder?"
        ) from error
    except ValueError as error:
        raise StorageError(f"{path} is not JSON: {error}") from error
    if not isinstance(entries, dict):
        raise StorageError(f"{path} holds a {type(entries).__name__}; expected an object")
    return entries
