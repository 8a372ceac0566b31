"""Two streams of different rate are two tables, and a gap in one curve leaves the others alone."""

from pathlib import Path

import numpy as np

from onnes.runner.measured import temperature_run
from onnes.storage.reader import Night, Run
from tests.runner.left_nights import LeftNights


def test_the_slow_stream_is_a_table_of_its_own_and_a_missing_value_costs_its_point_alone(
    tmp_path: Path,
) -> None:
    nights = LeftNights(tmp_path)
    nights.run()
    night = Night.open(nights.path)
    for run in night.runs:
        assert "Helium (%)" not in run.data
        assert run.data["Resistance (ohm)"].notna().all()
    assert night.environment["Temperature (K)"].notna().all()

    swept = night.runs[1]
    whole = sum(len(branch.temperature) for branch in temperature_run(swept).branches)
    gap = Run.open(swept.path)
    gap.data.loc[5, "Resistance (ohm)"] = np.nan
    branches = temperature_run(gap).branches
    assert sum(len(branch.temperature) for branch in branches) == whole - 1
    assert all(np.isfinite(branch.resistance).all() for branch in branches)
