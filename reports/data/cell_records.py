"""Makes what stands beside a cell's means in results.json: confusion matrices, times, calibration
and photographs."""

import dataclasses
from typing import Any

import numpy as np

from protocols.classes import CLASSES
from reports.cells.answers import Answers, answers
from reports.cells.answers import photographs as photographs_of
from reports.cells.cell import Cell
from reports.cells.times import phase_means
from reports.judging.uncertainty import over_folds, preferred_interval, selection_means
from reports.statistics.intervals import independent_images, wilson
from reports.statistics.reliability import reliability


def of_cell(cell: Cell) -> dict[str, Any]:
    """Returns what stands beside a cell's means. A cell that isn't whole has only the confusion
    matrices of those of its seeds that are whole."""
    confusion = {
        str(seed): np.sum([s.scored.confusion for s in cell.of_seed(seed)], axis=0).tolist()
        for seed in cell.seeds
        if cell.whole(seed)
    }
    found: dict[str, Any] = {"confusion": confusion}
    sample, said = cell.sample(), answers(cell)
    if sample is not None:
        seeds = len(cell.seeds)  # all of them test the same images
        naive = wilson(sample.hits / seeds, len(sample.labels) // seeds)
        found |= {"naive": dataclasses.asdict(naive), "clusters": len(sample.strata)}
        one = cell.estimates["selected"]["accuracy"]
        found["as_good_as"] = independent_images(one.value, preferred_interval(one)[0])
        found["selection"] = selection_means(cell) or None
        seconds = [s.stored.timings["total_seconds"] for s in cell.slots]
        mean = sum(seconds) / len(seconds)
        found["times"] = {"phases": phase_means(cell), "total_seconds": mean}
        found["over_folds"] = dataclasses.asdict(over_folds(cell)) if cell.folds > 1 else None
    if said is not None:
        believed = reliability(said.labels, said.probabilities)
        found["calibration"] = {"error": believed.error, "excess": believed.excess}
        found["photographs"] = photographs(said)
    return found


def photographs(said: Answers) -> dict[str, dict[str, Any]]:
    """Returns by photograph its class, how many tests show it, and how many of them are right."""
    shown = photographs_of(said.ids)
    names, first, place = np.unique(shown, return_index=True, return_inverse=True)
    counts = zip(names, said.labels[first], np.bincount(place), np.bincount(place, said.right),
                 strict=True)  # fmt: skip
    return {
        str(name): {"class": CLASSES[label].lower(), "tests": int(tests), "right": int(right)}
        for name, label, tests, right in counts
    }
