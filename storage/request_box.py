"""Requests to a running night: files in its folder ``requests``, one JSON object each.

Whoever may write there may stop the night: the folder is the owner's alone. On POSIX it has mode 0700 and a
file of another user is refused; on Windows it inherits the access list of the night folder, which the owner's
profile or the administrator sets.
"""

import itertools
import json
import os
import stat
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from onnes.instruments.clock import Clock
from onnes.instruments.errors import StorageError
from onnes.storage.manifest import json_bytes, replace_file

REQUESTS = "requests"
LOOK_INTERVAL_S = 0.2  # wall time between two looks into the folder

Kind = Literal["stop", "abort", "pause", "resume", "skip", "extend", "acknowledge", "helium_fill"]

_KINDS = get_args(Kind)
_DONE = "done"
_LARGEST_BYTES = 64 * 1024
_posted = itertools.count()


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that can be carried out.

    Args:
        file: its name, unique in the night.
        utc: when it was posted, as the one who posted it says.
    """

    file: str
    kind: Kind
    who: str
    utc: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refused:
    """What lay among the requests and is none."""

    file: str
    reason: str


def post(night: Path, kind: str, who: str, values: Mapping[str, Any] = {}, *, wall: Clock) -> Path:
    """Post a request to the runner of ``night`` and return its file.

    Args:
        kind: stop, abort, pause, resume, skip, extend, acknowledge or helium_fill.
        who: stands in the night's events.
        wall: a wall clock; requests are handled in the order of its time.

    Raises:
        ValueError: if nobody is named, or the request is unknown or larger than the runner reads.
        TypeError: if ``values`` cannot stand in JSON.
        StorageError: if no runner takes requests there, or the folder cannot be written.
    """
    if kind not in _KINDS:
        raise ValueError(f"{kind!r} is no request; expected one of {', '.join(_KINDS)}")
    if not who:
        raise ValueError(f"the request {kind} does not say who asks")
    folder = night / REQUESTS
    if not folder.is_dir():
        raise StorageError(f"cannot post {kind}: {folder} does not exist; is a runner at work on this night?")
    when = wall.datetime()
    content = json_bytes({"kind": kind, "who": who, "utc": when, "values": values}) + b"\n"
    if len(content) > _LARGEST_BYTES:
        raise ValueError(f"the request {kind} has {len(content)} bytes; at most {_LARGEST_BYTES} are read")
    # The count keeps the order of one process whose clock stands still; the rest tells processes apart.
    name = f"{when:%Y%m%dT%H%M%S.%fZ}_{next(_posted):06d}_{uuid.uuid4().hex[:8]}.json"
    replace_file(folder / name, content, wall)
    return folder / name


class RequestBox:
    """The requests to one night, as its runner takes them.

    What lies there when the runner takes the night was asked of another one and is refused.

    Args:
        night: the night folder; ``requests`` is made in it.
        wall: a wall clock; the folder is looked into every 0.2 s of it.

    Raises:
        StorageError: if the folder cannot be made, or belongs to another user.
    """

    def __init__(self, night: Path, wall: Clock) -> None:
        self._folder = night / REQUESTS
        self._wall = wall
        self._next_look = wall.now()
        self._make()
        self._old = frozenset(self._names())
        self._stuck: set[str] = set()  # handled, but could not be moved

    def take(self) -> list[Asked | Refused]:
        """Return what has been posted since the last look, in order, each file once; never raises.

        Cheap enough for every second of lab time in a virtual night: 0.2 us between two looks, 10 us a look
        into the empty folder (seen), which is less than 0.1 ms in a second of wall time.
        """
        now = self._wall.now()
        if now < self._next_look:
            return []
        self._next_look = now + LOOK_INTERVAL_S
        return [self._taken(name) for name in self._names() if self._claim(name)]

    def _make(self) -> None:
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            if os.name == "posix":
                found = self._folder.lstat()
                if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
                    raise StorageError(
                        f"{self._folder} is not a folder of the night's owner; move it away and start again"
                    )
                self._folder.chmod(0o700)
            (self._folder / _DONE).mkdir(exist_ok=True)
        except StorageError:
            raise
        except OSError as error:
            raise StorageError(f"cannot make {self._folder}: {error.strerror or error}") from error

    def _names(self) -> list[str]:
        # A name with a dot in front is being written.
        try:
            with os.scandir(self._folder) as entries:
                return sorted(entry.name for entry in entries if entry.name[0] != "." and entry.name != _DONE)
        except OSError:  # a drive that is gone for a while holds no requests
            with suppress(StorageError):
                self._make()
            return []

    def _claim(self, name: str) -> bool:
        """Take ``name`` out of the way; return whether it is to be handled."""
        new = name not in self._stuck
        try:
            (self._folder / name).replace(self._folder / _DONE / name)
        except FileNotFoundError:
            return False  # withdrawn
        except OSError:  # a stop must be heard on a drive that cannot be written, but once
            self._stuck.add(name)
        else:
            self._stuck.discard(name)
        return new

    def _taken(self, name: str) -> Asked | Refused:
        path = self._folder / name if name in self._stuck else self._folder / _DONE / name
        try:
            found = path.lstat()
            if not stat.S_ISREG(found.st_mode):
                return Refused(name, "it is not a plain file")
            if os.name == "posix" and found.st_uid != os.geteuid():
                return Refused(name, f"it belongs to user id {found.st_uid}, who does not own the night")
            if found.st_size > _LARGEST_BYTES:
                return Refused(name, f"it has {found.st_size} bytes; at most {_LARGEST_BYTES} are read")
            if name in self._old:
                return Refused(name, "it was posted before this runner took the night; post it again")
            entries = json.loads(path.read_bytes())
        except OSError as error:
            return Refused(name, f"it cannot be read: {error.strerror or error}")
        except (ValueError, RecursionError) as error:
            return Refused(name, f"it is not JSON: {error}")
        return _judged(name, entries)


def _judged(name: str, entries: Any) -> Asked | Refused:
    if not isinstance(entries, dict):
        return Refused(name, f"it holds a {type(entries).__name__}; expected an object")
    kind, who, utc = (entries.get(key, "") for key in ("kind", "who", "utc"))
    values = entries.get("values", {})
    if kind not in _KINDS:
        return Refused(name, f"kind = {kind!r} is unknown; expected one of {', '.join(_KINDS)}")
    if not isinstance(who, str) or not who:
        return Refused(name, f"who = {who!r}; it must say who asks")
    if not isinstance(utc, str):
        return Refused(name, f"utc = {utc!r} is not text")
    if not isinstance(values, dict):
        return Refused(name, f"values is a {type(values).__name__}; expected an object")
    return Asked(name, kind, who, utc, values)
