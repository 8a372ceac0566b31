"""Results as people read them."""

import io
import math
from pathlib import Path

import pytest
from rich.console import Console

from onnes.runner.paper_values import paper_values
from onnes.runner.report import FLAGS, print_results, with_uncertainty
from onnes.runner.results import NightResult


@pytest.mark.parametrize(
    ("value", "sigma", "unit", "text"),
    [
        (32010.3, 45.2, "Oe", "32010(45) Oe"),
        (32667.0, 827.0, "Oe", "32670(830) Oe"),
        (2.33412, 0.00538, "1", "2.3341(54)"),
        (112.03, 1.24, "K", "112.0(1.2) K"),
        (112.03, 12.4, "K", "112(12) K"),
        (39.3, 0.0996, "K", "39.30(10) K"),
        (39.3, 0.996, "K", "39.3(1.0) K"),
        (39.3, 9.96, "K", "39(10) K"),
        (-20.4, 3.2, "Oe", "-20.4(3.2) Oe"),
        (1.4987e-4, 3.1e-7, "ohm*cm", "1.4987(31)e-4 ohm*cm"),
        (1.5e-6, 7.5e-8, "ohm*cm", "1.500(75)e-6 ohm*cm"),
        (0.0, 0.25, "Oe/K", "0.00(25) Oe/K"),
        (0.0, 2.5e-7, "V", "0.0(2.5)e-7 V"),
        (-2.1e-5, 0.022, "K", "-0.000(22) K"),
        (1.2345678, None, "K", "1.23457 K"),
        (1.5, 0.0, "K", "1.5 K"),
        (1.5, math.nan, "K", "1.5 K"),
        (None, 1.0, "K", "-"),
        (math.nan, 1.0, "K", "-"),
    ],
)
def test_a_value_carries_its_error_in_brackets(
    value: float | None, sigma: float | None, unit: str, text: str
) -> None:
    assert with_uncertainty(value, sigma, unit) == text


HC = NightResult(
    "000-hc", "critical field", 32010.3, 45.2, "Oe", "collapse", {}, (), paper_values()["000-hc"]
)
REFUSED = NightResult("znu", "z*nu", None, None, "1", "collapse", {}, ("2 isotherms; needs 3",))
MODEL = NightResult("znu-model", "z*nu [fixed]", 7 / 3, None, "1", "rms", {}, ("a choice has no sigma",))


def _printed(*results: NightResult, terminal: bool, width: int = 100) -> str:
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=width, color_system=None)
    print_results(results, console)
    return text.getvalue()


def test_a_file_gets_aligned_text_and_the_reasons_below() -> None:
    assert _printed(HC, REFUSED, MODEL, terminal=False) == (
        "quantity        paper       this run\n"
        "--------------  ----------  ------------\n"
        "critical field  ~ 32000 Oe  32010(45) Oe\n"
        "z*nu                        none [1]\n"
        "z*nu [fixed]                2.33333 [2]\n"
        "[1] 2 isotherms; needs 3\n"
        "[2] a choice has no sigma\n"
    )


def test_no_line_is_folded_in_a_narrow_file() -> None:
    assert "critical field  ~ 32000 Oe  32010(45) Oe\n" in _printed(HC, terminal=False, width=20)


def test_a_terminal_gets_a_table_with_the_same_numbers() -> None:
    table = _printed(HC, REFUSED, MODEL, terminal=True)
    assert "┃" in table
    for text in ("~ 32000 Oe", "32010(45) Oe", "none [1]", "z*nu [fixed]", "[1] 2 isotherms; needs 3"):
        assert text in table


def test_the_same_reason_is_one_note() -> None:
    lines = _printed(REFUSED, REFUSED, terminal=False).splitlines()
    assert [line for line in lines if line.startswith("[")] == ["[1] 2 isotherms; needs 3"]


def test_a_short_word_of_an_analysis_is_printed_as_a_sentence() -> None:
    flagged = NightResult("rho", "rho", 1.0, 0.1, "1", "", {}, ("geometry_dominates", "run stopped"))
    note = _printed(flagged, terminal=False).splitlines()[-1]
    assert note == "[1] the size of the sample is the largest part of sigma; run stopped"
    assert flagged.as_json()["flags"] == ["geometry_dominates", "run stopped"]


def test_a_table_without_results_has_its_head() -> None:
    assert _printed(terminal=False) == "quantity  paper  this run\n--------  -----  --------\n"


def test_every_flag_stands_in_the_reference() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "results.md"
    rows = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    told = [row for row in rows if any(row == f"| `{flag}` | {text} |" for flag, text in FLAGS.items())]
    assert told == [f"| `{flag}` | {text} |" for flag, text in sorted(FLAGS.items())]
