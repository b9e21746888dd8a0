"""Small figures as inline SVG, the same bytes for the same numbers, in the page's own colours.

Matplotlib draws with the marker colours below; they become CSS variables, so that one figure
reads on a light page, a dark page and on paper.
"""

import io
import math
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, AXIS, PAPER = "#010203", "#040506", "#070809"
COLOURS = {"keras": "#0a0b0c", "torch": "#0d0e0f", "": INK}  # blue, vermilion in style.css
_VARIABLES = {
    INK: "var(--ink)",
    AXIS: "var(--axis)",
    PAPER: "var(--paper)",
    COLOURS["keras"]: "var(--keras)",
    COLOURS["torch"]: "var(--torch)",
}
MARKERS = {"keras": "o", "torch": "s", "": "D"}
STYLES: dict[str, Any] = {"keras": "-", "torch": (0, (5, 2)), "": "-"}
NAMES = {"keras": "Keras", "torch": "PyTorch"}
WIDTH = 7.2  # inches, of every figure
MOST_POINTS = 150  # of a curve; longer ones are thinned evenly, and thin ones more
THIN_POINTS = 60
NARROW = 0.85  # of the epochs: phase 2, beginning later, has no room for its name
_RC = {
    "svg.fonttype": "none",
    "svg.hashsalt": "wbc",
    "font.size": 9,
    "axes.edgecolor": AXIS,
    "axes.labelcolor": INK,
    "axes.titlesize": 9,
    "axes.titlecolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": AXIS,
    "ytick.color": AXIS,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.4,
    "lines.markersize": 5,
}


@dataclass(frozen=True)
class Curve:
    """One line over epochs. `thin`: a fold or a seed behind a mean."""

    framework: str  # "": of both
    values: list[float]
    thin: bool = False
    training: bool = False  # rather than on the test part
    label: str = ""
    mark: int | None = None  # index of the selected epoch


@dataclass(frozen=True)
class Panel:
    """One pair of axes with its curves."""

    title: str
    ylabel: str
    curves: list[Curve]
    boundary: int = 0  # epochs before phase 2; 0 if there is one phase
    points: tuple[tuple[float, float], ...] = ()  # claimed (epoch, value)
    log: bool = False


def _draw(
    height: float, columns: int, left: float = 0.62, top: float = 0.28
) -> tuple["Figure", list["Axes"]]:
    """A figure WIDTH inches wide with fixed margins (a layout engine would cost as much again)."""
    import matplotlib  # noqa: PLC0415 (slow import)
    from matplotlib.figure import Figure  # noqa: PLC0415

    matplotlib.rcParams.update(_RC)
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.subplots(1, columns, squeeze=False)[0]
    figure.subplots_adjust(
        left=left / WIDTH, right=1 - 0.1 / WIDTH, top=1 - top / height, bottom=0.72 / height,
        wspace=0.24,
    )  # fmt: skip
    for ax in axes:
        ax.patch.set_visible(False)
    figure.patch.set_visible(False)
    return figure, list(axes)


@cache
def _kept(columns: int, top: float) -> tuple["Figure", list["Axes"]]:
    return _draw(2.6, columns, top=top)


def _panels(columns: int, top: float) -> tuple["Figure", list["Axes"]]:
    """Empty panels for curves, used again and again: making axes costs as much as drawing."""
    figure, axes = _kept(columns, top)
    for legend in list(figure.legends):
        legend.remove()
    for ax in axes:
        for artist in [*ax.lines, *ax.texts]:
            artist.remove()
        ax.set_yscale("linear")
        ax.relim()
        ax.autoscale(True)
    return figure, axes


def _svg(figure: "Figure", name: str, description: str) -> Markup:
    """The figure as an inline <svg>; its ids begin with `name` and stay unique on the page."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415 (slow import)

    buffer = io.StringIO()
    empty = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    FigureCanvasSVG(figure).print_svg(buffer, metadata=empty)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, count=1, flags=re.S)
    used = set(re.findall(r"[\"(]#([\w.-]+)[\")]", text))
    text = re.sub(
        r' id="([\w.-]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", text
    )
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r"font-family: [^;\"]*;? ?", "", text)
    text = re.sub(r" xmlns(:xlink)?=\"[^\"]*\"", "", text).replace("xlink:href", "href")
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.S)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, variable)
    text = re.sub(r"\s*\n\s*", "\n", text)
    opening = f'<svg role="img" aria-label="{escape(description)}" stroke-linejoin="round"'
    width = re.search(r'width="([\d.]+)pt"', text)
    text = re.sub(r' width="[\d.]+pt" height="[\d.]+pt"', "", text, count=1)
    style = f' style="max-width: {float(width[1]) * 4 / 3:.0f}px"' if width else ""
    return Markup(text.replace("<svg", opening + style, 1))


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
            markersize=7,
            color=COLOURS[curve.framework],
            markerfacecolor=PAPER,
            markeredgewidth=1.6,
            linestyle="none",
        )


def curves(name: str, description: str, panels: list[Panel]) -> Markup:
    """Panels of curves over the epochs, side by side; one legend for all."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 (slow import)

    above = any(panel.title and panel.boundary for panel in panels)  # the phases' names
    figure, axes = _panels(len(panels), 0.42 if above else 0.28)
    for ax, panel in zip(axes, panels, strict=True):
        for curve in panel.curves:
            _plot(ax, curve)
        if panel.boundary:
            _phases(ax, panel)
        if panel.points:
            x, y = zip(*panel.points, strict=True)
            ax.plot(x, y, "D", color=INK, markerfacecolor="none", markersize=5, label="claimed")
        ax.set_title(panel.title, loc="left", pad=14 if panel.boundary else 6)
        ax.set_xlabel("epoch")
        ax.set_ylabel(panel.ylabel)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
        if panel.log:
            _decades(ax)
        else:
            ax.yaxis.set_major_locator(MaxNLocator(nbins=4))
    _legend(figure, axes)
    return _svg(figure, name, description)


def _decades(ax: "Axes") -> None:
    """A logarithmic scale of whole decades."""
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    ax.set_ylim(10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(high)))
    ax.yaxis.set_minor_formatter("")


def _phases(ax: "Axes", panel: Panel) -> None:
    """A line between the phases, with their names above it."""
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


def _legend(figure: "Figure", axes: list["Axes"]) -> None:
    entries = {}
    for ax in axes:
        for handle, text in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(text, handle)
    if entries:
        figure.legend(
            entries.values(), entries.keys(), loc="lower center", ncols=5,
            handlelength=2.4, columnspacing=1.4,
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
    """A dot plot: a row a network, top to bottom.

    series: {"framework" or None, "label", "points": [(row, value, low, high)], "hollow"}.
    """
    figure, (ax,) = _draw(0.95 + 0.32 * len(rows), 1, 1.85, 0.1)
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
    _legend(figure, [ax])
    return _svg(figure, name, description)


def bars(
    name: str, description: str, titles: list[str], panels: list[dict[str, list[float | None]]]
) -> Markup:
    """Jane's Fig. 3: bars of precision, recall, F and accuracy. Panel keys: claimed, keras, torch.

    A missing number leaves its place empty, with an X.
    """
    figure, axes = _draw(2.4, len(panels), 0.4)
    hatches = {"torch": "////"}
    for ax, heading, panel in zip(axes, titles, panels, strict=True):
        for offset, (key, values) in enumerate(panel.items()):
            for place, value in enumerate(values):
                x = place + (offset - 1) * 0.27
                if value is None or value != value:
                    ax.text(x, 0.02, "X", ha="center", fontsize=8)
                    continue
                ax.bar(
                    x,
                    value,
                    0.24,
                    facecolor="none" if key == "claimed" else COLOURS[key],
                    edgecolor=INK if key == "claimed" else PAPER,
                    linewidth=0.9,
                    hatch=hatches.get(key),
                    label=NAMES.get(key, key) if place == 0 else None,
                )
        ax.set_xticks(range(4), ["precision", "recall", "F", "accuracy"])
        ax.set_ylim(0, 1)
        ax.set_title(heading, loc="left")
    _legend(figure, axes)
    return _svg(figure, name, description)
