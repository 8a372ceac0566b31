"""Panels of ac susceptibility, point contacts, V(I) and Hc2(T)."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes

from onnes.analysis.civale import temperature_at
from onnes.runner.ac_findings import AcFindings
from onnes.runner.contact_findings import BiasCurve, ContactFindings, ZeroBiasFindings
from onnes.runner.contact_runs import ContactRuns
from onnes.runner.current_voltage_findings import CurrentVoltageFindings
from onnes.runner.figure_style import GREY, INK, NORMAL, SMALL, colour_key, dress
from onnes.runner.report import with_uncertainty
from onnes.runner.transport_together import LevelPoints

Panel = Callable[[Axes], None]

_SYMBOLS = "os^Dv"  # one a frequency
_STACK = 0.08  # of G_N, from one curve of a stack to the next
_FEWEST_FOR_A_MAP = 3
_UV = 1e6


def contact_panels(runs: ContactRuns, upper_fields: Sequence[LevelPoints]) -> list[Panel]:
    """Return the panels of what was measured, in the order of the kinds."""
    panels: list[Panel] = []
    if upper_fields:
        panels.append(partial(_upper_field, upper_fields))
    panels += [partial(_susceptibility, found) for found in runs.susceptibilities if found.curves]
    for contact in runs.contacts:
        for curves, axis in _series(contact):
            panels.append(partial(_stack, curves, axis))
            if len(curves) >= _FEWEST_FOR_A_MAP:
                panels.append(partial(_map, curves, axis))
    panels += [partial(_zero_bias, found) for found in runs.zero_bias if found.curves]
    panels += [partial(_current_voltage, found) for found in runs.current_voltage if found.curves]
    return panels


# -- ac susceptibility


def _susceptibility(found: AcFindings, axes: Axes) -> None:
    """Draw chi' above chi'' on one temperature axis: amplitude as colour, frequency as symbol."""
    axes.set_axis_off()
    upper = axes.inset_axes((0.0, 0.52, 1.0, 0.48))
    lower = axes.inset_axes((0.0, 0.0, 1.0, 0.48), sharex=upper)
    amplitudes = sorted({float(f"{one.curve.amplitude_oe:.3g}") for one in found.curves})
    frequencies = sorted({one.curve.frequency_hz for one in found.curves})
    colours = dict(zip(amplitudes, colour_key(upper, "viridis", amplitudes, "h (Oe peak)"), strict=True))
    low = np.inf
    for one in found.curves:
        curve = one.curve
        colour = colours[float(f"{curve.amplitude_oe:.3g}")]
        symbol = _SYMBOLS[frequencies.index(curve.frequency_hz) % len(_SYMBOLS)]
        face = "none" if one.direction == "cooling" else colour
        for part, panel in ((curve.real, upper), (curve.loss, lower)):
            panel.plot(curve.temperature, part, symbol, color=colour, markerfacecolor=face, markersize=3)
        half = temperature_at(curve, -0.5)
        if half.value is not None:
            low = min(low, half.value)
            upper.plot([half.value], [-0.5], "+", color=INK, markersize=8, zorder=3)
    for number, hertz in enumerate(frequencies):
        lower.plot([], [], _SYMBOLS[number % len(_SYMBOLS)], color=GREY, label=f"{hertz:.4g}")
    lower.legend(title="f (Hz)", fontsize=SMALL, title_fontsize=SMALL, frameon=False)
    if np.isfinite(low):  # the transition; what lies below is flat
        hottest = max(float(one.curve.temperature[-1]) for one in found.curves)
        coldest = max(low - 2.5, float(found.curves[0].curve.temperature[0]))
        margin = 0.02 * (hottest - coldest)
        upper.set_xlim(coldest - margin, hottest + margin)
    which = found.curves[0].curve.kind
    upper.set_ylabel(f"χ' ({which})")
    lower.set_ylabel("χ''")
    lower.set_xlabel("T (K), + at χ' = -0.5")
    upper.tick_params(labelbottom=False)
    for panel in (upper, lower):
        dress(panel)
        panel.patch.set_alpha(0.0)  # what is written across the whole shines through
    fields = sorted({one.curve.dc_field_oe for one in found.curves})
    axes.set_title(f"ac susceptibility in {', '.join(f'{field:.4g}' for field in fields)} Oe dc")


# -- contacts


def _series(found: ContactFindings) -> list[tuple[list[BiasCurve], str]]:
    """Return the curves over temperature without a field, and those over field at one temperature."""
    series: list[tuple[list[BiasCurve], str]] = []
    without = [curve for curve in found.curves if curve.field_oe == 0]
    if without and len({curve.kelvin for curve in without}) > 1:
        series.append((sorted(without, key=lambda curve: curve.kelvin), "T (K)"))
    for kelvin in sorted({curve.kelvin for curve in found.curves}):
        at = [curve for curve in found.curves if curve.kelvin == kelvin]
        if len({curve.field_oe for curve in at}) > 1 or not series:
            series.append((sorted(at, key=lambda curve: abs(curve.field_oe)), "H (kOe)"))
    return series


def _value(curve: BiasCurve, axis: str) -> float:
    return curve.kelvin if axis == "T (K)" else curve.field_oe / 1000


def _stack(curves: Sequence[BiasCurve], axis: str, axes: Axes) -> None:
    """Draw the curves one above the other, each with its fit."""
    values = [_value(curve, axis) for curve in curves]
    colours = colour_key(axes, "viridis", values, axis, key=False)
    for number, (curve, colour) in enumerate(zip(curves, colours, strict=True)):
        offset = _STACK * number
        shown = curve.normalised.curve
        axes.plot(shown.bias_mv, shown.conductance + offset, ".", color=colour, markersize=2.5)
        if curve.fit is not None and curve.fit.curve:
            axes.plot(shown.bias_mv, np.array(curve.fit.curve) + offset, color=INK, linewidth=0.8)
        # At its end, since a legend of ten would hide the gaps.
        end = int(np.argmax(shown.bias_mv))
        axes.annotate(
            f" {values[number]:.4g}",
            (shown.bias_mv[end], shown.conductance[end] + offset),
            color=colour,
            fontsize=SMALL,
            va="center",
        )
    axes.set_xmargin(0.1)
    axes.set_xlabel(f"V (mV); {axis} at the end of each curve")
    axes.set_ylabel(f"G/G_N, each {_STACK:g} above the one before")
    axes.set_title(_gaps(curves))


def _gaps(curves: Sequence[BiasCurve]) -> str:
    first = next((curve for curve in curves if curve.fit is not None), None)
    if first is None or first.fit is None:
        return "dI/dV"
    if first.spoilt:
        return "dI/dV: not fitted"
    gaps = [result for name, result in first.fit.results.items() if name.startswith("delta")]
    told = ", ".join(
        with_uncertainty(gap.value, gap.sigma, gap.unit) for gap in gaps if gap.value is not None
    )
    return f"gaps at {first.kelvin:.3g} K: {told}"


def _map(curves: Sequence[BiasCurve], axis: str, axes: Axes) -> None:
    """Draw the curves as a map; each takes the room half-way to its neighbours."""
    bias = curves[0].normalised.curve.bias_mv
    rows = [np.interp(bias, one.normalised.curve.bias_mv, one.normalised.curve.conductance) for one in curves]
    values = np.array([_value(curve, axis) for curve in curves])
    mesh = axes.pcolormesh(
        _edges(bias),
        _edges(values),
        np.array(rows),
        cmap="viridis",
        shading="flat",
        rasterized=True,
        zorder=-1,
    )
    bar = axes.figure.colorbar(mesh, ax=axes, pad=0.02)
    bar.set_label("G/G_N", fontsize=NORMAL)
    bar.ax.tick_params(labelsize=SMALL)
    axes.set_xlabel("V (mV)")
    axes.set_ylabel(axis)
    axes.set_title("dI/dV")


def _edges(
    values: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    middle = 0.5 * (values[1:] + values[:-1])
    return np.concatenate([[2 * values[0] - middle[0]], middle, [2 * values[-1] - middle[-1]]])


def _zero_bias(found: ZeroBiasFindings, axes: Axes) -> None:
    fields = sorted(found.curves)
    colours = colour_key(axes, "cividis", [field_oe / 1000 for field_oe in fields], "H (kOe)")
    for field_oe, colour in zip(fields, colours, strict=True):
        curve = found.curves[field_oe]
        axes.plot(curve.temperature, curve.ratio, ".", color=colour, markersize=3)
    axes.axhline(1.0, color=GREY, linewidth=0.8)
    axes.set_xlabel("T (K)")
    axes.set_ylabel("G(0)/G_N")
    tc = found.curves[fields[0]].tc
    axes.set_title(
        "G(0)" if tc.value is None else f"Tc of the contact {with_uncertainty(tc.value, tc.sigma, 'K')}"
    )


# -- voltage against current


def _current_voltage(found: CurrentVoltageFindings, axes: Axes) -> None:
    """Draw log V over log I with the criterion."""
    temperatures = sorted({curve.kelvin for curve in found.curves})
    fields = sorted({curve.field_oe for curve in found.curves})
    of_field = len(temperatures) == 1 and len(fields) > 1
    values = [field_oe / 1000 for field_oe in fields] if of_field else temperatures
    shades = colour_key(axes, "viridis", values, "H (kOe)" if of_field else "T (K)")
    colours = dict(zip(fields if of_field else temperatures, shades, strict=True))
    symbols = dict.fromkeys(fields, "o")
    if len(fields) > 1 and not of_field:
        symbols = {field_oe: _SYMBOLS[n % len(_SYMBOLS)] for n, field_oe in enumerate(fields)}
        for field_oe, symbol in symbols.items():
            axes.plot([], [], symbol, color=GREY, label=f"{field_oe / 1000:.4g} kOe")
        axes.legend(title="T (K)", fontsize=SMALL, title_fontsize=SMALL, frameon=False, loc="lower left")
    for curve in found.curves:
        colour = colours[curve.field_oe if of_field else curve.kelvin]
        above = (curve.voltage > 0) & (curve.current > 0)
        axes.plot(
            1e3 * curve.current[above],
            _UV * curve.voltage[above],
            symbols[curve.field_oe],
            color=colour,
            markersize=3,
        )
        ic = curve.found.ic
        if ic.value is not None:
            axes.plot([1e3 * ic.value], [_UV * found.criterion_v], "+", color=INK, markersize=8, zorder=3)
    axes.axhline(_UV * found.criterion_v, color=INK, linewidth=0.8, linestyle=(0, (5, 3)))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("I (mA), + at the criterion")
    axes.set_ylabel("V (µV)")
    first = found.curves[0]
    ic, where = first.found.ic, f"{first.kelvin:.4g} K, {first.field_oe / 1000:.4g} kOe"
    axes.set_title(
        "V(I)" if ic.value is None else f"Ic = {with_uncertainty(ic.value, ic.sigma, 'A')} at {where}"
    )


def _upper_field(points: Sequence[LevelPoints], axes: Axes) -> None:
    colours = ("#0072B2", "#D55E00", "#009E73")  # Okabe-Ito
    for level, colour, symbol in zip(points, colours, "os^", strict=False):
        axes.plot(
            level.temperature_k, level.field_oe / 1000, symbol, color=colour, markersize=4, label=level.level
        )
        zero, alpha, tc = level.fit.hc2.value, level.fit.alpha.value, level.fit.tc.value
        if zero is not None and alpha is not None and tc is not None:
            t = np.linspace(0.0, tc, 200)
            axes.plot(t, zero / 1000 * (1 - t / tc) ** (1 + alpha), color=colour, linewidth=0.9)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("T (K)")
    axes.set_ylabel("H (kOe)")
    axes.legend(fontsize=SMALL, frameon=False)
    hc2 = points[0].fit.hc2
    axes.set_title(
        "Hc2(T)" if hc2.value is None else f"Hc2(0) = {with_uncertainty(hc2.value, hc2.sigma, 'Oe')}"
    )
