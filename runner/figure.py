"""The figure of a night: rho(T) at fields, crossing and collapse of the isotherms, moments.

Matplotlib by its objects alone: no pyplot, no global state, so that it can be drawn in any thread.
"""

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from onnes.analysis.isotherm import Floats
from onnes.instruments.clock import WallClock
from onnes.runner.contact_figure import contact_panels
from onnes.runner.figure_style import (
    AMBER,
    GREY,
    INK,
    LARGE,
    NORMAL,
    SMALL,
    Colour,
    colour_key,
    dress,
    rejected,
)
from onnes.runner.findings import FieldFindings, Findings, TemperatureFindings
from onnes.runner.measured import Geometry
from onnes.runner.moment_figure import moment_panels
from onnes.runner.report import with_uncertainty
from onnes.runner.results import NightResult
from onnes.storage.manifest import replace_file

_DPI = 160
_PANEL_IN = (4.9, 4.5)
_LEFT_IN = 0.75  # for the label and numbers such as -1500
_MOST_COLUMNS = 3
_MARKER = 3.0  # pt
_AROUND_CROSSING_KOE = 6.0  # what the inset of the crossing shows to each side


def draw(findings: Findings, path: Path) -> bool:
    """Draw what was found to ``path`` as PNG; return False where there is nothing to draw.

    Raises:
        StorageError: if the file cannot be written.
    """
    panels: list[Callable[[Axes], None]] = []
    runs = [found for found in findings.temperature_runs if found.measured.branches]
    if runs:
        panels.append(lambda axes: _over_temperature(axes, runs, findings.results))
    sets = [found for found in findings.field_runs if found.measured.isotherms]
    if sets:
        richest = max(sets, key=lambda found: sum(len(one.field) for one in found.measured.isotherms))
        panels.append(lambda axes: _crossing(axes, richest))
        panels.append(lambda axes: _collapse(axes, richest))
    panels += contact_panels(findings.contacts, findings.upper_fields)
    panels += moment_panels(findings.moments)
    if not panels:
        return False
    columns = min(len(panels), _MOST_COLUMNS)
    rows = math.ceil(len(panels) / columns)
    width, height = max(_PANEL_IN[0] * columns, 6.0), _PANEL_IN[1] * rows
    figure = Figure(figsize=(width, height), dpi=_DPI)
    FigureCanvasAgg(figure)
    # Fixed margins, in inches: a layout engine would draw everything twice.
    figure.subplots_adjust(
        _LEFT_IN / width,
        0.56 / height,
        1 - 0.1 / width,
        1 - 0.55 / height,
        wspace=1.3 * _LEFT_IN / _PANEL_IN[0],
        hspace=0.95 / (_PANEL_IN[1] - 0.95),
    )
    places = list(figure.subplots(rows, columns, squeeze=False).flat)
    for letter, axes, panel in zip(ascii_lowercase, places, panels, strict=False):
        panel(axes)
        axes.set_title(f"({letter}) {axes.get_title()}", fontsize=LARGE, loc="left", color=INK)
        axes.set_title("")
        dress(axes)
        _watermark(axes, findings.provenance)
    for axes in places[len(panels) :]:
        axes.set_axis_off()
    figure.text(0.995, 0.985, findings.path.name, ha="right", va="top", fontsize=SMALL, color=GREY)
    if findings.provenance.get("backend") == "simulated":
        figure.text(
            0.005, 0.985, _origin(findings.provenance), va="top", fontsize=SMALL, color=AMBER, weight="bold"
        )
    image = BytesIO()
    about = {"Software": "onnes", "Description": _origin(findings.provenance)}
    figure.savefig(image, format="png", metadata=about)
    replace_file(path, image.getvalue(), WallClock())
    return True


def _over_temperature(
    axes: Axes, runs: Sequence[TemperatureFindings], results: Sequence[NightResult]
) -> None:
    size = _common_geometry([found.measured.geometry for found in runs])
    scale, label = _resistance_axis(size)
    runs = sorted(runs, key=lambda found: found.measured.field_oe)
    fields = [found.measured.field_oe / 1000 for found in runs]
    has_magnet = bool(np.isfinite(fields).all())
    colours = colour_key(axes, "cividis", fields, "H (kOe)", key=has_magnet)
    coldest, hottest = np.inf, 0.0
    for found, colour in zip(runs, colours, strict=True):
        for branch, temperature in zip(found.measured.branches, found.temperatures(), strict=True):
            _points(
                axes, temperature, branch.resistance * scale, colour, filled=branch.direction == "warming"
            )
            coldest, hottest = min(coldest, temperature.min()), max(hottest, temperature.max())
        rejected(axes, found.measured.rejected.temperature, found.measured.rejected.resistance * scale)
    if coldest > 0 and hottest > 10 * coldest:
        axes.set_xscale("log")
        _plain_logarithm(axes)
    axes.set_xlabel("T (K), warming filled, cooling open")
    axes.set_ylabel(label)
    axes.set_title(_headline("ρ(T)" if size else "R(T)", results, ("rho-minimum", "tc1", "tc-onset")))


def _crossing(axes: Axes, found: FieldFindings) -> None:
    scale, label = _resistance_axis(found.measured.geometry)
    curves = [curve for curve in found.measured.curves if curve.isotherm is not None]
    colours = colour_key(axes, "viridis", [curve.setpoint_k for curve in curves], "T (K)")
    for curve, colour in zip(curves, colours, strict=True):
        for branch in curve.branches:
            filled = branch.direction == "rising"
            _points(axes, branch.field / 1000, branch.resistance * scale, colour, filled=filled)
    rejected(axes, found.measured.rejected.field / 1000, found.measured.rejected.resistance * scale)
    crossing = found.crossings.median if found.crossings else None
    axes.set_title("isotherms")
    if crossing is not None and crossing.value is not None:
        axes.axvline(crossing.value / 1000, color=INK, linewidth=0.8, linestyle=(0, (5, 3)), zorder=1)
        _magnified(axes, found, crossing.value / 1000, colours, scale)
        axes.set_title(f"crossing at {with_uncertainty(crossing.value, crossing.sigma, 'Oe')}")
    axes.set_xlabel("H (kOe), rising filled, falling open")
    axes.set_ylabel(label)


def _magnified(
    axes: Axes, found: FieldFindings, crossing_koe: float, colours: Sequence[Colour], scale: float
) -> None:
    """Draw what surrounds the crossing into the empty corner below the isotherms."""
    inset = axes.inset_axes((0.57, 0.13, 0.4, 0.4))
    low, high = crossing_koe - _AROUND_CROSSING_KOE, crossing_koe + _AROUND_CROSSING_KOE
    for isotherm, colour in zip(found.measured.isotherms, colours, strict=True):
        near = (isotherm.field / 1000 >= low) & (isotherm.field / 1000 <= high)
        ohms = isotherm.resistance[near] * scale
        inset.plot(isotherm.field[near] / 1000, ohms, "o-", color=colour, markersize=2.5, linewidth=0.8)
    inset.axvline(crossing_koe, color=INK, linewidth=0.8, linestyle=(0, (5, 3)), zorder=1)
    inset.set_xlim(low, high)
    inset.set_title("mean of both directions", fontsize=SMALL)
    dress(inset)


def _collapse(axes: Axes, found: FieldFindings) -> None:
    collapsed = found.collapse
    if collapsed is None or collapsed.hc.value is None or collapsed.z_nu.value is None:
        reason = found.reason if collapsed is None else collapsed.hc.reason or collapsed.z_nu.reason
        axes.set_title("no collapse")
        text = textwrap.fill(reason, 42)
        axes.text(
            0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=NORMAL, color=INK
        )
        axes.set_xticks([])
        axes.set_yticks([])
        return
    scale, label = _resistance_axis(found.measured.geometry)
    temperatures = np.unique(collapsed.temperature)
    distance = np.abs(collapsed.u)
    shown = distance > 0
    colours = colour_key(axes, "viridis", list(temperatures), "T (K)", key=False)
    for temperature, colour in zip(temperatures, colours, strict=True):
        for filled in (True, False):
            chosen = shown & (collapsed.temperature == temperature) & ((collapsed.u > 0) == filled)
            _points(axes, distance[chosen], np.exp(collapsed.ln_r[chosen]) * scale, colour, filled=filled)
    for side in (collapsed.curve_u > 0, collapsed.curve_u < 0):
        order = np.argsort(np.abs(collapsed.curve_u[side]))
        curve = np.exp(collapsed.curve_ln_r[side][order]) * scale
        axes.plot(np.abs(collapsed.curve_u[side][order]), curve, color=INK, linewidth=0.9, zorder=3)
    axes.set_xscale("log")
    axes.set_xlim(left=max(0.6 * distance[shown].min(), distance.max() / 200))
    _plain_logarithm(axes)
    hc = with_uncertainty(collapsed.hc.value, collapsed.hc.sigma, "Oe")
    z_nu = with_uncertainty(collapsed.z_nu.value, collapsed.z_nu.sigma, "1")
    axes.set_title(rf"$H_c$ = {hc}, $z\nu$ = {z_nu}")
    axes.set_xlabel(r"$|H - H_c|\,/\,T^{1/z\nu}$ (kOe / K$^{1/z\nu}$), above $H_c$ filled, below open")
    axes.set_ylabel(label)


def _headline(what: str, results: Sequence[NightResult], keys: Sequence[str]) -> str:
    """Return the title of a panel with the first of the results that has a value."""
    names = {"rho-minimum": "minimum at", "tc1": "upper of two Tc", "tc-onset": "Tc onset"}
    for key in keys:
        for result in results:
            if result.value is not None and (result.id == key or result.id.endswith(f"-{key}")):
                return f"{what}: {names[key]} {with_uncertainty(result.value, result.sigma, result.unit)}"
    return what


def _common_geometry(sizes: Sequence[Geometry | None]) -> Geometry | None:
    return sizes[0] if len(set(sizes)) == 1 else None


def _resistance_axis(size: Geometry | None) -> tuple[float, str]:
    """Return what resistances are multiplied by, and the label: resistivity where the geometry is known."""
    return (size.resistivity_per_ohm * 1e6, "ρ (µΩ cm)") if size else (1.0, "R (Ω)")


def _points(axes: Axes, x: Floats, y: Floats, colour: Colour, *, filled: bool) -> None:
    face = colour if filled else "none"
    size = _MARKER if filled else 1.5 * _MARKER  # so that neither hides the other where they coincide
    axes.plot(x, y, "o", color=colour, markerfacecolor=face, markersize=size, markeredgewidth=0.6)


def _plain_logarithm(axes: Axes) -> None:
    """Write 2, 5, 10 instead of powers of ten."""
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _watermark(axes: Axes, provenance: Mapping[str, Any]) -> None:
    """Write across the panel that it is simulated, so that a cut-out still says so."""
    if provenance.get("backend") != "simulated":
        return
    word, where = _origin(provenance).split(" ", 1)
    for text, size, height in ((word, 34, 0.53), (where, 13, 0.43)):
        axes.text(
            0.5, height, text, transform=axes.transAxes, ha="center", va="center", rotation=0,
            fontsize=size, fontweight="bold", color=AMBER, alpha=0.2, zorder=0,
        )  # fmt: skip


def _origin(provenance: Mapping[str, Any]) -> str:
    if provenance.get("backend") != "simulated":
        return "measured"
    return f"SIMULATED lab={provenance.get('lab')} seed={provenance.get('seed')}"
