"""Simulates within which margin the test images can show at all that two twins are equal.

python -m reports.simulations.equivalence --json FILE     some seconds

The two twins are equal on average over photographs: each simulated test set draws, class by class,
as many photographs as the real one has out of a recorded pair's, and for each photograph tosses a
coin which twin is which. So the pair's own differences on a photograph, and their correlation
within it, stay, and the true difference is 0. Whether the twins are then shown equal, within a
margin of accuracy, is for `reports.statistics.comparisons.equivalence` to say.
"""

import numpy as np

from protocols.spec import FRAMEWORKS
from reports.simulations.coverage import recorded_samples
from reports.simulations.recording import recorded, write_record
from reports.statistics.comparisons import MARGIN, POWER, equivalence
from reports.statistics.intervals import Estimate, Interval, Sample, linearise
from reports.statistics.scores import Gap

RECORDED = "equivalence.json"  # in reports/published/
MARGINS = tuple(points / 100 for points in range(1, 11))
SIMS = 4000  # the standard error of a power of 0.8 is then 0.006
SEED = 22
SAME_TEST_PART = {"fixed-grouped": "fixed"}


def swapped(totals: np.ndarray, strata: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws clusters (C, 34) within each class with replacement. Each row of `totals` has both
    twins' totals of one cluster, and a coin decides whether the two are swapped."""
    classes = [np.flatnonzero(strata == k) for k in np.unique(strata)]
    found = totals[np.concatenate([rng.choice(own, len(own)) for own in classes])]
    coin = rng.random(len(found)) < 0.5
    found[coin] = np.roll(found[coin], totals.shape[1] // 2, axis=1)
    return found


def power(a: Sample, b: Sample, sims: int, rng: np.random.Generator) -> dict:
    """Returns how often equal twins are shown equal within each margin (`shown`), and how often
    they are called different (`different`: the 95% interval leaves out 0)."""
    statistic, none = Gap(("accuracy",)), Interval()
    totals, words = np.hstack([a.totals, b.totals]), []
    for _ in range(sims):
        value, se, df = linearise(statistic, swapped(totals, a.strata, rng), np.sort(a.strata))
        error = float(se[0]) if se[0] > 0 else None
        degrees = float(df[0]) if error else None
        found = Estimate(float(value[0]), error, degrees, none, none, none)
        words.append([equivalence(found, margin).verdict for margin in (*MARGINS, 1e-9)])
    verdicts = np.array(words)
    return {
        "shown": [float(share) for share in (verdicts[:, :-1] == "equivalent").mean(axis=0)],
        "different": float((verdicts[:, -1] == "different").mean()),
    }


def record(sims: int, seed: int = SEED) -> dict:
    """Returns what --json writes: the power of each recorded pair of twins, and by protocol the
    smallest margin that all of its pairs show with a power of POWER."""
    rng, samples = np.random.default_rng(seed), recorded_samples()
    pairs = []
    for protocol, variant in dict.fromkeys((p, v) for p, _, v in samples):
        a, b = (samples[protocol, framework, variant] for framework in FRAMEWORKS)
        made = {"protocol": protocol, "variant": variant, "images": len(a.labels)}
        pairs.append(made | {"clusters": len(a.strata)} | power(a, b, sims, rng))
    protocols = {
        name: {"margin": _least(own), "images": own[0]["images"]}
        for name in dict.fromkeys(p["protocol"] for p in pairs)
        if (own := [p for p in pairs if p["protocol"] == name])
    }
    return {"margins": MARGINS, "sims": sims, "seed": seed, "pairs": pairs, "protocols": protocols}


def _least(pairs: list[dict]) -> float | None:
    """Returns the smallest margin that every pair shows with a power of POWER; None where no
    margin is wide enough."""
    shown = np.min([pair["shown"] for pair in pairs], axis=0)
    return next((m for m, share in zip(MARGINS, shown, strict=True) if share >= POWER), None)


def margin(protocol: str, images: int) -> float | None:
    """Returns the margin that so many test images of a protocol can show; None if they were not
    simulated, or can show none of MARGINS."""
    found = recorded(RECORDED)["protocols"].get(SAME_TEST_PART.get(protocol, protocol))
    return found["margin"] if found and found["images"] == images else None


def rarely(protocol: str) -> float:
    """Returns how often, at most, truly equal twins are shown equal within 1 point."""
    name = SAME_TEST_PART.get(protocol, protocol)
    at = recorded(RECORDED)["margins"].index(MARGIN)
    return max(p["shown"][at] for p in recorded(RECORDED)["pairs"] if p["protocol"] == name)


if __name__ == "__main__":
    write_record("Margins that can be shown, by simulation", record, SIMS, "test sets of each pair")
