"""Files of MultiVu that no night of ours has written: their curves by their remarks."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from onnes.instruments.errors import ConfigurationError, StorageError
from onnes.runner.analyse import analyse_file
from onnes.runner.cli import cli
from onnes.runner.moment_file import find_in_file
from onnes.runner.nights import analyse_folder
from onnes.runner.sample_file import load_sample_file

_HEAD = """[Header]
TITLE,{title}
FILEOPENTIME,3976387270,01/01/2026,12:01 am
BYAPP,MPMS3,1.0,1.1
[Data]
Comment,Time Stamp (sec),Temperature (K),Magnetic Field (Oe),Moment (emu),M. Std. Err. (emu)
"""
_SAMPLE = """
sample = 1
id = "BAR-01"
[geometry]
shape = "bar"
length = "5 mm"
width = "1 mm"
thickness = "1 mm"
demagnetisation = 0.1
"""
KELVIN = np.arange(2.0, 45.0, 0.5)
TC_K = 38.0


def _moment(kelvin: float) -> float:
    return -4.4e-3 * float(np.clip(TC_K - kelvin, 0, 1))


def _file(tmp_path: Path, remarks: tuple[str, str] = ("ZFC", "FC"), title: str = "bar") -> Path:
    lines = [f"{remarks[0]},1,,,,"]
    lines += [f",{index},{t},9.96,{_moment(t)},1e-8" for index, t in enumerate(KELVIN, start=2)]
    lines.append(f"{remarks[1]},500,,,,")
    lines += [f",{600 - index},{t},10.04,{0.01 * _moment(t)},1e-8" for index, t in enumerate(KELVIN[::-1])]
    path = tmp_path / "bar.dat"
    path.write_text(_HEAD.format(title=title) + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_zfc_and_fc_by_remarks_have_a_transition_and_no_susceptibility(tmp_path: Path) -> None:
    found = {result.id: result for result in find_in_file(_file(tmp_path)).results}
    assert found["t-irr-10Oe"].value == pytest.approx(TC_K, abs=0.5)
    assert found["tc-moment-midpoint-10Oe"].value == pytest.approx(TC_K - 0.5, abs=0.1)
    assert found["chi-zfc-10Oe"].value is None


def test_fc_that_cools_is_fcc(tmp_path: Path) -> None:
    (zfc_fc,) = find_in_file(_file(tmp_path)).moments.zfc_fc
    assert [branch.name for branch in zfc_fc.measured.branches] == ["zfc", "fcc"]


def test_a_sample_file_gives_the_susceptibility(tmp_path: Path) -> None:
    (tmp_path / "bar.toml").write_text(_SAMPLE, encoding="utf-8")
    found = find_in_file(_file(tmp_path), load_sample_file(tmp_path / "bar.toml")).results
    (chi,) = [result for result in found if result.id == "chi-zfc-10Oe"]
    assert chi.value == pytest.approx(4 * np.pi * -4.4e-3 / 5e-3 / 9.96, rel=1e-3)


def test_what_is_divided_by_a_field_that_nobody_corrected_says_so(tmp_path: Path) -> None:
    (tmp_path / "bar.toml").write_text(_SAMPLE, encoding="utf-8")
    sample = load_sample_file(tmp_path / "bar.toml")
    found = {result.id: result for result in find_in_file(_file(tmp_path), sample).results}
    for key in ("chi-zfc-10Oe", "chi-zfc-intrinsic-10Oe", "chi-fcc-10Oe", "meissner-fraction-10Oe"):
        assert "residual_unknown" in found[key].flags
    assert "residual_unknown" not in found["tc-moment-midpoint-10Oe"].flags


def test_the_only_mounting_of_the_sample_is_the_one_of_the_file(tmp_path: Path) -> None:
    one = '[mounting.long]\nfield_along = "long axis"\naxis = "length"\n'
    other = one.replace("long]", "across]").replace("length", "width")
    text = _SAMPLE.replace("demagnetisation = 0.1\n", "")
    factors = []
    for mountings in (one, one + other):
        (tmp_path / "bar.toml").write_text(text + mountings, encoding="utf-8")
        found = find_in_file(_file(tmp_path), load_sample_file(tmp_path / "bar.toml")).results
        (chi,) = [result for result in found if result.id == "chi-zfc-intrinsic-10Oe"]
        factors.append(chi.goodness.get("n"))
    assert factors == [pytest.approx(0.1176, abs=1e-4), None]  # of several nobody knows which


def test_a_loop_of_a_file_is_shown_and_has_no_current(tmp_path: Path) -> None:
    field_oe = np.concatenate([np.arange(0, 1001, 50), np.arange(950, -1001, -50), np.arange(-950, 1001, 50)])
    rows = [f",{index},5.0,{h},{1e-3 * np.sign(h)},1e-8" for index, h in enumerate(field_oe, start=2)]
    path = tmp_path / "loop.dat"
    path.write_text(_HEAD.format(title="bar") + "MvsH 5 K,1,,,,\n" + "\n".join(rows) + "\n", encoding="utf-8")
    found = find_in_file(path)
    assert found.moments.loops[0].measured.temperatures_k == [5.0]
    (jc,) = [result for result in found.results if result.id == "jc-5K"]
    assert "geometry.shape" in jc.flags[0]


def test_a_sample_of_several_mountings_is_told_that_the_file_says_none(tmp_path: Path) -> None:
    long = '[mounting.long]\nfield_along = "long axis"\naxis = "length"\n'
    for text, said in ((long, False), (long + long.replace("mounting.long", "mounting.across"), True)):
        (tmp_path / "bar.toml").write_text(_SAMPLE + text, encoding="utf-8")
        report = analyse_file(_file(tmp_path), load_sample_file(tmp_path / "bar.toml"))
        assert any("BAR-01 can be mounted as across or long" in one for one in report.messages) is said


def test_a_file_of_a_virtual_machine_stays_simulated(tmp_path: Path) -> None:
    title = "SIMULATED by the virtual lab mpms3 with seed 7"
    report = analyse_file(_file(tmp_path, title=title))
    assert report.simulated
    assert '"lab": "mpms3"' in (report.night / "results.json").read_text(encoding="utf-8")
    assert not analyse_file(_file(tmp_path)).simulated


def test_results_and_figure_lie_in_a_folder_beside_the_file(tmp_path: Path) -> None:
    answer = CliRunner().invoke(cli, ["analyse", str(_file(tmp_path))])
    assert "irreversibility temperature, 10 Oe" in answer.output
    assert (tmp_path / "bar_analysis/results.json").is_file()
    assert (tmp_path / "bar_analysis/figure.png").is_file()


def test_a_file_without_remarks_has_no_history_and_none_is_guessed(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no remark that says what its curves are; write ZFC, FCC"):
        find_in_file(_file(tmp_path, remarks=("", "")))


def test_a_file_without_moments_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bridge.dat"
    text = _HEAD.format(title="bar").replace("Moment (emu),M. Std. Err. (emu)", "Bridge 1 Resistance (Ohms)")
    path.write_text(text + ",1,2.0,0.0,5.0\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="has no moments; expected a file of a magnetometer"):
        find_in_file(path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "bar_analysis").write_text("in the way", encoding="utf-8")
    with pytest.raises(StorageError, match=r"cannot make the folder .*bar_analysis"):
        analyse_file(_file(tmp_path))


def test_a_file_has_no_calibration(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="a file says nothing of how zero was reached"):
        analyse_folder(str(_file(tmp_path)), None, tmp_path / "magnet.toml")


def _rows(word: str, fields_oe: tuple[float, ...], share: float = 1.0) -> list[str]:
    lines = [f"{word},1,,,,"]
    for field_oe in fields_oe:
        lines += [f",2,{t},{field_oe},{share * _moment(t) * field_oe / 10},1e-8" for t in KELVIN]
    return lines


def _written(tmp_path: Path, lines: list[str]) -> Path:
    path = tmp_path / "bar.dat"
    path.write_text(_HEAD.format(title="bar") + "\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("fields_oe", [(5.0, -5.0), (5.0, 50.0)])
def test_two_fields_under_one_remark_are_no_curve(tmp_path: Path, fields_oe: tuple[float, ...]) -> None:
    path = _written(tmp_path, _rows("ZFC", fields_oe) + _rows("FC", fields_oe, 0.01))
    low, high = sorted(fields_oe)
    with pytest.raises(ConfigurationError, match=rf":7: the rows after 'zfc' .* from {low:g} to {high:g} Oe"):
        find_in_file(path)


def test_two_temperatures_under_one_remark_are_no_loop(tmp_path: Path) -> None:
    rows = [f",2,{t},{h},{1e-6 * h},1e-8" for t in (5.0, 20.0) for h in range(0, 1000, 20)]
    path = _written(tmp_path, ["MvsH,1,,,,", *rows])
    with pytest.raises(
        ConfigurationError, match="'mvsh' have temperatures from 5 to 20 K, which is more than"
    ):
        find_in_file(path)


def test_the_same_curve_twice_is_not_averaged(tmp_path: Path) -> None:
    path = _written(tmp_path, _rows("ZFC", (10.0,)) + _rows("ZFC", (10.0,), 0.5) + _rows("FC", (10.0,), 0.01))
    with pytest.raises(
        ConfigurationError, match=r":94: another ZFC at 10 Oe, after that of line 7; two hist"
    ):
        find_in_file(path)


def test_one_row_at_another_field_does_not_spoil_a_curve(tmp_path: Path) -> None:
    rows = _rows("ZFC", (10.0,))
    rows[3] = rows[3].replace(",10.0,", ",900.0,")
    found = find_in_file(_written(tmp_path, rows + _rows("FC", (10.0,), 0.01)))
    assert {result.id for result in found.results} >= {"t-irr-10Oe"}
