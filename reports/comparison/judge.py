"""Judges whether a change from A to B is more than noise; no other module does.

Noise is what another seed does. The mean over B's seeds is held against the 95% prediction interval
that both sides' seeds give for it: mean of A +- t(k + m - 2) s sqrt(1/k + 1/m), where A has k seeds
and B has m, and s is pooled within the sides. With m = 1 it is the interval of one more training
run, as in reports.judging.verdicts; with more it is Student's two-sample interval.
"""

from dataclasses import dataclass, replace

import numpy as np

from protocols.metrics import metric_of
from protocols.seeds import generator
from reports.cells.cell import Number
from reports.cells.planned_run import Measured
from reports.comparison.join import CellPair, Joined
from reports.judging.verdicts import MIN_SEEDS, WIDEST
from reports.statistics.between_seeds import LEVEL, TINY
from reports.statistics.comparisons import ALPHA, Difference, compare, holm
from reports.statistics.intervals import DRAWS, Sample

# the metrics, each with the widest half-width of agreement (a fraction, or nats)
MEASURES = {m: WIDEST[metric_of(m).unit] for m in ("accuracy", "log_loss", "f1_macro")}
IDENTICAL, WITHIN, MORE, UNDECIDED = WORDS = (
    "identical", "within noise", "more than noise", "undecided",
)  # fmt: skip


@dataclass(frozen=True)
class Change:
    """One measure of a network on both sides, and the word for its change."""

    a: Number
    b: Number
    word: str
    reason: str = ""
    half: float | None = None  # the half-width of the 95% interval around no change
    p: float | None = None  # the two-sided p-value of no change
    adjusted: float | None = None  # `p`, adjusted by Holm over all judged changes

    @property
    def gap(self) -> float | None:
        """The number of B less that of A; None unless both are there and finite."""
        a, b = self.a.value, self.b.value
        return None if a is None or b is None or a != a or b != b else b - a


@dataclass(frozen=True)
class Row:
    """One network in one twin: its word, the reason, and what they rest on."""

    cells: CellPair
    word: str
    reason: str
    changes: dict[str, Change]
    differences: dict[str, Difference]  # B less A on the common images; empty if there are none


def noise(a: list[float], b: list[float]) -> tuple[float, float] | None:
    """Returns the half-width of the interval around no change, and p; None if the seeds of neither
    side differ."""
    from scipy.stats import ttest_ind  # noqa: PLC0415 (slow import)

    if max(max(v) - min(v) for v in (a, b)) < TINY:
        return None
    found = ttest_ind(b, a)
    low, high = found.confidence_interval(LEVEL)
    return float(high - low) / 2, float(found.pvalue)


def rows(joined: Joined) -> list[Row]:
    """Judges every network that both sides have; the p-values are adjusted over all of them."""
    found = [(cells, {m: _change(cells, m) for m in MEASURES}) for cells in joined.training]
    tested = [change for _, changes in found for change in changes.values() if change.p is not None]
    adjusted = holm([change.p for change in tested])
    p_holm = {id(change): p for change, p in zip(tested, adjusted, strict=True)}
    made = []
    for cells, changes in found:
        judged = {m: _judged(c, p_holm.get(id(c)), MEASURES[m]) for m, c in changes.items()}
        made.append(Row(cells, *_word(cells, judged), judged, differences(cells)))
    return made


def _change(cells: CellPair, metric: str) -> Change:
    """Returns the change of a measure with the interval around no change, or with the reason why it
    can't be judged."""
    a, b = (cell.number(metric) for cell in (cells.a, cells.b))
    found = Change(a, b, UNDECIDED)
    if cells.identical:
        return replace(found, word=IDENTICAL)
    lacks = [f"{side}: {n.lack}" for side, n in zip("AB", (a, b), strict=True) if n.lack]
    k, m = len(a.by_seed), len(b.by_seed)
    reason = "; ".join(lacks)
    if not reason and found.gap is None:
        reason = "diverged"
    elif not reason and any(pair.order is None for pair in cells.pairs):
        reason = "not the same test images"
    elif not reason and max(k, m) < MIN_SEEDS:
        reason = f"seeds: {k} in A, {m} in B; one side needs {MIN_SEEDS}"
    spread = None if reason else noise(list(a.by_seed.values()), list(b.by_seed.values()))
    if spread is None:
        return replace(found, reason=reason or "the seeds do not differ")
    return replace(found, half=spread[0], p=spread[1])


def _judged(change: Change, adjusted: float | None, widest: float) -> Change:
    if change.half is None or change.p is None or adjusted is None:
        return change
    word, reason = UNDECIDED, "the interval is too wide"
    if adjusted < ALPHA:
        word, reason = MORE, "beyond the interval"
    elif change.p < ALPHA:
        reason = "beyond the interval, but not when adjusted for the number of comparisons"
    elif change.half <= widest:
        word, reason = WITHIN, "inside the interval"
    return replace(change, word=word, reason=reason, adjusted=adjusted)


def _word(cells: CellPair, changes: dict[str, Change]) -> tuple[str, str]:
    """Returns a network's word and the reason: those of its accuracy, unless another measure
    changed by more than noise, or every stored bit is the same."""
    if cells.identical:
        return IDENTICAL, "every stored probability has the same bits"
    beyond = [metric_of(m).heading for m, change in changes.items() if change.word == MORE]
    more = [text.partition(",")[0] for text in beyond]
    if more:
        return MORE, ", ".join(more)
    accuracy = changes["accuracy"]
    same = sum(pair.identical for pair in cells.pairs)
    also = f"; {same} of {len(cells.pairs)} common runs have the same bits" if same else ""
    return accuracy.word, accuracy.reason + also


def differences(cells: CellPair) -> dict[str, Difference]:
    """Returns by metric B less A on the images of the common seeds, with photographs resampled for
    both sides alike; nothing where there are no common seeds or the images differ."""
    a, b = [], []
    for pair in cells.common:
        if pair.order is None:
            return {}
        a.append((pair.a.scored, np.arange(pair.n)))
        b.append((pair.b.scored, pair.order))
    return compare(_sample(b), _sample(a), generator(0, "interval"), DRAWS, MEASURES) if a else {}


def _sample(runs: list[tuple[Measured, np.ndarray]]) -> Sample:
    """Returns the test images of several runs, each run's in the order that stands beside it."""
    return Sample.of(
        np.concatenate([m.labels[order] for m, order in runs]),
        np.concatenate([m.selected[order] for m, order in runs]),
        np.concatenate([np.array(m.groups)[order] for m, order in runs]),
    )
