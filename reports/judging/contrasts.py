"""Holds one number against another: of two networks, twins, protocols or recipes."""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from protocols.papers.variants import load_variants
from protocols.seeds import generator
from protocols.spec import FRAMEWORKS
from reports.cells.cell import Cell, Group, Number
from reports.statistics import comparisons
from reports.statistics.between_seeds import mean_difference
from reports.statistics.comparisons import Difference
from reports.statistics.intervals import DRAWS, resample, unless_few

TORCH_LESS_KERAS = "-".join(reversed(FRAMEWORKS))  # the words for it in ids


@dataclass(frozen=True)
class Contrast:
    """A number of `a` less the same number of `b`, over the seeds and folds that both have.

    The two cells differ in their network, their twin, their protocol (`a` is the leak-free one) or
    one changed value (`a` has it). With `pooled` the images of all folds are scored together.
    """

    a: Cell
    b: Cell
    metric: str = "accuracy"
    at: str = "selected"
    pooled: bool = False
    p_holm: float | None = None  # the p of `on_images`, adjusted over all of a group's contrasts

    @property
    def key(self) -> str:
        """The id of the contrast's record in results.json; it says what the two cells differ in."""
        a, b = self.a, self.b
        if a.protocol != b.protocol:
            return f"{b.key}/leak-free"
        if a.place != b.place:
            return effect_key(a)
        if a.framework != b.framework:
            return f"{a.place}/{a.framework}-{b.framework}/{a.variant}"
        return f"{a.place}/{a.framework}/{a.variant}-{b.variant}"

    @property
    def address(self) -> str:
        """The place of the contrast's value in results.json, as "id:path"."""
        if self.a.place != self.b.place:
            return f"{self.key}:difference"
        return f"{self.key}:means.{self.at}.{self.metric}.value"

    @cached_property
    def numbers(self) -> tuple[Number, Number]:
        """The number of `a`, and that of `b`."""
        one, other = (cell.number(self.metric, self.at, self.pooled) for cell in (self.a, self.b))
        return one, other

    @cached_property
    def lack(self) -> str:
        """The reason why there is no difference; "" if there is one."""
        lacks = [
            f"{load_variants()[cell.variant].title}: {number.lack}"
            for cell, number in zip((self.a, self.b), self.numbers, strict=True)
            if number.lack
        ]
        if not lacks and self._scores(self.a).keys() != self._scores(self.b).keys():
            return "the two sides have different seeds or folds"
        return "; ".join(lacks)

    @cached_property
    def by_seed(self) -> tuple[float, ...]:
        """The difference in each seed; empty where there is none."""
        if self.lack:
            return ()
        one, other = self.numbers
        return tuple(value - other.by_seed[seed] for seed, value in one.by_seed.items())

    @property
    def value(self) -> float | None:
        """The mean difference over seeds; None where a run is missing or has no numbers, NaN where
        they aren't finite."""
        return math.fsum(self.by_seed) / len(self.by_seed) if self.by_seed else None

    @property
    def half_width(self) -> float | None:
        """Half the width of the 95% interval of the mean difference, paired by seed; None for
        fewer than two seeds."""
        if len(self.by_seed) < 2:
            return None
        return mean_difference(list(self.by_seed), self.grain)[1]

    @property
    def grain(self) -> float:
        """The larger step of both sides' numbers (see Cell.grain)."""
        return max(self.a.grain(self.metric), self.b.grain(self.metric))

    @property
    def won(self) -> int:
        """The number of folds, of all seeds, in which `a` is higher; 0 without a difference."""
        if self.lack:
            return 0
        one, other = self._scores(self.a), self._scores(self.b)
        return sum(one[place] > other[place] for place in one)

    @property
    def stale(self) -> bool:
        """Whether either side is of another results version."""
        return self.a.stale or self.b.stale

    @property
    def on_images(self) -> Difference | None:
        """The difference over all test images, with photographs resampled for both sides alike;
        None where a side isn't whole, or where the two have different test images or seeds."""
        return _compared(self.a, self.b, self.metric, self.at)[0]

    @property
    def mcnemar(self) -> float | None:
        """McNemar's p-value of equal accuracies in the first seed, as if images were independent;
        None where there is no difference over all test images."""
        return _compared(self.a, self.b, self.metric, self.at)[1]

    @property
    def detectable(self) -> float | None:
        """The smallest true difference that is found with 80% power; None without a variance."""
        one = self.on_images.estimate if self.on_images else None
        if one is None or not one.se or one.df is None:
            return None
        return comparisons.minimum_detectable_difference(one.se, one.df)

    def _scores(self, cell: Cell) -> dict[tuple[int, int | None], float]:
        """Returns each run's number by seed and fold, for a cell in which no run is missing."""
        return {
            (s.spec.seed, s.spec.fold): s.measured.scores[self.at][self.metric]
            for s in cell.slots
            if s.measured
        }


def contrasts(
    group: Group, first: str, second: str, metric: str = "accuracy", at: str = "selected"
) -> dict[str, Contrast | None]:
    """Returns by twin a number of the first network less that of the second; None where one of the
    two has no cell."""
    found = {}
    for framework in FRAMEWORKS:
        a, b = (group.cells.get((framework, name)) for name in (first, second))
        found[framework] = Contrast(a, b, metric, at) if a and b else None
    return found


def twins_apart(keras: Contrast, torch: Contrast) -> tuple[str, float | None]:
    """Returns how far the twins differ in one contrast of networks: the id of the record in
    results.json, and PyTorch's difference less Keras's (None where one of the two is None)."""
    key = f"{keras.a.place}/{TORCH_LESS_KERAS}/{keras.a.variant}-{keras.b.variant}"
    ours, theirs = keras.value, torch.value
    return key, None if ours is None or theirs is None else theirs - ours


def effect_key(cell: Cell) -> str:
    """Returns the id, in results.json, of what a changed value does to a cell."""
    return f"{cell.key}/effect"


@lru_cache(maxsize=512)
def _compared(a: Cell, b: Cell, metric: str, at: str) -> tuple[Difference | None, float | None]:
    """Returns the difference on the same images, and McNemar's p of the first seed; None for both
    where the two cells can't be compared so."""
    one, other = a.sample(at), b.sample(at)
    if one is None or other is None or a.seeds != b.seeds:
        return None, None
    try:
        comparisons.check_paired(one, other)
    except ValueError:
        return None, None
    weights = _weights(tuple(one.strata), DRAWS)
    found = comparisons.compare_by(one, other, weights, (metric,))[metric]
    # McNemar's test wants each image once, and all seeds test the same images
    one, other = (cell.sample(at, seeds=cell.seeds[:1]) for cell in (a, b))
    return found, comparisons.naive_mcnemar(one, other) if one and other else None


@lru_cache(maxsize=2)
def _weights(strata: tuple[int, ...], draws: int) -> np.ndarray | None:
    """Draws photographs once for all contrasts on the same ones, as drawing costs the most."""
    array = np.array(strata)
    return resample(array, unless_few(array, draws), generator(0, "comparison"))
