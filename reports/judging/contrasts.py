"""Which networks and twins are held against each other image by image, and what comes of it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from protocols.papers.claims import load_claims
from protocols.papers.variants import load_variants
from protocols.seeds import generator
from protocols.spec import FRAMEWORKS
from reports.cells.cell import Cell, Group
from reports.judging.verdicts import contests
from reports.statistics.comparisons import (
    Difference,
    check_paired,
    compare_by,
    holm,
    minimum_detectable_difference,
    naive_mcnemar,
)
from reports.statistics.intervals import DRAWS, resample, unless_few

BETWEEN = "-".join(reversed(FRAMEWORKS))  # in ids: PyTorch less Keras
NETWORKS, TWINS = "Networks", "Twins"


@dataclass(frozen=True)
class Comparison:
    """Accuracy of `a` less that of `b` on the same images."""

    kind: str  # NETWORKS within a twin, or TWINS within a network
    a: Cell
    b: Cell
    difference: Difference
    mcnemar: float | None  # p, as if images were independent
    adjusted: float | None = None  # p, by Holm over all comparisons of the group

    @property
    def key(self) -> str:
        """Its id in results.json."""
        if self.kind == TWINS:
            return f"{self.a.place}/{self.a.framework}-{self.b.framework}/{self.a.variant}"
        return f"{self.a.place}/{self.a.framework}/{self.a.variant}-{self.b.variant}"

    @property
    def detectable(self) -> float | None:
        """The smallest true difference found with 80% power; None without a variance."""
        one = self.difference.estimate
        return minimum_detectable_difference(one.se, one.df) if one.se else None


def asked(group: Group) -> Iterator[tuple[str, str]]:
    """Pairs of networks whose order a claim, or the control's question, is about."""
    from reports.judging.questions import QUESTIONS  # noqa: PLC0415 (the page, which imports this one)

    claims = [c for c in load_claims().values() if c.kind == "ordering"]
    found = [pair for claim in claims for pair in contests(claim)]
    found += [(q.first, q.second) for q in QUESTIONS]
    yield from dict.fromkeys(p for p in found if set(p) <= set(group.variants))


@lru_cache(maxsize=512)
def compared(a: Cell | None, b: Cell | None) -> tuple[Difference, float | None] | None:
    """Accuracy of a less that of b, and McNemar's p of the first seed; None where one isn't whole,
    or they tested other images or in other seeds."""
    one, other = (c.sample() if c else None for c in (a, b))
    if one is None or other is None or a.seeds != b.seeds:
        return None
    try:
        check_paired(one, other)
    except ValueError:
        return None
    found = compare_by(one, other, _weights(tuple(one.strata), DRAWS), ("accuracy",))["accuracy"]
    first = (c.sample(seeds=c.seeds[:1]) for c in (a, b))  # another seed has no other images
    return found, naive_mcnemar(*first)


@lru_cache(maxsize=2)
def _weights(strata: tuple[int, ...], draws: int) -> np.ndarray | None:
    """The same draws for all comparisons on the same photographs: drawing costs the most."""
    array = np.array(strata)
    return resample(array, unless_few(array, draws), generator(0, "comparison"))


def comparisons(group: Group) -> list[Comparison]:
    """Networks within a twin, then the twins within a network; those that can be made."""
    pairs = [
        (NETWORKS, *(group.cells.get((f, name)) for name in pair))
        for pair in asked(group)
        for f in FRAMEWORKS
    ]
    pairs += [(TWINS, *(group.cells.get((f, v)) for f in FRAMEWORKS)) for v in group.variants]
    made = [(kind, a, b, both) for kind, a, b in pairs if (both := compared(a, b))]
    adjusted = holm([both[0].p for *_, both in made])
    return [
        Comparison(kind, a, b, *both, p)
        for (kind, a, b, both), p in zip(made, adjusted, strict=True)
    ]


@dataclass(frozen=True)
class Gap:
    """Mean of one network less that of another in one twin; no value where a run is missing."""

    value: float | None
    by_seed: tuple[float, ...] = ()
    lack: str = ""
    won: int = 0  # folds in which the first is higher


def gap(a: Cell, b: Cell, metric: str, at: str) -> Gap:
    """Difference of two cells' means over folds and seeds, both sides with the same of them."""
    numbers = [cell.number(metric, at) for cell in (a, b)]
    lacks = [
        f"{load_variants()[cell.variant].title}: {number.lack}"
        for cell, number in zip((a, b), numbers, strict=True)
        if number.lack
    ]
    if lacks:
        return Gap(None, lack="; ".join(lacks))
    scores = [
        {(s.spec.seed, s.spec.fold): s.scored.scores[at][metric] for s in cell.slots}
        for cell in (a, b)
    ]
    if scores[0].keys() != scores[1].keys():
        return Gap(None, lack="the two sides have different seeds or folds")
    gaps = [value - numbers[1].by_seed[seed] for seed, value in numbers[0].by_seed.items()]
    won = sum(scores[0][key] > scores[1][key] for key in scores[0])
    return Gap(math.fsum(gaps) / len(gaps), tuple(gaps), won=won)


def gap_key(a: Cell, b: Cell) -> str:
    """The difference's id in results.json: the same as that of their comparison."""
    return f"{a.place}/{a.framework}/{a.variant}-{b.variant}"
