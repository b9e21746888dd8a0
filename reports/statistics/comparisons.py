"""Compares two models on the same images: paired differences of metrics, and words for them.

Images come in clusters, as in reports.statistics.intervals: the same clusters are drawn for both
models. A difference is a - b; its p-value is two-sided, by t = difference / linearised standard
error with Satterthwaite's degrees of freedom. All functions are pure functions of arrays.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from protocols.metrics import METRICS
from reports.statistics.intervals import DRAWS, Estimate, Sample, estimates, resample
from reports.statistics.scores import Gap

ALPHA = 0.05
MARGIN = 0.01  # of equivalence: one point of accuracy
POWER = 0.8


@dataclass(frozen=True)
class Difference:
    """A metric of model a less that of model b; `p` is None where the variance can't be
    estimated."""

    estimate: Estimate
    p: float | None


@dataclass(frozen=True)
class Equivalence:
    """The verdict (equivalent, different or not shown) and the p-value of the two one-sided tests.

    `p` is None where there is no variance.
    """

    verdict: str
    p: float | None


def compare(
    a: Sample,
    b: Sample,
    rng: np.random.Generator,
    draws: int | None = DRAWS,
    names: Collection[str] = METRICS,
) -> dict[str, Difference]:
    """Returns the paired difference of each metric, or its value alone without draws (None).

    The same seed of `rng` gives the same bytes. Raises ValueError if a and b aren't of the same
    images in the same order.
    """
    check_paired(a, b)
    return compare_by(a, b, resample(a.strata, draws, rng), names)


def compare_by(
    a: Sample, b: Sample, weights: np.ndarray | None, names: Collection[str] = METRICS
) -> dict[str, Difference]:
    """Returns what `compare` does for two samples known to be of the same images, from resample's
    weights."""
    ends = [METRICS[name].limits for name in names]
    limits = [(low - high, high - low) for low, high in ends]
    found = estimates(Gap(names), np.hstack([a.totals, b.totals]), a.strata, weights, limits)
    return {n: Difference(e, two_sided(e)) for n, e in zip(names, found, strict=True)}


def check_paired(a: Sample, b: Sample) -> None:
    """Raises ValueError if a and b aren't of the same images: their classes and clusters in
    order."""
    same = np.array_equal(a.labels, b.labels) and np.array_equal(a.clusters, b.clusters)
    if not same:
        raise ValueError("the two samples are of different images")


def two_sided(difference: Estimate) -> float | None:
    """Returns the p-value of no difference, or None without a standard error."""
    from scipy.stats import t  # noqa: PLC0415 (slow import)

    if difference.se is None:
        return None
    return float(2 * t.sf(abs(difference.value) / difference.se, difference.df))


def naive_mcnemar(a: Sample, b: Sample) -> float | None:
    """Returns the naive p-value of equal accuracies, as if images were independent; exact binomial.

    The value is None where a probability isn't finite. Raises ValueError as compare does. Source:
    McNemar, Psychometrika 12, 1947.
    """
    from statsmodels.stats.contingency_tables import mcnemar  # noqa: PLC0415 (slow import)

    check_paired(a, b)
    if not np.isfinite([a.hits, b.hits]).all():
        return None
    only_a, only_b = np.sum(a.correct & ~b.correct), np.sum(~a.correct & b.correct)
    return float(mcnemar([[0, only_a], [only_b, 0]], exact=True).pvalue)


def holm(p_values: list[float | None]) -> list[float | None]:
    """Returns the p-values adjusted for their number (Holm, Scandinavian Journal of Statistics 6,
    1979).

    A value of None stays None, but counts among the values as a 1 would.
    """
    from statsmodels.stats.multitest import multipletests  # noqa: PLC0415 (slow import)

    if not any(p is not None for p in p_values):
        return list(p_values)
    adjusted = multipletests([1.0 if p is None else p for p in p_values], method="holm")[1]
    return [None if p is None else float(q) for p, q in zip(p_values, adjusted, strict=True)]


def equivalence(difference: Estimate, margin: float = MARGIN) -> Equivalence:
    """Says whether |difference| < margin, by two one-sided t tests at 0.05 (Schuirmann, 1987).

    The verdict is different if these tests fail and the 95% linearised interval leaves out 0.
    Without a standard error the verdict is not shown, even if the predictions are the same: no
    spread was seen, so none is known. Raises ValueError for a margin of 0 or less.
    """
    from scipy.stats import t  # noqa: PLC0415 (slow import)

    if not margin > 0:
        raise ValueError(f"margin {margin}")
    if difference.se is None:
        return Equivalence("not shown", None)
    gap = (margin - abs(difference.value)) / difference.se
    p = float(t.sf(gap, difference.df))  # at the nearer margin: the larger of the two p-values
    if p < ALPHA:
        return Equivalence("equivalent", p)
    both = two_sided(difference)
    return Equivalence("different" if both is not None and both < ALPHA else "not shown", p)


def minimum_detectable_difference(
    se: float, df: float, power: float = POWER, level: float = ALPHA
) -> float:
    """Returns the true difference that a two-sided test at `level` finds with this power.

    That is se (t(1 - level / 2) + t(power)), both t of df degrees: Bloom, Evaluation Review 19,
    1995.
    """
    from scipy.stats import t  # noqa: PLC0415 (slow import)

    return float(se * (t.ppf(1 - level / 2, df) + t.ppf(power, df)))


def ordering(differences: list[Difference], level: float = ALPHA) -> str:
    """Says whether every "a beats b" holds: supported, refuted or undecided; higher must be better.

    The word rests on two-sided p-values adjusted by Holm, and on the signs: supported if every
    difference is significantly positive, refuted if one is significantly negative. Without any
    difference it is undecided.
    """
    adjusted = holm([d.p for d in differences])
    signs = [
        np.sign(d.estimate.value) if p is not None and p < level else 0
        for d, p in zip(differences, adjusted, strict=True)
    ]
    if -1 in signs:
        return "refuted"
    return "supported" if signs and min(signs) == 1 else "undecided"
