"""From stored runs to results; the truth of every night is known."""

import json
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from onnes.runner.findings import Findings, find
from onnes.runner.results import NightResult
from onnes.storage.reader import Night, Run
from tests.runner.conftest import Film, NightMaker

MakeNight = Callable[..., NightMaker]

KELVIN = np.concatenate([np.arange(2, 40, 0.5), np.arange(40, 300.5, 2.0)])
NEAR_TC = np.arange(34, 80, 0.05)
ISOTHERMS = np.arange(2.0, 6.1, 0.5).tolist()
FIELDS = np.arange(0, 90001, 2000.0)


@pytest.fixture(scope="session")
def paper(paper_night: Path) -> Findings:
    return find(Night.open(paper_night))


def _named(findings: Findings) -> dict[str, NightResult]:
    assert len({result.id for result in findings.results}) == len(findings.results)
    return {result.id: result for result in findings.results}


@pytest.mark.parametrize(
    ("key", "truth", "at_most"),
    [
        ("000-hc", 32000.0, 100.0),
        ("000-znu", 7 / 3, 0.03),
        ("000-crossing-006", 32000.0, 150.0),
        ("000-rho-minimum", 112.0, 1.0),
        ("sample-lag", 4.0, 0.5),
        ("hysteresis", 12.0, 5.0),
    ],
)
def test_a_night_like_the_papers_finds_what_the_film_was_given(
    paper: Findings, key: str, truth: float, at_most: float
) -> None:
    result = _named(paper)[key]
    assert result.value is not None
    assert result.sigma is not None
    assert result.value == pytest.approx(truth, abs=at_most)
    assert abs(result.value - truth) < 3 * result.sigma + 1e-9


def test_the_exponent_by_slopes_is_a_check_and_no_result(make_night: MakeNight) -> None:
    fields = np.arange(20e3, 44e3, 500.0)
    named = _named(find(Night.open(make_night().isotherms(ISOTHERMS, fields, both=False).close())))
    assert named["znu"].goodness["z_nu_by_slopes"] == pytest.approx(7 / 3, abs=0.25)
    assert "znu-slope" not in named


def test_the_sheet_resistance_is_far_below_the_quantum_of_resistance(paper: Findings) -> None:
    result = _named(paper)["000-rq"]
    assert result.value == pytest.approx(1.5e-4 / 2.15e-5, rel=0.005)
    assert result.goodness["of_h_over_4e2"] == pytest.approx(6.977 / 6453.2, rel=0.005)
    assert result.paper is not None
    assert result.paper.relation == "<<"


def test_seven_thirds_is_chosen_and_the_others_say_by_how_much_they_are_worse(paper: Findings) -> None:
    result = _named(paper)["znu-model"]
    assert result.value == pytest.approx(7 / 3)
    assert result.sigma is None
    assert result.flags == ("choice_among_fixed_values",)
    assert result.goodness["rms_ratio_4/3"] > 20
    assert result.goodness["rms_ratio_2/3"] > 20


def test_the_resistivity_is_that_of_the_film(paper: Findings) -> None:
    result = _named(paper)["resistivity"]
    assert result.quantity == "resistivity at the hottest, 300 K"
    assert result.value == pytest.approx(154.8e-6, rel=2e-3)


def test_a_film_without_a_transition_has_no_tc(paper: Findings) -> None:
    assert not [key for key in _named(paper) if key.startswith("tc-")]


def test_a_result_without_a_sigma_or_a_value_says_why(paper: Findings) -> None:
    for result in paper.results:
        if result.sigma is None or result.value is None:
            assert result.flags, result.id


def test_rejected_points_do_not_count(paper: Findings) -> None:
    [zero_field] = [found for found in paper.temperature_runs if found.measured.field_oe == 0]
    assert len(zero_field.measured.rejected.resistance) == 3
    assert sum(len(branch.resistance) for branch in zero_field.measured.branches) == 2 * len(KELVIN) - 3


def test_another_film_gives_its_own_numbers_under_the_papers_keys_when_the_night_says_so(
    make_night: MakeNight,
) -> None:
    night = make_night(film=Film(hc_oe=21000.0, z_nu=1.4), manifest={"compare_with": ["000-hc", "000-znu"]})
    named = _named(find(Night.open(night.isotherms(ISOTHERMS, FIELDS).close())))
    assert named["000-hc"].value == pytest.approx(21000, abs=100)
    assert named["000-znu"].value == pytest.approx(1.4, abs=0.03)
    assert named["000-hc"].paper is not None
    assert named["000-hc"].paper.value == 32000.0
    assert "crossing" in named


def test_a_night_that_names_no_paper_gets_plain_keys(make_night: MakeNight) -> None:
    night = make_night(sample="unknown").isotherms(ISOTHERMS, FIELDS).close()
    named = _named(find(Night.open(night)))
    assert {"hc", "znu", "crossing", "sheet-resistance-hc"} <= named.keys()
    assert all(result.paper is None for result in named.values())


def test_two_isotherms_are_refused_with_the_reason(make_night: MakeNight) -> None:
    night = make_night().isotherms([2.0, 6.0], FIELDS).close()
    named = _named(find(Night.open(night)))
    for key in ("hc", "znu", "sheet-resistance-hc", "znu-model"):
        assert named[key].value is None
        assert named[key].sigma is None
        assert "2 isotherms; at least 3" in named[key].flags[0]


def test_a_superconductor_gives_its_transition_and_no_minimum(make_night: MakeNight) -> None:
    night = make_night(film=Film(tc_k=39.3)).sweep(NEAR_TC, 0.0, both=True).close()
    named = _named(find(Night.open(night)))
    assert named["tc-onset"].value == pytest.approx(39.3, abs=0.05)
    assert named["tc-onset"].sigma is not None
    assert {"tc-t90", "tc-t50", "tc-t10", "tc-zero", "tc-width", "rrr"} <= named.keys()
    assert "rho-minimum" not in named
    assert "lag_not_corrected" not in named["tc-onset"].flags


def test_one_direction_alone_is_flagged_for_its_lag(make_night: MakeNight) -> None:
    night = make_night(film=Film(tc_k=39.3)).sweep(NEAR_TC, 0.0).close()
    named = _named(find(Night.open(night)))
    assert "sample-lag" not in named
    assert "lag_not_corrected" in named["tc-onset"].flags


def test_the_lag_of_the_sample_is_found_once_and_corrects_the_sweeps_after_it(make_night: MakeNight) -> None:
    maker = make_night(film=Film(tc_k=39.3), lag_s=30.0)
    maker.sweep(NEAR_TC, 0.0, both=True).sweep(NEAR_TC, 10e3)
    named = _named(find(Night.open(maker.close())))
    assert [key for key in named if "lag" in key] == ["sample-lag"]
    assert named["sample-lag"].value == pytest.approx(30.0, abs=3.0)
    assert named["tc-onset-10000Oe"].value == pytest.approx(39.3, abs=0.1)
    assert "lag_not_corrected" not in named["tc-onset-10000Oe"].flags


def test_a_transition_that_cannot_be_measured_is_refused_with_the_reason(make_night: MakeNight) -> None:
    night = make_night(film=Film(tc_k=39.3)).sweep(np.arange(37, 40.5, 0.05), 0.0).close()
    named = _named(find(Night.open(night)))
    assert named["tc-onset"].value is None
    assert "too few or too narrow for the normal line" in named["tc-onset"].flags[0]


def test_two_runs_of_one_kind_have_ids_of_their_own_and_the_paper_stays_with_the_first(
    make_night: MakeNight,
) -> None:
    maker = make_night(film=Film(tc_k=39.3), manifest={"compare_with": ["000-tc-pri-215"]})
    maker.sweep(NEAR_TC, 0.0).sweep(NEAR_TC, 10e3).sweep(NEAR_TC, 0.0)
    named = _named(find(Night.open(maker.close())))
    assert named["000-tc-pri-215"].paper is not None
    assert named["tc-onset-run3"].paper is None
    assert named["tc-onset-run3"].quantity == "Tc onset, run 3"
    assert named["tc-onset-run3"].value == pytest.approx(39.3, abs=0.1)


def test_the_lag_of_a_run_in_field_has_the_field_in_its_key_and_one_refusal_is_told_once(
    make_night: MakeNight,
) -> None:
    maker = make_night(film=Film(tc_k=39.3))
    few, fewer = np.arange(290.0, 292.0, 0.5), np.arange(290.0, 291.5, 0.5)
    maker.sweep(few, 0.0, both=True).sweep(few, 10e3, both=True).sweep(fewer, 20e3, both=True)
    named = _named(find(Night.open(maker.sweep(NEAR_TC, 30e3, both=True).close())))
    lags = {key: result.value is None for key, result in named.items() if "lag" in key}
    assert lags == {"sample-lag": True, "sample-lag-20000Oe": True, "sample-lag-30000Oe": False}


def test_a_damaged_run_does_not_hide_the_others(make_night: MakeNight) -> None:
    night = make_night().sweep(KELVIN, 0.0).sweep(KELVIN, 10e3).close()
    data = night / "02_resistivity-temperature_10000Oe" / "data.csv"
    data.write_text(data.read_text(encoding="utf-8").replace(",1.0,", ",one,"), encoding="utf-8")
    named = _named(find(Night.open(night)))
    assert named["rho-minimum"].value is not None
    assert named["analysis"].value is None
    assert named["analysis"].quantity == "analysis of 02_resistivity-temperature_10000Oe"
    assert "is damaged" in named["analysis"].flags[0]


def test_every_result_fits_the_shipped_schema(paper: Findings, make_night: MakeNight) -> None:
    schema = json.loads(files("onnes.runner").joinpath("output.schema.json").read_text(encoding="utf-8"))
    validator = Draft202012Validator({"$defs": schema["$defs"], "$ref": "#/$defs/result"})
    refused = find(Night.open(make_night().isotherms([2.0, 6.0], FIELDS).close()))
    for result in (*paper.results, *refused.results):
        entries = json.loads(json.dumps(result.as_json(), allow_nan=False))
        assert [error.message for error in validator.iter_errors(entries)] == []


def test_a_run_in_field_has_its_field_in_its_keys(make_night: MakeNight) -> None:
    night = make_night(film=Film(tc_k=39.3)).sweep(NEAR_TC, 0.0).sweep(NEAR_TC, 10e3).close()
    named = _named(find(Night.open(night)))
    assert {"tc-onset", "tc-onset-10000Oe"} <= named.keys()
    assert named["tc-onset-10000Oe"].quantity.endswith("in 10000 Oe")


@pytest.mark.parametrize("remanence_oe", [-12.0, 12.0])
@pytest.mark.parametrize("drift_per_point", [0.0, 1e-5])
def test_the_shift_of_the_field_has_its_sign_and_a_drifting_gain_does_not_fake_it(
    make_night: MakeNight, remanence_oe: float, drift_per_point: float
) -> None:
    maker = make_night(remanence_oe=remanence_oe, noise=1e-5)  # added when falling, taken off when rising
    [run] = Night.open(maker.isotherms(ISOTHERMS, FIELDS).close()).runs
    rows = run.data.copy()
    rows["Resistance (ohm)"] *= 1 + drift_per_point * np.arange(len(rows))
    vars(run)["data"] = rows
    [found] = [result for result in find(run).results if result.id == "hysteresis"]
    assert found.quantity == "field at the sample, falling minus rising, at equal reported field"
    assert found.value is not None
    assert found.sigma is not None
    assert abs(found.value - 2 * remanence_oe) < 3 * found.sigma
    assert found.sigma < 3
    assert ("gain_drift" in found.flags) == (drift_per_point > 0)


def test_a_resistance_that_hardly_sees_the_field_gives_no_shift(make_night: MakeNight) -> None:
    [run] = Night.open(make_night().isotherms(ISOTHERMS, FIELDS).close()).runs
    rows = run.data.copy()
    noise = np.random.default_rng(3).standard_normal(len(rows))
    rows["Resistance (ohm)"] = 5 + 1e-12 * rows["Field (Oe)"] ** 2 + 1e-3 * noise
    rows["Resistance error (ohm)"] = 1e-3
    vars(run)["data"] = rows
    [found] = [result for result in find(run).results if result.id == "hysteresis"]
    assert found.value is None
    assert "0 of 9 isotherms with both directions depend on the field beyond noise" in found.flags[0]


def test_two_isotherms_say_nothing_sure_on_the_shift_of_the_field(make_night: MakeNight) -> None:
    named = _named(find(Night.open(make_night().isotherms([2.0, 6.0], FIELDS).close())))
    assert named["hysteresis"].value is None
    assert named["hysteresis"].flags == (
        "2 of 2 isotherms with both directions depend on the field beyond noise; a sigma needs 3",
    )


def test_superconducting_isotherms_are_no_scaling_isotherms(make_night: MakeNight) -> None:
    night = make_night(film=Film(tc_k=39.3), noise=1e-3).isotherms(ISOTHERMS, FIELDS).close()
    named = _named(find(Night.open(night)))
    for key in ("hc", "znu", "crossing"):
        assert named[key].value is None
        assert re.fullmatch(r"superconducting up to \d+ Oe at \d(\.\d)? K; no scaling", named[key].flags[0])
    assert "superconducting up to" in named["hysteresis"].flags[0]


def test_one_direction_of_field_is_enough_and_has_no_hysteresis(make_night: MakeNight) -> None:
    night = make_night().isotherms(ISOTHERMS, FIELDS, both=False).close()
    named = _named(find(Night.open(night)))
    assert named["hc"].value == pytest.approx(32000, abs=100)
    assert "hysteresis" not in named


def test_a_run_can_be_analysed_alone(paper_night: Path) -> None:
    [run] = [run for run in Night.open(paper_night).runs if "10000Oe" in run.path.name]
    findings = find(Run.open(run.path))
    assert len(findings.temperature_runs) == 1
    assert findings.field_runs == ()


def test_a_run_that_was_stopped_says_so_in_every_result(make_night: MakeNight) -> None:
    night = make_night().isotherms(ISOTHERMS, FIELDS, status="stopped").close("stopped")
    findings = find(Night.open(night))
    assert all("run stopped" in result.flags for result in findings.results)


def test_a_run_without_points_is_refused_and_not_an_error(make_night: MakeNight) -> None:
    night = make_night().sweep(np.array([]), 0.0, status="failed").close("failed")
    findings = find(Night.open(night))
    assert [result.flags for result in findings.results] == [("the run has no good point", "run failed")]


def test_simulated_data_give_simulated_findings(paper: Findings) -> None:
    assert paper.provenance == {"backend": "simulated", "lab": "synthetic", "seed": 1}
