"""Says how much a cell's numbers can bear: gives their intervals and writes them."""

from protocols.metrics import METRICS
from reports.cells.cell import Cell
from reports.statistics.intervals import Estimate, Interval, corrected_t, design_effect, wilson


def preferred_interval(estimate: Estimate) -> tuple[Interval, str]:
    """Returns the interval to show first and its method: bootstrap-t if there is one, else the
    linearised one."""
    if not estimate.bootstrap_t.reason:
        return estimate.bootstrap_t, "bootstrap_t"
    return estimate.linearised, "linearised"


def interval_words(interval: Interval, scale: float = 100, digits: int = 2) -> str:
    """Writes an interval as "80.12 to 87.95", or says why there is none."""
    if interval.low is None or interval.high is None:
        return interval.reason
    ends = (f"{scale * end:.{digits}f}".replace("-", "−") for end in (interval.low, interval.high))
    return " to ".join(ends)


def interval_text(metric: str, interval: Interval) -> str:
    """Writes an interval as it stands beside a number of `metric`; "" where there is none."""
    if interval.reason:
        return ""
    one = METRICS[metric]
    return interval_words(interval, one.scale, 3 if one.unit == "nat" else 2)


def new_cells_note(cell: Cell | None, metric: str, at: str) -> str:
    """Returns the small print under a measured number: its interval on new photographs, or ""."""
    found = cell.estimates.get(at, {}).get(metric) if cell else None
    text = interval_text(metric, preferred_interval(found)[0]) if found else ""
    return f"new cells: {text}" if text else ""


def naive(cell: Cell) -> Interval:
    """Returns Wilson's interval of a whole cell's accuracy, as if all images were independent; for
    an incomplete cell an interval that only says what is missing."""
    sample, seeds = cell.sample(), len(cell.seeds)
    if sample is None:
        return Interval(reason=cell.lack)
    return wilson(sample.hits / seeds, len(sample.labels) // seeds)


def as_good_as(cell: Cell) -> float | None:
    """Returns how many independent images would say as much as a whole cell's images do; None
    where that can't be estimated."""
    found = design_effect(cell.estimates["selected"]["accuracy"], cell.n)
    return found[1] if found else None


def over_folds(cell: Cell) -> Interval:
    """Returns the corrected interval of the accuracy over the folds of a cell's first seed. The
    cell is whole."""
    slots = cell.of_seed(cell.seeds[0])
    values = [slot.scored.scores["selected"]["accuracy"] for slot in slots]
    return corrected_t(values, 1 / slots[0].spec.data["n_folds"], (0.0, 1.0))


def selection_means(cell: Cell) -> dict[str, float]:
    """Returns what choosing the epoch on the test part adds, as means over seeds and folds; empty
    where the cell isn't whole, or where another part chose."""
    found = [s.measured.selection for s in cell.slots if s.measured and s.measured.selection]
    if cell.lack or len(found) < len(cell.slots):
        return {}
    parts = ("selected", "last", "honest", "optimism")
    return {part: sum(getattr(s, part) for s in found) / len(found) for part in parts}
