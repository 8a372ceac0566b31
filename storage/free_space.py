"""Room on the drive of a night."""

import shutil
from pathlib import Path

from onnes.instruments.errors import StorageError

BYTES_PER_POINT = 480
"""Of a resistance point in ``data.csv``: the longest of the 2143 rows of one night had 478 (seen)."""


def free_bytes(folder: Path) -> int:
    """Return how many bytes this user can still write on the drive of ``folder``.

    Raises:
        StorageError: if the drive does not say.
    """
    try:
        return shutil.disk_usage(folder).free
    except OSError as error:
        raise StorageError(
            f"cannot tell the free space of {folder}: {error.strerror or error}; bring the drive back"
        ) from error
