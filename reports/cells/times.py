"""Computes the seconds that a cell's runs took."""

from reports.cells.cell import Cell


def phase_means(cell: Cell) -> list[dict[str, float | None]]:
    """Returns, for each phase, means over a whole cell's runs: the seconds, and the images a second
    (None where no image is trained on)."""
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
        found.append({"phase": phase["phase"]} | means)
    return found


def total_seconds(cell: Cell) -> float:
    """Returns the mean of the seconds that a run took, over all runs of a whole cell."""
    return sum(s.stored.timings["total_seconds"] for s in cell.slots) / len(cell.slots)
