"""A manifest is the old one or the new one, with every digit."""

import json
import math
import os
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import StorageError
from onnes.storage.manifest import Manifest, json_bytes, plain_json, read_manifest, replace_file


class State(IntEnum):
    STABLE = 1


@pytest.mark.parametrize(
    "value", [1.23456789, 299792458.0, 0.1 + 0.2, 1 / 3, 5e-324, -1e-4, 12345678901234567, 2**80]
)
def test_a_number_comes_back_with_every_digit(tmp_path: Path, wall: VirtualClock, value: float) -> None:
    Manifest(tmp_path / "run.json", wall, {"value": value}).write()
    assert read_manifest(tmp_path / "run.json") == {"value": value}


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (math.nan, None),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (np.float64(0.1), 0.1),
        (np.int32(3), 3),
        (np.bool_(True), True),
        (np.array([1.5, math.nan]), [1.5, None]),
        (Decimal("0.0001"), 1e-4),
        ((1, "a"), [1, "a"]),
        (State.STABLE, 1),
        (Path("labs") / "ppms9.toml", "labs/ppms9.toml"),
        (datetime(2026, 11, 20, 18, 30, 5, tzinfo=UTC), "2026-11-20T18:30:05+00:00"),
        ({"a": {"b": (math.nan,)}}, {"a": {"b": [None]}}),
    ],
)
def test_what_json_has_no_word_for_is_made_plain(value: Any, plain: Any) -> None:
    assert plain_json(value) == plain
    assert json.loads(json_bytes({"value": value})) == {"value": plain}


def test_a_manifest_is_legible(tmp_path: Path, wall: VirtualClock) -> None:
    entries = {
        "status": "running",
        "steps": [{"number": 1, "note": "µ"}, {"number": 2}],
        "x": [1, 2],
        "empty": [],
    }
    Manifest(tmp_path / "night.json", wall, entries).write()
    assert (
        (tmp_path / "night.json").read_bytes().decode()
        == """{
  "status": "running",
  "steps": [
    {"number": 1, "note": "µ"},
    {"number": 2}
  ],
  "x": [1, 2],
  "empty": []
}
"""
    )
    assert read_manifest(tmp_path / "night.json") == entries
    Manifest(tmp_path / "night.json", wall, {"note": "\udc80", "steps": [{"a": "\udc80"}]}).write()
    assert read_manifest(tmp_path / "night.json") == {"note": "\udc80", "steps": [{"a": "\udc80"}]}


def test_text_is_utf_8_and_half_a_surrogate_pair_survives() -> None:
    assert json_bytes({"note": "µ Ω é"}) == '{"note": "µ Ω é"}'.encode()
    assert json.loads(json_bytes({"note": "\udc80"})) == {"note": "\udc80"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            {"a": [1, object()]},
            r"run.json.a\[1\] = <object object at .*> of type object cannot stand in JSON",
        ),
        ({"a": {1: 2}}, "run.json.a has the key 1 of type int; keys of JSON are text"),
    ],
)
def test_what_is_no_data_is_refused_and_changes_nothing(
    tmp_path: Path, wall: VirtualClock, value: dict[str, Any], text: str
) -> None:
    manifest = Manifest(tmp_path / "run.json", wall, {"a": 1})
    with pytest.raises(TypeError, match=text):
        manifest.put(value)
    assert manifest.entries == {"a": 1}


def test_a_failed_replacement_leaves_the_old_one_and_is_made_up_for(
    tmp_path: Path, wall: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = Manifest(tmp_path / "run.json", wall, {"status": "running"})
    manifest.write()
    manifest.put({"status": "finished"})

    def fsync(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", fsync)
        with pytest.raises(
            StorageError, match=r"cannot replace .*run\.json: No space left on device; make room"
        ):
            manifest.write()
    assert read_manifest(tmp_path / "run.json") == {"status": "running"}
    assert [file.name for file in tmp_path.iterdir()] == ["run.json"]
    manifest.write()
    assert read_manifest(tmp_path / "run.json") == {"status": "finished"}


@pytest.mark.parametrize(("held_for", "replaced"), [(3, True), (100, False)])
def test_a_reader_that_holds_the_file_open_on_windows_is_waited_for(
    tmp_path: Path, wall: VirtualClock, monkeypatch: pytest.MonkeyPatch, held_for: int, replaced: bool
) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(b"old")
    tries = 0
    real = Path.replace

    def replace(self: Path, target: Path) -> Path:
        nonlocal tries
        tries += 1
        if tries <= held_for:
            raise PermissionError(13, "Access is denied")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    if replaced:
        replace_file(path, b"new", wall)
        assert path.read_bytes() == b"new"
    else:
        with pytest.raises(
            StorageError, match="Access is denied; make room, or close the program that has it open"
        ):
            replace_file(path, b"new", wall)
        assert path.read_bytes() == b"old"
    assert 0 < wall.now() < 1.0


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "is .* the right folder"),
        (b'{"a"', "is not JSON"),
        (b"[1]", "holds a list; expected an object"),
    ],
)
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, content: bytes | None, text: str) -> None:
    if content is not None:
        (tmp_path / "night.json").write_bytes(content)
    with pytest.raises(StorageError, match=text):
        read_manifest(tmp_path / "night.json")
