"""Writes names at the ends of curves, in place of a legend."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from reports.figures.frame import Frame
from reports.figures.shapes import MIDDLE, Line, Shape, Word

# Lengths are in points.
SIZE = 8
LETTER = 4.75  # a letter's width at that size; most letters are narrower
LEAST = 11  # between two lines of words
START, BEND, GAP = 3.6, 12.2, 2.2  # from the panel to a leader's bend; to the words; between


class End(NamedTuple):
    """A name, its colour, and the point of the panel that it belongs to."""

    text: str
    colour: str
    x: float
    y: float


def room(texts: list[str]) -> float:
    """Returns what the words need beside a panel; 0 where there are none."""
    longest = max((len(text) for text in texts), default=0)
    return BEND + LETTER * longest if longest else 0


def spread(wanted: list[float], least: float, low: float, high: float) -> list[float]:
    """Returns places between `low` and `high` that are at least `least` apart, in the order of the
    wanted places and close to them. Places that don't fit stand above `high`."""
    from scipy.optimize import isotonic_regression  # noqa: PLC0415 (slow import)

    order = np.argsort(wanted, kind="stable")
    steps = least * np.arange(len(wanted))  # without them the places only have to rise
    bare = np.array(wanted)[order] - steps
    rising = isotonic_regression(bare).x.clip(max=high - least * (len(wanted) - 1)).clip(low)
    found = np.array(wanted)
    found[order] += rising - bare  # what is far from others stays exactly where it is
    return found.tolist()


def ends(names: list[End], frame: Frame) -> Iterator[Shape]:
    """Writes each name to the right of its panel, with a leader in its colour from its point. A
    name that occurs twice is written once, for the first point."""
    named: dict[str, End] = {}
    for end in names:
        if end.text and math.isfinite(end.y):
            named.setdefault(end.text, end)
    points = [frame.at(end.x, end.y) for end in named.values()]
    # from below to above, so that names that don't fit stand above the panel
    places = spread([frame.bottom - y for _, y in points], LEAST, 0, frame.tall)
    for end, (x, y), up in zip(named.values(), points, places, strict=True):
        beside = frame.bottom - up
        way = [(x, y), (frame.right + START, y), (frame.right + BEND - GAP, beside)]
        yield Line(way, end.colour, 0.6, opacity=0.7)
        yield Word(end.text, (frame.right + BEND, beside + MIDDLE * SIZE), size=SIZE)
