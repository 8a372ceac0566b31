"""Where the files of a MultiVu are that runs our sequences."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class MultiVuFiles:
    """Where MultiVu's files are: the recorded template, the folders of data and of sequences."""

    template: Path
    data: Path
    sequences: Path
