"""Simulates how often the words of reports.statistics.between_seeds are wrong.

python -m reports.simulations.error_rates --json FILE     about a minute

A network's accuracy over seeds is Gaussian around its mean, and rounded to a count of the 2,487
test images; the mean lies anywhere between two counts. A printed number is rounded to two digits
of a percentage. In the cases `again` the printed number is one more run of the same network, so
that the words "above" and "below" are wrong. In the cases `orders` a claim says of 1, 3 or 6
contests that the first network is better than the second, and the true lead is the same in each;
the six have one first network, as a claim of "highest of the seven" has.
"""

from collections import Counter

import numpy as np

from reports.simulations.recording import recorded, write_record
from reports.statistics.between_seeds import against, order

RECORDED = "error_rates.json"  # in reports/published/
IMAGES = 2487
MEAN = 0.87
WIDEST = 0.02
ROUNDING = 0.00005  # half a unit of the last of a percentage's two digits
SEEDS = (3, 5, 10)
SPREADS = (0.0, 0.0005, 0.003, 0.01, 0.03)
ONE_IMAGE = 1 / IMAGES
OFFSETS = (0.0, ONE_IMAGE, 0.005, 0.02, 0.08, 0.45)
CONTESTS = (1, 3, 6)
LEADS = (0.0, ONE_IMAGE, 0.005, 0.014, 0.02)
SIMS = 10_000  # the standard error of a rate of 0.05 is then 0.002
SEED = 18


def counts(accuracies: np.ndarray) -> np.ndarray:
    """Rounds accuracies, as fractions of any shape, to whole numbers of test images."""
    return np.round(accuracies * IMAGES) / IMAGES


def means(sims: int, rng: np.random.Generator) -> np.ndarray:
    """Draws true accuracies (sims,) from MEAN on, evenly over the step of one image."""
    return MEAN + rng.random(sims) / IMAGES


def words(
    seeds: int, spread: float, offset: float | None, sims: int, rng: np.random.Generator
) -> dict[str, float]:
    """Returns the share of each word where the printed number lies `offset` below the true mean or,
    for None, is one more run of the network."""
    mean = means(sims, rng)
    runs = counts(mean[:, None] + spread * rng.standard_normal((sims, seeds)))
    shift = spread * rng.standard_normal(sims) if offset is None else -offset
    printed = np.round(counts(mean + shift), 4)
    found = Counter(
        against(own, claim, ROUNDING, ONE_IMAGE, WIDEST)[0]
        for own, claim in zip(runs.tolist(), printed.tolist(), strict=True)
    )
    return {word: count / sims for word, count in sorted(found.items())}


def orders(
    seeds: int, spread: float, contests: int, lead: float, sims: int, rng: np.random.Generator
) -> dict[str, float]:
    """Returns the share of each word for an order whose contests all have the same true lead."""
    mean = means(sims, rng)[:, None, None]
    firsts = 1 if contests > 3 else contests  # one network against all others
    first = mean + lead + spread * rng.standard_normal((sims, firsts, seeds))
    other = mean + spread * rng.standard_normal((sims, contests, seeds))
    differences = counts(first) - counts(other)
    found = Counter(order(own, ONE_IMAGE)[0] for own in differences.tolist())
    return {word: count / sims for word, count in sorted(found.items())}


def wrong(shares: dict[str, float]) -> float:
    """Returns the share of "above" and "below" together."""
    return shares.get("above", 0.0) + shares.get("below", 0.0)


def summed_up() -> dict:
    """Sums up the recorded rates: the highest of a wrong "above" or "below" (`again`) and of a
    wrong "supported", and by number of contests how often 3 seeds with a spread of 0.3 points find
    a lead of 1.4 (`found`)."""
    found = recorded(RECORDED)
    words_of = {
        (one["seeds"], one["spread"], one["contests"], lead["by"]): lead["words"]
        for one in found["orders"]
        for lead in one["leads"]
    }
    leads = {case: shares.get("supported", 0) for case, shares in words_of.items()}
    return {
        "again": max(wrong(one["again"]) for one in found["numbers"]),
        "supported": max(share for (*_, by), share in leads.items() if by == 0),
        "found": {m: leads[3, 0.003, m, 0.014] for m in CONTESTS},
    }


def record(sims: int, seed: int = SEED) -> dict:
    """Returns what --json writes: the share of each word, in every case."""
    rng = np.random.default_rng(seed)
    numbers = [
        {
            "seeds": k,
            "spread": spread,
            "again": words(k, spread, None, sims, rng),
            "off": [{"by": off, "words": words(k, spread, off, sims, rng)} for off in OFFSETS],
        }
        for k in SEEDS
        for spread in SPREADS
    ]
    ranks = [
        {
            "seeds": k,
            "spread": spread,
            "contests": m,
            "leads": [{"by": x, "words": orders(k, spread, m, x, sims, rng)} for x in LEADS],
        }
        for k in SEEDS
        for spread in SPREADS
        for m in CONTESTS
    ]
    return {"images": IMAGES, "sims": sims, "seed": seed, "numbers": numbers, "orders": ranks}


if __name__ == "__main__":
    write_record(
        "Error rates of the verdicts, by simulation", record, SIMS, "claims of each case", None
    )
