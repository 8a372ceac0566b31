"""What a night tells of itself when it cannot write it down."""

from typing import Any

import pytest

from onnes.instruments.errors import StorageError
from onnes.runner.record import Record
from onnes.storage.night import NightFolder
from tests.runner.conftest import OpenNight


@pytest.mark.parametrize(
    ("state", "message"), [("suspended", "disk: 0.7 GB are free"), ("running", "no room for the event")]
)
def test_an_event_that_cannot_be_written_hides_no_reason_to_stand_still(
    open_night: OpenNight, monkeypatch: pytest.MonkeyPatch, state: str, message: str
) -> None:
    record = Record(open_night.folder, open_night.wall, lambda _: None, [], {}, 0.0)
    record.tell(state=state, message="disk: 0.7 GB are free")

    def full(*_: Any) -> None:
        raise StorageError("no room for the event")

    monkeypatch.setattr(NightFolder, "event", full)
    record.event("waiting", f"{state}: {record.progress.message}")
    assert record.progress.message == message
