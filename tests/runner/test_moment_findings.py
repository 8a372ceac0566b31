"""From stored runs of a magnetometer to results; the truth of every moment is known."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnes.instruments.errors import ConfigurationError
from onnes.runner.analyse import analyse
from onnes.runner.findings import Findings, find
from onnes.runner.moment_measured import Rows, running_sigma, with_thermometer
from onnes.runner.residual_calibration import load_residual_calibration
from onnes.runner.results import NightResult
from onnes.storage.reader import Night
from tests.runner.moment_nights import BODY, Floats, MomentNight, N, emu

KELVIN = np.concatenate([np.arange(2.0, 34.0, 1.0), np.arange(34.0, 42.0, 0.1)])
TC_K = 38.0
MakeNight = Callable[..., MomentNight]


@pytest.fixture
def make(tmp_path: Path) -> MakeNight:
    def maker(**options: Any) -> MomentNight:
        return MomentNight(tmp_path / "runs", **options)

    return maker


def _named(findings: Findings) -> dict[str, NightResult]:
    assert len({result.id for result in findings.results}) == len(findings.results)
    return {result.id: result for result in findings.results}


def _found(night: MomentNight) -> dict[str, NightResult]:
    return _named(find(Night.open(night.close())))


def _screening(field_oe: float, kelvin: Floats = KELVIN) -> dict[str, tuple[Floats, Floats]]:
    """Full screening up to 1 K below Tc in ZFC, a hundredth of it in FCC."""
    share = np.clip(TC_K - kelvin, 0, 1)
    zfc = emu(-field_oe / (1 - N) * share)
    return {"zfc": (kelvin, zfc), "fcc": (kelvin[::-1], 0.01 * zfc[::-1])}


def test_a_bar_that_screens_all_reads_minus_one_in_the_internal_field(make: MakeNight) -> None:
    named = _found(make().over_temperature(10.0, _screening(10.0)))
    applied, inner = named["chi-zfc-10Oe"], named["chi-zfc-intrinsic-10Oe"]
    assert applied.value == pytest.approx(-1 / (1 - N), rel=1e-3)
    assert inner.value == pytest.approx(-1, rel=1e-3)
    assert named["meissner-fraction-10Oe"].value == pytest.approx(0.01 / (1 - N), rel=1e-2)
    # Volume 5 % (nobody said more), field 0.2 of 10 Oe; of the factor N 0.015.
    assert applied.sigma == pytest.approx(math.hypot(0.05, 0.02) / (1 - N), rel=0.02)
    assert inner.goodness["sigma_n"] == pytest.approx(0.015, rel=0.01)


def test_a_field_cooled_curve_that_was_broken_off_has_no_meissner_fraction(make: MakeNight) -> None:
    curves = _screening(10.0)
    kelvin, moment = curves["fcc"]
    curves["fcc"] = (kelvin[:50], moment[:50])
    found = _found(make().over_temperature(10.0, curves))["meissner-fraction-10Oe"]
    assert found.value is None
    assert found.flags[0] == "FCC was measured down to 37 K, and ZFC begins at 2 K"


def test_the_transition_is_where_screening_ends(make: MakeNight) -> None:
    named = _found(make().over_temperature(10.0, _screening(10.0)))
    assert named["tc-moment-onset-10Oe"].value == pytest.approx(TC_K, abs=0.1)
    assert named["tc-moment-midpoint-10Oe"].value == pytest.approx(TC_K - 0.5, abs=0.05)
    assert named["t-irr-10Oe"].value == pytest.approx(TC_K, abs=0.1)


def test_the_field_at_the_sample_counts_and_not_the_reported_one(make: MakeNight) -> None:
    # The reported field is 1 Oe off: of 2 Oe that would be a factor of two.
    named = _found(make().over_temperature(2.0, _screening(2.0)))
    assert named["chi-zfc-2Oe"].value == pytest.approx(-1 / (1 - N), rel=1e-2)
    known = named["residual-field-known"]
    assert (known.value, known.sigma) == (1.0, 0.2)
    assert "calibration.toml:6" in known.criterion


def test_an_estimated_residual_field_is_a_bound_and_no_value(make: MakeNight) -> None:
    estimate = {"from": "estimate", "bound_oe": 5.0, "known": "station.toml:9"}
    named = _found(make(residual=estimate).over_temperature(10.0, _screening(10.0)))
    known = named["residual-field-known"]
    assert known.value is None
    assert known.flags == ("not measured: at most 5 Oe (station.toml:9)",)


def test_fields_below_zero_have_the_same_transition_under_a_key_of_their_own(make: MakeNight) -> None:
    named = _found(make().over_temperature(-10.0, _screening(-10.0)))
    assert named["chi-zfc-minus-10Oe"].value == pytest.approx(-1 / (1 - N), rel=1e-2)
    assert named["t-irr-minus-10Oe"].value == pytest.approx(TC_K, abs=0.1)


def test_without_a_volume_there_is_no_susceptibility_but_a_transition(make: MakeNight) -> None:
    night = make(geometry={"length_cm": 0.5, "width_cm": 0.1})
    named = _found(night.over_temperature(10.0, _screening(10.0)))
    assert named["chi-zfc-10Oe"].value is None
    assert named["chi-zfc-10Oe"].flags == ("the sample file has no geometry.thickness",)
    assert "tc-moment-onset-10Oe" not in named
    assert named["tc-moment-midpoint-10Oe"].value == pytest.approx(TC_K - 0.5, abs=0.05)


def test_without_an_axis_the_internal_field_is_not_known(make: MakeNight) -> None:
    night = make(body={"shape": "bar"})
    named = _found(night.over_temperature(10.0, _screening(10.0)))
    assert named["chi-zfc-10Oe"].value is not None
    assert named["chi-zfc-intrinsic-10Oe"].flags[0].startswith("the mounting has no axis")


def test_a_film_needs_the_sides_of_the_whole_piece(make: MakeNight) -> None:
    night = make(body={"shape": "film", "axis": "thickness"})
    named = _found(night.over_temperature(5.0, _screening(5.0)))
    assert named["chi-zfc-5Oe"].flags == (
        "the sample file has no geometry.lateral, the sides of the whole film",
    )


def test_a_film_across_the_field_is_compared_with_one_that_screens_all(make: MakeNight) -> None:
    sides = {"lateral_1_cm": 0.5, "lateral_2_cm": 0.5, "thickness_cm": 2e-5}
    full = -2 * (0.25 / math.pi) ** 1.5 / (3 * math.pi) * 5.0
    kelvin = np.arange(2.0, 42.0, 0.5)
    moment = 0.0008 * full * np.clip((TC_K - kelvin) / 10, 0, 1)
    night = make(body={"shape": "film", "axis": "thickness"}, geometry=sides)
    named = _found(night.over_temperature(5.0, {"zfc": (kelvin, moment)}))
    fraction = named["screened-fraction-5Oe"]
    assert fraction.value == pytest.approx(0.0008, rel=0.01)
    assert "computed for full screening" in fraction.criterion
    assert "across the field chi/(1 - N chi) is -1/N" in named["chi-zfc-intrinsic-5Oe"].flags[0]


def _irreversible(field_oe: float, n: float, tc0_k: float, h0: float) -> dict[str, tuple[Floats, Floats]]:
    kelvin = np.arange(2.0, 45.0, 0.25)
    t_irr = tc0_k * (1 - (field_oe / h0) ** (1 / n))
    reversible = emu(-0.02 * field_oe * np.clip(1 - kelvin / tc0_k, 0, 1))
    apart = emu(-0.3 * field_oe * np.clip(t_irr - kelvin, 0, 1))
    return {"zfc": (kelvin, reversible + apart), "fcc": (kelvin[::-1], reversible[::-1])}


def test_the_irreversibility_line_is_of_all_fields_of_a_night(make: MakeNight) -> None:
    night = make(manifest={"compare_with": ["003-irr-n-perp"]}, mounting="perpendicular")
    for field_oe in (100.0, 300.0, 1000.0, 3000.0):
        night.over_temperature(field_oe, _irreversible(field_oe, 4.9, 37.0, 4e4))
    n = _found(night)["003-irr-n-perp"]
    assert n.value == pytest.approx(4.9, abs=0.1)
    assert n.paper is not None
    assert n.quantity.endswith("perpendicular")
    assert "Tc0 as the paper holds it" in n.criterion
    assert n.goodness["n_k8_rel0"] == pytest.approx(4.9, abs=0.2)


def test_a_line_that_compares_with_no_paper_takes_the_highest_onset(make: MakeNight) -> None:
    night = make()
    for field_oe in (100.0, 300.0, 1000.0, 3000.0):
        night.over_temperature(field_oe, _irreversible(field_oe, 4.9, 37.0, 4e4))
    named = _found(night)
    assert "the highest onset of diamagnetism" in named["irreversibility-n"].criterion
    assert named["irreversibility-n"].value == pytest.approx(4.9, abs=0.3)


def _virgin(kelvin: float) -> tuple[str, Floats, Floats]:
    field_oe = np.concatenate([np.arange(0.0, 200.0, 10.0), np.arange(200.0, 1200.0, 20.0)])
    hc1 = 700 * (1 - (kelvin / TC_K) ** 2)
    beyond = np.clip(field_oe - hc1 * (1 - N), 0, None)
    return "virgin", field_oe, emu(-field_oe / (1 - N) + beyond**2 / 1000)


def test_hc1_at_zero_comes_from_all_temperatures_of_a_run(make: MakeNight) -> None:
    kelvins = (2.0, 10.0, 20.0, 30.0)
    night = make(manifest={"compare_with": ["001-hc1-0", "001-lambda"]})
    night.over_field("magnetization-virgin", {kelvin: [_virgin(kelvin)] for kelvin in kelvins})
    named = _found(night)
    assert named["initial-slope-10K"].value == pytest.approx(-1 / (1 - N), rel=0.01)
    for kelvin in kelvins:
        truth = 700 * (1 - (kelvin / TC_K) ** 2)
        assert named[f"hc1-{kelvin:g}K"].value == pytest.approx(truth, rel=0.02)
        above = named[f"hc1-threshold-{kelvin:g}K"].value
        assert above is not None
        assert above > truth
    assert named["001-hc1-0"].value == pytest.approx(700, rel=0.02)
    assert "xi as the paper has it" in named["001-lambda"].criterion


def test_lambda_needs_a_coherence_length_and_says_so(make: MakeNight) -> None:
    legs = {kelvin: [_virgin(kelvin)] for kelvin in (2.0, 10.0, 20.0)}
    named = _found(make().over_field("magnetization-virgin", legs))
    assert named["penetration-depth"].flags == (
        "xi is not known: it comes from Hc2, which the resistivity in a field tells",
    )


def test_hc1_needs_the_demagnetisation_and_the_volume(make: MakeNight) -> None:
    named = _found(make(body={"shape": "bar"}).over_field("magnetization-virgin", {10.0: [_virgin(10.0)]}))
    assert named["hc1-10K"].flags[0].startswith("the mounting has no axis")
    named = _found(make(geometry={}).over_field("magnetization-virgin", {10.0: [_virgin(10.0)]}))
    assert named["initial-slope-10K"].flags == ("the sample file has no geometry.length",)


def _loop(jc: float) -> list[tuple[str, Floats, Floats]]:
    # Rectangle of 0.1 x 0.1 cm: M = Jc w (1 - w/3b)/40 either way of the reversible line.
    half = 4 * math.pi * jc * 0.1 * (1 - 1 / 3) / 40
    up = np.arange(0.0, 20001.0, 500.0)
    virgin = np.maximum(-up, -half)
    back, down = up[-2::-1], -up[1:]
    return [
        ("virgin", up, emu(virgin)),
        ("down", back, emu(np.full(len(back), half))),
        ("down", down, emu(np.full(len(down), half))),
        ("up", -back, emu(np.full(len(back), -half))),
        ("up", up[1:], emu(np.full(len(up) - 1, -half))),
    ]


def _depairing(kelvin: float) -> float:
    t = kelvin / TC_K
    return float(5e4 * (1 - t**2) ** 1.5 * (1 + t**2) ** 0.5)


def test_jc_of_each_loop_and_its_law_over_the_loops_of_a_night(make: MakeNight) -> None:
    night = make()
    for kelvin in (5.0, 15.0, 25.0, 30.0):
        night.over_field("magnetization-loop", {kelvin: _loop(_depairing(kelvin))})
    named = _found(night)
    for kelvin in (5.0, 15.0, 25.0, 30.0):
        jc = named[f"jc-{kelvin:g}K"]
        assert jc.value == pytest.approx(_depairing(kelvin), rel=0.02)
        assert jc.goodness["sigma_geometry"] == pytest.approx(0.05 * (jc.value or 0.0))
    assert named["jc-zero-depairing"].value == pytest.approx(5e4, rel=0.02)
    assert named["jc-tc-depairing"].value == pytest.approx(TC_K, abs=0.5)
    assert "poor_fit" in named["jc-zero-three-halves"].flags


def test_a_loop_without_a_cross_section_has_no_current(make: MakeNight) -> None:
    night = make(body={"shape": "sphere", "axis": "length"})
    named = _found(night.over_field("magnetization-loop", {5.0: _loop(4e4)}))
    assert named["jc-5K"].flags == ("Bean's model of a sphere along its length is not known here",)


def _palladium(residual_oe: float, quiet: float = 0.0) -> list[tuple[str, Floats, Floats]]:
    per_oe = 5.25e-6 * 0.26
    up = np.arange(0.0, 101.0, 20.0)
    legs = [("virgin", up), ("down", up[-2::-1]), ("down", -up[1:]), ("up", -up[-2::-1]), ("up", up[1:])]
    shift = {"virgin": 0.0, "down": -quiet, "up": quiet}
    return [(name, h, per_oe * (h + residual_oe + shift[name])) for name, h in legs]


_PD: dict[str, Any] = {"shape": "wire", "mass_g": 0.26, "standard": "palladium"}
_UNKNOWN = {"from": "estimate", "bound_oe": 5.0}


def test_a_palladium_standard_tells_the_residual_field_and_its_history(make: MakeNight) -> None:
    night = make(body=_PD, residual=_UNKNOWN)
    named = _found(night.over_field("magnetization-loop", {298.0: _palladium(1.2, 0.3)}))
    assert list(named) == ["residual-field"]
    field_oe = named["residual-field"]
    assert field_oe.value == pytest.approx(1.2, abs=0.1)
    assert field_oe.goodness["sigma_history"] == pytest.approx(0.3, abs=0.02)


def test_a_standard_without_a_mass_is_refused(make: MakeNight) -> None:
    night = make(body={"shape": "wire", "standard": "palladium"}, residual=_UNKNOWN)
    named = _found(night.over_field("magnetization-loop", {298.0: _palladium(1.2)}))
    assert named["residual-field"].flags == ("the sample file has no geometry.mass",)


def test_what_a_standard_found_goes_into_a_calibration_once(make: MakeNight, tmp_path: Path) -> None:
    night = make(body=_PD, residual=_UNKNOWN)
    path = night.over_field("magnetization-loop", {298.0: _palladium(1.2, 0.3)}).close()
    file = tmp_path / "calibrations/magnet.toml"
    report = analyse(path, calibration=file)
    assert report.messages[0].startswith("1 entry added to ")
    known = load_residual_calibration(file).expected("oscillate", 1e4, "pd")
    assert known.residual_oe == pytest.approx(1.2, abs=0.1)
    assert known.sigma_oe == pytest.approx(0.3, abs=0.05)
    assert "SIMULATED" in file.read_text(encoding="utf-8")
    before = file.read_bytes()
    with pytest.raises(ConfigurationError, match=r"has an entry of .*magnetization-loop_298K already"):
        analyse(path, calibration=file)
    assert file.read_bytes() == before


def test_a_night_without_a_standard_has_nothing_for_a_calibration(make: MakeNight, tmp_path: Path) -> None:
    path = make().over_temperature(10.0, _screening(10.0)).close()
    with pytest.raises(ConfigurationError, match="no run here was one of a palladium standard"):
        analyse(path, calibration=tmp_path / "magnet.toml")


def test_a_standard_that_found_nothing_is_not_written(make: MakeNight, tmp_path: Path) -> None:
    night = make(body={"shape": "wire", "standard": "palladium"}, residual=_UNKNOWN)
    path = night.over_field("magnetization-loop", {298.0: _palladium(1.2)}).close()
    with pytest.raises(ConfigurationError, match=r"no residual field to write: .*no geometry\.mass"):
        analyse(path, calibration=tmp_path / "magnet.toml")


def test_flagged_rows_are_shown_and_not_used_and_a_poor_fit_is_no_harm(make: MakeNight) -> None:
    branches = _screening(10.0)
    branches["zfc"][1][0] = 1.0  # an absurd moment at the coldest point
    night = make().over_temperature(10.0, branches, flags=["off_centre", "poor_fit"])
    found = find(Night.open(night.close()))
    assert _named(found)["chi-zfc-10Oe"].value == pytest.approx(-1 / (1 - N), rel=1e-2)
    (zfc, _) = found.moments.zfc_fc[0].measured.branches
    assert list(zfc.flagged.temperature) == [2.0]
    assert zfc.rows.temperature[0] == 3.0


def test_the_moment_of_the_holder_is_taken_away(make: MakeNight) -> None:
    holder = emu(np.full(len(KELVIN), 5.0))
    empty = make(sample="EMPTY").over_temperature(10.0, {"zfc": (KELVIN, holder)}).close()
    file = next(empty.glob("01_*")) / "data.csv"
    branches = {name: (t, m + holder) for name, (t, m) in _screening(10.0).items()}
    night = make(body={**BODY, "background": str(file)}).over_temperature(10.0, branches)
    assert _found(night)["chi-zfc-10Oe"].value == pytest.approx(-1 / (1 - N), rel=1e-2)


def test_a_holder_on_another_grid_is_no_holder(make: MakeNight) -> None:
    empty = make(sample="EMPTY").over_temperature(10.0, {"zfc": (KELVIN[5:], emu(KELVIN[5:] * 0))}).close()
    file = next(empty.glob("01_*")) / "data.csv"
    body = {**BODY, "background": str(file)}
    named = _found(make(body=body).over_temperature(10.0, _screening(10.0)))
    assert "lie outside the background" in named["analysis"].flags[0]
    named = _found(make(body=body).over_temperature(100.0, _screening(100.0)))
    assert "was not measured at 100 Oe" in named["analysis"].flags[0]


def test_a_holder_that_is_no_measurement_is_named(make: MakeNight, tmp_path: Path) -> None:
    file = tmp_path / "holder.toml"
    file.write_text("holder = 1\n", encoding="utf-8")
    named = _found(make(body={**BODY, "background": str(file)}).over_temperature(10.0, _screening(10.0)))
    assert "is no measurement; expected data.csv of a run or a .dat" in named["analysis"].flags[0]


def test_two_samples_of_a_night_have_lines_of_their_own(make: MakeNight) -> None:
    night = make()
    for sample in ("BAR-01", "BAR-02"):
        night.sample = sample
        for field_oe in (100.0, 300.0, 1000.0):
            night.over_temperature(field_oe, _irreversible(field_oe, 4.9, 37.0, 4e4))
    named = _found(night)
    assert {"irreversibility-n-BAR-01-long_axis", "irreversibility-n-BAR-02-long_axis"} <= set(named)


def test_one_quiet_point_does_not_lower_the_threshold_of_its_curve() -> None:
    sigma = np.full(20, 1e-8)
    sigma[7] = 1e-10
    sigma[12] = 5e-8
    assert running_sigma(sigma)[7] == 1e-8
    assert running_sigma(sigma)[12] == 5e-8


def test_a_steep_moment_is_known_only_as_well_as_its_temperature() -> None:
    kelvin = np.arange(10.0, 20.0, 1.0)
    rows = Rows(kelvin, np.full(10, 10.0), 2e-5 * kelvin, np.full(10, 1e-9))
    assert with_thermometer(rows).sigma == pytest.approx(np.full(10, 1e-7), rel=1e-3)
    flat = replace(rows, moment=np.full(10, 1e-5))
    assert with_thermometer(flat).sigma == pytest.approx(flat.sigma)


def test_a_film_across_the_field_has_no_hc1(make: MakeNight) -> None:
    sides = {"lateral_1_cm": 0.5, "lateral_2_cm": 0.5, "thickness_cm": 2e-5}
    night = make(body={"shape": "film", "axis": "thickness"}, geometry=sides)
    named = _found(night.over_field("magnetization-virgin", {5.0: [_virgin(5.0)]}))
    assert named["hc1-5K"].value is None
    assert "a plate across the field is not H/(1 - N)" in named["hc1-5K"].flags[0]


def test_the_error_of_the_residual_field_is_in_hc1(make: MakeNight) -> None:
    night = make(residual={"from": "calibration", "value_oe": 1.0, "sigma_oe": 5.0})
    named = _found(night.over_field("magnetization-virgin", {5.0: [_virgin(5.0)]}))
    for key in ("hc1-5K", "hc1-threshold-5K"):
        assert named[key].goodness["sigma_field"] == pytest.approx(5.0 / (1 - N))
        assert (named[key].sigma or 0.0) > 5.0 / (1 - N)


def test_the_irreversibility_line_is_of_the_fields_at_the_sample(make: MakeNight) -> None:
    known = {"from": "calibration", "value_oe": 40.0, "sigma_oe": 4.0, "correct": False}
    night = make(manifest={"compare_with": ["003-irr-n-perp"]}, residual=known)
    for field_oe in (100.0, 300.0, 1000.0, 3000.0):
        at_sample = field_oe + 40.0
        night.over_temperature(at_sample, _irreversible(at_sample, 4.9, 37.0, 4e4), wanted_oe=field_oe)
    n = _found(night)["003-irr-n-perp"]
    assert n.value == pytest.approx(4.9, abs=0.1)
    assert n.goodness["sigma_field"] > 0.03
    assert (n.sigma or 0.0) > n.goodness["sigma_field"]


def test_a_holder_that_nobody_subtracted_is_in_the_error(make: MakeNight) -> None:
    holder = emu(np.full(len(KELVIN), 0.05))
    branches = {name: (t, m + holder) for name, (t, m) in _screening(10.0).items()}
    named = _found(make().over_temperature(10.0, branches))
    meissner, chi = named["meissner-fraction-10Oe"], named["chi-zfc-10Oe"]
    truth = 0.01 / (1 - N)
    assert meissner.value is not None
    assert abs(meissner.value - truth) > 0.3 * truth
    assert meissner.sigma == pytest.approx(0.005, rel=0.1)
    assert "normal_state_moment" in meissner.flags
    assert "normal_state_moment" not in chi.flags  # of the screening it is half a percent
    clean = _found(make().over_temperature(10.0, _screening(10.0)))["meissner-fraction-10Oe"]
    assert clean.goodness["sigma_normal_state"] == 0.0


def test_screening_beyond_all_and_of_the_wrong_sign_is_flagged(make: MakeNight) -> None:
    # 13 Oe where 10.0 +- 0.2 Oe is believed, and a moment with its sign reversed.
    for share, flag in ((1.3, "beyond_full_screening"), (-1.0, "paramagnetic")):
        branches = {name: (t, share * m) for name, (t, m) in _screening(10.0).items()}
        inner = _found(make().over_temperature(10.0, branches))["chi-zfc-intrinsic-10Oe"]
        assert flag in inner.flags
    inner = _found(make().over_temperature(10.0, _screening(10.0)))["chi-zfc-intrinsic-10Oe"]
    assert inner.flags == ("size_uncertainty_assumed",)


def test_sizes_with_an_uncertainty_need_none_that_is_assumed(make: MakeNight) -> None:
    night = make(geometry_uncertainty={f"{edge}_cm": 0.002 for edge in ("length", "width", "thickness")})
    applied = _found(night.over_temperature(10.0, _screening(10.0)))["chi-zfc-10Oe"]
    assert applied.flags == ()
    assert applied.sigma == pytest.approx(math.hypot(0.0289, 0.02) / (1 - N), rel=0.05)  # sizes and field


def test_an_uncertainty_of_one_size_leaves_that_of_the_others_assumed(make: MakeNight) -> None:
    night = make(geometry_uncertainty={"length_cm": 0.002})
    applied = _found(night.over_temperature(10.0, _screening(10.0)))["chi-zfc-10Oe"]
    assert applied.flags == ("size_uncertainty_assumed",)
    assert applied.sigma == pytest.approx(math.hypot(0.05, 0.004, 0.02) / (1 - N), rel=0.05)


def test_a_standard_of_another_mass_is_not_written(make: MakeNight, tmp_path: Path) -> None:
    night = make(body={**_PD, "mass_g": 0.30}, residual=_UNKNOWN)
    path = night.over_field("magnetization-loop", {298.0: _palladium(1.2, 0.3)}).close()
    file = tmp_path / "magnet.toml"
    with pytest.raises(
        ConfigurationError, match=r"slope over mass times chi = 0\.86\d+ is not 1, .*correct geom"
    ):
        analyse(path, calibration=file)
    assert not file.exists()


def test_a_step_at_200_oe_that_reads_a_little_more_belongs_to_the_initial_slope(make: MakeNight) -> None:
    field_oe = np.array([0.0, 50.0, 100.0, 150.0, 200.3, *np.arange(250.0, 1200.0, 50.0)])
    legs = {5.0: [("virgin", field_oe, emu(-field_oe / (1 - N)))]}
    slope = _found(make().over_field("magnetization-virgin", legs))["initial-slope-5K"]
    assert slope.value == pytest.approx(-1 / (1 - N), rel=0.01)
