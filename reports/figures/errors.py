"""Draws reliability diagrams, and the accuracy photograph by photograph."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from reports.cells.answers import Share, name_of
from reports.figures import ticks
from reports.figures.drawing import Drawing, of_parts
from reports.figures.frame import ABOVE, LINE, SIZE, Frame, axes
from reports.figures.kinds import DASHES, MARKERS
from reports.figures.shapes import MIDDLE, Line, Marks, Part, Place, Shape, Word
from reports.figures.svg import AXIS, COLOURS, PAPER, WIDTH
from reports.statistics.reliability import BINS, Reliability
from reports.tables.formats import NAMES

NARROWEST = 0.3  # the width of the narrowest panel, as a share of the widest one's
# Lengths are in points.
LEFT, BETWEEN, RIGHT = 36, 14, 7  # left of the first panel, between panels, right of the last
SQUARE, LOW = 116, 104  # how tall the panels of the two figures are
HEAD = LINE + ABOVE
UNDER, LEGEND = 19, 22  # from a panel to the words below it, and to the names of the twins
FIFTHS = [(place / 5, f"{place / 5:.1f}") for place in range(6)]
PERCENT = [(float(place), str(place)) for place in range(0, 101, 20)]


def reliability(name: str, network: str, curves: dict[str, Reliability]) -> Drawing:
    """Draws, for each twin, the accuracy over the probability of the predicted class, bin by bin,
    and the share of images in each bin."""
    wide = 36 * WIDTH - LEFT - RIGHT
    shares = {f: 100 * one.images / one.images.sum() for f, one in curves.items()}
    most = max((float(share.max()) for share in shares.values()), default=1.0)
    left = Frame(LEFT, HEAD, wide, SQUARE, (0, 1.02), (-0.02, 1.04))
    ends = (-0.03 * most, 1.05 * most)
    right = Frame(36 * WIDTH + LEFT, HEAD, wide, SQUARE, (0, 1.02), ends)
    first = [*axes(left, ["share predicted rightly; dotted: as sure as right"], FIFTHS, FIFTHS),
             Line([left.at(0, 0), left.at(1, 1)], AXIS, 0.8, (1, 1.65))]  # fmt: skip
    up = list(zip(*ticks.linear(*ends), strict=True))
    second = [*axes(right, ["images, %"], FIFTHS, up)]
    middle = (np.arange(BINS) + 0.5) / BINS
    for framework, one in curves.items():
        there = one.images > 0
        first += _dotted(framework, left, one.confidence[there], one.accuracy[there])
        second += _dotted(framework, right, middle, shares[framework])
    under = "probability of the predicted class"
    legend = {
        f: f"{NAMES[f]}, calibration error {100 * one.error:.1f} points"
        for f, one in curves.items()
    }
    first.append(left.below(under, UNDER))
    first += _legend(LEFT, left.bottom + UNDER + LEGEND, legend, PAPER)
    second.append(right.below(under, UNDER))
    said = "; ".join(
        f"{NAMES[f]}: expected calibration error {100 * c.error:.1f} points"
        for f, c in curves.items()
    )
    description = f"{network}: accuracy by predicted probability. {said}"
    height = left.bottom + UNDER + LEGEND + LINE * len(curves)
    half = 36 * WIDTH
    parts = [Part((0, 0, half, height), first), Part((half, 0, half, height), second)]
    return of_parts(name, description, height, parts, "", pdf=True)


def _dotted(framework: str, frame: Frame, x: Iterable[float], y: Iterable[float]) -> list[Shape]:
    """Returns a twin's line with a mark at each of its places."""
    places = [frame.at(float(a), float(b)) for a, b in zip(x, y, strict=True)]
    return [
        Line(places, COLOURS[framework], 1.4, DASHES[framework]),
        _marks(framework, places, PAPER),
    ]


def _marks(
    framework: str, places: Sequence[Place], hollow: str, titles: Sequence[str] = ()
) -> Marks:
    fill = COLOURS[framework] if framework == "keras" else hollow
    return Marks(places, MARKERS[framework], 4, COLOURS[framework], fill, 1, titles)


def _legend(x: float, y: float, words: dict[str, str], hollow: str) -> Iterator[Shape]:
    """Yields the twins' marks with their words, line below line from the place on."""
    for line, (framework, text) in enumerate(words.items()):
        middle = y + LINE * line
        yield _marks(framework, [(x + 2, middle)], hollow)
        yield Word(text, (x + 8, middle + MIDDLE * SIZE), size=SIZE)


def by_photograph(name: str, network: str, classes: dict[str, list[Share]]) -> Drawing:
    """Draws a dot for each photograph and twin, in a panel for each class, from the hardest
    photograph to the easiest."""
    counts = [len(shares) for shares in classes.values()]
    widths = [max(count, NARROWEST * max(counts), 1) for count in counts]
    room = 72 * WIDTH - LEFT - RIGHT - BETWEEN * (len(counts) - 1)
    twins = next((list(shares[0].of) for shares in classes.values() if shares), [])
    shapes: list[Shape] = []
    left, top = float(LEFT), HEAD + LINE
    frames: list[Frame] = []
    for width, count, (heading, shares) in zip(widths, counts, classes.items(), strict=True):
        frame = Frame(left, top, room * width / sum(widths), LOW, (0, max(count, 1) + 1), (-4, 104))
        first = ["accuracy, %"] * (not frames)
        shapes += axes(frame, [*first, f"{heading.lower()}, {count}"], [], PERCENT * (not frames))
        shapes.append(frame.below("photographs", 4))
        for framework in twins:
            places = [frame.at(i + 1, 100 * share.of[framework]) for i, share in enumerate(shares)]
            titles = [_named(share, framework) for share in shares]
            shapes.append(_marks(framework, places, "none", titles))
        frames.append(frame)
        left = frame.right + BETWEEN
    legend = {framework: NAMES[framework] for framework in twins}
    shapes += _legend(LEFT, top + LOW + LEGEND, legend, "none")
    height = top + LOW + LEGEND + LINE * len(twins)
    part = Part((0, 0, 72 * WIDTH, height), shapes)
    return of_parts(name, _said(network, twins, classes), height, [part], "", pdf=True)


def _named(share: Share, framework: str) -> str:
    value = f"{100 * share.of[framework]:.0f} %"
    return f"photograph {name_of(share.photograph)}, {NAMES[framework]}: {value}"


def _said(network: str, twins: list[str], classes: dict[str, list[Share]]) -> str:
    shares = [share for some in classes.values() for share in some]
    hard = "; ".join(
        f"{NAMES[f]} is right on less than half of the images of "
        f"{sum(share.of[f] < 0.5 for share in shares)}"
        for f in twins
    )
    return f"{network}: accuracy on each of {len(shares)} photographs, by class and twin. {hard}"
