"""Who owns a station or a night: a lock of the operating system, and beside it who has it.

The system releases the lock when the process dies, however it dies, so a process that got the number of a
dead one never passes for it. Who has it stands in ``<lock>.json``, because Windows lets nobody read a locked
file; the lock counts, and the text only tells.

Over a network drive some servers show a lock to the machine that took it and to no other. What :func:`holder`
says there is certain only for this host: judge a night that another host took by its heartbeat, too.
"""

import getpass
import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
from filelock import FileLock, Timeout

from onnes.instruments.errors import OwnershipError, StorageError
from onnes.storage.manifest import json_bytes, plain_json, read_manifest

# `holder` has the lock for some 0.1 ms, and this many tries take longer; a lock that is owned stays owned.
_TRIES = 20


class OwnerLock:
    """The lock of one station or one night.

    Args:
        path: the lock file; made if it does not exist, and its folder too.
        about: what is owned and since when, under ``what`` and ``since``; host, user, pid and the start of
            the process are added.

    Raises:
        TypeError: if an entry of ``about`` cannot stand in JSON.
    """

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self.path = path
        self._about: dict[str, Any] = plain_json(about, "about")
        self._lock = _file_lock(path)

    def acquire(self) -> None:
        """Take the lock, or find at once that somebody has it.

        Raises:
            OwnershipError: if somebody has it, this process included; the text says who and since when.
            StorageError: if the lock file cannot be written.
        """
        if self._lock.is_locked:
            raise _owned(self.path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _try(self._lock, _TRIES)
        except Timeout:
            raise _owned(self.path) from None
        except OSError as error:
            raise StorageError(f"cannot lock {self.path}: {error.strerror or error}") from error
        record = _record_of(self.path)
        try:
            with suppress(OSError):  # left by another user's crash; if it cannot go, it is written over
                record.unlink()
            record.write_bytes(json_bytes({**this_process(), **self._about}) + b"\n")
        except OSError as error:
            self._lock.release()
            raise StorageError(f"cannot write {record}: {error.strerror or error}") from error

    def release(self) -> None:
        """Give the lock back; does nothing when it is not held."""
        if self._lock.is_locked:
            with suppress(OSError):  # beside a free lock the text means nothing
                _record_of(self.path).unlink()
            self._lock.release()

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def holder(path: Path) -> dict[str, Any] | None:
    """Return who has the lock at ``path``, or None when nobody alive has.

    What is known of an owner may be as little as the ``path`` of the lock.

    Raises:
        StorageError: if the lock file cannot be opened, so that nobody can tell.
    """
    if not path.exists():
        return None
    lock = _file_lock(path)
    try:
        _try(lock, 1)
    except Timeout:
        return {"path": path.as_posix(), **last_holder(path)}
    except OSError as error:
        raise StorageError(
            f"cannot tell who owns {path}: {error.strerror or error}; ask as the user who made it"
        ) from error
    lock.release()
    return None


def last_holder(path: Path) -> dict[str, Any]:
    """Return who wrote beside the lock at ``path`` last, alive or dead; empty when that cannot be read.

    An owner who ends leaves nothing there; who is killed does.
    """
    try:
        return read_manifest(_record_of(path))
    except StorageError:
        return {}


def this_process() -> dict[str, Any]:
    """Return host, user, pid and the start (UTC) of this process."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a service without a name; which of them depends on the system
        user = ""
    started = datetime.fromtimestamp(psutil.Process().create_time(), UTC)
    return {
        "host": platform.node(),
        "user": user,
        "pid": os.getpid(),
        "process_started": started.isoformat(),
    }


def _file_lock(path: Path) -> FileLock:
    # Any user of the machine may own a station, and any thread of the runner may release it.
    return FileLock(path, mode=0o666, thread_local=False)


def _try(lock: FileLock, tries: int) -> None:
    for left in reversed(range(tries)):
        try:
            lock.acquire(blocking=False)
        except Timeout:
            if not left:
                raise
        else:
            return


def _record_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _owned(path: Path) -> OwnershipError:
    found = last_holder(path)
    who, host, pid, since = (found.get(key) or "unknown" for key in ("user", "host", "pid", "since"))
    what = f" for {found['what']}" if found.get("what") else ""
    return OwnershipError(
        f"{path} is owned by user {who} on host {host}, pid {pid}, since {_to_the_second(since)}{what}; "
        "nothing was sent; wait until it has ended, or stop it there"
    )


def _to_the_second(since: str) -> str:
    """Return a time as a person reads it; what is no time, as it is."""
    try:
        return f"{datetime.fromisoformat(since).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return since
