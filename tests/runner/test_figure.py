"""The figure of a night."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from onnes.runner import figure as module
from onnes.runner.figure import draw
from onnes.runner.findings import Findings, find
from onnes.storage.reader import Night
from tests.runner.conftest import NightMaker

MakeNight = Callable[..., NightMaker]

KELVIN = np.arange(2, 300, 5.0)
FIELDS = np.arange(0, 90001, 4000.0)


@pytest.fixture(scope="module")
def paper(paper_night: Path) -> Findings:
    return find(Night.open(paper_night))


@pytest.fixture(scope="module")
def png(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("figure") / "figure.png"


@pytest.fixture(scope="module")
def drawn(paper: Findings, png: Path) -> Figure:
    with pytest.MonkeyPatch.context() as monkeypatch:
        return _drawn(paper, png, monkeypatch)


def _drawn(findings: Findings, path: Path, monkeypatch: pytest.MonkeyPatch) -> Figure:
    """Draw, and return the figure as it was saved."""
    made: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, *args: object, **options: object) -> None:
        made.append(figure)
        save(figure, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Figure, "savefig", keep)
    assert draw(findings, path)
    return made[0]


def _all_texts(figure: Figure) -> list[Text]:
    return [text for text in figure.findobj(Text) if text.get_text()]


def _texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in _all_texts(figure))


def test_a_night_with_both_measurements_has_three_legible_panels(drawn: Figure, png: Path) -> None:
    pixels = matplotlib.image.imread(png)
    assert pixels.shape[1] >= 2000
    assert pixels.shape[0] >= 700
    assert len(drawn.axes) == 3
    assert {
        text.get_text(): text.get_fontsize() for text in _all_texts(drawn) if float(text.get_fontsize()) < 8
    } == {}
    for axes in drawn.axes:
        assert "(" in axes.get_xlabel()
        assert "(" in axes.get_ylabel()


def test_the_titles_carry_the_results_with_their_errors(drawn: Figure) -> None:
    titles = [axes.get_title(loc="left") for axes in drawn.axes]
    assert titles[0].startswith("(a) ρ(T): minimum at 11")
    assert titles[1].startswith("(b) crossing at 3")
    assert titles[2].startswith("(c) $H_c$ = 3")
    assert all(title.count("(") >= 2 for title in titles)


def test_every_panel_of_a_simulated_night_says_so_with_lab_and_seed(drawn: Figure) -> None:
    for axes in drawn.axes:
        words = "\n".join(text.get_text() for text in axes.texts)
        assert "SIMULATED" in words
        assert "lab=synthetic seed=1" in words


def test_a_measured_night_does_not_say_simulated(
    paper: Findings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = _drawn(replace(paper, provenance={"backend": "visa"}), tmp_path / "figure.png", monkeypatch)
    assert "SIMULATED" not in _texts(figure)


def test_heating_is_filled_cooling_open_and_rejected_points_are_grey_crosses(drawn: Figure) -> None:
    axes: Axes = drawn.axes[0]
    faces = {line.get_markerfacecolor() == "none" for line in axes.lines if line.get_marker() == "o"}
    crosses = [line for line in axes.lines if line.get_marker() == "x"]
    assert faces == {True, False}
    assert [line.get_color() for line in crosses] == ["#999999"]
    assert len(np.asarray(crosses[0].get_xdata())) == 3


def test_resistivity_alone_is_one_panel(
    make_night: MakeNight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = make_night().sweep(KELVIN, 0.0).close()
    figure = _drawn(find(Night.open(night)), tmp_path / "figure.png", monkeypatch)
    assert [axes.get_ylabel() for axes in figure.axes] == ["ρ (µΩ cm)"]


def test_more_fields_than_a_legend_holds_get_a_colour_bar(
    make_night: MakeNight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker = make_night()
    for field_oe in np.linspace(0, 90e3, 12):
        maker.sweep(KELVIN, float(field_oe))
    figure = _drawn(find(Night.open(maker.close())), tmp_path / "figure.png", monkeypatch)
    assert [axes.get_ylabel() for axes in figure.axes] == ["ρ (µΩ cm)", "H (kOe)"]


def test_a_refused_collapse_shows_its_reason_instead(
    make_night: MakeNight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = make_night().isotherms([2.0, 6.0], FIELDS).close()
    figure = _drawn(find(Night.open(night)), tmp_path / "figure.png", monkeypatch)
    assert len(figure.axes) == 2
    assert figure.axes[1].get_title(loc="left") == "(b) no collapse"
    assert "2 isotherms; at least 3" in _texts(figure).replace("\n", " ")


def test_nothing_measured_is_nothing_drawn(make_night: MakeNight, tmp_path: Path) -> None:
    night = make_night().close("failed")
    assert not draw(find(Night.open(night)), tmp_path / "figure.png")
    assert list(tmp_path.glob("*.png")) == []


def test_drawing_touches_no_global_state() -> None:
    assert "matplotlib.pyplot" not in vars(module)
    assert not [name for name in vars(module) if name in ("plt", "rcParams")]
    assert module.__name__ in sys.modules


def test_a_station_without_a_magnet_has_no_field_in_the_key(
    paper: Findings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = tuple(
        replace(found, measured=replace(found.measured, field_oe=float("nan")))
        for found in paper.temperature_runs
    )
    texts = _texts(_drawn(replace(paper, temperature_runs=runs), tmp_path / "figure.png", monkeypatch))
    assert "nan" not in texts
