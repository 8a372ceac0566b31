"""Folder names that every system takes, and numbers that are given once."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from onnes.instruments.errors import ConfigurationError, StorageError
from onnes.storage.names import file_name, take_number, utc_stamp


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("MB215-06", "MB215-06"),
        ("-10000Oe", "-10000Oe"),
        ("4.2K", "4.2K"),
        ("a:b/c\\d*e?", "a-b-c-d-e"),
        ("Nb 3 (old).", "Nb-3-old"),
        ("dünn_µ", "dünn_µ"),
        ("../../etc", "..-..-etc"),
    ],
)
def test_a_name_is_safe_on_every_system(text: str, name: str) -> None:
    assert file_name(text, "sample") == name


@pytest.mark.parametrize("text", ["", "..", "???", "_"])
def test_a_name_of_nothing_is_refused(text: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"sample = '.*' cannot name a folder; give it at least one letter"
    ):
        file_name(text, "sample")


def test_a_stamp_has_no_colon() -> None:
    assert utc_stamp(datetime(2026, 11, 20, 18, 30, 5, 999, tzinfo=UTC)) == "20261120T183005Z"


def test_numbers_count_up_and_are_never_given_again(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    assert [take_number(runs) for _ in range(3)] == [1, 2, 3]
    (runs / "2026-11-20" / "20261120T183005Z_MB215-06_0042").mkdir(parents=True)
    assert take_number(runs) == 43
    (runs / "2026-11-20" / "20261120T183005Z_MB215-06_0042").rmdir()
    assert take_number(runs) == 44


def test_a_number_above_9999_is_longer(tmp_path: Path) -> None:
    (tmp_path / "2026-11-20" / "20261120T183005Z_a_9999").mkdir(parents=True)
    assert take_number(tmp_path) == 10000
    assert take_number(tmp_path) == 10001


def test_runs_that_cannot_be_written_are_reported(tmp_path: Path) -> None:
    (tmp_path / "runs").write_bytes(b"a file")
    with pytest.raises(StorageError, match=r"cannot write .*runs: .*; choose another folder for the runs"):
        take_number(tmp_path / "runs")
