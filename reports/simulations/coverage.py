"""Simulates how often each 95% interval of the accuracy holds the truth.

python -m reports.simulations.coverage --json FILE     about six minutes

A cluster is the images of one photograph. Each cluster has its own success rate, drawn from a Beta
distribution around its class's rate; its images succeed independently at that rate. The spread is
the intra-cluster correlation rho of two images of one cluster: Beta(rate w, (1 - rate) w) with
w = 1 / rho - 1. The intervals are those of reports.statistics.intervals; only the statistic is
simpler: hits / images. Beside them stand three that were tried: bootstrap-t and linearised t of the
accuracy's logit, carried back, and Korn and Graubard's (Survey Methodology 24, 1998): Clopper and
Pearson's of as many independent images as have the linearised variance, fewer by the degrees of
freedom.

The simulation runs once for a range of correlations, the same in all classes, and once with the
rates and correlations of each class that the recorded networks have (reports/published/laptop,
protocol fixed). These settings chose the method; BEYOND are others, where the classes differ more.
"""

from dataclasses import asdict, dataclass, replace

import numpy as np

from benchmarks.store.store import Store
from protocols.files import ROOT
from reports.cells.collect import collect
from reports.simulations.recording import write_record
from reports.statistics.intervals import (
    PROPORTION,
    TAILS,
    UNBOUNDED,
    Estimate,
    Interval,
    Sample,
    estimates,
    interval,
    resample,
    wilson,
)
from reports.statistics.moderated import moderated

RECORDED = ROOT / "reports" / "published" / "laptop"
METHODS = (
    *("moderated", "bootstrap_t", "bootstrap_t_logit", "linearised", "linearised_logit"),
    *("korn_graubard", "percentile", "wilson"),
)
DRAWS = 1000  # the draws of each simulated sample; 10,000 give the same coverage within its error
SPREADS = (0.02, 0.05, 0.15, 0.4, 0.6, 0.9)
SIMS = 2000  # the standard error of a coverage of 0.95 is then 0.005
SEED = 20
LEAST = 0.001  # stands for a class's correlation that is estimated lower; a Beta needs one above 0


@dataclass(frozen=True)
class Layout:
    """The numbers of clusters and images of each class, and its success rate. The clusters of a
    class have equal sizes, but for one image."""

    clusters: tuple[int, ...]
    images: tuple[int, ...]
    rates: tuple[float, ...]

    @property
    def strata(self) -> np.ndarray:
        """The class of each cluster, int (C,)."""
        return np.repeat(np.arange(len(self.clusters)), self.clusters)

    @property
    def sizes(self) -> np.ndarray:
        """The number of images of each cluster, int (C,)."""
        pairs = zip(self.clusters, self.images, strict=True)
        return np.concatenate([(n + np.arange(c)) // c for c, n in pairs])

    @property
    def truth(self) -> float:
        """The expected accuracy."""
        return float(np.average(self.rates, weights=self.images))


# The public test part has 71 photographs: 13 E, 6 L, 4 M, 48 N; the rates make an accuracy of 0.87.
REAL = Layout((13, 6, 4, 48), (623, 620, 620, 624), (0.8, 0.95, 0.9, 0.85))


def rates_and_logits(totals: np.ndarray) -> np.ndarray:
    """Returns the accuracy and its logit (..., 2) from totals (..., 2) of hits and images."""
    rate = totals[..., :1] / totals[..., 1:]
    return np.concatenate([rate, np.log(rate / (1 - rate))], axis=-1)


Spread = float | tuple[float, ...]  # the correlation of all classes, or of each one
BEYOND: dict[str, tuple[Layout, Spread]] = {
    "strongly correlated in monocytes alone": (REAL, (0.05, 0.05, 0.9, 0.05)),
    "weakly correlated in monocytes alone": (REAL, (0.9, 0.9, 0.05, 0.9)),
    "60% right in monocytes, and strongly correlated in them alone": (
        replace(REAL, rates=(0.8, 0.95, 0.6, 0.85)),
        (0.1, 0.1, 0.9, 0.1),
    ),
    "nearly all right": (replace(REAL, rates=(0.95, 0.99, 0.97, 0.98)), 0.6),
    "half right": (replace(REAL, rates=(0.5, 0.6, 0.4, 0.5)), 0.6),
}


def cluster_rates(layout: Layout, spread: Spread, rng: np.random.Generator) -> np.ndarray:
    """Draws each cluster's success rate, (C,), with the variance spread * rate * (1 - rate)."""
    by_class = np.broadcast_to(spread, len(layout.clusters))
    rates, w = np.array(layout.rates)[layout.strata], 1 / by_class[layout.strata] - 1
    return rng.beta(rates * w, (1 - rates) * w)


def trials(
    layout: Layout, spread: Spread, n_sims: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Returns by method the intervals of simulated samples, float64 (n_sims, 2); NaN for none."""
    strata, sizes = layout.strata, layout.sizes
    ends = {method: np.full((n_sims, 2), np.nan) for method in METHODS}
    for row in range(n_sims):
        hits = rng.binomial(sizes, cluster_rates(layout, spread, rng))
        weights = resample(strata, DRAWS, rng)
        for method, one in intervals(hits, sizes, strata, weights).items():
            if not one.reason:
                ends[method][row] = one.low, one.high
    return ends


def intervals(
    hits: np.ndarray, sizes: np.ndarray, strata: np.ndarray, weights: np.ndarray | None
) -> dict[str, Interval]:
    """Returns the accuracy's interval by each method, from each cluster's hits, size and stratum
    (C,) and the draws' weights (draws, C)."""
    totals = np.stack([hits, sizes], axis=1).astype(np.float64)
    limits = [PROPORTION, UNBOUNDED]
    with np.errstate(divide="ignore", invalid="ignore"):  # where all answers of a draw are right
        rate, logit = estimates(rates_and_logits, totals, strata, weights, limits)
    found = {
        method: getattr(rate, method) for method in ("bootstrap_t", "linearised", "percentile")
    }
    found |= {f"{m}_logit": carried_back(getattr(logit, m)) for m in ("bootstrap_t", "linearised")}
    found["wilson"] = wilson(float(hits.sum()), int(sizes.sum()))
    found["korn_graubard"] = korn_graubard(rate, int(sizes.sum()))
    found["moderated"] = rate.linearised  # with the reason, where there is none
    if rate.se is not None:
        found["moderated"] = interval(*moderated(hits, sizes, strata), PROPORTION)
    return found


def carried_back(logit: Interval) -> Interval:
    """Returns the interval of a rate from that of its logit."""
    from scipy.special import expit  # noqa: PLC0415 (slow import)

    if logit.low is None or logit.high is None:
        return logit
    return Interval(float(expit(logit.low)), float(expit(logit.high)))


def korn_graubard(rate: Estimate, images: int) -> Interval:
    """Returns Korn and Graubard's interval of a rate that was estimated from so many images."""
    from scipy.stats import t  # noqa: PLC0415 (slow import)
    from statsmodels.stats.proportion import proportion_confint  # noqa: PLC0415 (slow import)

    if rate.se is None or rate.df is None:
        return rate.linearised
    fewer = (t.ppf(TAILS[1], images - 1) / t.ppf(TAILS[1], rate.df)) ** 2
    n = rate.value * (1 - rate.value) / rate.se**2 * fewer
    low, high = proportion_confint(rate.value * n, n, method="beta")
    return interval(low, high, PROPORTION)


def coverage(ends: np.ndarray, truth: float) -> float:
    """Returns the share of intervals (sims, 2) that hold the truth; a missing one doesn't."""
    return float(np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1])))


def record(layout: Layout, spreads: tuple[float, ...], sims: int, seed: int) -> dict:
    """Returns the layout, and the coverage and the widths by spread and method."""
    rng = np.random.default_rng(seed)
    return {
        "layout": asdict(layout),
        "what": "accuracy; nominal coverage 0.95; spread: intra-cluster correlation",
        "sims": sims,
        "draws": DRAWS,
        "seed": seed,
        "spreads": [{"spread": one} | measured(layout, one, sims, rng) for one in spreads],
    }


def beyond(sims: int, seed: int) -> list[dict]:
    """Returns, for each setting of BEYOND, what it is, the coverage and the widths by method."""
    rng = np.random.default_rng(seed)
    return [
        {"what": what, "rates": layout.rates, "spread": spread}
        | measured(layout, spread, sims, rng)
        for what, (layout, spread) in BEYOND.items()
    ]


def of_networks(sims: int, seed: int) -> list[dict]:
    """Returns, for each recorded network under protocol fixed, the layout and the coverage and the
    widths by method, with the network's own rates and correlations class by class."""
    rng, rows = np.random.default_rng(seed), []
    for (protocol, framework, variant), sample in recorded_samples().items():
        if protocol == "fixed":
            layout, spread = shape(sample)
            made = {"variant": variant, "framework": framework, "spread": spread}
            rows.append(made | asdict(layout) | measured(layout, spread, sims, rng))
    return rows


def measured(layout: Layout, spread: Spread, sims: int, rng: np.random.Generator) -> dict:
    """Returns the coverage of each method's intervals at one spread, which is in (0, 1), and the
    width that half and that 90% of them don't exceed."""
    ends = trials(layout, spread, sims, rng)
    widths = {m: np.nanquantile(e[:, 1] - e[:, 0], [0.5, 0.9]).tolist() for m, e in ends.items()}
    return {
        "coverage": {m: coverage(e, layout.truth) for m, e in ends.items()},
        "median_width": {m: width for m, (width, _) in widths.items()},
        "wide_width": {m: width for m, (_, width) in widths.items()},
    }


def recorded_samples() -> dict[tuple[str, str, str], Sample]:
    """Returns the predictions of the recorded networks by protocol, framework and variant, all
    folds together; only of networks with every value as published and no fold missing."""
    store = Store(RECORDED)
    found = {
        (group.protocol, cell.framework, cell.variant): sample
        for group in collect(store, store.plan()).groups
        if group.setting.as_published
        for cell in group.in_order
        if (sample := cell.sample())
    }
    # in the order of the runs' ids: what is simulated draws from one generator, one after the other
    return dict(sorted(found.items(), key=lambda one: (*one[0][1:], one[0][0])))


def shape(sample: Sample) -> tuple[Layout, tuple[float, ...]]:
    """Returns a sample's layout and the intra-cluster correlation of each class."""
    classes = range(int(sample.labels.max()) + 1)
    layout = Layout(
        tuple(int((sample.strata == k).sum()) for k in classes),
        tuple(int((sample.labels == k).sum()) for k in classes),
        tuple(float(sample.correct[sample.labels == k].mean()) for k in classes),
    )
    inside = [sample.labels == k for k in classes]
    return layout, tuple(correlation(sample.correct[i], sample.clusters[i]) for i in inside)


def correlation(correct: np.ndarray, clusters: np.ndarray) -> float:
    """Returns the intra-cluster correlation of successes (n,), by analysis of variance; at least
    LEAST.

    Source: Ridout, Demétrio and Firth, Biometrics 55, 1999.
    """
    _, own, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    n, k = len(correct), len(sizes)
    means = np.bincount(own, correct) / sizes
    between = np.sum(sizes * (means - correct.mean()) ** 2) / (k - 1)
    within = np.sum((correct - means[own]) ** 2) / (n - k)
    size = (n - np.sum(sizes**2) / n) / (k - 1)
    found = (between - within) / (between + (size - 1) * within)
    return max(LEAST, float(found))


def everything(sims: int) -> dict:
    """Simulates the public test part at each spread, and with the recorded networks' own rates and
    correlations, and returns both."""
    found = record(REAL, SPREADS, sims, SEED)
    return found | {"networks": of_networks(sims, SEED), "beyond": beyond(sims, SEED)}


if __name__ == "__main__":
    write_record(
        "Coverage of the intervals, by simulation", everything, SIMS, "samples at each spread"
    )
