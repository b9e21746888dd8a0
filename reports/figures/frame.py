"""Places values in a panel, and draws the panel's axes. Lengths are in points of 1/72 inch."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reports.figures.shapes import MIDDLE, Line, Place, Shape, Word
from reports.figures.svg import AXIS

SIZE = 9  # of the words
LINE, ABOVE = 11.2, 5.2  # of a heading's line, and between it and the panel
PAD = 5  # between an axis and its numbers


@dataclass(frozen=True)
class Frame:
    """Where a panel stands in its figure, and what the ends of its axes mean."""

    left: float
    top: float
    wide: float
    tall: float
    ends: tuple[float, float]  # the horizontal axis's
    limits: tuple[float, float]  # the vertical axis's
    log: bool = False  # whether the vertical axis is logarithmic

    @property
    def right(self) -> float:
        """The place of the panel's right side."""
        return self.left + self.wide

    @property
    def bottom(self) -> float:
        """The place of the panel's lower side."""
        return self.top + self.tall

    def at(self, x: float, y: float) -> Place:
        """Returns the place of a value; it isn't finite where the value can't stand on the axis."""
        return self.across(x), self.down(y)

    def across(self, x: float) -> float:
        """Returns how far to the right a value stands."""
        first, last = self.ends
        return self.left + self.wide * (x - first) / (last - first)

    def down(self, y: float) -> float:
        """Returns how far down a value stands."""
        if self.log:
            y, low, high = (math.log10(v) if v > 0 else math.nan for v in (y, *self.limits))
        else:
            low, high = self.limits
        return self.top + self.tall * (high - y) / (high - low) if math.isfinite(y) else math.nan

    def below(self, text: str, down: float) -> Word:
        """Returns a word in the middle, so far below the panel."""
        place = (self.left + self.wide / 2, self.bottom + down + 2 * MIDDLE * SIZE)
        return Word(text, place, "middle", SIZE)


def axes(
    frame: Frame,
    heading: Sequence[str],
    across: Sequence[tuple[float, str]],
    up: Sequence[tuple[float, str]],
) -> Iterator[Shape]:
    """Yields the lines of both axes, the heading above them, and the numbers along them, each with
    its place."""
    corner = (frame.left, frame.bottom)
    yield Line([(frame.left, frame.top), corner, (frame.right, frame.bottom)], AXIS, 0.7)
    for line, text in enumerate(reversed(heading)):
        yield Word(text, (frame.left, frame.top - ABOVE - line * LINE), size=SIZE)
    middle = MIDDLE * SIZE
    for value, text in across:
        place = (frame.across(value), frame.bottom + PAD + 2 * middle)
        yield Word(text, place, "middle", SIZE)
    for value, text in up:
        yield Word(text, (frame.left - PAD, frame.down(value) + middle), "end", SIZE)
