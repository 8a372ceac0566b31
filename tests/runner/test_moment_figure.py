"""The panels of a night with a magnetometer: what they say, and that no colour stands alone."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from onnes.runner.figure import draw
from onnes.runner.findings import Findings, find
from onnes.runner.moment_figure import moment_panels
from onnes.storage.reader import Night
from tests.runner.moment_nights import MomentNight, emu

KELVIN = np.arange(2.0, 42.0, 0.5)


def _zfc_fc(night: MomentNight, *fields_oe: float) -> Findings:
    for field_oe in fields_oe:
        zfc = emu(-field_oe * np.clip(38 - KELVIN - field_oe / 500, 0, 1))
        fc = (KELVIN[::-1], 0.01 * zfc[::-1])
        night.over_temperature(
            field_oe, {"zfc": (KELVIN, zfc), "fcc": fc, "fcw": (KELVIN, 0.01 * zfc)}, flags=["off_centre"]
        )
    return find(Night.open(night.close()))


def _drawn(found: Findings) -> list[Axes]:
    drawn = []
    for panel in moment_panels(found.moments):
        axes = Figure().subplots()
        panel(axes)
        drawn.append(axes)
    return drawn


def _labels(axes: Axes) -> list[str]:
    return [str(label) for label in axes.get_legend_handles_labels()[1]]


def test_each_branch_has_a_colour_and_a_marker_of_its_own(tmp_path: Path) -> None:
    (axes,) = _drawn(_zfc_fc(MomentNight(tmp_path), 10.0))
    looks = {line.get_label(): (line.get_color(), line.get_marker()) for line in axes.get_lines()}
    assert looks["ZFC"] == ("#0072B2", "o")
    assert looks["FCC"] == ("#D55E00", "^")
    assert looks["FCW"] == ("#E69F00", "s")
    assert looks["rejected"][1] == "x"


def test_the_panel_says_where_the_curves_part_and_how_well_the_field_is_known(tmp_path: Path) -> None:
    (axes,) = _drawn(_zfc_fc(MomentNight(tmp_path), 10.0))
    assert any(label.startswith("$T_{irr}$ 37.9") for label in _labels(axes))
    assert [text.get_text() for text in axes.texts] == ["residual field 1.00(20) Oe, corrected"]


def test_a_field_that_nobody_measured_is_said_to_be_a_bound(tmp_path: Path) -> None:
    night = MomentNight(tmp_path, residual={"from": "estimate", "bound_oe": 5.0})
    (axes,) = _drawn(_zfc_fc(night, 10.0))
    assert [text.get_text() for text in axes.texts] == ["residual field at most 5 Oe, not corrected"]


def test_several_fields_get_a_line_of_irreversibility(tmp_path: Path) -> None:
    found = _zfc_fc(MomentNight(tmp_path), 100.0, 300.0, 1000.0, 3000.0)
    over_temperature, line = _drawn(found)
    assert over_temperature.get_title() == "M(T) in 100, 300, 1000 Oe (full, dashed, dotted)"
    assert over_temperature.get_ylabel() == "4πM/H, applied field"
    assert (line.get_xscale(), line.get_yscale()) == ("log", "log")
    assert line.get_title().startswith("irreversibility line: n = ")


def test_without_a_volume_the_moment_itself_is_drawn(tmp_path: Path) -> None:
    (axes,) = _drawn(_zfc_fc(MomentNight(tmp_path, geometry={}), 10.0))
    assert axes.get_ylabel() == "m (10⁻³ emu)"


def test_loops_and_virgin_curves_are_drawn_beside_what_they_say(tmp_path: Path) -> None:
    night = MomentNight(tmp_path)
    up = np.arange(0.0, 1201.0, 20.0)
    virgin = emu(-up / 0.9 + np.clip(up - 500, 0, None) ** 2 / 1000)
    night.over_field("magnetization-virgin", {t: [("virgin", up, virgin)] for t in (5.0, 10.0)})
    wide = np.arange(0.0, 20001.0, 500.0)
    flat = emu(np.full(len(wide), 500.0))
    legs = [("virgin", wide, -flat), ("down", wide[::-1], flat), ("down", -wide[1:], flat[1:])]
    legs += [("up", -wide[-2::-1], -flat[1:]), ("up", wide[1:], -flat[1:])]
    night.over_field("magnetization-loop", {5.0: legs})
    found = find(Night.open(night.close()))
    titles = [axes.get_title() for axes in _drawn(found)]
    assert titles[0] == "virgin curves, $H_{c1}(1-N)$ marked"
    assert titles[1].startswith("$H_{c1}$(T)")
    assert titles[2:] == ["loops, virgin legs dashed", "$J_c$(H) where Bean's state is whole", "$J_c$(T)"]


def test_a_standard_is_drawn_as_the_field_beyond_the_reported_one(tmp_path: Path) -> None:
    body = {"shape": "wire", "mass_g": 0.26, "standard": "palladium"}
    night = MomentNight(tmp_path, body=body, residual={"from": "estimate", "bound_oe": 5.0})
    field_oe = np.arange(-100.0, 101.0, 20.0)
    moment = 5.25e-6 * 0.26 * (field_oe + 1.5)
    night.over_field("magnetization-loop", {298.0: [("up", field_oe, moment)]})
    (axes,) = _drawn(find(Night.open(night.close())))
    assert axes.get_title().startswith("palladium: residual field 1.5")
    y = np.asarray(axes.get_lines()[0].get_ydata(), dtype=float)
    assert np.allclose(y, 1.5, atol=0.1)


def test_more_than_three_panels_take_a_second_row_and_all_say_simulated(tmp_path: Path) -> None:
    night = MomentNight(tmp_path)
    up = np.arange(0.0, 1201.0, 20.0)
    virgin = emu(-up / 0.9 + np.clip(up - 500, 0, None) ** 2 / 1000)
    night.over_field("magnetization-virgin", {t: [("virgin", up, virgin)] for t in (5.0, 10.0)})
    found = _zfc_fc(night, 100.0, 300.0, 1000.0)
    assert len(moment_panels(found.moments)) == 4
    assert draw(found, tmp_path / "figure.png")
    content = (tmp_path / "figure.png").read_bytes()
    width, height = (int.from_bytes(content[at : at + 4]) for at in (16, 20))
    assert (width, height) == (3 * 784, 2 * 720)
    assert b"SIMULATED lab=synthetic seed=1" in content
