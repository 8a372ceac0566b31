"""What the panels of a figure share: sizes, colours, keys, and how a rejected point looks."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from onnes.analysis.isotherm import Floats

SMALL, NORMAL, LARGE = 8.5, 9.5, 10.5  # pt
GREY, AMBER, INK = "#999999", "#E69F00", "#222222"  # Okabe-Ito; grey for rejected, amber for simulated
_LEGEND_MOST = 10  # more values than this get a colour bar

Colour = tuple[float, float, float, float]


def colour_key(
    axes: Axes, name: str, values: Sequence[float], label: str, *, key: bool = True
) -> list[Colour]:
    """Return one colour a value; their meaning is in a legend, or in a colour bar where they are many."""
    colour_map = colormaps[name]
    if len(values) > _LEGEND_MOST:
        low, high = min(values), max(values)
        scale = ScalarMappable(Normalize(low, high), colour_map)
        if key:
            bar = axes.figure.colorbar(scale, ax=axes, pad=0.02)
            bar.set_label(label, fontsize=NORMAL)
            bar.ax.tick_params(labelsize=SMALL)
        return [colour_map((value - low) / (high - low)) for value in values]
    # The yellow end is left out: it does not stand out from white.
    colours = [colour_map(position) for position in np.linspace(0.0, 0.9, len(values))]
    if key:
        for value, colour in zip(values, colours, strict=True):
            axes.plot([], [], "o", color=colour, markersize=5, label=f"{value:.6g}")
        axes.legend(title=label, fontsize=SMALL, title_fontsize=SMALL, frameon=False, handletextpad=0.2)
    return colours


def rejected(axes: Axes, x: Floats, y: Floats) -> None:
    """Mark the points that do not count; nothing where there are none."""
    if len(x):
        axes.plot(x, y, "x", color=GREY, markersize=4, markeredgewidth=0.9, label="rejected", zorder=1)


def dress(axes: Axes) -> None:
    """Give axes the ticks, sizes and lines of a printed figure."""
    axes.tick_params(labelsize=SMALL, direction="in", top=True, right=True, which="both")
    axes.xaxis.label.set_fontsize(NORMAL)
    axes.yaxis.label.set_fontsize(NORMAL)
    for spine in axes.spines.values():
        spine.set_linewidth(0.8)
