"""Gives the 95% interval of an accuracy on new photographs, with moderated variances.

The variance between a class's few photographs is a poor guess of its own: with four of them an
interval needs Student's t of 3 degrees of freedom, and if all four are right by luck, nothing is
left of the variance. So three things are done:

modelled     All classes share one correlation of two images of a photograph, so that the many
             photographs of one class help with the few of another. Franco, Little, Louis and Slud
             (Journal of Survey Statistics and Methodology 7, 2019) found that intervals of
             clustered proportions hold the truth too seldom by the plain variance, and more often
             by such a model.
moderated    Each class's own variance is averaged with the modelled one, by degrees of freedom
             (Smyth, Statistical Applications in Genetics and Molecular Biology 3, 2004).
             So a class that differs from the others is still heard.
Wilson       The interval is Wilson's of as many independent images as have that variance, with
             Satterthwaite's degrees of freedom; it stays within 0 and 1 and is skewed as a rate is.

PRIOR and DOUBT were chosen by simulation (reports.simulations.coverage), for rates near those here.
"""

import numpy as np

from reports.statistics.between_seeds import LEVEL

PRIOR = 4.0  # degrees of freedom of the modelled variance, beside a class's own
# Photographs added to each class in the model, half of their images right: a class without an error
# may still have one (Agresti and Caffo, The American Statistician 54, 2000).
DOUBT = 1.0


def moderated(
    hits: np.ndarray, images: np.ndarray, strata: np.ndarray, weights: np.ndarray | None = None
) -> tuple[float, float]:
    """Returns the ends of the interval of the classes' mean rate of right answers.

    hits, images and strata (C,): a cluster's right answers, its images and its class, of which each
    has at least two clusters; not all answers are right, nor all wrong. weights (classes,) are
    by default a class's share of the images, so that the mean is the accuracy.
    """
    from scipy.stats import norm, t  # noqa: PLC0415 (slow import)
    from statsmodels.stats.proportion import proportion_confint  # noqa: PLC0415 (slow import)

    _, own, clusters = np.unique(strata, return_inverse=True, return_counts=True)
    degrees, total = clusters - 1, np.bincount(own, images)
    rates = np.bincount(own, hits) / total
    gap = hits - rates[own] * images
    measured = clusters / degrees * np.bincount(own, gap**2) / total**2
    size = np.bincount(own, images**2) / total  # of an image's cluster, on average
    rho = common_correlation(rates, measured, size, total, degrees)
    effective = total / size
    doubted = (effective * rates + DOUBT / 2) / (effective + DOUBT)
    modelled = doubted * (1 - doubted) * (rho / effective + (1 - rho) / total)
    variance = (PRIOR * modelled + degrees * measured) / (PRIOR + degrees)
    if weights is None:
        weights = total / total.sum()
    parts = weights**2 * variance
    df = parts.sum() ** 2 / np.sum(parts**2 / (PRIOR + degrees))
    mean = weights @ rates
    independent = mean * (1 - mean) / parts.sum()
    alpha = 2 * norm.sf(t.ppf((1 + LEVEL) / 2, df))  # so that Wilson's normal quantile is t's
    low, high = proportion_confint(mean * independent, independent, alpha, "wilson")
    return float(low), float(high)


def common_correlation(
    rates: np.ndarray,
    variances: np.ndarray,
    sizes: np.ndarray,
    images: np.ndarray,
    degrees: np.ndarray,
) -> float:
    """Returns the correlation of two images of one cluster, the same in all classes, in [0, 1].

    It is the one by which the classes' measured variances (classes,) are as large as the model's,
    summed with their degrees of freedom; 0 where clusters of one image can't say.
    """
    spread = rates * (1 - rates) + variances  # without bias that of one image
    over = degrees @ (images / sizes * variances - spread / sizes)
    scale = degrees @ (spread * (1 - 1 / sizes))
    return float(np.clip(over / scale, 0, 1)) if scale > 0 else 0.0
