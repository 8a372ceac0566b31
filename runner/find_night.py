"""Which night is meant: a folder, a number below ``./runs``, or, where nothing is said, the newest."""

import re
from pathlib import Path

from onnes.instruments.errors import ConfigurationError
from onnes.storage.night import NIGHT_MANIFEST

RUNS = Path("runs")
"""Where commands look for nights that are given by number, or not given at all."""


def find_night(text: str, runs: Path) -> Path:
    """Return the folder that ``text`` names: a path, or the number of a night in the folder ``runs``.

    Raises:
        ConfigurationError: if there is no such folder, or the number belongs to more than one.
    """
    if Path(text).is_dir():
        return Path(text)
    if not re.fullmatch(r"\d{1,6}", text):
        raise ConfigurationError(
            f"there is no folder {text}; give the folder of a night or a run, or the number of a night, "
            "e.g. 0042"
        )
    found = [path for path in runs.glob(f"*/*_{int(text):04d}") if (path / NIGHT_MANIFEST).is_file()]
    if len(found) == 1:
        return found[0]
    if not found:
        raise ConfigurationError(f"there is no night {int(text):04d} in {runs}; look with `ls {runs}`")
    names = ", ".join(str(path) for path in sorted(found))
    raise ConfigurationError(f"night {int(text):04d} is more than one in {runs}: {names}; give the folder")


def newest_night(runs: Path) -> Path:
    """Return the night in the folder ``runs`` that was started last.

    Raises:
        ConfigurationError: if there is none.
    """
    nights = all_nights(runs)
    if not nights:
        raise ConfigurationError(f"there is no night in {runs.resolve()}; give the folder of a night")
    return nights[-1]


def all_nights(runs: Path) -> list[Path]:
    """Return the nights in the folder ``runs``, the one that was started last at the end."""
    folders = (path.parent for path in runs.glob(f"*/*/{NIGHT_MANIFEST}"))
    return sorted((path for path in folders if not path.name.startswith(".")), key=lambda path: path.name)
