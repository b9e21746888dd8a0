"""Intervals of one sample, from draws of its own: the pages share draws among their samples."""

import numpy as np

from protocols.metrics import METRICS
from reports.statistics.intervals import DRAWS, Estimate, Sample, resample, weighted


def intervals(
    sample: Sample, rng: np.random.Generator, draws: int | None = DRAWS, names=METRICS
) -> dict[str, Estimate]:
    """Gives the estimate of each metric; without draws (None) its value alone."""
    return weighted(sample, resample(sample.strata, draws, rng), names)
