"""Computes the seconds that a cell's runs took, and tells what makes measured seconds doubtful."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from protocols.load import BUSY
from reports.cells.cell import Cell
from reports.cells.planned_run import Slot

WIDE = 2.0  # a 95th percentile of so many times the 5th says that something else ran meanwhile


def phase_means(cell: Cell) -> list[dict[str, Any]]:
    """Returns, for each phase, means over a whole cell's runs: the seconds, and the images a second
    (None where no image is trained on); and the seconds that an epoch trains."""
    runs, found = [s.stored.timings for s in cell.slots], []
    for phase in runs[0]["phases"]:
        same = [p for r in runs for p in r["phases"] if p["phase"] == phase["phase"]]
        sums = {
            name: sum(p.get(name) or 0.0 for p in same)
            for name in ("train_seconds", "eval_seconds", "images_per_second", "waiting_seconds")
        }
        means: dict[str, float | None] = {name: value / len(runs) for name, value in sums.items()}
        if not sum(p["images"] for p in same):
            means["images_per_second"] = None
        epoch = epoch_seconds(cell, phase["phase"])
        found.append({"phase": phase["phase"], "epoch": epoch} | means)
    return found


def epoch_seconds(cell: Cell, phase: int) -> dict[str, float]:
    """Returns the seconds that an epoch of a phase trains, over all epochs of all runs of a whole
    cell: the median, and as low and high the 5th and the 95th percentile."""
    rows = [row for slot in cell.slots for row in slot.stored.history if row["phase"] == phase]
    found = np.percentile([row["train_seconds"] for row in rows], [50, 5, 95])
    return dict(zip(("median", "low", "high"), map(float, found), strict=True))


def disturbed(timings: dict[str, Any], what: str) -> bool:
    """Tells whether the latency `what` was measured beside other work: other processes kept over
    BUSY cores busy, or its 95th percentile is over WIDE times its 5th."""
    busy = timings.get("load", {}).get("during") or 0.0
    return busy > BUSY or timings[what]["p95"] > WIDE * timings[what]["p5"]


def at_once(slots: Iterable[Slot]) -> str:
    """Says how many training runs the launches computed at a time, as "2 at a time"; "" for no
    runs."""
    found: set[int] = set()  # 0 stands for runs that don't tell
    for slot in slots:
        jobs = slot.stored.timings.get("jobs", 0) if slot.usable else []
        found |= {*jobs} if isinstance(jobs, list) else {jobs}
    known = sorted(found - {0})
    words = [" or ".join(map(str, known)) + " at a time"] if known else []
    if 0 in found:
        words.append("some not recorded" if known else "not recorded")
    return ", ".join(words)
