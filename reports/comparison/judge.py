"""What changed from A to B, and whether it is more than noise. Nothing else judges that.

Noise is what another seed does. The mean over B's seeds is held against the 95% prediction interval
that both sides' seeds give for it: mean of A +- t(k + m - 2) s sqrt(1/k + 1/m), s pooled within the
sides, k and m seeds. With m = 1 it is the interval of one more training run, as in
reports.judging.verdicts; with more it is Student's two-sample interval.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np

from protocols.metrics import metric_of
from protocols.seeds import generator
from reports.cells.cell import Number
from reports.cells.planned_run import Measured
from reports.comparison.join import Both, Joined, Pair
from reports.judging.verdicts import MIN_SEEDS, WIDEST
from reports.statistics.between_seeds import LEVEL
from reports.statistics.comparisons import ALPHA, Difference, compare, holm
from reports.statistics.intervals import DRAWS, TINY, Sample

# metric, heading, widest half-width of agreement (as a fraction, or nats)
MEASURES = tuple(
    (one.name, one.heading, WIDEST[one.unit])
    for one in map(metric_of, ("accuracy", "log_loss", "f1_macro"))
)
IDENTICAL, WITHIN, MORE, UNDECIDED = WORDS = (
    "identical", "within noise", "more than noise", "undecided",
)  # fmt: skip


@dataclass(frozen=True)
class Change:
    """One measure of a network on both sides."""

    a: Number
    b: Number
    word: str
    reason: str = ""
    half: float | None = None  # of the 95% interval around no change
    p: float | None = None  # two-sided; of no change
    adjusted: float | None = None  # by Holm, over all judged changes

    @property
    def gap(self) -> float | None:
        """B less A; None unless both are whole and finite."""
        a, b = self.a.value, self.b.value
        return None if a is None or b is None or a != a or b != b else b - a


@dataclass(frozen=True)
class Row:
    """One network in one twin: its word, and what it rests on."""

    both: Both
    word: str
    reason: str
    changes: dict[str, Change]
    differences: dict[str, Difference]  # B less A on the common images; empty if there are none


def noise(a: list[float], b: list[float]) -> tuple[float, float] | None:
    """Half-width of the interval around no change, and p; None without spread."""
    from scipy.stats import ttest_ind  # noqa: PLC0415 (slow import)

    if max(max(v) - min(v) for v in (a, b)) < TINY:
        return None
    found = ttest_ind(b, a)
    low, high = found.confidence_interval(LEVEL)
    return float(high - low) / 2, float(found.pvalue)


def rows(joined: Joined) -> list[Row]:
    """Every network that both sides have, judged; the adjustment is over all of them."""
    first = [{m: _change(both, m) for m, _, _ in MEASURES} for both in joined.training]
    flat = [change for found in first for change in found.values() if change.p is not None]
    adjusted = {id(c): p for c, p in zip(flat, holm([c.p for c in flat]), strict=True)}
    made = []
    for both, found in zip(joined.training, first, strict=True):
        judged = {
            metric: _judged(found[metric], adjusted.get(id(found[metric])), widest)
            for metric, _, widest in MEASURES
        }
        made.append(Row(both, *_word(both, judged), judged, differences(both)))
    return made


def _change(both: Both, metric: str) -> Change:
    """The measure with the interval of no change, or why it can't be judged."""
    numbers = both.a.number(metric), both.b.number(metric)
    found = Change(*numbers, UNDECIDED)
    if both.identical:
        return dataclasses.replace(found, word=IDENTICAL)
    lacks = [f"{side}: {n.lack}" for side, n in zip("AB", numbers, strict=True) if n.lack]
    seeds = [len(n.by_seed) for n in numbers]
    reason = ""
    if lacks:
        reason = "; ".join(lacks)
    elif found.gap is None:
        reason = "diverged"
    elif any(pair.order is None for pair in both.pairs):
        reason = "not the same test images"
    elif max(seeds) < MIN_SEEDS:
        reason = f"seeds: {seeds[0]} in A, {seeds[1]} in B; one side needs {MIN_SEEDS}"
    spread = None if reason else noise(*(list(n.by_seed.values()) for n in numbers))
    if reason or spread is None:
        return dataclasses.replace(found, reason=reason or "the seeds do not differ")
    return dataclasses.replace(found, half=spread[0], p=spread[1])


def _judged(change: Change, adjusted: float | None, widest: float) -> Change:
    half, p = change.half, change.p
    if half is None or p is None or adjusted is None:
        return change
    change = dataclasses.replace(change, adjusted=adjusted)
    if adjusted < ALPHA:
        return dataclasses.replace(change, word=MORE, reason="beyond the interval")
    if p < ALPHA:
        reason = "beyond the interval, but not when adjusted for the number of comparisons"
        return dataclasses.replace(change, reason=reason)
    if half > widest:
        return dataclasses.replace(change, reason="the interval is too wide")
    return dataclasses.replace(change, word=WITHIN, reason="inside the interval")


def _word(both: Both, changes: dict[str, Change]) -> tuple[str, str]:
    """Of the network: that of its accuracy, unless another measure changed more than noise."""
    if both.identical:
        return IDENTICAL, "every stored probability has the same bits"
    names = {metric: text.partition(",")[0] for metric, text, _ in MEASURES}
    more = [names[m] for m, change in changes.items() if change.word == MORE]
    if more:
        return MORE, ", ".join(more)
    accuracy = changes["accuracy"]
    same = sum(pair.identical for pair in both.pairs)
    also = f"; {same} of {len(both.pairs)} common runs have the same bits" if same else ""
    return accuracy.word, accuracy.reason + also


def differences(both: Both) -> dict[str, Difference]:
    """B less A on the images of the common seeds, photographs resampled for both sides alike."""
    pairs = [(pair, pair.order) for pair in both.common if pair.order is not None]
    if not pairs or len(pairs) < len(both.common):
        return {}
    a = _sample([(pair.a.scored, np.arange(pair.a.scored.n)) for pair, _ in pairs])
    b = _sample([(pair.b.scored, order) for pair, order in pairs])
    names = tuple(metric for metric, _, _ in MEASURES)
    return compare(b, a, generator(0, "interval"), DRAWS, names)


def _sample(parts: list[tuple[Measured, np.ndarray]]) -> Sample:
    return Sample.of(
        np.concatenate([m.labels[order] for m, order in parts]),
        np.concatenate([m.selected[order] for m, order in parts]),
        np.concatenate([np.array(m.groups)[order] for m, order in parts]),
    )


def apart_text(pairs: list[Pair]) -> str:
    """How far the probabilities of both sides are apart, of pairs of which some are; "" of none
    that is known."""
    known = [
        (pair.apart, pair.otherwise, pair.a.scored.n)
        for pair in pairs
        if pair.apart is not None and pair.otherwise is not None
    ]
    if not known:
        return ""
    aparts, others, sizes = zip(*known, strict=True)
    largest, count, n = max(aparts), sum(others), sum(sizes)
    return f"selected epochs at most {largest:.2g} apart, {count:,} of {n:,} answers differ"
