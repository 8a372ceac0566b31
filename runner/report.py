"""Results as people read them: value(error) and the table of quantity, paper and this run."""

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from onnes.runner.results import NightResult

# What the short words that analyses put on a result mean to a reader; JSON keeps the words.
FLAGS = {
    "above_pauli": "above the paramagnetic limit of 18.4 kOe/K",
    "at_bound": "a parameter of the fit ran to the end of its range",
    "background": "a background of R that changes with temperature is seen beside the scaling",
    "background_unknown": "no point above the transition: the imbalance of the coils is not taken out",
    "bias_short": "the bias ends before 2.5 of the larger gap",
    "beyond_full_screening": "more than a sample can screen: volume, N, or the field at the sample is wrong",
    "choice_among_fixed_values": "this is a choice among fixed values, so it has no sigma",
    "chosen_not_as_good_as_free": "the chosen fixed value fits clearly worse than the free one",
    "correlated": "two parameters of the fit stand in for each other; goodness has the correlations",
    "criterion": "another threshold moves this by more than its sigma; goodness has the range",
    "crossing_drifts": "the crossing field changes with temperature",
    "crossings_disagree": "the crossings of neighbouring isotherms differ by more than their errors",
    "curved": "the points bend: the law that is fitted does not hold over the window",
    "dips": "the conductance dips beyond the gap: critical current or heating; not fitted",
    "external": "no demagnetisation factor is known: chi is that in the applied field",
    "extrapolated": "the lowest temperature is above half of Tc: 0 K is far",
    "extrapolated_far": "the coldest point is above half of Tc: 0 K is far",
    "fc_below_zfc": "FC lies below ZFC somewhere, which no sample does: thermometry, drift, or holder",
    "few_points_in_transition": "few points lie in the transition; smaller steps would tell more",
    "field_offset": "the Meissner line misses zero: a field offset, or a foreign moment",
    "fields_left_out": "in some fields the temperature is not known; they are left out",
    "gain_drift": "the gain drifted between the two directions; the fit takes it out",
    "geometry_dominates": "the size of the sample is the largest part of sigma",
    "grains": "some of the sample screens without loss, as grains do: Jc is up to that share too high",
    "heated": "the first amplitude again, after the largest, gives another value: heating, or trapped flux",
    "held_off": "a held parameter is 3 sigma from where the data want it; goodness has the profile",
    "hysteresis": "the two directions differ: heating; not fitted",
    "lag_not_corrected": "the lag of the sample behind the thermometer is not known and not corrected",
    "meissner_slope": "the first slope is not -1/(1 - N): volume, N or full screening is not as assumed",
    "negative_lag": "the sample seems to run ahead of the thermometer",
    "no_narrow_window": "no narrower window of fields could be fitted to check this value",
    "normal_by_high_bias": "no curve above Tc: G_N is a guess from high bias, 2 % high; fits may move it",
    "normal_state_moment": "most of sigma is a moment above the transition: subtract the holder",
    "normal_state_slopes": "the normal state has a slope, such as of a holder; it is taken out",
    "not_normal": "the conductance does not come back to that of the normal state",
    "not_palladium": "the slope is not that of the mass given: a foreign moment, or a wrong mass",
    "not_resolved": "this is within 3 sigma of zero: what it says is its sigma",
    "one_sided": "only fields of one sign: the errors of mass and susceptibility are in it",
    "open": "the rectangle does not close: other frequencies, fields, or no critical state",
    "paramagnetic": "the moment lies along the field: sign, holder, or a paramagnet",
    "parted_twice": "ZFC and FC meet below this and part again: thermometry, a jump, or a second phase",
    "phase_uncorrected": "the phase of the susceptometer is not known: screening leaks into the loss",
    "phases_differ": "the phase depends on the amplitude: overload, heating, or no full screening",
    "polarities_differ": "the two polarities have different critical currents",
    "poor_fit": "the fit misses its points by more than their errors",
    "range_below_2h_star": "the loop is too narrow for Bean's state: the true value is larger",
    "residual_not_corrected": "the magnet was not corrected for it; the fields at the sample are",
    "residual_unknown": "nobody knows what the magnet had left, and the error holds nothing of it",
    "several_crossings": "some isotherms cross more than once",
    "size_uncertainty_assumed": "the sample file does not say how well all sizes are known: 5 % is assumed",
    "slab_formula": "by the formula of a slab, as printed; a square bar has 1.6 times as much, in goodness",
    "spread_of_hc": "the data show a spread of the critical field within the sample",
    "systematics": "leaving out single isotherms moves this more than noise and thermometry explain",
    "temperature_offset": "an offset of the thermometer makes the isotherms agree better than none",
    "upper_bound": "an upper bound: flux has entered before it is seen",
    "thermometry": "50 mK between the thermometers of the two curves would move this by more than 0.1 K",
    "unconfirmed": "no extrapolation beside it: what was seen need not be flux",
    "two_steps": "of a transition in two steps, taken as one: tc1 and tc2 are those of the steps",
    "wide_modulation": "the modulation is wider than half the thermal width",
    "wider_elsewhere": "the loop is wider elsewhere than at zero: flux jumps, the range, or a second peak",
    "up_down": "warming and cooling were measured apart; their mean is given",
}
_HEAD = ("quantity", "paper", "this run")


def with_uncertainty(value: float | None, sigma: float | None, unit: str) -> str:
    """Return a value with its standard error in brackets, two digits of it, and the unit.

    Without a usable error the value has six digits; without a value it is ``-``. An error that spans the
    decimal point keeps its own, since ``112.0(12)`` is read as 12 K as often as 1.2 K.

    >>> with_uncertainty(32010.3, 45.2, "Oe")
    '32010(45) Oe'
    >>> with_uncertainty(112.03, 1.24, "K")
    '112.0(1.2) K'
    >>> with_uncertainty(2.33412, 0.00538, "1")
    '2.3341(54)'
    >>> with_uncertainty(1.4987e-4, 3.1e-7, "ohm*cm")
    '1.4987(31)e-4 ohm*cm'
    >>> with_uncertainty(-2e-5, 0.0222, "K")
    '-0.000(22) K'
    """
    tail = "" if unit in ("", "1") else f" {unit}"
    if value is None or not math.isfinite(value):
        return "-"
    if sigma is None or not (math.isfinite(sigma) and sigma > 0):
        return f"{value:.6g}{tail}"
    power = 0
    size = max(abs(value), sigma)  # a value that is lost in its error has the scale of the error
    if not 1e-3 <= size < 1e6:
        power = math.floor(math.log10(size))
    value, sigma = value / 10.0**power, sigma / 10.0**power
    decimals = 1 - math.floor(math.log10(sigma))
    if round(sigma * 10.0**decimals) >= 100:  # 0.0996 is written 0.10, with a digit less
        decimals -= 1
    value, sigma = round(value, decimals), round(sigma, decimals)
    if decimals <= 0:
        text = f"{value:.0f}({sigma:.0f})"
    elif sigma >= 1:
        text = f"{value:.{decimals}f}({sigma:.{decimals}f})"
    else:
        text = f"{value:.{decimals}f}({round(sigma * 10**decimals)})"
    return f"{text}e{power}{tail}" if power else text + tail


def print_results(results: Sequence[NightResult], console: Console) -> None:
    """Print quantity, paper and this run: a table on a terminal, else aligned text; flags as notes below.

    What the paper has comes first. The plain form has no colours, boxes or wrapped cells, so that it can be
    pasted and searched.
    """
    rows, notes = _rows(results)
    if console.is_terminal:
        table = Table(*_HEAD, title_justify="left")
        for cells in rows:
            table.add_row(*(Text(cell) for cell in cells))
        console.print(table)
    else:
        widths = [max(map(len, column)) for column in zip(_HEAD, *rows, strict=True)]
        lines: list[tuple[str, ...]] = [_HEAD, tuple("-" * width for width in widths), *rows]
        for row in lines:
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            _print_line(console, line.rstrip())
    for number, note in enumerate(notes, start=1):
        _print_line(console, f"[{number}] {note}")


def _rows(results: Sequence[NightResult]) -> tuple[list[tuple[str, str, str]], list[str]]:
    rows: list[tuple[str, str, str]] = []
    notes: list[str] = []
    for result in sorted(results, key=lambda result: result.paper is None):
        found = "none" if result.value is None else with_uncertainty(result.value, result.sigma, result.unit)
        if result.flags:
            note = "; ".join(FLAGS.get(flag, flag) for flag in result.flags)
            if note not in notes:
                notes.append(note)
            found = f"{found} [{notes.index(note) + 1}]"
        rows.append((result.quantity, result.paper.text if result.paper else "", found))
    return rows, notes


def _print_line(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
