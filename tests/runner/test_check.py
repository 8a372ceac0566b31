"""What ``onnes check`` says of a night: steps, times, and where the history counts."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from onnes.runner.check import check_sequence
from onnes.runner.estimate import estimates_s
from onnes.runner.plan import Measure, make_plan

STATION = (Path(__file__).parents[2] / "examples/stations/ppms9-sim.toml").read_text(encoding="utf-8")
SAMPLE = """sample = 1
id = "f"
geometry = { shape = "film" }
defaults = { current = "100 uA" }
expected = { tc = "38 K" }
"""
HEAD = (
    "sequence: 1\nstation: ./s.toml\nsample: {film: ./f.toml}\ncontact_check: {declined: a test}\n"
    "finish: {field: 0 Oe}\nsteps:\n"
)


@pytest.fixture
def night(tmp_path: Path) -> Path:
    (tmp_path / "s.toml").write_text(STATION, encoding="utf-8")
    (tmp_path / "f.toml").write_text(SAMPLE, encoding="utf-8")
    return tmp_path / "night.yaml"


def _estimates(night: Path, steps: str) -> list[float]:
    night.write_text(HEAD + steps, encoding="utf-8")
    return list(estimates_s(make_plan(night)))


def _printed(night: Path, steps: str) -> list[str]:
    night.write_text(HEAD + steps, encoding="utf-8")
    out = io.StringIO()
    check_sequence(night, station=None, sample=None).print(Console(file=out, width=200))
    return [line for line in out.getvalue().splitlines() if not line.startswith(str(night.parent))]


def test_check_prints_points_time_and_history_of_each_step_and_the_sum(night: Path) -> None:
    printed = _printed(
        night,
        "  - wait: 2 h\n"
        '  - wait: {until: "22:00"}\n'
        "  - resistivity: {temperature: 60..50 K step 5 K}\n"
        "  - isotherms: {temperature: 5 K, field: [0 T, 1 T]}\n",
    )
    assert printed[0] == "  1  wait  about 2 h 0 min"
    assert printed[1] == "  2  wait  time not counted"
    assert printed[2].startswith("  3  resistivity-temperature 0Oe  3 points, about ")
    assert printed[3].startswith("  4  resistivity-field 5K  4 points, about ")
    assert printed[3].endswith(" min, path below 38 K")
    assert printed[4].startswith("7 points, about 2 h ") or printed[4].startswith("7 points, about 3 h ")
    assert printed[5] == "0 errors"


def test_the_first_ramp_counts_as_nothing_and_the_next_ones_at_their_rate(night: Path) -> None:
    first, second = _estimates(
        night, "  - set_temperature: 300 K\n  - set_temperature: {to: 200 K, rate: 5 K/min}\n"
    )
    assert first < 300
    assert second == pytest.approx(1200, abs=300)


def test_a_ramp_that_is_not_waited_for_is_what_a_wait_for_stability_takes(night: Path) -> None:
    steps = (
        "  - set_field: 0 Oe\n"
        "  - set_field: {to: 1 T, rate: 10 Oe/s, wait: false}\n"
        "  - wait: 400 s\n"
        "  - wait: {stable: [field]}\n"
    )
    assert _estimates(night, steps)[1:] == [0.0, 400.0, 600.0]


def test_the_way_to_a_measurement_counts_with_it(night: Path) -> None:
    block = "resistivity: {temperature: 60..50 K step 5 K, field: 1 T}"
    alone, again = _estimates(night, f"  - {block}\n  - {block}\n")
    (step, _) = make_plan(night).steps
    assert isinstance(step.action, Measure)
    assert alone == step.action.measurement.duration_s()
    assert again == pytest.approx(alone + 60, abs=1e-6)  # 10 K back at 10 K/min
