"""Draws curves over the epochs, in panels of one size: the line of a run, or the band that several
runs span, with their mean."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from reports.figures import curve_names, ticks
from reports.figures.drawing import Drawing, drawn
from reports.figures.kinds import MARKERS, STYLES
from reports.figures.svg import COLOURS, INK, PAPER, WIDTH, canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS = 2  # panels side by side
TALL = 1.3  # the inches of a panel's height
LEFT = 0.5  # the inches that the numbers of a vertical axis take
LINE = 0.17  # the inches of a heading's line
NUMBERS = 0.265  # the inches that the epochs take below a panel
BELOW, NAMED = 0.27, 0.22  # the inches below each panel, and below the last for the word "epoch"
MOST_POINTS = 150  # the most points of a curve; of longer ones points are left out evenly
DOTTED = (0, (1, 1.5))
FEW = 12  # a curve of fewer epochs has a mark at each


@dataclass(frozen=True)
class Curve:
    """What one run, or several runs together, reached over the epochs."""

    framework: str  # "": neither twin's colour
    values: list[float]  # of the run, or the runs' mean; none if a run of the mean is missing
    label: str = ""  # the words at its end
    training: bool = False  # whether it is of training, and not of the part that selects
    marks: tuple[int, ...] = ()  # the index of the selected epoch, in each run
    runs: tuple[list[float], ...] = ()  # the single runs, if there are several

    @property
    def epochs(self) -> int:
        """The number of epochs of the longest run."""
        return max(map(len, [self.values, *self.runs]))

    def within(self, first: int, end: int) -> "Curve":
        """Returns the epochs from the index `first` up to `end` as a curve of their own."""
        marks = tuple(mark - first for mark in self.marks if first <= mark < end)
        runs = tuple(run[first:end] for run in self.runs)
        return replace(self, values=self.values[first:end], marks=marks, runs=runs)


@dataclass(frozen=True)
class Panel:
    """One quantity over the epochs; where training has two phases, each gets axes of its own."""

    title: str
    quantity: str
    curves: list[Curve]
    boundary: int = 0  # the epochs before phase 2; 0 if there is one phase
    points: tuple[tuple[float, float], ...] = ()  # what is printed, as (epoch, value)
    log: bool = False

    def phases(self) -> list["Panel"]:
        """Returns a panel for each phase, whose epochs are counted from 1."""
        if not self.boundary:
            return [self]
        last = max((curve.epochs for curve in self.curves), default=0)
        found = []
        for number, (first, end) in enumerate(((0, self.boundary), (self.boundary, last)), 1):
            own = [curve.within(first, end) for curve in self.curves]
            if number == 1:  # the names stand beside phase 2
                own = [replace(curve, label="") for curve in own]
            points = tuple((x - first, y) for x, y in self.points if first < x <= end)
            quantity = f"{self.quantity}, phase {number}"
            found.append(replace(self, quantity=quantity, curves=own, boundary=0, points=points))
        return found


def curves(
    name: str, description: str, panels: list[Panel], runs: str = "runs", *, pdf: bool = True
) -> Drawing:
    """Draws the panels, two in a row, each curve named at its end. The phases of a panel stand side
    by side. Panels of the same quantity have the same vertical axis. `runs` is the word for what a
    band spans, as "folds". Without `pdf` the figure has no files."""
    rows = [panel.phases() for panel in panels]
    phased = any(len(row) > 1 for row in rows)
    if not phased:
        every = [cell for row in rows for cell in row]
        rows = [every[i : i + ACROSS] for i in range(0, len(every), ACROSS)]
    cells = [cell for row in rows for cell in row]
    names = [curve.label for cell in cells for curve in cell.curves]
    names += ["printed"] * any(cell.points for cell in cells)
    lines = 2 if any(panel.title for panel in panels) else 1
    room = round(curve_names.room(names), 3)
    figure, axes = _emptied(*_kept(tuple(map(len, rows)), lines, room, phased))
    for ax, cell in zip(axes, cells, strict=True):
        _draw(ax, cell, _limits([c for c in cells if c.quantity == cell.quantity]))
        curve_names.ends(figure, ax, _ends(cell), INK)
    return drawn(figure, name, description, key(panels, runs), pdf=pdf)


def _emptied(figure: "Figure", axes: list["Axes"]) -> tuple["Figure", list["Axes"]]:
    for ax in axes:
        for artist in [*ax.lines, *ax.patches, *ax.texts]:
            artist.remove()
        if ax.get_yscale() != "linear":
            ax.set_yscale("linear")
    return figure, axes


@lru_cache(maxsize=64)
def _kept(
    rows: tuple[int, ...], lines: int, room: float, phased: bool
) -> tuple["Figure", list["Axes"]]:
    """Returns a figure with so many panels in each row, to be used again: making axes costs as much
    as drawing on them. `lines` is the number of lines of a heading; `room` is the inches for the
    names beside a panel, which those of phase 1 don't have."""
    head = LINE * lines + 0.06
    pitch = head + TALL + BELOW
    height = len(rows) * pitch + NAMED
    between = LEFT + (0 if phased else room)
    wide = (WIDTH - LEFT - max(room, 0.1) - between * (ACROSS - 1)) / ACROSS
    figure, axes = canvas(height), []
    for row, columns in enumerate(rows):
        for column in range(columns):
            left, top = LEFT + column * (wide + between), head + row * pitch
            box = (left / WIDTH, 1 - (top + TALL) / height, wide / WIDTH, TALL / height)
            ax = figure.add_axes(box)
            ax.patch.set_visible(False)
            ax.tick_params(left=False, bottom=False, pad=4)
            if all(below <= column for below in rows[row + 1 :]):
                ax.set_xlabel("epoch")
                ax.xaxis.set_label_coords(0.5, -NUMBERS / TALL)
            axes.append(ax)
    return figure, axes


def _draw(ax: "Axes", cell: Panel, limits: tuple[float, float]) -> None:
    ax.set_title("\n".join(filter(None, (cell.title, cell.quantity))), loc="left", y=1, pad=5)
    last = max((curve.epochs for curve in cell.curves), default=1)
    margin = 0.03 * (last - 1) or 0.5
    ax.set_xlim(1 - margin, last + margin)
    found = ticks.epochs(last)
    ax.set_xticks(found, list(map(str, found)))
    if cell.log:
        ax.set_yscale("log")
        ax.minorticks_off()
    ax.set_yticks(*(ticks.decades(*limits) if cell.log else ticks.linear(*limits)))
    ax.set_ylim(*limits)
    for curve in cell.curves:
        _band(ax, curve)
    for curve in cell.curves:
        _line(ax, curve)
    for curve in cell.curves:
        _selected(ax, curve)
    if cell.points:
        x, y = zip(*cell.points, strict=True)
        ax.plot(x, y, "D", color=INK, markerfacecolor="none", markersize=5)


def _limits(cells: list[Panel]) -> tuple[float, float]:
    """Returns the lowest and the highest value of an axis that these panels have in common."""
    drawn = [v for cell in cells for curve in cell.curves for run in (curve.values, *curve.runs)
             for v in run]  # fmt: skip
    drawn += [y for cell in cells for _, y in cell.points]
    finite = [v for v in drawn if math.isfinite(v)]
    return ticks.limits(finite, log=cells[0].log)


def _steps(curve: Curve) -> int:
    return -(-curve.epochs // MOST_POINTS)


def _style(curve: Curve) -> object:
    return DOTTED if curve.training else STYLES[curve.framework]


def _band(ax: "Axes", curve: Curve) -> None:
    """Fills what lies between the lowest and the highest run, at each epoch or few epochs."""
    step, corners = _steps(curve), []
    for first in range(0, curve.epochs if curve.runs else 0, step):
        found = [v for run in curve.runs for v in run[first : first + step] if math.isfinite(v)]
        if found:
            corners.append((first + 1, min(found), max(found)))
    if corners:
        x, low, high = zip(*corners, strict=True)
        ax.fill(
            [*x, *reversed(x)], [*low, *reversed(high)], facecolor=COLOURS[curve.framework],
            alpha=0.18, linewidth=0, gid="band",
        )  # fmt: skip


def _line(ax: "Axes", curve: Curve) -> None:
    step, last = _steps(curve), len(curve.values) - 1
    own = curve.marks if not curve.runs else ()
    keep = sorted({*range(0, last, step), last, *own}) if curve.values else []
    ax.plot(
        [i + 1 for i in keep],
        [curve.values[i] for i in keep],
        color=COLOURS[curve.framework],
        linestyle=_style(curve),
        linewidth=1.4,
        marker=MARKERS[curve.framework] if len(keep) < FEW else None,
        markersize=3,
        gid="line",
    )


def _selected(ax: "Axes", curve: Curve) -> None:
    """Draws an open mark on the line of a single run, and of several runs strokes on the axis."""
    if not curve.marks:
        return
    colour = COLOURS[curve.framework]
    if curve.runs:
        place = 0.045 if curve.framework == "keras" else 0.125  # the twins' strokes in two rows
        ax.plot(
            [mark + 1 for mark in curve.marks], [place] * len(curve.marks), "|", color=colour,
            markersize=5.5, markeredgewidth=1, transform=ax.get_xaxis_transform(), gid="strokes",
        )  # fmt: skip
        return
    (mark,) = curve.marks
    ax.plot(
        [mark + 1], [curve.values[mark]], marker=MARKERS[curve.framework], markersize=7,
        color=colour, markerfacecolor=PAPER, markeredgewidth=1.6, linestyle="none", zorder=3,
    )  # fmt: skip


def _ends(cell: Panel) -> list[curve_names.End]:
    """Returns what stands at the ends of the panel's curves, and of what is printed."""
    ends = []
    for curve in cell.curves:
        runs = [curve.values] if curve.values else curve.runs
        lasts = [(i, v) for run in runs for i, v in list(enumerate(run))[-1:] if math.isfinite(v)]
        finite = lasts or [
            (i, v) for run in runs for i, v in enumerate(run) if math.isfinite(v)
        ][-1:]  # fmt: skip
        if finite:
            y = math.fsum(v for _, v in finite) / len(finite)
            ends.append(
                curve_names.End(curve.label, COLOURS[curve.framework], finite[-1][0] + 1, y)
            )
    ends += [curve_names.End("printed", INK, x, y) for x, y in cell.points[-1:]]
    return ends


def key(panels: Sequence[Panel], runs: str = "runs") -> str:
    """Says what the marks of the figure mean: of each mark that is drawn, and of no other."""
    return " ".join(_sentences(panels, runs))


def _sentences(panels: Sequence[Panel], runs: str) -> Iterable[str]:
    shown = [curve for panel in panels for curve in panel.curves]
    several = [curve for curve in shown if curve.runs]
    if any(panel.boundary for panel in panels):
        yield "Each phase of training has axes of its own."
    if any(curve.training for curve in shown):
        yield "Dotted: training."
    if several:
        whole = any(curve.values for curve in several)
        yield f"Band: from the lowest to the highest of the {runs}{'; line: their mean' * whole}."
    if any(curve.marks and not curve.runs for curve in shown):
        yield "Open mark: the selected epoch."
    if any(curve.marks for curve in several):
        yield f"Strokes above the axis: the epochs that the {runs} selected."
    if printed := sum(len(panel.points) for panel in panels):
        yield f"Diamond{'s' * (printed > 1)}: what the paper prints."
    if any(curve.epochs > MOST_POINTS for curve in shown):
        yield "Of long curves some epochs are left out, evenly."
