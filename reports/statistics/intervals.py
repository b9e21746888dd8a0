"""Gives 95% intervals of metrics when images come in clusters: many images of one photograph.

A cluster is one photograph's images within one class; the classes are the strata, and the clusters
of a class are taken as a random sample of it. Everything is a smooth function of the clusters'
totals: confusion matrices and sums of the log loss. All functions are pure functions of arrays.

linearised   t interval; variance of the clusters' influences within strata (infinitesimal
             jackknife: Shao and Tu, The Jackknife and Bootstrap, 1995, ch. 6), degrees of freedom
             by Satterthwaite (Biometrics Bulletin 2, 1946)
percentile   bootstrap: clusters drawn with replacement within each stratum
bootstrap_t  the same draws, each studentised by its own linearised variance (Efron and
             Tibshirani, An Introduction to the Bootstrap, 1993, 12.5)
moderated    of rates of right answers alone: Wilson's interval with moderated variances
             (reports.statistics.moderated)
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Self

import numpy as np

from protocols import metrics
from protocols.metrics import METRICS, K
from reports.statistics.between_seeds import LEVEL, TINY, quantile
from reports.statistics.moderated import moderated
from reports.statistics.scores import Scores, complex_steps

TAILS = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
DRAWS = 10_000  # for every interval on a page
CHUNK = 500  # draws studentised at a time; bounds the memory
PROPORTION, UNBOUNDED = (0.0, 1.0), (-np.inf, np.inf)
LONE_CLUSTER = "a class with one cluster: its variance can't be estimated"
NO_SPREAD = "no cluster differs from the others: the variance can't be estimated"
NOT_FINITE = "a probability isn't finite"
# A number of clusters. By coverage's model (four equal classes, correlation 0.15, 300 samples) a
# bootstrap-t interval is 30 to 86 points wide at 8 to 16 clusters, or there is none; from 24
# clusters on there is one, and it holds the truth.
FEWEST = 24
TOO_FEW = f"fewer than {FEWEST} clusters of images: an interval would say next to nothing"
UNSTABLE = "too few clusters: some draws have no variance"
NO_RATE = "the variance is modelled for rates of right answers alone"
# The metrics that are the accuracy, as each image has one class.
ACCURACIES = ("accuracy", "recall_weighted", "precision_micro", "recall_micro", "f1_micro")

Statistic = Callable[[np.ndarray], np.ndarray]  # totals (..., columns) -> values (..., metrics)


@dataclass(frozen=True, eq=False)
class Sample:
    """The predictions of a model for n images in C clusters; Sample.of makes one."""

    labels: np.ndarray  # int (n,)
    correct: np.ndarray  # bool (n,)
    clusters: np.ndarray  # int (n,), each image's row in totals
    strata: np.ndarray  # int (C,), the class of each cluster
    totals: np.ndarray  # float64 (C, 17): confusion matrix (row = true), summed log loss in nats

    @classmethod
    def of(cls, labels: np.ndarray, probabilities: np.ndarray, groups: np.ndarray) -> Self:
        """Makes a sample from labels int (n,), probabilities (n, 4) and groups (n,), an image's
        photograph.

        Rows are rescaled to sum to 1, as in protocols.metrics. All totals are NaN where a
        probability isn't finite. Raises ValueError if the shapes don't fit.
        """
        n = len(labels)
        if n == 0 or probabilities.shape != (n, K) or np.shape(groups) != (n,):
            raise ValueError(f"{n} labels, {probabilities.shape} and {np.shape(groups)}")
        names, group = np.unique(groups, return_inverse=True)
        pairs = labels * len(names) + group
        _, first, clusters = np.unique(pairs, return_index=True, return_inverse=True)
        p = metrics.summing_to_one(probabilities)
        predicted = p.argmax(axis=1)
        totals = np.zeros((len(first), K * K + 1))
        np.add.at(totals, (clusters, labels * K + predicted), 1)
        totals[:, -1] = np.bincount(clusters, metrics.log_losses(labels, p))
        if not np.isfinite(probabilities).all():
            totals[:] = np.nan
        return cls(labels, predicted == labels, clusters, labels[first], totals)

    @property
    def hits(self) -> float:
        """The number of images predicted right; NaN where a probability isn't finite."""
        return float(self.totals[:, : -1 : K + 1].sum())


@dataclass(frozen=True)
class Interval:
    """A 95% interval, or the reason why there is none."""

    low: float | None = None
    high: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Estimate:
    """A metric, its linearised standard error and degrees of freedom, and its intervals."""

    value: float
    se: float | None
    df: float | None
    linearised: Interval
    percentile: Interval
    bootstrap_t: Interval
    moderated: Interval = Interval(reason=NO_RATE)


def gradient(statistic: Statistic, totals: np.ndarray) -> np.ndarray:
    """Returns the derivatives (..., columns, metrics) of the statistic at totals (..., columns).

    The statistic's own `slopes` gives the derivatives where it has that method, else complex steps
    do.
    """
    if hasattr(statistic, "slopes"):
        return statistic.slopes(totals)
    return complex_steps(statistic, totals)


def stratum_variances(
    influence: np.ndarray, strata: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns each stratum's part of the variance (strata, ..., metrics), and its degrees of
    freedom.

    influence (..., C, metrics); strata (C,); weights (..., C): how often a cluster was drawn.
    """
    parts, degrees = [], []
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        inside: np.ndarray | slice = rows
        if (np.diff(rows) == 1).all():  # a view costs no copy
            inside = slice(rows[0], rows[-1] + 1)
        u, w = influence[..., inside, :], weights[..., None, inside]
        n = u.shape[-2]
        gap = u - w @ u / n
        gap *= gap
        parts.append(n / (n - 1) * (w @ gap)[..., 0, :])
        degrees.append(n - 1)
    return np.stack(parts), np.array(degrees, dtype=float)


def unless_few(strata: np.ndarray, draws: int) -> int | None:
    """Returns the number of draws, or None where there are fewer than FEWEST clusters."""
    return draws if len(strata) >= FEWEST else None


def resample(strata: np.ndarray, draws: int | None, rng: np.random.Generator) -> np.ndarray | None:
    """Returns how often each cluster was drawn, float64 (draws, C), or None without draws.

    Clusters are drawn with replacement within their stratum.
    """
    if draws is None:
        return None
    weights = np.empty((draws, len(strata)))
    for stratum in np.unique(strata):
        inside = strata == stratum
        n = int(inside.sum())
        weights[:, inside] = rng.multinomial(n, np.full(n, 1 / n), size=draws)
    return weights


def linearise(
    statistic: Statistic, totals: np.ndarray, strata: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns value, standard error and Satterthwaite degrees of freedom, each (metrics,).

    The degrees are NaN without spread. totals (C, columns); strata (C,), each with at least two
    clusters.
    """
    whole = totals.sum(axis=0)
    influence = totals @ gradient(statistic, whole)
    parts, degrees = stratum_variances(influence, strata, np.ones(len(strata)))
    variance = parts.sum(axis=0)
    with np.errstate(invalid="ignore"):
        df = variance**2 / (parts**2 / degrees[:, None]).sum(axis=0)
    return statistic(whole), np.sqrt(variance), df


def studentised(
    statistic: Statistic, totals: np.ndarray, strata: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Returns (draw - value) / standard error of the draw, (draws, metrics).

    The quotient is infinite where a draw has no spread, but 0 where the draw's value is the
    sample's.
    """
    value = statistic(totals.sum(axis=0))
    found = []
    for start in range(0, len(weights), CHUNK):
        w = weights[start : start + CHUNK]
        drawn = w @ totals
        influence = totals @ gradient(statistic, drawn)
        se = np.sqrt(stratum_variances(influence, strata, w)[0].sum(axis=0))
        gap = statistic(drawn) - value
        gap[np.abs(gap) < TINY] = 0
        se[se < TINY] = 0
        with np.errstate(divide="ignore", invalid="ignore"):
            found.append(np.where(gap == 0, 0.0, gap / se))
    return np.concatenate(found)


def estimates(
    statistic: Statistic,
    totals: np.ndarray,
    strata: np.ndarray,
    weights: np.ndarray | None,
    limits: list[tuple[float, float]],
) -> list[Estimate]:
    """Returns an estimate of each value of the statistic, with intervals clipped to its limits.

    totals (C, columns), strata (C,), weights (draws, C) of resample; without weights (None), as the
    clusters are too few, an estimate has its value alone.
    """
    from scipy.stats import t  # noqa: PLC0415 (slow import)

    lone = np.unique(strata, return_counts=True)[1].min() < 2
    if lone or not np.isfinite(totals).all():
        reason = LONE_CLUSTER if lone else NOT_FINITE
        return [_alone(value, reason) for value in statistic(totals.sum(axis=0))]
    value, se, df = linearise(statistic, totals, strata)
    if weights is None:
        reasons = [NO_SPREAD if s < TINY else TOO_FEW for s in se]
        return [_alone(v, reason) for v, reason in zip(value, reasons, strict=True)]
    drawn = np.quantile(statistic(weights @ totals), TAILS, axis=0)
    with np.errstate(invalid="ignore"):
        low, high = np.quantile(studentised(statistic, totals, strata, weights), TAILS, axis=0)
        by_t = np.stack([value - high * se, value - low * se])
        width = t.ppf(TAILS[1], df) * se
    found = []
    for i, limit in enumerate(limits):
        if se[i] < TINY:
            found.append(_alone(value[i], NO_SPREAD))
            continue
        ends = (value[i] - width[i], value[i] + width[i]), drawn[:, i], by_t[:, i]
        three = [interval(low, high, limit) for low, high in ends]
        found.append(Estimate(float(value[i]), float(se[i]), float(df[i]), *three))
    return found


def _alone(value: float, reason: str) -> Estimate:
    """Returns the estimate that has no intervals, for this reason."""
    return Estimate(float(value), None, None, *[Interval(reason=reason)] * 3)


def interval(low: float, high: float, limit: tuple[float, float] = UNBOUNDED) -> Interval:
    """Returns the interval within its limits, or one without ends where an end isn't finite."""
    if not np.isfinite([low, high]).all():
        return Interval(reason=UNSTABLE)
    return Interval(*np.clip([low, high], *limit).tolist())


def weighted(
    sample: Sample, weights: np.ndarray | None, names: Collection[str] = METRICS
) -> dict[str, Estimate]:
    """Returns the estimate of each metric by name, from the weights of resample.

    Other predictions for the same images share the weights.
    """
    limits = [METRICS[name].limits for name in names]
    found = estimates(Scores(names), sample.totals, sample.strata, weights, limits)
    return {n: with_moderated(sample, n, e) for n, e in zip(names, found, strict=True)}


def with_moderated(sample: Sample, name: str, estimate: Estimate) -> Estimate:
    """Returns the estimate of a metric with its moderated interval, where the metric is the
    accuracy or the mean recall, and has a standard error."""
    if estimate.se is None or name not in (*ACCURACIES, "recall_macro"):
        return estimate
    counts = sample.totals[:, :-1].reshape(-1, K, K)
    hits, images = counts.trace(axis1=1, axis2=2), counts.sum(axis=(1, 2))
    classes = np.unique(sample.strata)
    equal = np.full(len(classes), 1 / K) if name == "recall_macro" else None
    ends = moderated(hits, images, sample.strata, equal)
    return replace(estimate, moderated=interval(*ends, PROPORTION))


def wilson(hits: float, n: int) -> Interval:
    """Returns a naive interval of hits / n, as if images were independent (Wilson, JASA 22,
    1927)."""
    from statsmodels.stats.proportion import proportion_confint  # noqa: PLC0415 (slow import)

    if not np.isfinite(hits):
        return Interval(reason=NOT_FINITE)
    low, high = proportion_confint(hits, n, alpha=1 - LEVEL, method="wilson")
    return interval(low, high, PROPORTION)


def corrected_t(
    values: list[float], test_share: float, limit: tuple[float, float] = UNBOUNDED
) -> Interval:
    """Returns the interval of the mean over k folds whose training parts overlap; k - 1 degrees of
    freedom.

    `test_share` is the part of the images that a fold tests, in (0, 1). The variance is s² (1/k +
    test/train): Nadeau and Bengio, Machine Learning 52, 2003. Raises ValueError for another share.
    """
    if not 0 < test_share < 1:
        raise ValueError(f"test_share {test_share}")
    k = len(values)
    if k < 2:
        return Interval(reason="fewer than two folds")
    mean, spread = np.mean(values), np.std(values, ddof=1)
    if spread < TINY:
        return Interval(reason="all folds are equal: the variance can't be estimated")
    half = quantile(k - 1) * spread * np.sqrt(1 / k + test_share / (1 - test_share))
    return interval(mean - half, mean + half, limit)


def independent_images(accuracy: float, found: Interval) -> float | None:
    """Returns how many independent images would have a naive interval (that of `wilson`) as wide as
    this one; None without an interval, or where it is as wide as can be.

    With a = z^2 / n, Wilson's width w fulfils (1 - w^2) a^2 + (4 p (1 - p) - 2 w^2) a = w^2, which
    has one positive solution.
    """
    if found.low is None or found.high is None or not found.low < found.high:
        return None
    square, spread = (found.high - found.low) ** 2, 4 * accuracy * (1 - accuracy)
    if square >= 1:
        return None
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    half = (spread - 2 * square) / 2
    a = (np.sqrt(half**2 + (1 - square) * square) - half) / (1 - square)
    return float(z**2 / a)
