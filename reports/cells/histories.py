"""The curves of a run's epochs, as arrays."""

import math

from reports.cells.planned_run import Slot


def column(slot: Slot, name: str) -> list[float]:
    """A column of the run's history, one value an epoch; accuracies in %."""
    scale = 100 if name.endswith("accuracy") else 1
    return [scale * row[name] for row in slot.stored.history]


def mean_curve(slots: list[Slot], name: str) -> list[float]:
    """The mean over runs, epoch by epoch as far as all of them go; a run that diverges makes its
    epochs NaN."""
    return _mean([column(slot, name) for slot in slots])


def _mean(columns: list[list[float]]) -> list[float]:
    return [math.fsum(values) / len(values) for values in zip(*columns, strict=False)]


def boundary(slot: Slot) -> int:
    """Epochs before phase 2; 0 where there is one phase."""
    phases = [row["phase"] for row in slot.stored.history]
    return 0 if len(set(phases)) == 1 else phases.index(max(phases))
