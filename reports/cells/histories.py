"""Gives the curves over a run's epochs, as lists of one value an epoch."""

import math

from reports.cells.planned_run import Slot


def column(slot: Slot, name: str) -> list[float]:
    """Returns a column of the run's history, one value an epoch; accuracies are in %."""
    scale = 100 if name.endswith("accuracy") else 1
    return [scale * row[name] for row in slot.stored.history]


def mean_of(columns: list[list[float]]) -> list[float]:
    """Returns the mean of several curves, epoch by epoch as far as all of them go; it isn't finite
    where a curve isn't."""
    return [math.fsum(values) / len(values) for values in zip(*columns, strict=False)]


def boundary(slot: Slot) -> int:
    """Returns the number of epochs before phase 2; 0 where there is one phase."""
    phases = [row["phase"] for row in slot.stored.history]
    return 0 if len(set(phases)) == 1 else phases.index(max(phases))
