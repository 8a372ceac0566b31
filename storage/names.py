"""Names of folders: safe on every system, numbered, and each number given once."""

import re
import sys
from datetime import datetime
from pathlib import Path

from onnes.instruments.errors import ConfigurationError, StorageError

_NUMBER = re.compile(r"_(\d{4,})$")
_TAKEN = ".taken"  # one empty file a number; it outlives the folder, so that a number is never given again


def file_name(text: str, what: str) -> str:
    """Return ``text`` fit for a file name on Windows, macOS and Linux.

    >>> file_name("Nb/Cu no. 3", "sample")
    'Nb-Cu-no.-3'

    Raises:
        ConfigurationError: if nothing of it is left.
    """
    encoding = (
        sys.getfilesystemencoding()
    )  # ASCII in a bare POSIX locale, which then has no name for an umlaut
    text = text.encode(encoding, "replace").decode(encoding)
    name = re.sub(r"[^\w.+-]+", "-", text).rstrip("-.")  # a leading minus stays: it is the sign of a field
    if not re.search(r"[^\W_]", name):
        raise ConfigurationError(
            f"{what} = {text!r} cannot name a folder; give it at least one letter or digit, e.g. 'MB215-06'"
        )
    return name


def utc_stamp(when: datetime) -> str:
    """Return the time as it stands in folder names, e.g. ``20261120T183005Z``."""
    return when.strftime("%Y%m%dT%H%M%SZ")


def take_number(runs: Path) -> int:
    """Take the next free number of the folder ``runs``; no other process gets the same.

    Raises:
        StorageError: if ``runs`` cannot be written.
    """
    taken = runs / _TAKEN
    try:
        taken.mkdir(parents=True, exist_ok=True)
        number = 1 + max(
            (int(entry.name) for entry in taken.iterdir() if entry.name.isdecimal()),
            default=0,
        )
        # A folder copied here from elsewhere has a number that was not taken here.
        found = (_NUMBER.search(entry.name) for entry in runs.glob("*/*") if entry.parent != taken)
        number = max([number, *(1 + int(match[1]) for match in found if match)])
        while True:
            try:
                (taken / f"{number:04d}").touch(exist_ok=False)
            except FileExistsError:
                number += 1
            else:
                return number
    except OSError as error:
        raise StorageError(
            f"cannot write {runs}: {error.strerror}; choose another folder for the runs"
        ) from error
