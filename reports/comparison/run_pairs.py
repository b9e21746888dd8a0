"""Pairs two finished runs of one experiment, and holds their predictions against each other."""

from dataclasses import dataclass

import numpy as np

from reports.cells.planned_run import Slot

# The arrays of every epoch's answers, which earlier runs store in another form than today's: where
# only one side has such an array, its bits aren't compared.
EVERY_EPOCH = {f"{part}{name}" for part in ("", "validation_") for name in ("epochs", "log_epochs")}


@dataclass(frozen=True)
class RunPair:
    """The two runs of one experiment that is finished on both sides."""

    a: Slot
    b: Slot
    identical: bool = False  # every probability that both store has the same bits (training runs)
    order: np.ndarray | None = None  # b's rows in the order of a's images, int (n,), or None
    apart: float | None = None  # the largest difference of a selected epoch's probability, or None

    @property
    def key(self) -> str:
        """The pair's id in compare.json and on the page."""
        return f"{self.a.spec.id}={self.b.spec.id}"

    @property
    def n(self) -> int:
        """The number of test images that each of the two training runs has."""
        return self.a.scored.n

    @property
    def agree(self) -> float | None:
        """The share of test images to which both selected epochs give one class; None where the
        images differ."""
        return None if self.otherwise is None else (self.n - self.otherwise) / self.n

    @property
    def otherwise(self) -> int | None:
        """The number of test images that get another class on the other side; None where the images
        differ."""
        if self.order is None:
            return None
        one, two = (slot.scored.selected.argmax(axis=1) for slot in (self.a, self.b))
        return int((one != two[self.order]).sum())


def pair_of(a: Slot, b: Slot) -> RunPair:
    """Pairs two runs; the predictions of training runs are read and held against each other."""
    if a.spec.stage != "train":
        return RunPair(a, b)
    files = [slot.stored.record["files"]["predictions.npz"]["sha256"] for slot in (a, b)]
    if files[0] == files[1]:
        return RunPair(a, b, True, np.arange(a.scored.n), 0.0)
    one, two = a.stored.predictions, b.stored.predictions
    both = one.keys() & two.keys()
    same = one.keys() ^ two.keys() <= EVERY_EPOCH and all(
        one[k].dtype == two[k].dtype and one[k].tobytes() == two[k].tobytes() for k in both
    )
    rows = [np.argsort(x["ids"], kind="stable") for x in (one, two)]
    order = None
    if all(np.array_equal(one[k][rows[0]], two[k][rows[1]]) for k in ("ids", "labels")):
        order = rows[1][np.argsort(rows[0])]
    return RunPair(a, b, same, order, _apart(one["selected"], two["selected"], order))


def _apart(one: np.ndarray, two: np.ndarray, order: np.ndarray | None) -> float | None:
    """Returns the largest difference between two arrays of probabilities, float (n, 4); None where
    the images differ or a probability isn't finite."""
    if order is None:
        return None
    gaps = np.abs(one.astype(np.float64) - two[order])
    return float(gaps.max()) if np.isfinite(gaps).all() else None


def apart_text(pairs: list[RunPair]) -> str:
    """Says how far the probabilities of both sides are apart, over the pairs of which that is
    known; returns "" where it is known of none."""
    known = [(p.apart, p.otherwise or 0, p.n) for p in pairs if p.apart is not None]
    if not known:
        return ""
    apart, others, images = zip(*known, strict=True)
    largest, count, n = max(apart), sum(others), sum(images)
    return f"selected epochs at most {largest:.2g} apart, {count:,} of {n:,} answers differ"
