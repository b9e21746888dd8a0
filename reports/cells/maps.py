"""Gives what runs recorded of what the networks look at."""

import numpy as np

from protocols.spec import FRAMEWORKS
from reports.cells.cell import Group


def recorded(group: Group, variant: str) -> dict[str, dict[str, np.ndarray]]:
    """Returns, by twin, the arrays of activations.npz from the first run of the first seed.
    Twins without such a file are left out."""
    found = {}
    for framework, cell in zip(FRAMEWORKS, group.twins(variant), strict=True):
        slots = [s for s in cell.of_seed(cell.seeds[0]) if s.usable] if cell else []
        arrays = slots[0].stored.activations if slots else None
        if arrays is not None:
            found[framework] = arrays
    return found
