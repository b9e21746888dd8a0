"""Says how certain a cell's numbers are: gives their intervals and writes them."""

from collections.abc import Iterable

import numpy as np

from protocols.classes import CLASSES
from protocols.metrics import METRICS
from reports.cells.cell import Cell
from reports.statistics.intervals import Estimate, Interval, corrected_t

# The first of these that an estimate has stands beside its number.
METHODS = ("moderated", "bootstrap_t", "linearised")
WIDE = 0.2  # the cause stands beside an accuracy's interval that is wider
FEW = 10  # photographs: in a class that has fewer, one is more than a tenth of the class


def preferred_interval(estimate: Estimate) -> tuple[Interval, str]:
    """Returns the interval to show first and its method: the moderated one of an accuracy,
    bootstrap-t of another metric, and the linearised one where there is neither."""
    found = [(getattr(estimate, method), method) for method in METHODS]
    return next((one for one in found if not one[0].reason), found[-1])


def interval_words(interval: Interval, scale: float = 100, digits: int = 2) -> str:
    """Writes an interval as "80.12 to 87.95", or says why there is none."""
    if interval.low is None or interval.high is None:
        return interval.reason
    ends = (f"{scale * end:.{digits}f}".replace("-", "−") for end in (interval.low, interval.high))
    return " to ".join(ends)


def interval_text(metric: str, interval: Interval, printed: str = "") -> str:
    """Writes an interval as it stands beside a number of `metric`, or beside a claim with the unit
    `printed`; "" where there is none."""
    return "" if interval.reason else interval_words(interval, *_as_written(metric, printed))


def _as_written(metric: str, printed: str) -> tuple[int, int]:
    """Returns the scale and the digits with which a number of `metric` is written."""
    one = METRICS[metric]
    return (1, 4) if printed == "fraction" else (one.scale, one.digits)


def new_cells_note(cell: Cell | None, metric: str, at: str, printed: str = "") -> str:
    """Returns the small print under a measured number: its interval on new photographs, or "". It
    has the unit of the number, which beside a claim is the claim's, `printed`.

    The interval is of the metric over the images of all folds and seeds together. Where the number,
    a mean over them, is written otherwise (precision, F1), the one over all images stands there
    too.
    """
    found = cell.estimates.get(at, {}).get(metric) if cell else None
    text = interval_text(metric, preferred_interval(found)[0], printed) if found else ""
    if cell is None or found is None or not text:
        return ""
    scale, digits = _as_written(metric, printed)
    mean, value = cell.number(metric, at).value, f"{scale * found.value:.{digits}f}"
    if mean is None or f"{scale * mean:.{digits}f}" == value:
        return f"new cells: {text}"
    over = ["folds"] * (cell.folds > 1) + ["seeds"] * (len(cell.seeds) > 1)
    return f"new cells, all {' of all '.join(over)} together: {value} ({text})"


def wide_note(cells: Iterable[Cell]) -> str:
    """Writes why an accuracy's interval is wider than WIDE, as a sentence; "" where none is."""
    why = next(filter(None, map(why_wide, cells)), "")
    return why and f"An accuracy's interval is wider than {100 * WIDE:.0f} points because {why}."


def why_wide(cell: Cell) -> str:
    """Says why the interval of a cell's accuracy is wider than WIDE, by the photographs of the
    images that were tested; "" where it isn't, or no class has fewer than FEW photographs."""
    found = cell.estimates.get("selected", {}).get("accuracy")
    one = preferred_interval(found)[0] if found else Interval()
    if one.low is None or one.high is None or one.high - one.low <= WIDE:
        return ""
    sample = cell.sample()
    if sample is None:
        return ""
    shown, images = np.bincount(sample.strata), np.bincount(sample.clusters)
    few = [k for k, number in enumerate(shown) if 0 < number < FEW]
    if not few:
        return ""
    shares = [images[sample.strata == k].max() / images[sample.strata == k].sum() for k in few]
    names = ", ".join(f"{shown[k]} behind all {CLASSES[k].lower()}s" for k in few)
    return (
        f"few photographs stand behind the test images ({names}): one is up to "
        f"{100 * max(shares):.0f}% of its class, and new ones may be answered far worse"
    )


def over_folds(cell: Cell) -> Interval:
    """Returns the corrected interval of the accuracy over the folds of a cell's first seed. The
    cell is whole."""
    n_folds = cell.slots[0].spec.data["n_folds"]
    return corrected_t(fold_accuracies(cell), 1 / n_folds, (0.0, 1.0))


def fold_accuracies(cell: Cell) -> list[float]:
    """Returns the accuracy of each fold of a cell's first seed. The cell is whole."""
    slots = cell.of_seed(cell.seeds[0])
    return [slot.scored.scores["selected"]["accuracy"] for slot in slots]


def selection_means(cell: Cell) -> dict[str, float]:
    """Returns what choosing the epoch on the test part adds, as means over seeds and folds; empty
    where the cell isn't whole, or where another part chose."""
    found = [s.measured.selection for s in cell.slots if s.measured and s.measured.selection]
    if cell.lack or len(found) < len(cell.slots):
        return {}
    parts = ("selected", "last", "honest", "optimism")
    return {part: sum(getattr(s, part) for s in found) / len(found) for part in parts}
