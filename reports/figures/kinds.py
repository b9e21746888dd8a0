"""Draws the kinds of figures: curves over epochs, dots by network, bars."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from reports.figures import curve_names
from reports.figures.svg import (
    AXIS,
    COLOURS,
    INK,
    PAPER,
    again,
    draw,
    legend,
    panel_width,
    to_svg,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = {"keras": "o", "torch": "s", "": "D"}
STYLES: dict[str, Any] = {"keras": "-", "torch": (0, (5, 2)), "": "-"}
NAMES = {"keras": "Keras", "torch": "PyTorch"}
MOST_POINTS = 150  # the most points of a curve; of longer ones points are left out evenly
THIN_POINTS = 60  # the most points of a curve with a thin line
NARROWEST = 1.3  # the narrowest panel, in inches, that leaves room for words beside it
NARROW = 0.85  # a phase 2 that begins after this share of the epochs has no room for its name


@dataclass(frozen=True)
class Curve:
    """One line over epochs."""

    framework: str  # "": neither twin's colour
    values: list[float]
    thin: bool = False  # whether it is a fold or a seed behind a mean
    training: bool = False  # whether it is of training, and not of the part that selects
    label: str = ""  # the words at its end
    mark: int | None = None  # the index of the selected epoch


@dataclass(frozen=True)
class Panel:
    """One pair of axes with its curves."""

    title: str
    ylabel: str
    curves: list[Curve]
    boundary: int = 0  # the epochs before phase 2; 0 if there is one phase
    points: tuple[tuple[float, float], ...] = ()  # what is claimed, as (epoch, value)
    log: bool = False


@dataclass(frozen=True)
class Bar:
    """A number as a bar; `text` stands at the bar's end and is "X" where there is no number."""

    measure: str
    value: float | None
    text: str


def _plot(ax: "Axes", curve: Curve) -> None:
    step = -(-len(curve.values) // (THIN_POINTS if curve.thin else MOST_POINTS))
    last = len(curve.values) - 1
    keep = sorted({*range(0, last, step), last, last if curve.mark is None else curve.mark})
    style = (0, (1, 1.5)) if curve.training else STYLES[curve.framework]
    ax.plot(
        [i + 1 for i in keep],
        [curve.values[i] for i in keep],
        color=COLOURS[curve.framework],
        linestyle=style,
        linewidth=0.6 if curve.thin else 1.4,
        alpha=0.45 if curve.thin else 1,
        label=None if curve.thin else curve.label,
        marker=MARKERS[curve.framework] if len(keep) < 12 and not curve.thin else None,
        markersize=3,
    )
    if curve.mark is not None:
        ax.plot(
            [curve.mark + 1],
            [curve.values[curve.mark]],
            marker=MARKERS[curve.framework],
            markersize=4 if curve.thin else 7,
            color=COLOURS[curve.framework],
            markerfacecolor=PAPER,
            markeredgewidth=0.9 if curve.thin else 1.6,
            linestyle="none",
            zorder=3,  # draws the mark over every line
        )


def _end(curve: Curve) -> tuple[str, str, float, float]:
    """Returns the curve's label, its colour, and its last finite point (NaN if it has none)."""
    finite = [i for i, value in enumerate(curve.values) if math.isfinite(value)]
    x, y = (finite[-1] + 1, curve.values[finite[-1]]) if finite else (math.nan, math.nan)
    return curve.label, COLOURS[curve.framework], x, y


def curves(name: str, description: str, panels: list[Panel]) -> Markup:
    """Draws panels of curves over the epochs, side by side, each curve named at its end; where the
    panels leave no room for names, one legend below has them all."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 (slow import)

    above = any(panel.title and panel.boundary for panel in panels)  # the phases' names need room
    right = curve_names.room([curve.label for panel in panels for curve in panel.curves])
    beside = panel_width(len(panels), right) >= NARROWEST
    top, right = 0.42 if above else 0.28, right if beside else 0
    figure, axes = again("curves", 2.4 if right else 2.6, len(panels), top, right=right)
    for ax, panel in zip(axes, panels, strict=True):
        for curve in panel.curves:
            _plot(ax, curve)
        if panel.points:
            _claimed(ax, panel)
        ax.set_title(panel.title, loc="left", y=1, pad=14 if panel.boundary else 6)
        ax.set_xlabel("epoch")
        ax.set_ylabel(panel.ylabel)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
        if panel.log:
            _decades(ax)
        else:
            ax.yaxis.set_major_locator(MaxNLocator(nbins=4))
        if panel.boundary:
            _phases(ax, panel)
        if beside:
            curve_names.ends(figure, ax, [_end(curve) for curve in panel.curves], INK)
    if not beside:
        legend(figure, axes)
    return to_svg(figure, name, description)


def _claimed(ax: "Axes", panel: Panel) -> None:
    """Draws diamonds at the claimed numbers, with the word "printed" over the first."""
    x, y = zip(*panel.points, strict=True)
    ax.plot(x, y, "D", color=INK, markerfacecolor="none", markersize=5)
    ax.annotate(
        "printed", (x[0], y[0]), (0, 7), textcoords="offset points", ha="center",
        fontsize=7.5,
    )  # fmt: skip


def _decades(ax: "Axes") -> None:
    """Gives the panel a logarithmic scale of whole decades."""
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    ax.set_ylim(10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(high)))
    ax.yaxis.set_minor_formatter("")


def _phases(ax: "Axes", panel: Panel) -> None:
    """Draws a line between the phases, with their names above it."""
    ax.axvline(panel.boundary + 0.5, color=AXIS, linewidth=0.8, linestyle=":")
    names: tuple[tuple[str, str, int], ...] = (("phase 1", "right", -4), ("phase 2", "left", 4))
    longest = max((len(curve.values) for curve in panel.curves), default=0)
    if panel.boundary > NARROW * longest:  # no room on the right
        names = (("phase 1 | 2", "right", 9),)
    for text, side, shift in names:
        ax.annotate(
            text, (panel.boundary + 0.5, 1), (shift, 2), xycoords=("data", "axes fraction"),
            textcoords="offset points", ha=side, va="bottom", fontsize=7.5, color=AXIS,
        )  # fmt: skip


def dots(
    name: str,
    description: str,
    rows: list[str],
    series: list[dict[str, Any]],
    xlabel: str,
    *,
    log: bool = False,
    line: tuple[float, str] | None = None,
) -> Markup:
    """Draws dots, in one row for each network from top to bottom.

    Each of `series` has "framework" (or None), "label", "points": [(row, value, low, high)], and
    "hollow" if its dots are. `line` is a value with its label, at which a vertical line stands.
    """
    figure, (ax,) = draw(0.95 + 0.32 * len(rows), 1, 1.85, 0.1)
    shift = {"keras": -0.14, "torch": 0.14}
    for entry in series:
        framework = entry["framework"]
        colour = COLOURS.get(framework, INK)
        if not entry["points"]:
            continue
        row, value, low, high = (list(column) for column in zip(*entry["points"], strict=True))
        ax.errorbar(
            value,
            [r + shift.get(framework, 0) for r in row],
            xerr=[
                [max(v - x, 0) for v, x in zip(value, low, strict=True)],
                [max(x - v, 0) for v, x in zip(value, high, strict=True)],
            ],
            marker=MARKERS.get(framework, "D"),
            color=colour,
            markerfacecolor=PAPER if entry.get("hollow") else colour,
            elinewidth=1.2,
            linestyle="none",
            label=entry["label"],
        )
    if log:
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter("{x:g}")
    if line:
        ax.axvline(line[0], color=INK, linewidth=0.9, linestyle="--", label=line[1])
    ax.set_yticks(range(len(rows)), rows)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(axis="y", color=AXIS, linewidth=0.3, alpha=0.5)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(xlabel)
    legend(figure, [ax])
    return to_svg(figure, name, description)


def bars(
    name: str, description: str, titles: list[str], panels: list[dict[str, list[Bar]]]
) -> Markup:
    """Draws bars of precision, recall, F and accuracy, each with its number.

    A panel maps each series ("printed", or a twin) to its bars, from top to bottom; all series have
    the same measures.
    """
    series = list(panels[0])
    measures = [bar.measure for bar in panels[0][series[0]]]
    step = len(series) + 0.7
    figure, axes = draw(0.75 + 0.155 * step * len(measures), len(panels), 1.42, right=0.42)
    for ax, heading, panel in zip(axes, titles, panels, strict=True):
        for offset, (key, some) in enumerate(panel.items()):
            for place, bar in enumerate(some):
                y = place * step + offset
                there = bar.value is not None and math.isfinite(bar.value)
                value = bar.value if there else None
                if value is not None:
                    ax.barh(
                        y, value, 0.78, facecolor=COLOURS.get(key, "none"),
                        edgecolor=COLOURS.get(key, INK), linewidth=0.9,
                    )  # fmt: skip
                ax.text((value or 0) + 0.015, y, bar.text, va="center", fontsize=8)
        ticks = [(p * step + o, NAMES.get(k, k)) for p in range(len(measures))
                 for o, k in enumerate(series)]  # fmt: skip
        ax.set_yticks(*zip(*ticks, strict=True))
        ax.tick_params(axis="y", length=0)
        ax.set_xlim(0, 1)
        ax.set_ylim(step * len(measures) - 1, -0.8)
        ax.set_title(heading, loc="left")
        ax.set_xlabel("share")
        if ax is not axes[0]:
            ax.set_yticklabels([])
    for place, measure in enumerate(measures):
        axes[0].annotate(
            measure, (0, place * step + (len(series) - 1) / 2), (-96, 0), va="center",
            xycoords=axes[0].get_yaxis_transform(), textcoords="offset points", fontsize=9,
        )  # fmt: skip
    return to_svg(figure, name, description)
