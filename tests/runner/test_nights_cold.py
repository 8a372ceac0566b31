"""Nights at low temperature: how fast the field goes there."""

from pathlib import Path

import pytest

from tests.runner.bad_night import demo_night
from tests.runner.test_engine import SEQUENCE


def test_the_scatter_of_a_thermometer_at_4_k_does_not_slow_the_field(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = demo_night(tmp_path, monkeypatch)
    night.sequence = (
        SEQUENCE.replace("300 K", "4 K")
        .replace("[0 Oe", "[1000 Oe")
        .replace("steps:", "steps:\n  - set_temperature: {to: 4 K}", 1)
    )
    assert night.run().status == "finished"
    rates = {message.split()[2] for message in night.commands("FIELD ")}
    assert rates == {"150"}
