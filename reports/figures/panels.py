"""Draws curves over the epochs, in panels of one size: the line of a run, or the band that several
runs span, with their mean. Lengths are in points of 1/72 inch."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from reports.figures import curve_names, ticks
from reports.figures.drawing import Drawing, of_parts
from reports.figures.frame import ABOVE, LINE, Frame, axes
from reports.figures.kinds import DASHES, MARKERS
from reports.figures.shapes import Area, Line, Marks, Part, Place, Shape
from reports.figures.svg import COLOURS, INK, PAPER, WIDTH

ACROSS = 2  # panels side by side
TALL = 93.6  # of a panel
LEFT = 36  # what the numbers of a vertical axis take
BELOW, NAMED = 19.4, 15.8  # below each panel, and below the last for the word "epoch"
SPILL = 4  # what the last number of a horizontal axis may stand out on the right
MOST_POINTS = 150  # the most points of a curve; of longer ones points are left out evenly
DOTTED = (1, 1.5)
LARGEST = 1000  # the largest value for which an axis is linear: `LEFT` has room for its number
FEW = 12  # a curve of fewer epochs has a mark at each
BAND, BARE = 0.18, 0.4  # the opacity of a band with the runs' mean on it, and of one without


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


def together(
    framework: str,
    runs: list[list[float]],
    label: str = "",
    marks: tuple[int, ...] = (),
    *,
    whole: bool = True,
    training: bool = False,
) -> Curve:
    """Returns the curve of one run, or of several runs with their mean, epoch by epoch as far as
    all of them go; they have a mean if they are `whole`, so that none is missing."""
    if len(runs) == 1:
        return Curve(framework, runs[0], label, training, marks)
    epochs = zip(*runs, strict=False) if whole else ()
    means = [math.fsum(values) / len(values) for values in epochs]
    return Curve(framework, means, label, training, marks, tuple(runs))


@dataclass(frozen=True)
class Panel:
    """One quantity over the epochs; where training has two phases, each gets axes of its own."""

    title: str
    quantity: str
    curves: list[Curve]
    boundary: int = 0  # the epochs before phase 2; 0 if there is one phase
    points: tuple[tuple[float, float], ...] = ()  # what is printed, as (epoch, value)
    log: bool = False  # whether the vertical axis is logarithmic for values of any size

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
    return of_parts(name, description, *parts(panels), key(panels, runs), pdf=pdf)


def parts(panels: list[Panel]) -> tuple[float, list[Part]]:
    """Returns the figure's height, and a part for each panel and phase."""
    rows = [panel.phases() for panel in panels]
    phased = any(len(row) > 1 for row in rows)
    if not phased:
        every = [cell for row in rows for cell in row]
        rows = [every[i : i + ACROSS] for i in range(0, len(every), ACROSS)]
    cells = [cell for row in rows for cell in row]
    names = [curve.label for cell in cells for curve in cell.curves]
    names += ["printed"] * any(cell.points for cell in cells)
    room = curve_names.room(names)  # phase 1 has none: the names stand beside phase 2
    head = LINE * (2 if any(panel.title for panel in panels) else 1) + ABOVE
    pitch, beside = head + TALL + BELOW, max(room, 7.0)
    between = LEFT + (0 if phased else room)
    wide = (72 * WIDTH - LEFT - beside - between * (ACROSS - 1)) / ACROSS
    edges = [column * (wide + between) + SPILL for column in range(ACROSS)]
    edges = [0.0, *edges[1:], 72 * WIDTH]
    found = []
    for row, own in enumerate(rows):
        for column, cell in enumerate(own):
            lowest = all(len(below) <= column for below in rows[row + 1 :])
            left, top = column * (wide + between), row * pitch
            across = edges[column + 1] - edges[column]
            box = (edges[column], top, across, pitch + NAMED * lowest)
            limits, log = _axis([one for one in cells if one.quantity == cell.quantity])
            frame = Frame(left + LEFT, top + head, wide, TALL, _ends(cell), limits, log=log)
            found.append(Part(box, list(_shapes(cell, frame, named=lowest))))
    return len(rows) * pitch + NAMED, found


def _ends(cell: Panel) -> tuple[float, float]:
    last = max((curve.epochs for curve in cell.curves), default=1)
    margin = 0.03 * (last - 1) or 0.5
    return 1 - margin, last + margin


def _shapes(cell: Panel, frame: Frame, *, named: bool) -> Iterator[Shape]:
    """Yields all shapes of a panel; where it is `named`, the word "epoch" stands below it."""
    heading = [text for text in (cell.title, cell.quantity) if text]
    numbers = ticks.epochs(max((curve.epochs for curve in cell.curves), default=1))
    across = [(float(epoch), str(epoch)) for epoch in numbers]
    up = ticks.decades(*frame.limits) if frame.log else ticks.linear(*frame.limits)
    yield from axes(frame, heading, across, list(zip(*up, strict=True)))
    if named:
        yield frame.below("epoch", BELOW)
    for draw in (_band, _line, _selected):
        for curve in cell.curves:
            yield from draw(curve, frame)
    if cell.points:
        places = [frame.at(x, y) for x, y in cell.points]
        yield Marks(places, "D", 5, INK, "none", 1)
    yield from curve_names.ends(_names(cell), frame)


def _axis(cells: list[Panel]) -> tuple[tuple[float, float], bool]:
    """Returns the ends of an axis that these panels have in common, and whether it is logarithmic,
    as is that of a loss which left all bounds."""
    drawn = [v for cell in cells for curve in cell.curves for run in (curve.values, *curve.runs)
             for v in run]  # fmt: skip
    drawn += [y for cell in cells for _, y in cell.points]
    finite = [v for v in drawn if math.isfinite(v)]
    large = max(finite, default=0.0) > LARGEST and min(finite) > 0
    log = cells[0].log or large
    return ticks.limits(finite, log=log), log


def _steps(curve: Curve) -> int:
    return -(-curve.epochs // MOST_POINTS)


def _band(curve: Curve, frame: Frame) -> Iterator[Shape]:
    """Fills what lies between the lowest and the highest run, at each epoch or few epochs."""
    step = _steps(curve)
    low: list[Place] = []
    high: list[Place] = []
    for first in range(0, curve.epochs if curve.runs else 0, step):
        found = [v for run in curve.runs for v in run[first : first + step] if math.isfinite(v)]
        if found:
            low.append(frame.at(first + 1, min(found)))
            high.append(frame.at(first + 1, max(found)))
    if low:
        yield Area(
            [*low, *reversed(high)], COLOURS[curve.framework], BAND if curve.values else BARE
        )


def _line(curve: Curve, frame: Frame) -> Iterator[Shape]:
    step, last = _steps(curve), len(curve.values) - 1
    own = curve.marks if not curve.runs else ()
    keep = sorted({*range(0, last, step), last, *own}) if curve.values else []
    places = [frame.at(i + 1, curve.values[i]) for i in keep]
    colour = COLOURS[curve.framework]
    if places:
        yield Line(places, colour, 1.4, DOTTED if curve.training else DASHES[curve.framework])
    if 0 < len(keep) < FEW:
        shown = [place for place in places if math.isfinite(place[1])]
        yield Marks(shown, MARKERS[curve.framework], 4, colour)


def _selected(curve: Curve, frame: Frame) -> Iterator[Shape]:
    """Draws an open mark on the line of a single run, and of several runs strokes on the axis."""
    if not curve.marks:
        return
    colour = COLOURS[curve.framework]
    if curve.runs:
        up = 0.045 if curve.framework == "keras" else 0.125  # the twins' strokes in two rows
        y = frame.bottom - up * frame.tall
        yield Marks([(frame.across(mark + 1), y) for mark in curve.marks], "|", 5.5, colour, "", 1)
        return
    (mark,) = curve.marks
    place = frame.at(mark + 1, curve.values[mark])
    if math.isfinite(place[1]):
        yield Marks([place], MARKERS[curve.framework], 7, colour, PAPER, 1.6)


def _names(cell: Panel) -> list[curve_names.End]:
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
    shown = [curve for panel in panels for curve in panel.curves]
    several = [curve for curve in shown if curve.runs]
    mean = "; line: their mean" * any(curve.values for curve in several)
    printed = sum(len(panel.points) for panel in panels)
    sentences = {  # each, and whether it is said
        "Each phase of training has axes of its own.": any(panel.boundary for panel in panels),
        "Dotted: training.": any(curve.training and curve.values for curve in shown),
        f"Band: from the lowest to the highest of the {runs}{mean}.": several,
        "Open mark: the selected epoch.": any(one.marks and not one.runs for one in shown),
        f"Strokes above the axis: the epochs that the {runs} selected.": any(
            curve.marks for curve in several
        ),
        f"Diamond{'s' * (printed > 1)}: what the paper prints.": printed,
        "Of long curves some epochs are left out, evenly.": any(
            curve.epochs > MOST_POINTS for curve in shown
        ),
    }
    return " ".join(sentence for sentence, said in sentences.items() if said)
