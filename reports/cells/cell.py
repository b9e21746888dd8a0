"""Computes the numbers of cells: a cell is a network in a twin, and a group is a table's cells."""

from dataclasses import dataclass, field, replace

import numpy as np

from protocols import metrics
from protocols.metrics import METRICS
from protocols.papers.variants import load_variants
from protocols.seeds import generator
from protocols.spec import FRAMEWORKS
from reports.cells.planned_run import Slot
from reports.cells.settings import Setting, folds_needed
from reports.statistics.intervals import DRAWS, Estimate, Sample, resample, unless_few, weighted

POOLED = ("cv10-grouped",)  # the protocols whose folds are too small to be scored alone
OVER_TIME = ("accuracy", "log_loss")  # the metrics that have intervals at unselected epochs too


@dataclass(frozen=True)
class Number:
    """A mean over seeds (each a mean over folds), or the reason why there is none.

    `value` is None where a run is missing or has no numbers, and NaN where they aren't finite.
    """

    value: float | None
    lack: str = ""
    by_seed: dict[int, float] = field(default_factory=dict)
    stale: bool = False
    diverged: bool = False


@dataclass(frozen=True, eq=False)
class Cell:
    """All runs of one network in one framework within a group."""

    framework: str
    variant: str
    slots: list[Slot]
    page: str = ""  # the file that shows its runs
    place: str = ""  # the setting and the protocol, as Group.place
    taken: frozenset[int] = frozenset()  # the seeds whose anchor the request's runs have
    estimates: dict[str, dict[str, Estimate]] = field(default_factory=dict)  # made by `estimate`
    # what `pooled` has computed
    _pooled: dict[tuple[int, str], dict[str, float]] = field(default_factory=dict)

    def anchor(self, seed: int) -> str:
        """Returns the anchor of a seed's runs on `page`."""
        beside = "-beside" if seed in self.taken else ""
        return f"{self.framework}-{self.variant}-s{seed}{beside}"

    @property
    def key(self) -> str:
        """The cell's id in results.json."""
        return f"{self.place}/{self.framework}/{self.variant}"

    @property
    def protocol(self) -> str:
        """The protocol that all runs of the cell have."""
        return self.slots[0].spec.protocol

    def address(self, metric: str, at: str = "selected") -> str:
        """Returns the place of a number of the cell in results.json, as "id:path"."""
        return f"{self.key}:numbers.{at}.{metric}.value"

    @property
    def href(self) -> str:
        """The link to the runs of the cell's first seed."""
        return f"{self.page}#{self.anchor(self.seeds[0])}"

    @property
    def seeds(self) -> list[int]:
        """The seeds that were asked for or found."""
        return sorted({s.spec.seed for s in self.slots})

    @property
    def folds(self) -> int:
        """The number of folds that a seed needs to be whole; 1 where there are no folds."""
        return max(folds_needed(self.slots[0].spec), len({s.spec.fold for s in self.slots}))

    def of_seed(self, seed: int) -> list[Slot]:
        """Returns the slots of a seed, sorted by fold."""
        return sorted(
            (s for s in self.slots if s.spec.seed == seed), key=lambda s: s.spec.fold or 0
        )

    def whole(self, seed: int) -> bool:
        """Tells whether every fold of the seed has numbers."""
        found = [s.spec.fold for s in self.of_seed(seed) if s.usable]
        return len(found) == len(set(found)) == self.folds

    @property
    def stale(self) -> bool:
        """Whether any run of the cell is of another results version."""
        return any(s.state == "stale" for s in self.slots)

    @property
    def diverged(self) -> bool:
        """Whether a run ended without a finite loss at any epoch that may be selected."""
        return any(s.state == "diverged" for s in self.slots)

    @property
    def lack(self) -> str:
        """What is there of what is needed, as "2 of 3 seeds, 1 failed"; "" if none is missing."""
        if all(self.whole(seed) for seed in self.seeds):
            return ""
        there = sum(s.usable for s in self.slots)
        failed = sum(s.state in ("failed", "diverged") for s in self.slots)
        needed, unit = self.folds * len(self.seeds), "runs"
        if len(self.seeds) == 1:
            unit = "folds" if self.slots[0].spec.fold is not None else "runs"
        elif self.folds == 1:
            unit = "seeds"
        return f"{there} of {needed} {unit}" + (f", {failed} failed" if failed else "")

    @property
    def n(self) -> int:
        """The number of test images of a whole seed, all its folds together; 0 if none is whole."""
        seed = next((s for s in self.seeds if self.whole(s)), None)
        slots = self.slots[:0] if seed is None else self.of_seed(seed)
        return sum(s.measured.n for s in slots if s.measured)

    def grain(self, metric: str) -> float:
        """Returns the step of a seed's number: one test image as a fraction of all (about that for
        precision, recall, F1), or one epoch over the folds; 0 for losses, which nothing rounds."""
        unit = metrics.metric_of(metric).unit
        return 1 / self.folds if unit == "epoch" else 0.0 if unit == "nat" else 1 / self.n

    def number(self, metric: str, at: str = "selected", pooled: bool = False) -> Number:
        """Returns the mean over folds, then over seeds; if one fold or seed is missing, it has no
        value. With `pooled`, and under the protocols of POOLED, a seed's number is the one over
        the images of all folds together."""
        by_seed, together = {}, pooled or self.protocol in POOLED
        for seed in filter(self.whole, self.seeds):
            if together and metric in (found := self.pooled(seed, at) or {}):
                by_seed[seed] = found[metric]
                continue
            scores = [s.scored.scores.get(at, {}) for s in self.of_seed(seed)]
            values = [found[metric] for found in scores if metric in found]
            if len(values) < len(scores):
                return Number(None, "not recorded", stale=self.stale)
            by_seed[seed] = sum(values) / len(values)
        if len(by_seed) < len(self.seeds):
            return Number(None, self.lack, by_seed, self.stale, self.diverged)
        mean = sum(by_seed.values()) / len(by_seed)
        return Number(mean, "", by_seed, self.stale, mean != mean)

    def sample(self, at: str = "selected", seeds: list[int] | None = None) -> Sample | None:
        """Returns every test image of all folds of all seeds (or of `seeds`) with its photograph;
        None unless the cell is whole."""
        if self.lack or not all(at in s.scored.probabilities for s in self.slots):
            return None
        seeds = self.seeds if seeds is None else seeds
        parts = [slot.scored for seed in seeds for slot in self.of_seed(seed)]
        return Sample.of(
            np.concatenate([p.labels for p in parts]),
            np.concatenate([p.probabilities[at] for p in parts]),
            np.concatenate([p.groups for p in parts]),
        )

    def estimate(self) -> dict[str, dict[str, Estimate]]:
        """Returns, by point of the schedule, metrics with their intervals on new photographs: every
        metric at the selected epoch, those of OVER_TIME elsewhere. An incomplete cell has none."""
        selected = self.sample()
        if selected is None:
            return {}
        points = self.slots[0].scored.probabilities
        samples = {at: selected if at == "selected" else self.sample(at) for at in points}
        strata = selected.strata  # the images, and so the strata, are the same at every point
        weights = resample(strata, unless_few(strata, DRAWS), generator(0, "interval"))
        known: dict[bytes, dict[str, Estimate]] = {}  # one epoch may stand at several points
        found: dict[str, dict[str, Estimate]] = {}
        for at, sample in samples.items():
            if sample is None:
                found[at] = {}
                continue
            names, key = METRICS if at == "selected" else OVER_TIME, sample.totals.tobytes()
            if key not in known:
                known[key] = weighted(sample, weights, names)
            found[at] = {name: known[key][name] for name in names}
        return found

    def pooled(self, seed: int, at: str = "selected") -> dict[str, float] | None:
        """Returns every metric of a seed over the images of all folds together; None unless the
        seed is whole."""
        if not self.whole(seed):
            return None
        parts = [s.scored for s in self.of_seed(seed)]
        if not all(at in p.probabilities for p in parts):
            return None
        if (seed, at) not in self._pooled:
            labels = np.concatenate([p.labels for p in parts])
            given = np.concatenate([p.probabilities[at] for p in parts])
            self._pooled[seed, at] = metrics.score(labels, given)
        return self._pooled[seed, at]


@dataclass(frozen=True)
class Group:
    """The cells of one setting and protocol: nothing outside it may join them in a table."""

    setting: Setting
    protocol: str
    cells: dict[tuple[str, str], Cell]  # (framework, variant)

    @property
    def variants(self) -> list[str]:
        """The networks that occur, in the papers' order."""
        return [v for v in load_variants() if any(self.twins(v))]

    @property
    def in_order(self) -> list[Cell]:
        """Every cell: the networks in the papers' order, Keras before PyTorch."""
        return [cell for v in self.variants for cell in self.twins(v) if cell]

    def twins(self, variant: str) -> list[Cell | None]:
        """Returns a network's two cells, Keras's first; None where a twin has none."""
        return [self.cells.get((framework, variant)) for framework in FRAMEWORKS]

    def activations(self, variant: str) -> dict[str, dict[str, np.ndarray]]:
        """Returns, by twin, the arrays of activations.npz from a network's first run of the first
        seed. Twins without such a file are left out."""
        found = {}
        for cell in filter(None, self.twins(variant)):
            slots = [s for s in cell.of_seed(cell.seeds[0]) if s.usable]
            arrays = slots[0].stored.activations if slots else None
            if arrays is not None:
                found[cell.framework] = arrays
        return found

    def of(self, suite: str, paper: str = "") -> "Group":
        """Returns the cells of a suite alone; of these only those by `paper`'s recipe, if named."""
        known = load_variants()
        own = {k: c for k, c in self.cells.items() if known[k[1]].suite == suite}
        own = {k: c for k, c in own.items() if paper in ("", known[k[1]].paper)}
        return Group(self.setting, self.protocol, own)

    @property
    def slots(self) -> list[Slot]:
        """The runs, asked for or found, of all cells of the group."""
        return [s for cell in self.cells.values() for s in cell.slots]

    @property
    def page(self) -> str:
        """The file that shows the group's runs. The request's runs and those of the same setting
        beside it have one file: a run is found in the same place whatever is asked for later."""
        return f"runs-{replace(self.setting, shadowed=False).slug}-{self.protocol}.html"

    @property
    def place(self) -> str:
        """The setting and the protocol, as the ids of results.json have them."""
        return f"{self.setting.slug}/{self.protocol}"

    @property
    def part(self) -> str:
        """The part, "test" or "validation", that the runs' curves are of and that selects epochs.
        It is "test" where no run is there."""
        return next((s.measured.part for s in self.slots if s.measured), "test")

    @property
    def caption(self) -> str:
        """The protocol and the setting in words, and what differs between the runs."""
        pooled = " Metrics over the images of all folds together." * (self.protocol in POOLED)
        return f"Protocol {self.protocol}, {self.setting.title}.{pooled}{differences(self.slots)}"


def differences(slots: list[Slot]) -> str:
    """Returns sentences on threads and backends that differ between the runs; "" if none does."""
    sentences = []
    threads = sorted({s.spec.threads for s in slots if s.run})
    if len(threads) > 1:
        sentences.append(f" CPU threads differ between runs: {', '.join(map(str, threads))}.")
    for framework in FRAMEWORKS:
        backends = sorted({s.spec.backend for s in slots if s.spec.framework == framework})
        if len(backends) > 1:
            sentences.append(f" {framework} ran on different backends: {', '.join(backends)}.")
    return "".join(sentences)
