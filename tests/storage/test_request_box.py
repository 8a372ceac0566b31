"""Requests arrive once and in order, and whatever else lies among them is taken out of the way."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import StorageError
from onnes.storage.request_box import Asked, Refused, RequestBox, post


@pytest.fixture
def look(tmp_path: Path, wall: VirtualClock) -> Callable[[], list[Asked | Refused]]:
    box = RequestBox(tmp_path, wall)

    def take() -> list[Asked | Refused]:
        wall.sleep(0.25)
        return box.take()

    return take


Look = Callable[[], list[Asked | Refused]]


def test_requests_are_taken_once_and_in_the_order_of_arrival(
    tmp_path: Path, wall: VirtualClock, look: Look
) -> None:
    assert look() == []
    for number in range(12):
        post(tmp_path, "extend", "M. Curie", {"to": number}, wall=wall)
    wall.sleep(1.0)
    path = post(tmp_path, "stop", "M. Curie", wall=wall)
    assert ":" not in path.name
    taken = look()
    assert [each.values["to"] for each in taken[:-1] if isinstance(each, Asked)] == list(range(12))
    assert taken[-1] == Asked(path.name, "stop", "M. Curie", "2026-01-01T00:00:01.250000+00:00", {})
    assert look() == []
    assert (tmp_path / "requests" / "done" / path.name).exists()


def test_the_folder_is_looked_into_every_fifth_of_a_second(tmp_path: Path, wall: VirtualClock) -> None:
    box = RequestBox(tmp_path, wall)
    box.take()
    post(tmp_path, "stop", "M. Curie", wall=wall)
    wall.sleep(0.125)
    assert box.take() == []
    wall.sleep(0.125)
    assert len(box.take()) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is not JSON"),
        (b"\x00\xff\xfe", "it is not JSON"),
        (b"[" * 50_000, "it is not JSON"),
        (b'{"kind": "stop", "who": "a"', "it is not JSON"),
        (b" " * 65_537, "it has 65537 bytes; at most 65536 are read"),
        (b'["stop"]', "it holds a list; expected an object"),
        (b"{}", "kind = '' is unknown; expected one of stop, abort, pause"),
        (b'{"kind": ["stop"], "who": "a"}', r"kind = \['stop'\] is unknown"),
        (b'{"kind": "explode", "who": "a"}', "kind = 'explode' is unknown"),
        (b'{"kind": "stop"}', "who = ''; it must say who asks"),
        (b'{"kind": "stop", "who": 7}', "who = 7; it must say who asks"),
        (b'{"kind": "stop", "who": "a", "utc": 7}', "utc = 7 is not text"),
        (b'{"kind": "stop", "who": "a", "values": [1]}', "values is a list; expected an object"),
    ],
)
def test_a_file_that_is_no_request_is_refused_and_moved(
    tmp_path: Path, look: Look, content: bytes, reason: str
) -> None:
    (tmp_path / "requests" / "a b.txt").write_bytes(content)
    (refused,) = look()
    assert isinstance(refused, Refused)
    assert refused.file == "a b.txt"
    with pytest.raises(ValueError, match=reason):
        raise ValueError(refused.reason)
    assert look() == []
    assert (tmp_path / "requests" / "done" / "a b.txt").read_bytes() == content


def test_folders_and_links_are_refused_and_moved(tmp_path: Path, look: Look) -> None:
    requests = tmp_path / "requests"
    (requests / "folder" / "in it").mkdir(parents=True)
    expected = ["folder"]
    if sys.platform != "win32":
        (tmp_path / "good.json").write_text('{"kind": "stop", "who": "a"}', encoding="utf-8")
        (requests / "link").symlink_to(tmp_path / "good.json")
        (requests / "nowhere").symlink_to(tmp_path / "nowhere")
        os.mkfifo(requests / "pipe")  # opening it would wait for a writer
        expected += ["link", "nowhere", "pipe"]
    assert look() == [Refused(name, "it is not a plain file") for name in expected]
    assert look() == []


@pytest.mark.skipif(not hasattr(os, "chown") or os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_another_user_is_refused(tmp_path: Path, wall: VirtualClock, look: Look) -> None:
    path = post(tmp_path, "abort", "somebody", wall=wall)
    os.chown(path, 12345, -1)
    assert look() == [Refused(path.name, "it belongs to user id 12345, who does not own the night")]


@pytest.mark.skipif(sys.platform == "win32", reason="there the folder's access list does it")
def test_only_the_owner_may_post(tmp_path: Path, wall: VirtualClock) -> None:
    (tmp_path / "requests").mkdir(mode=0o777)
    RequestBox(tmp_path, wall)
    assert (tmp_path / "requests").stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_link_in_place_of_the_folder_is_refused(tmp_path: Path, wall: VirtualClock) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "requests").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="is not a folder of the night's owner; move it away"):
        RequestBox(tmp_path, wall)


def test_what_was_asked_of_an_earlier_runner_is_refused(tmp_path: Path, wall: VirtualClock) -> None:
    RequestBox(tmp_path, wall)
    old = post(tmp_path, "stop", "M. Curie", wall=wall)
    box = RequestBox(tmp_path, wall)
    new = post(tmp_path, "skip", "M. Curie", wall=wall)
    refused, asked = box.take()
    assert refused == Refused(old.name, "it was posted before this runner took the night; post it again")
    assert isinstance(asked, Asked)
    assert asked.file == new.name


def test_a_request_that_is_being_written_is_not_one_yet(tmp_path: Path, look: Look) -> None:
    (tmp_path / "requests" / ".half.json.new").write_bytes(b'{"kind": "st')
    assert look() == []


def test_a_stop_is_heard_once_on_a_drive_that_cannot_be_written(
    tmp_path: Path, wall: VirtualClock, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = post(tmp_path, "stop", "M. Curie", wall=wall)

    def replace(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as broken:
        broken.setattr(Path, "replace", replace)
        (asked,) = look()
        assert isinstance(asked, Asked)
        assert (look(), path.exists()) == ([], True)
    assert (look(), path.exists()) == ([], False)


def test_a_request_that_is_withdrawn_or_cannot_be_read_hurts_nobody(
    tmp_path: Path, wall: VirtualClock, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = post(tmp_path, "stop", "M. Curie", wall=wall)

    def read_bytes(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(Path, "read_bytes", read_bytes)
        assert look() == [Refused(path.name, "it cannot be read: Input/output error")]
    path = post(tmp_path, "stop", "M. Curie", wall=wall)
    real = Path.replace

    def replace(old: Path, new: Path) -> Path:
        old.unlink()
        return real(old, new)

    monkeypatch.setattr(Path, "replace", replace)
    assert look() == []


def test_a_folder_that_is_gone_for_a_while_is_made_again(
    tmp_path: Path, wall: VirtualClock, look: Look
) -> None:
    (tmp_path / "requests" / "done").rmdir()
    (tmp_path / "requests").rmdir()
    assert look() == []
    post(tmp_path, "stop", "M. Curie", wall=wall)
    assert len(look()) == 1


def test_a_box_that_cannot_be_made_is_reported(tmp_path: Path, wall: VirtualClock) -> None:
    with pytest.raises(StorageError, match=r"cannot make .*requests: "):
        RequestBox(tmp_path / "no such night", wall)


@pytest.mark.parametrize(
    ("kind", "who", "values", "text"),
    [
        (
            "explode",
            "a",
            {},
            "'explode' is no request; expected one of stop, abort, pause, resume",
        ),
        ("stop", "", {}, "the request stop does not say who asks"),
        ("stop", "a", {"note": "x" * 70_000}, r"the request stop has 700\d\d bytes; at most 65536 are read"),
    ],
)
def test_a_request_that_would_be_refused_is_not_posted(
    tmp_path: Path, wall: VirtualClock, look: Look, kind: str, who: str, values: dict[str, str], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        post(tmp_path, kind, who, values, wall=wall)
    assert look() == []


def test_a_request_that_nobody_would_read_is_not_posted(
    tmp_path: Path, wall: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StorageError, match="requests does not exist; is a runner at work on this night"):
        post(tmp_path, "stop", "a", wall=wall)
    RequestBox(tmp_path, wall)
    with pytest.raises(TypeError, match="cannot stand in JSON"):
        post(tmp_path, "stop", "a", {"x": object()}, wall=wall)

    def fsync(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StorageError, match="No space left on device"):
        post(tmp_path, "stop", "a", wall=wall)
    assert json.dumps([entry.name for entry in (tmp_path / "requests").iterdir()]) == '["done"]'
