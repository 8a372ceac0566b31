"""Nights of ac susceptibility that break off, by MultiVu's sequence and by a coil, and are taken up again."""

from pathlib import Path

import pandas as pd
import pytest

from onnes.runner.requests import RequestKind
from onnes.storage.reader import Night, Run
from tests.runner.ac_nights import PLAIN, ac_plan
from tests.runner.left_nights import LeftNights, attempts, nothing_is_lost, rows_of
from tests.runner.moment_night import MomentNight, moment_night

STEPS = f"""\
defaults:
  {PLAIN}
steps:
  - ac_susceptibility:
      temperature: [12 K, 36 K, 37 K]
      amplitude: [0.05 Oe, 0.45 Oe]
      frequency: 97 Hz
      dc_field: [0 Oe, 20 Oe]
      phase: {{calibrate_at: 10 K}}
"""
HEAD = """\
sequence: 1
station: station.toml
sample: sample.toml
mounting: long_axis
contact_check: {declined: there are no contacts}
finish: {field: 0 Oe, approach: oscillate, temperature: 10 K}
"""
DRIVES = ((0.05, "curve"), (0.45, "curve"), (0.05, "heating_check"))
# Of one dc field: phase, curve and background, in the order measured.
OF_A_FIELD = (
    *((10.0, amplitude, "phase") for amplitude in (0.05, 0.45)),
    *((kelvin, *drive) for kelvin in (12.0, 36.0, 37.0) for drive in DRIVES),
    *((40.4, amplitude, "background") for amplitude in (0.05, 0.45)),
)


def measured(rows: pd.DataFrame) -> list[tuple[float, float, str]]:
    columns = ["Temperature setpoint (K)", "Amplitude setpoint (Oe)", "Branch"]
    return list(rows[columns].itertuples(index=False, name=None))


def is_whole(run: Run) -> None:
    """Each planned moment counts once, in order, and no dc field is stitched where its history matters."""
    assert run.status == "finished"
    assert measured(run.current) == [*OF_A_FIELD, *OF_A_FIELD]
    cold = run.current[run.current["Branch"] != "background"]
    for _, of_a_field in cold.groupby((cold["Branch"] == "phase").diff().eq(True).cumsum() // 2):
        assert of_a_field["Attempt"].nunique() == 1


# -- by a coil


@pytest.fixture(scope="module")
def coil(tmp_path_factory: pytest.TempPathFactory) -> LeftNights:
    """A night on the coil that is left in the phase, in a curve, between curves and in the second field."""
    folder = tmp_path_factory.mktemp("coil")
    nights = LeftNights(folder, "", seed=1)
    ac_plan(folder, STEPS, station="susceptometer-sim")
    nights.sequence = (folder / "night.yaml").read_text(encoding="utf-8")
    assert nights.run(after=tuple(LEFT_AFTER)).status == "finished"
    (run,) = Night.open(nights.path).runs
    is_whole(run)
    return nights


# Of the first field are 2 points of the phase, 9 of the curve, 2 of the background; then the second begins.
LEFT_AFTER = {
    1: ("path", 1, 0),
    6: ("path", 1, 0),
    11: ("free", 3, 0),
    12: ("free", 3, 0),
    20: ("path", 4, 0),
}


@pytest.mark.parametrize(("place", "after"), list(enumerate(LEFT_AFTER)))
def test_a_coil_night_that_was_left_has_each_moment_once_and_repeats_what_hangs_on_its_history(
    coil: LeftNights, place: int, after: int
) -> None:
    path = coil.copies[place]
    before = rows_of(path)
    assert len(Night.open(path).runs[0].data) == after
    assert coil.take_up(path).status == "finished"
    nothing_is_lost(before, path)
    (run,) = Night.open(path).runs
    is_whole(run)
    assert attempts(path, "susceptibility") == [LEFT_AFTER[after]]


# -- by the sequence of MultiVu


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MomentNight:
    night = moment_night(tmp_path / "night", monkeypatch)
    night.sequence = HEAD + STEPS
    return night


@pytest.mark.parametrize("kind", ["stop", "abort"])
def test_a_program_that_is_ended_in_its_curve_is_measured_again_from_the_phase_on(
    program: MomentNight, kind: RequestKind
) -> None:
    program.ask(5000.0, kind)
    assert program.run().status == {"stop": "stopped", "abort": "aborted"}[kind]
    path = program.night.path
    begun = measured(program.first_run.data)
    assert begun == list(OF_A_FIELD[:8])
    before = rows_of(path)
    assert program.take_up(path).exit_code == 0
    nothing_is_lost(before, path)
    is_whole(program.first_run)
    assert attempts(path, "susceptibility") == [("path", 1, 0)]


def test_a_program_that_stops_in_the_second_dc_field_keeps_the_first(program: MomentNight) -> None:
    program.fault("sequence_stopped", at=9000.0, count=1)
    assert program.run().status == "failed"
    path = program.night.path
    begun = measured(program.first_run.data)
    assert len(OF_A_FIELD) < len(begun) < 2 * len(OF_A_FIELD)
    before = rows_of(path)
    assert program.take_up(path).exit_code == 0
    nothing_is_lost(before, path)
    is_whole(program.first_run)
    assert attempts(path, "susceptibility") == [("path", 4, 0)]
    stamps = list(program.first_run.data["Time stamp (s)"])
    assert len(set(stamps)) == len(stamps)
