"""Tells whether the content of a checkpoint can be from the course of given runs."""

import math
from typing import Any

import numpy as np

from protocols.classes import CLASSES
from protocols.images.pool import Pool
from protocols.runs.checkpoint import layout_difference, layout_of, not_finite
from protocols.runs.record import HISTORY
from protocols.runs.twin import Twin
from protocols.spec import RunSpec

LOSSES = ("train_loss", "penalty", "eval_loss")


def doubt(
    specs: list[RunSpec],
    pool: Pool,
    twin: Twin,
    timings: dict[str, Any],
    arrays: dict[str, np.ndarray],
    meta: dict[str, Any],
) -> str:
    """Tells why the runs can't go on from `arrays` and `meta` (of course.Course.save), or gives "".

    They can if the place is in the schedule, the history has the epochs until this place, the times
    have the names in `timings` (those of a new run), and every array has the name, dtype and shape
    that the twin would write at this place. A run that diverged has losses that are not finite, and
    its arrays may hold anything; as long as every loss is finite, so is every array. Damaged
    content may raise any exception.
    """
    at, rows, phases = meta["at"], meta["rows"], specs[0].phases
    n, size = len(pool.train[0]), specs[0].recipe["batch_size"]
    if not (1 <= at["phase"] <= len(phases)):
        return f"there is no phase {at['phase']}"
    phase = phases[at["phase"] - 1]
    steps, answered = math.ceil(n / size), at.get("answered", 0)
    if not (1 <= at["epoch"] <= phase["epochs"] and 0 <= at["step"] <= steps):
        return f"there is no epoch {at['epoch']} with a step {at['step']} in phase {at['phase']}"
    places = [(p["phase"], epoch + 1) for p in phases for epoch in range(p["epochs"])]
    done = places[: places.index((at["phase"], at["epoch"]))]
    if answered and at["step"] < steps:
        return "there are answers before the last step of the epoch"
    if meta["timings"].keys() != timings.keys():
        return "its times aren't those of a run"
    if len(rows) != len(specs) or any(_unlike_history(found, done) for found in rows):
        return "the history isn't that of its epochs"
    stepped = (at["epoch"], at["step"]) != (1, 0)
    expected = dict(twin.layout(phase, stepped))
    real = "float64" if specs[0].precision == "float64" else "float32"
    if at["step"]:
        expected["figures"] = real, (at["step"], len(specs), 2)
    for i, part in enumerate(pool.evaluated):
        if answered:
            expected[f"answers/{i}"] = real, (min(answered, len(part)), len(CLASSES))
        if done:
            expected[f"epochs/{i}"] = "float32", (len(done), len(part), len(CLASSES))
    figures = arrays.get("figures", np.zeros(0))
    whole = np.isfinite(figures).all() and all(
        math.isfinite(row[name]) for found in rows for row in found for name in LOSSES
    )
    return layout_difference(layout_of(arrays), expected) or (not_finite(arrays) if whole else "")


def _unlike_history(rows: list[dict[str, Any]], places: list[tuple[int, int]]) -> bool:
    """Tells whether `rows` are not those of a history with the phases and epochs `places`."""
    names = all(set(row) == set(HISTORY) for row in rows)
    return not names or [(row["phase"], row["epoch"]) for row in rows] != places
