"""Says what the spread between a network's training runs allows: two intervals, and words.

The interval of one more run is mean +- t(k-1) s sqrt(1 + 1/k) over k seeds; a printed number is
held against it. The interval of a mean difference is mean +- t(k-1) s / sqrt(k) over the k
differences seed by seed; an order is judged by it.

Equal seeds are not certainty. An accuracy is a count of images, so s is never taken smaller than
what rounding to counts hides: its variance is grain^2 / 12 for one count, twice that for the
difference of two (grain: one image, as a fraction). A printed number stands for all values that
round to the number, and at least for half an image on each side; a lead of one image is none. Where
nothing is counted (losses) and no spread was seen, nothing is decided. All functions are pure.

Measured by simulation (python -m reports.simulations.error_rates; published/error_rates.json), with
3, 5 and 10 seeds and spreads of 0 to 3 points: a printed number that is one more run of the same
network gets "above" or "below" in at most 5.2% of cases, one that is 8 points off gets the right
word in 92% at 3 seeds and a spread of 1 point. A network without a lead is "supported" in at most
2.7% of cases. A true lead of 1.4 points at a spread of 0.3 is found with 3 seeds in 81% of claims
of one contest, 52% of three, 41% of six (each must be won), with 5 seeds in 99.7% or more; if no
network leads any other, a claim of six contests is "refuted" in up to 12.7% (one loss is enough).
"""

import math
from functools import cache

LEVEL = 0.95
TINY = 1e-12  # below this a difference is rounding


@cache
def quantile(df: int) -> float:
    """Returns the value of Student's t that leaves out 5%, both sides together, at `df` degrees of
    freedom."""
    from scipy.stats import t  # noqa: PLC0415 (slow import)

    return float(t.ppf((1 + LEVEL) / 2, df))


def mean_and_spread(values: list[float], least: float) -> tuple[float, float]:
    """Returns the mean and the standard deviation of two or more values; the latter is at least
    `least`."""
    mean = math.fsum(values) / len(values)
    variance = math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1)
    return mean, max(math.sqrt(variance), least)


def one_more_run(values: list[float], grain: float = 0.0) -> tuple[float, float]:
    """Returns the mean and the half-width of the 95% prediction interval of one more seed's value.

    `grain` is the step of a value, and 0 where nothing is counted.
    """
    k = len(values)
    mean, spread = mean_and_spread(values, grain / math.sqrt(12))
    return mean, quantile(k - 1) * spread * math.sqrt(1 + 1 / k)


def mean_difference(differences: list[float], grain: float = 0.0) -> tuple[float, float]:
    """Returns the mean and the half-width of the 95% interval of the mean of differences, one per
    seed.

    `grain` is the step of either side's value, and 0 where nothing is counted.
    """
    k = len(differences)
    mean, spread = mean_and_spread(differences, grain / math.sqrt(6))
    return mean, quantile(k - 1) * spread / math.sqrt(k)


def against(
    values: list[float], printed: float, rounding: float, grain: float, widest: float
) -> tuple[str, str, float, float]:
    """Returns the word that a printed number gets, its reason, and the mean and half-width of the
    interval.

    The word says where the measurement lies: above or below, whenever the interval excludes the
    number. Where the interval holds the number, the word is compatible if the half-width is at most
    `widest`, else undecided. `rounding` is half a unit of the last printed digit.
    """
    mean, half = one_more_run(values, grain)
    if half < TINY:
        return "undecided", "no spread between the seeds was seen", mean, half
    if abs(mean - printed) > half + max(rounding, grain / 2) + TINY:
        word = "above" if mean > printed else "below"
        return word, f"the interval lies {word} the claim", mean, half
    if half > widest:
        return "undecided", "the interval holds the claim, but is too wide", mean, half
    return "compatible", "the claim lies in the interval", mean, half


def order(contests: list[list[float]], grain: float) -> tuple[str, int, int]:
    """Returns the word that an order gets from its contests, and how many contests were won and
    lost.

    A contest is a list of differences, one per seed. The order is supported if every contest was
    won, refuted if one was lost, else undecided. A contest is won if the interval of the mean
    difference lies above 0 and the mean is more than one image; it is lost if both hold below 0.
    """
    found = [mean_difference(differences, grain) for differences in contests]
    seen = [(mean, half) for mean, half in found if half > TINY]  # the seeds do differ
    won = sum(mean > max(half, grain) + TINY for mean, half in seen)
    lost = sum(-mean > max(half, grain) + TINY for mean, half in seen)
    word = "refuted" if lost else "supported" if won == len(contests) else "undecided"
    return word, won, lost
