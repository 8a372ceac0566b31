"""What every test shares."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("MPLBACKEND", "Agg")


def pytest_xdist_auto_num_workers() -> int:
    """Return one worker more than there are cores: nights in real time wait, and leave theirs to another."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture
def makers_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return MultiPyVu; it writes a log where it stands, and silences the loggers of everybody else."""
    library = pytest.importorskip("MultiPyVu", reason="the maker's library is not installed")
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    loggers = [found for found in root.manager.loggerDict.values() if isinstance(found, logging.Logger)]
    before = [(logger, logger.disabled, logger.level, logger.propagate) for logger in [root, *loggers]]
    handlers = list(root.handlers)
    yield library
    root.handlers[:] = handlers
    for logger, disabled, level, propagate in before:
        logger.disabled, logger.propagate = disabled, propagate
        logger.setLevel(level)
