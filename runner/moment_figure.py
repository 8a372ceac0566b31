"""The panels of a night with a magnetometer: M(T), the irreversibility line, virgin curves, loops, Jc(T)."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from onnes.analysis.critical_current import CriticalCurrentLaw, Law
from onnes.analysis.isotherm import Floats
from onnes.analysis.lower_critical_field import LowerCriticalField
from onnes.analysis.result import Result
from onnes.procedures.residual_field import Residual
from onnes.runner.field_moment_findings import LoopFindings, VirginFindings
from onnes.runner.figure_style import GREY, INK, SMALL, colour_key, rejected
from onnes.runner.moment_findings import MomentFindings
from onnes.runner.moment_measured import Rows, all_flagged
from onnes.runner.palladium import StandardFindings
from onnes.runner.report import with_uncertainty
from onnes.runner.zfc_fc_findings import IrreversibilityPoints, ZfcFcFindings

Panel = Callable[[Axes], None]

# Okabe-Ito, and a marker each: never colour alone.
_BRANCHES = {"zfc": ("#0072B2", "o", "ZFC"), "fcc": ("#D55E00", "^", "FCC"), "fcw": ("#E69F00", "s", "FCW")}
_LEGS = {"virgin": ("#0072B2", "o"), "down": ("#D55E00", "v"), "up": ("#E69F00", "^")}
_MOST_CURVES = 3  # fields in one panel of M(T); more cannot be told apart
_STYLES = {"full": "-", "dashed": "--", "dotted": ":"}
_ABOVE_NOISE = 5.0  # sigma
_HEADROOM = 0.14  # above the curves, for what is said of the field
_MARKERS = "osD^v<>ph*"


def moment_panels(found: MomentFindings) -> list[Panel]:
    """Return the panels for what was found, one thing each."""
    panels: list[Panel] = []
    if found.zfc_fc:
        panels.append(lambda axes: _over_temperature(axes, found.zfc_fc))
    panels += [_line_panel(line) for line in found.lines if line.n.value is not None or len(line.parted) > 1]
    if found.virgin:
        panels.append(lambda axes: _virgin(axes, found.virgin[0]))
        if any(one.extrapolated.value is not None for one in found.virgin[0].hc1.values()):
            panels.append(lambda axes: _hc1(axes, found.virgin[0]))
    if found.loops:
        panels.append(lambda axes: _loops(axes, found.loops))
    if any(one.at_zero.value is not None for each in found.loops for one in each.current.values()):
        panels.append(lambda axes: _current_in_field(axes, found.loops))
        panels.append(lambda axes: _current(axes, found))
    if found.standards:
        panels.append(lambda axes: _standard(axes, found.standards[0]))
    return panels


def _over_temperature(axes: Axes, runs: Sequence[ZfcFcFindings]) -> None:
    """Draw M(T) of the first few fields: 4 pi chi where there is a volume and more than one field."""
    shown = _different_fields(runs)[:_MOST_CURVES]
    body = runs[0].measured.body
    per_field = len(shown) > 1 and body.volume_cm3 is not None
    named: set[str] = set()
    for place, (found, field_oe) in enumerate(shown):
        for name, branch in found.measured.of(field_oe).items():
            colour, marker, title = _BRANCHES[name]
            y = _ordinate(branch.rows, per_field=per_field, volume_cm3=body.volume_cm3)
            order = np.argsort(branch.rows.temperature, kind="stable")
            axes.plot(
                branch.rows.temperature[order],
                y[order],
                marker=marker,
                color=colour,
                markerfacecolor="none" if name == "fcw" else colour,
                markersize=4.5 if name == "fcw" else 3,
                markeredgewidth=0.7,
                linewidth=0.6,
                linestyle=list(_STYLES.values())[place],
                label=None if name in named else title,
            )
            named.add(name)
        _mark_parting(axes, found, field_oe, per_field=per_field)
    flagged = all_flagged(branch for found, _ in shown for branch in found.measured.branches)
    rejected(axes, flagged.temperature, _ordinate(flagged, per_field=per_field, volume_cm3=body.volume_cm3))
    fields = ", ".join(f"{field_oe:g}" for _, field_oe in shown)
    axes.set_title(
        f"M(T) in {fields} Oe" + (f" ({', '.join(list(_STYLES)[: len(shown)])})" if per_field else "")
    )
    axes.set_xlabel("T (K), $T_{irr}$ marked")
    axes.set_ylabel("4πM/H, applied field" if per_field else "m (10⁻³ emu)")
    warmest = _above_onset(shown)
    if warmest is not None:
        axes.set_xlim(right=warmest)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + _HEADROOM * (high - low))
    axes.legend(fontsize=SMALL, frameon=False, loc="best", handletextpad=0.3)
    _badge(axes, runs[0].measured.residual)


def _different_fields(runs: Sequence[ZfcFcFindings]) -> list[tuple[ZfcFcFindings, float]]:
    first: dict[float, ZfcFcFindings] = {}
    for found in runs:
        for field_oe in found.measured.fields_oe:
            first.setdefault(field_oe, found)
    return [(found, field_oe) for field_oe, found in sorted(first.items(), key=lambda pair: abs(pair[0]))]


def _ordinate(rows: Rows, *, per_field: bool, volume_cm3: float | None) -> Floats:
    if not per_field or volume_cm3 is None or not len(rows.field):
        return 1e3 * rows.moment
    return 4 * math.pi * rows.moment / volume_cm3 / float(np.median(rows.field))


def _above_onset(shown: Sequence[tuple[ZfcFcFindings, float]]) -> float | None:
    """Return where the panel ends: a little above the onset, for nothing happens up to 300 K."""
    onsets = [found.onset.value for found, _ in shown if found.onset and found.onset.value]
    return 1.2 * max(onsets) if onsets else None


def _mark_parting(axes: Axes, found: ZfcFcFindings, field_oe: float, *, per_field: bool) -> None:
    parting = found.parting.get(field_oe)
    if parting is None or parting.chosen.value is None:
        return
    kelvin = parting.chosen.value
    zfc = found.measured.of(field_oe)["zfc"].rows
    order = np.argsort(zfc.temperature)
    y = _ordinate(zfc, per_field=per_field, volume_cm3=found.measured.body.volume_cm3)
    at = float(np.interp(kelvin, zfc.temperature[order], y[order]))
    text = with_uncertainty(kelvin, parting.chosen.sigma, "K")
    label = rf"$T_{{irr}}$ {text}" + (f", {field_oe:g} Oe" if per_field else "")
    axes.plot(kelvin, at, "|", color=INK, markersize=12, markeredgewidth=1.2, zorder=4, label=label)


def _badge(axes: Axes, residual: Residual) -> None:
    """Say how well the field is known: a few Oe that the magnet keeps turn ZFC into something else."""
    text = (
        f"residual field at most {residual.error_oe:.3g} Oe, not corrected"
        if residual.value_oe is None
        else f"residual field {with_uncertainty(residual.value_oe, residual.error_oe, 'Oe')}, "
        + ("corrected" if residual.is_corrected else "not corrected")
    )
    axes.text(
        0.03, 0.97, text, transform=axes.transAxes, va="top", fontsize=SMALL, color=INK,
        bbox={"boxstyle": "round,pad=0.3", "facecolor": "white", "edgecolor": GREY, "linewidth": 0.6},
    )  # fmt: skip


def _line_panel(line: IrreversibilityPoints) -> Panel:
    return lambda axes: _line(axes, line)


def _line(axes: Axes, line: IrreversibilityPoints) -> None:
    known = [
        (field_oe, one.chosen.value, one.chosen.sigma or 0.0)
        for field_oe, one in zip(line.fields_oe, line.parted, strict=True)
        if one.chosen.value is not None and one.chosen.value < line.tc0_k
    ]
    fields, kelvins, sigmas = (np.array(column) for column in zip(*known, strict=True))
    x = 1 - kelvins / line.tc0_k
    axes.errorbar(
        x, fields, xerr=sigmas / line.tc0_k, fmt="o", color=_BRANCHES["zfc"][0], markersize=4, linewidth=0.8
    )
    title = "irreversibility line"
    if line.n.value is not None and line.h0.value is not None:
        along = np.geomspace(0.85 * x.min(), 1.15 * x.max(), 50)
        axes.plot(along, line.h0.value * along**line.n.value, color=INK, linewidth=0.9)
        title += f": n = {with_uncertainty(line.n.value, line.n.sigma, '1')}"
    axes.set_xscale("log")
    axes.set_yscale("log")
    _plain_log(axes)
    axes.set_title(title)
    axes.set_xlabel(rf"$1 - T_{{irr}}/T_{{c0}}$, $T_{{c0}}$ = {line.tc0_k:.4g} K")
    axes.set_ylabel("H (Oe)")


def _plain_log(axes: Axes) -> None:
    plain = FuncFormatter(lambda value, _: f"{value:g}")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(plain)
        low, high = axis.get_view_interval()
        axis.set_minor_formatter(plain if high < 10 * low else FuncFormatter(lambda *_: ""))


def _virgin(axes: Axes, found: VirginFindings) -> None:
    kelvins = found.measured.temperatures_k
    volume, label = _per_volume(found.measured.body.volume_cm3)
    for number, (kelvin, colour) in enumerate(
        zip(kelvins, colour_key(axes, "viridis", kelvins, "T (K)"), strict=True)
    ):
        rows = found.measured.of(kelvin)["virgin"].rows
        axes.plot(
            rows.field,
            volume * rows.moment,
            marker=_MARKERS[number % len(_MARKERS)],
            color=colour,
            markersize=3,
            linewidth=0.7,
        )
        _mark_hc1(axes, found, kelvin, rows, volume)
    ends = [2.5 * one.extrapolated.value for one in found.hc1.values() if one.extrapolated.value is not None]
    if ends:
        axes.set_xlim(0, max(ends))
    flagged = all_flagged(found.measured.branches)
    rejected(axes, flagged.field, volume * flagged.moment)
    axes.set_title("virgin curves" + (", $H_{c1}(1-N)$ marked" if ends else ""))
    axes.set_xlabel("H (Oe)")
    axes.set_ylabel(label)


def _mark_hc1(axes: Axes, found: VirginFindings, kelvin: float, rows: Rows, volume: float) -> None:
    hc1 = found.hc1.get(kelvin)
    n = found.measured.body.n
    if hc1 is None or hc1.extrapolated.value is None or n is None:
        return
    applied = hc1.extrapolated.value * (1 - n.n)
    at = volume * float(np.interp(applied, rows.field, rows.moment))
    axes.plot(applied, at, "|", color=INK, markersize=11, markeredgewidth=1.2, zorder=4)


def _per_volume(volume_cm3: float | None) -> tuple[float, str]:
    if volume_cm3 is None:
        return 1.0, "m (emu)"
    return 4 * math.pi / volume_cm3, "4πM (G)"


def _hc1(axes: Axes, found: VirginFindings) -> None:
    _errors(axes, found.hc1, "extrapolated", "#0072B2", "o", "$\\sqrt{\\Delta M}$ to zero")
    _errors(axes, found.hc1, "threshold", GREY, "v", "threshold, upper bound")
    at_zero = found.at_zero
    title = "$H_{c1}$(T)"
    if at_zero is not None and at_zero.value is not None:
        tc_k = at_zero.goodness["tc_k"]
        along = np.linspace(0, tc_k, 100)
        axes.plot(along, at_zero.value * (1 - (along / tc_k) ** 2), color=INK, linewidth=0.9)
        title += f": {with_uncertainty(at_zero.value, at_zero.sigma, 'Oe')} at 0 K"
    n = found.measured.body.n
    axes.set_title(title)
    axes.set_xlabel("T (K)")
    axes.set_ylabel("$H_{c1}$ (Oe)" + ("" if n is None else f", N = {n.n:.3g}"))
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    axes.legend(fontsize=SMALL, frameon=False, loc="lower left")


def _errors(
    axes: Axes, hc1: Mapping[float, LowerCriticalField], which: str, colour: str, marker: str, label: str
) -> None:
    points = [
        (kelvin, result.value, result.sigma or 0.0)
        for kelvin, one in hc1.items()
        if (result := _of(one, which)).value is not None
    ]
    if points:
        x, y, sigma = zip(*points, strict=True)
        axes.errorbar(x, y, yerr=sigma, fmt=marker, color=colour, markersize=4, linewidth=0.8, label=label)


def _of(one: LowerCriticalField, which: str) -> Result:
    return one.threshold if which == "threshold" else one.extrapolated


def _loops(axes: Axes, found: Sequence[LoopFindings]) -> None:
    all_k = sorted({kelvin for each in found for kelvin in each.measured.temperatures_k})
    colour_of = dict(zip(all_k, colour_key(axes, "viridis", all_k, "T (K)"), strict=True))
    volume, label = _per_volume(found[0].measured.body.volume_cm3)
    for each in found:
        for kelvin in each.measured.temperatures_k:
            for name, branch in each.measured.of(kelvin).items():
                axes.plot(
                    branch.rows.field / 1000,
                    volume * branch.rows.moment,
                    marker=".",
                    color=colour_of[kelvin],
                    markersize=2.5,
                    linewidth=0.7,
                    linestyle="--" if name == "virgin" else "-",
                )
        flagged = all_flagged(each.measured.branches)
        rejected(axes, flagged.field / 1000, volume * flagged.moment)
    axes.set_title("loops, virgin legs dashed")
    axes.set_xlabel("H (kOe)")
    axes.set_ylabel(label)


def _current_in_field(axes: Axes, found: Sequence[LoopFindings]) -> None:
    """Draw Jc over the internal field where the loop is wide enough for Bean's state."""
    all_k = sorted({kelvin for each in found for kelvin in each.current})
    colour_of = dict(zip(all_k, colour_key(axes, "viridis", all_k, "T (K)"), strict=True))
    for each in found:
        for kelvin, one in each.current.items():
            # A logarithm shows no current below its noise.
            shown = one.valid & (one.jc > _ABOVE_NOISE * one.sigma)
            axes.plot(one.field[shown] / 1000, one.jc[shown], ".", color=colour_of[kelvin], markersize=2.5)
    axes.set_yscale("log")
    axes.set_title("$J_c$(H) where Bean's state is whole")
    axes.set_xlabel("internal H (kOe)")
    axes.set_ylabel("$J_c$ (A/cm²)")


def _current(axes: Axes, found: MomentFindings) -> None:
    points = [
        (kelvin, one.at_zero)
        for each in found.loops
        for kelvin, one in each.current.items()
        if one.at_zero.value is not None
    ]
    for narrow, face, label in ((False, "#0072B2", "$H_i$ = 0"), (True, "none", "loop too narrow")):
        chosen = [
            (kelvin, jc.value, jc.sigma or 0.0)
            for kelvin, jc in points
            if ("range_below_2h_star" in jc.flags) == narrow
        ]
        if chosen:
            x, y, sigma = zip(*chosen, strict=True)
            axes.errorbar(
                x, y, yerr=sigma, fmt="o", color="#0072B2", markerfacecolor=face, markersize=4,
                linewidth=0.8, label=label,
            )  # fmt: skip
    title = "$J_c$(T)"
    for _, laws in found.laws:
        title += _law(axes, laws)
    axes.set_yscale("log")
    axes.set_title(title)
    axes.set_xlabel("T (K)")
    axes.set_ylabel("$J_c$ (A/cm²)")
    axes.legend(fontsize=SMALL, frameon=False, loc="lower left")


def _law(axes: Axes, laws: Mapping[Law, CriticalCurrentLaw]) -> str:
    title = ""
    styles = {"depairing": ("-", "$(1-t^2)^{3/2}(1+t^2)^{1/2}$"), "three_halves": (":", "$(1-t)^{3/2}$")}
    for law, fit in laws.items():
        if fit.jc0.value is None or fit.tc.value is None:
            continue
        style, label = styles[law]
        low, high = fit.jc0.window["temperature_k"]
        t = np.linspace(0.5 * low, high + 0.5 * (fit.tc.value - high), 100) / fit.tc.value
        shape = (1 - t**2) ** 1.5 * (1 + t**2) ** 0.5 if law == "depairing" else (1 - t) ** 1.5
        poor = ", poor" if "poor_fit" in fit.jc0.flags else ""
        axes.plot(
            t * fit.tc.value,
            fit.jc0.value * shape,
            color=INK,
            linestyle=style,
            linewidth=0.9,
            label=label + poor,
        )
        if law == "depairing":
            title = f": {with_uncertainty(fit.jc0.value, fit.jc0.sigma, 'A/cm²')} at 0 K"
    return title


def _standard(axes: Axes, found: StandardFindings) -> None:
    """Draw what the field at the standard is beyond the reported one; the moment where there is no slope."""
    slope = found.field.goodness.get("slope_emu_per_oe")
    for name, (colour, marker) in _LEGS.items():
        parts = [branch.rows for branch in found.measured.branches if branch.name == name]
        if not parts:
            continue
        field = np.concatenate([rows.field for rows in parts])
        moment = np.concatenate([rows.moment for rows in parts])
        y = 1e6 * moment if slope is None else moment / slope - field
        axes.plot(field, y, marker, color=colour, markersize=4, markerfacecolor="none", label=name)
    value, sigma = found.field.value, found.field.sigma or 0.0
    if value is not None:
        axes.axhline(value, color=INK, linewidth=0.9)
        axes.axhspan(value - sigma, value + sigma, color=GREY, alpha=0.25, linewidth=0, zorder=0)
        axes.set_title(f"palladium: residual field {with_uncertainty(value, sigma, 'Oe')}")
    else:
        axes.set_title("palladium: no residual field")
    axes.set_xlabel("reported H (Oe)")
    axes.set_ylabel("m (µemu)" if slope is None else "field at the standard - reported (Oe)")
    axes.legend(fontsize=SMALL, frameon=False, loc="best")
