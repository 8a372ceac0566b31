"""Stored rows as arrays."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from onnes.runner.measured import field_run, temperature_run
from onnes.storage.reader import Night, Run
from tests.runner.conftest import NightMaker

MakeNight = Callable[..., NightMaker]

KELVIN = np.arange(2, 300, 5.0)
FIELDS = np.arange(0, 90001, 4000.0)


def _only_run(maker: NightMaker) -> Run:
    [run] = Night.open(maker.path).runs
    return run


def _with_rows(run: Run, rows: pd.DataFrame) -> Run:
    vars(run)["data"] = rows  # takes the place of what the reader would read
    vars(run).pop("current", None)
    return run


def _taken_up(run: Run, rule: str, curve: int) -> Run:
    vars(run)["manifest"] = run.manifest | {"attempts": [{"attempt": 2, "rule": rule, "curve": curve}]}
    return run


def test_a_sweep_up_and_down_is_two_branches_with_signed_rates(make_night: MakeNight) -> None:
    measured = temperature_run(_only_run(make_night().sweep(KELVIN, 1e4, both=True)))
    assert [branch.direction for branch in measured.branches] == ["warming", "cooling"]
    assert [branch.rate[0] for branch in measured.branches] == pytest.approx([1 / 60, -1 / 60])
    assert measured.field_oe == 1e4
    assert measured.swept


def test_settled_points_take_their_direction_from_their_order(make_night: MakeNight) -> None:
    run = _only_run(make_night().sweep(KELVIN[::-1], 0.0))
    rows = run.data.copy()
    rows["Direction"] = "settled"
    rows["Temperature setpoint (K)"] = rows["Temperature (K)"]
    measured = temperature_run(_with_rows(run, rows))
    assert not measured.swept
    assert [branch.direction for branch in measured.branches] == ["cooling"]


def test_a_curve_measured_again_counts_once(make_night: MakeNight) -> None:
    run = _only_run(make_night().sweep(KELVIN, 0.0))
    again = run.data.head(7).copy()
    again["Attempt"] = 2
    run = _taken_up(_with_rows(run, pd.concat([run.data, again], ignore_index=True)), "path", 1)
    measured = temperature_run(run)
    assert [len(branch.resistance) for branch in measured.branches] == [7]


@pytest.mark.parametrize(("end", "branches"), [(41.0, 2), (41.03, 2), (42.5, 3)])
def test_a_finer_pass_that_overshot_by_a_little_still_stands_for_what_it_measured_again(
    make_night: MakeNight, end: float, branches: int
) -> None:
    run = _only_run(make_night().sweep(np.arange(2, 101, 1.0), 0.0, both=True))
    fine = run.data.head(30).copy()
    fine["Temperature (K)"] = np.linspace(37.0, end, 30)
    fine["Curve"] = 3
    vars(run)["manifest"] = run.manifest | {"header": {"parameters": {"Fine": ['{"width_k": 4.0}']}}}
    measured = temperature_run(_with_rows(run, pd.concat([run.data, fine], ignore_index=True)))
    assert len(measured.branches) == branches
    assert sum(len(branch.temperature) for branch in measured.branches) == 2 * 99 + 30 - 5 * (branches == 2)


def test_a_curve_that_went_on_is_one_monotone_branch(make_night: MakeNight) -> None:
    run = _only_run(make_night().sweep(KELVIN, 0.0, both=True))
    rows = run.data.copy()
    rows.loc[20:, "Attempt"] = 2
    measured = temperature_run(_taken_up(_with_rows(run, rows), "free", 1))
    warming, cooling = measured.branches
    assert len(warming.temperature) == len(cooling.temperature) == len(KELVIN)
    assert (np.diff(warming.temperature) > 0).all()
    assert (np.diff(cooling.temperature) < 0).all()


def test_reference_points_are_no_isotherm(make_night: MakeNight) -> None:
    run = _only_run(make_night().isotherms([2.0, 5.0], FIELDS))
    before = [curve.setpoint_k for curve in field_run(run).curves]
    mark = run.data.head(1).copy()
    mark["Direction"], mark["Curve"], mark["Temperature setpoint (K)"] = "reference", 0, 20.0
    measured = field_run(_with_rows(run, pd.concat([mark, run.data, mark], ignore_index=True)))
    assert [curve.setpoint_k for curve in measured.curves] == before


def test_flagged_rows_do_not_count(make_night: MakeNight) -> None:
    run = _only_run(make_night().sweep(KELVIN, 0.0))
    rows = run.data.copy()
    rows["Flags"] = ["helium_fill", *[""] * (len(rows) - 1)]
    measured = temperature_run(_with_rows(run, rows))
    assert len(measured.branches[0].resistance) == len(KELVIN) - 1


def test_isotherms_are_grouped_by_setpoint_and_sorted(make_night: MakeNight) -> None:
    measured = field_run(_only_run(make_night().isotherms([6.0, 2.0, 4.0], FIELDS)))
    assert [curve.setpoint_k for curve in measured.curves] == [2.0, 4.0, 6.0]
    assert [len(curve.branches) for curve in measured.curves] == [2, 2, 2]


def test_the_temperature_of_an_isotherm_is_the_mean_of_its_readings(make_night: MakeNight) -> None:
    run = _only_run(make_night().isotherms([2.0], FIELDS))
    rows = run.data.copy()
    rows["Temperature (K)"] = np.linspace(2.00, 2.02, len(rows))
    [isotherm] = field_run(_with_rows(run, rows)).isotherms
    assert isotherm.temperature == pytest.approx(2.01)


def test_the_remanence_of_the_magnet_leaves_the_mean_of_both_directions(make_night: MakeNight) -> None:
    maker = make_night(remanence_oe=200.0, noise=1e-7)
    measured = field_run(_only_run(maker.isotherms([2.0], FIELDS)))
    [curve] = measured.curves
    truth = maker.film.resistance(2.0, FIELDS)
    [isotherm] = measured.isotherms
    inner = (isotherm.field > 0) & (isotherm.field < FIELDS.max())
    expected = np.interp(isotherm.field, FIELDS, truth)
    rising = curve.branches[0]
    assert np.abs(rising.resistance / truth - 1).max() > 2e-3
    assert np.abs(isotherm.resistance / expected - 1)[inner].max() < 1e-4


def test_the_hall_voltage_leaves_where_both_signs_of_field_were_measured(make_night: MakeNight) -> None:
    maker = make_night(noise=1e-7)
    fields = np.concatenate([-FIELDS[:0:-1], FIELDS])
    run = _only_run(maker.isotherms([2.0], fields))
    rows = run.data.copy()
    rows["Resistance (ohm)"] += rows["Field (Oe)"] * 1e-6
    [isotherm] = field_run(_with_rows(run, rows)).isotherms
    assert isotherm.field.min() >= 0
    expected = maker.film.resistance(2.0, isotherm.field)
    assert np.abs(isotherm.resistance / expected - 1).max() < 1e-5


def test_geometry_that_is_not_whole_is_no_geometry(make_night: MakeNight) -> None:
    run = _only_run(make_night().sweep(KELVIN, 0.0))
    assert temperature_run(run).geometry is not None
    del run.manifest["geometry"]["width_cm"]
    assert temperature_run(run).geometry is None


def test_the_uncertainty_of_the_geometry_is_the_samples_or_five_percent(make_night: MakeNight) -> None:
    run = _only_run(make_night().sweep(KELVIN, 0.0))
    usual = temperature_run(run).geometry
    assert usual is not None
    assert (usual.sheet_sigma, usual.bulk_sigma) == (0.05, 0.05)
    run.manifest["geometry_uncertainty"] = {"length_cm": 0.01, "width_cm": 0.01, "thickness_cm": 5e-7}
    own = temperature_run(run).geometry
    assert own is not None
    assert own.sheet_sigma == pytest.approx(np.hypot(0.05, 0.1))
    assert own.bulk_sigma == pytest.approx(np.hypot(own.sheet_sigma, 5e-7 / 2.15e-5))
