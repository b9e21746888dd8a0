"""Gives the interval of a mean over folds whose training parts overlap."""

import numpy as np

from reports.statistics.between_seeds import TINY
from reports.statistics.intervals import TAILS, UNBOUNDED, Interval, interval


def corrected_t(
    values: list[float], test_share: float, limit: tuple[float, float] = UNBOUNDED
) -> Interval:
    """Returns the interval of the mean over k folds whose training parts overlap; k - 1 degrees of
    freedom.

    `test_share` is the part of the images that a fold tests, in (0, 1). The variance is s² (1/k +
    test/train): Nadeau and Bengio, Machine Learning 52, 2003. Raises ValueError for another share.
    """
    from scipy.stats import t  # noqa: PLC0415 (slow import)

    if not 0 < test_share < 1:
        raise ValueError(f"test_share {test_share}")
    k = len(values)
    if k < 2:
        return Interval(reason="fewer than two folds")
    mean, spread = np.mean(values), np.std(values, ddof=1)
    if spread < TINY:
        return Interval(reason="all folds are equal: the variance can't be estimated")
    half = t.ppf(TAILS[1], k - 1) * spread * np.sqrt(1 / k + test_share / (1 - test_share))
    return interval(mean - half, mean + half, limit)
