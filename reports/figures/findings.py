"""Draws the small pictures beside the three findings of the first page."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.figures.drawing import Drawing, drawn
from reports.figures.kinds import MARKERS
from reports.figures.svg import AXIS, COLOURS, INK, PAPER, WARN, draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 3.5  # the inches of a picture that stands in a third of the page
MARK_NAMES = {"keras": "circle", "torch": "square"}
LETTER = 0.075  # the inches that a letter of a row's name takes


@dataclass(frozen=True)
class Reached:
    """The accuracy, in %, that is printed of a network, and that of each twin that was trained,
    with the ends of its interval, which are the accuracy itself where there is none."""

    network: str
    printed: float
    measured: dict[str, tuple[float, float, float]]  # accuracy, low, high


def reached(rows: list[Reached]) -> Drawing:
    """Draws each network's printed accuracy as a diamond, and the twins' as their marks, on lines
    from end to end of their intervals."""
    figure, ax = _small(0.56 + 0.3 * len(rows), [row.network for row in rows], 0.5)
    for place, row in enumerate(rows):
        apart = 0.16 * (len(row.measured) - 1)
        for number, (framework, (value, *ends)) in enumerate(row.measured.items()):
            y, colour = place + apart * (2 * number - 1), COLOURS[framework]
            ax.plot(ends, [y, y], color=colour, linewidth=1)
            ax.plot(value, y, MARKERS[framework], color=colour, markersize=5.5)
        ax.plot(row.printed, place, "D", color=INK, markerfacecolor=PAPER, markersize=5)
    values = [v for row in rows for found in row.measured.values() for v in (row.printed, *found)]
    ax.set_xlim(5 * ((min(values) - 1) // 5), 102)  # the number 100 needs room
    ax.set_xlabel("accuracy, %")
    ax.grid(axis="y", color=AXIS, linewidth=0.3, alpha=0.5)
    return drawn(figure, "finding-reached", _said(rows))


def _said(rows: list[Reached]) -> str:
    """Writes the picture's numbers for those who don't see it."""
    said = []
    for row in rows:
        found = ", ".join(f"{name} {value:.2f}%" for name, (value, *_) in row.measured.items())
        said.append(f"{row.network}: printed {row.printed:.2f}%, {found}")
    return f"Accuracy, printed and measured. {'; '.join(said)}."


def photographs(images: dict[str, list[int]]) -> Drawing:
    """Draws a bar for each class, a block for each of its photographs, as wide as the number of
    images that were made of it."""
    figure, ax = _small(0.2 + 0.3 * len(images), list(images))
    longest = max(map(sum, images.values()))
    for place, counts in enumerate(images.values()):
        left = 0
        for count in counts:
            ax.barh(place, count, 0.7, left, facecolor=AXIS, edgecolor=PAPER, linewidth=1.2)
            left += count
        ax.text(1.02 * longest, place, str(len(counts)), va="center", fontsize=9)
    ax.set_xlim(0, 1.12 * longest)
    ax.xaxis.set_visible(False)
    ax.spines[:].set_visible(False)
    counted = ", ".join(f"{name} {len(counts)}" for name, counts in images.items())
    return drawn(figure, "finding-photographs", f"Photographs behind the test images: {counted}.")


def shares(bars: dict[str, float]) -> Drawing:
    """Draws each share as a bar that is filled to its fraction, its words above it."""
    figure, ax = _small(0.2 + 0.46 * len(bars), [])
    for place, (words, fraction) in enumerate(bars.items()):
        ax.barh(place, 1, 0.34, facecolor="none", edgecolor=AXIS, linewidth=0.7)
        ax.barh(place, fraction, 0.34, facecolor=WARN, edgecolor=WARN, linewidth=0.7)
        ax.text(0, place - 0.28, words, va="bottom", fontsize=9)
    ax.set_ylim(len(bars) - 0.7, -0.75)
    ax.set_xlim(0, 1)
    ax.set_axis_off()
    return drawn(figure, "finding-shares", f"{'; '.join(bars)}.")


def _small(height: float, names: list[str], below: float = 0.06) -> tuple["Figure", "Axes"]:
    """Makes a figure with one row for each name, from top to bottom; `below` is the inches that the
    horizontal axis takes."""
    left = 0.12 + LETTER * max(map(len, names), default=0)
    figure, (ax,) = draw(height, 1, left, below, top=0.06, width=WIDTH)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(max(len(names), 1) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    return figure, ax
