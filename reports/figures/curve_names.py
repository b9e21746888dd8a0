"""Writes names at the ends of curves, in place of a legend."""

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = 8  # points
LETTER = 0.066  # the inches of a letter's width at that size; most letters are narrower
LEAST = 11 / 72  # the inches between two lines of words
START, BEND = 0.05, 0.17  # the inches from the panel to a leader's bend, and to the words


class End(NamedTuple):
    """A name, its colour, and the point of the panel that it belongs to."""

    text: str
    colour: str
    x: float
    y: float


def room(texts: list[str]) -> float:
    """Returns the inches that the words need beside a panel; 0 where there are none."""
    longest = max((len(text) for text in texts), default=0)
    return BEND + LETTER * longest if longest else 0


def spread(wanted: list[float], least: float, low: float, high: float) -> list[float]:
    """Returns places between `low` and `high` that are at least `least` apart, in the order of the
    wanted places and close to them. Places that don't fit stand above `high`."""
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    blocks: list[tuple[float, int]] = []  # for each its centre, and how many places it has
    for i in order:
        blocks.append((wanted[i], 1))
        while len(blocks) > 1 and _top(blocks[-2], least) + least > _bottom(blocks[-1], least):
            (a, m), (b, n) = blocks[-2:]
            blocks[-2:] = [((a * m + b * n) / (m + n), m + n)]
    places = [
        centre + (k - (count - 1) / 2) * least for centre, count in blocks for k in range(count)
    ]
    places = _pushed([-place for place in reversed(places)], least, -high)
    places = _pushed([-place for place in reversed(places)], least, low)
    found = [0.0] * len(wanted)
    for i, place in zip(order, places, strict=True):
        found[i] = place
    return found


def _pushed(places: list[float], least: float, low: float) -> list[float]:
    """Returns rising places, none below `low`, and each at least `least` above the one before."""
    found: list[float] = []
    for place in places:
        found.append(max(place, found[-1] + least if found else low))
    return found


def _top(block: tuple[float, int], least: float) -> float:
    return block[0] + (block[1] - 1) / 2 * least


def _bottom(block: tuple[float, int], least: float) -> float:
    return block[0] - (block[1] - 1) / 2 * least


def ends(figure: "Figure", ax: "Axes", names: list[End], ink: str) -> None:
    """Writes each name to the right of the panel, with a leader in its colour from its point. A
    name that occurs twice is written once, for the first point."""
    named: dict[str, End] = {}
    for end in names:
        if end.text and math.isfinite(end.y):
            named.setdefault(end.text, end)
    if not named:
        return
    box = ax.get_position()
    width, height = figure.get_size_inches() * (box.width, box.height)
    to_axes = ax.transData + ax.transAxes.inverted()
    points = [to_axes.transform((end.x, end.y)) for end in named.values()]
    places = spread([float(y) for _, y in points], LEAST / height, 0, 1)
    for end, (x, y), place in zip(named.values(), points, places, strict=True):
        ax.plot(
            [x, 1 + START / width, 1 + BEND / width - 0.03 / width], [y, y, place],
            transform=ax.transAxes, clip_on=False, color=end.colour, linewidth=0.6, alpha=0.7,
        )  # fmt: skip
        ax.text(
            1 + BEND / width, place, end.text, transform=ax.transAxes, va="center", fontsize=SIZE,
            color=ink,
        )  # fmt: skip
