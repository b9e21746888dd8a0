"""Store and plan -> cells: what was asked for, what is there, and the numbers it gives."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from benchmarks.store import Store
from protocols import metrics
from protocols.metrics import METRICS
from protocols.seeds import generator
from protocols.spec import FRAMEWORKS, PROTOCOLS, RunSpec
from protocols.variants import load_variants
from reports.groups import CONTROL, Setting, folds_needed, setting_of, signature
from reports.intervals import DRAWS, Estimate, Sample, intervals, unless_few
from reports.parallel import spread
from reports.slots import Slot

OVER_TIME = ("accuracy", "log_loss")  # metrics with intervals at other epochs than the selected
FEW_DRAWS = 1000  # of the bootstrap there


@dataclass(frozen=True)
class Number:
    """A mean over seeds (each a mean over folds), or the reason why there is none.

    `value` is None where the set is incomplete and NaN where a run diverged.
    """

    value: float | None
    lack: str = ""
    by_seed: dict[int, float] = field(default_factory=dict)
    stale: bool = False
    diverged: bool = False


@dataclass(eq=False)
class Cell:
    """All runs of one variant in one framework within a group."""

    framework: str
    variant: str
    slots: list[Slot]
    page: str = ""  # the file that shows its runs
    place: str = ""  # setting and protocol
    taken: frozenset[int] = frozenset()  # seeds whose anchor is that of runs of the request
    estimates: dict[str, dict[str, Estimate]] = field(default_factory=dict)  # by `estimate`

    def anchor(self, seed: int) -> str:
        """Of a seed's runs, on that page."""
        beside = "-beside" if seed in self.taken else ""
        return f"{self.framework}-{self.variant}-s{seed}{beside}"

    @property
    def key(self) -> str:
        """Its id in results.json."""
        return f"{self.place}/{self.framework}/{self.variant}"

    @property
    def href(self) -> str:
        """Where its runs are shown."""
        return f"{self.page}#{self.anchor(self.seeds[0])}"

    @property
    def seeds(self) -> list[int]:
        """Asked for or found."""
        return sorted({s.spec.seed for s in self.slots})

    @property
    def folds(self) -> int:
        """Folds a seed needs to be whole; 1 where there are none."""
        return max(folds_needed(self.slots[0].spec), len({s.spec.fold for s in self.slots}))

    def of_seed(self, seed: int) -> list[Slot]:
        """The slots of a seed, by fold."""
        return sorted(
            (s for s in self.slots if s.spec.seed == seed), key=lambda s: s.spec.fold or 0
        )

    def whole(self, seed: int) -> bool:
        """Whether every fold of the seed has numbers."""
        return sum(s.usable for s in self.of_seed(seed)) == self.folds

    @property
    def stale(self) -> bool:
        """Whether any of its numbers comes from other sources than today's."""
        return any(s.state == "stale" for s in self.slots)

    @property
    def diverged(self) -> bool:
        """Whether a run ended without any finite loss."""
        return any(s.state == "diverged" for s in self.slots)

    @property
    def lack(self) -> str:
        """What is missing, in words; empty if the set is whole."""
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
        """Test images behind a seed's number, all its folds together."""
        seed = next((s for s in self.seeds if self.whole(s)), None)
        slots = self.slots[:0] if seed is None else self.of_seed(seed)
        return sum(s.measured.n for s in slots if s.measured)

    def number(self, metric: str, at: str = "selected") -> Number:
        """Mean over folds, then over seeds; no value where one fold or seed is short."""
        by_seed = {}
        for seed in filter(self.whole, self.seeds):
            values = [s.measured.scores.get(at, {}).get(metric) for s in self.of_seed(seed)]
            if None in values:
                return Number(None, "not recorded", stale=self.stale)
            by_seed[seed] = sum(values) / len(values)
        if len(by_seed) < len(self.seeds):
            return Number(None, self.lack, by_seed, self.stale, self.diverged)
        mean = sum(by_seed.values()) / len(by_seed)
        return Number(mean, "", by_seed, self.stale, mean != mean)

    def sample(self, at: str = "selected") -> Sample | None:
        """Every test image of all seeds and folds, by photograph; None unless all are whole."""
        if self.lack or not all(at in s.measured.probabilities for s in self.slots):
            return None
        parts = [slot.measured for seed in self.seeds for slot in self.of_seed(seed)]
        return Sample.of(
            np.concatenate([p.labels for p in parts]),
            np.concatenate([p.probabilities[at] for p in parts]),
            np.concatenate([p.groups for p in parts]),
        )

    def estimate(self) -> dict[str, dict[str, Estimate]]:
        """At each point of the schedule, metrics with their intervals on new photographs."""
        if self.lack:
            return {}
        found = {}
        for at in self.slots[0].measured.probabilities:
            names, draws = (METRICS, DRAWS) if at == "selected" else (OVER_TIME, FEW_DRAWS)
            rng, sample = generator(0, "interval"), self.sample(at)
            wanted = unless_few(sample.strata, draws) if sample else None
            found[at] = intervals(sample, rng, wanted, names) if sample else {}
        return found

    def pooled(self, seed: int) -> dict[str, float] | None:
        """Every metric over the images of all folds together; None unless the seed is whole."""
        if not self.whole(seed):
            return None
        parts = [s.measured for s in self.of_seed(seed)]
        labels = np.concatenate([p.labels for p in parts])
        return metrics.score(labels, np.concatenate([p.selected for p in parts]))


@dataclass
class Group:
    """The cells of one setting and protocol: nothing outside it may join them in a table."""

    setting: Setting
    protocol: str
    cells: dict[tuple[str, str], Cell]  # (framework, variant)

    @property
    def variants(self) -> list[str]:
        """Those that occur, in the papers' order."""
        return [v for v in load_variants() if any((f, v) in self.cells for f in FRAMEWORKS)]

    def of(self, suite: str, paper: str = "") -> "Group":
        """The cells of a suite alone; of one paper's recipe, if a paper is named."""
        known = load_variants()
        own = {k: c for k, c in self.cells.items() if known[k[1]].suite == suite}
        own = {k: c for k, c in own.items() if paper in ("", known[k[1]].paper)}
        return Group(self.setting, self.protocol, own)

    @property
    def slots(self) -> list[Slot]:
        """All of them."""
        return [s for cell in self.cells.values() for s in cell.slots]

    @property
    def page(self) -> str:
        """The file that shows its runs: one for those of the request and those beside it, so that
        a run is found in the same place whatever is asked for later."""
        return f"runs-{replace(self.setting, shadowed=False).slug}-{self.protocol}.html"

    @property
    def place(self) -> str:
        """Setting and protocol, in results.json's ids."""
        return f"{self.setting.slug}/{self.protocol}"

    @property
    def caption(self) -> str:
        """Setting and protocol in words, and what differs within."""
        return f"Protocol {self.protocol}, {self.setting.title}.{differences(self.slots)}"


def differences(slots: list[Slot]) -> str:
    """A sentence that names threads or backends that differ within the runs; else empty."""
    sentences = []
    threads = sorted({s.spec.threads for s in slots if s.run})
    if len(threads) > 1:
        sentences.append(f" CPU threads differ between runs: {', '.join(map(str, threads))}.")
    for framework in FRAMEWORKS:
        backends = sorted({s.spec.backend for s in slots if s.spec.framework == framework})
        if len(backends) > 1:
            sentences.append(f" {framework} ran on different backends: {', '.join(backends)}.")
    return "".join(sentences)


@dataclass
class Collected:
    """Everything the pages show."""

    groups: list[Group]  # training
    latency: dict[Setting, dict[tuple[str, str], Slot]]
    slots: list[Slot]  # every run asked for or found, planned ones first
    jobs: int = 1  # processes that may make the pages

    @property
    def settings(self) -> list[Setting]:
        """Planned ones first, then those that may be judged, then by name."""
        found = {g.setting for g in self.groups} | set(self.latency)
        return sorted(found, key=_rank)

    @cached_property
    def blocks(self) -> dict[str, str]:
        """Run id -> where the run is shown, of training runs."""
        return {
            slot.spec.id: f"{cell.page}#{cell.anchor(slot.spec.seed)}"
            for group in self.groups
            for cell in group.cells.values()
            for slot in cell.slots
        }

    @property
    def papers(self) -> list[Setting]:
        """The settings with runs of the papers' networks; others say nothing of a claim."""
        return [s for s in self.settings if self.suites(s) - {CONTROL}]

    def suites(self, setting: Setting) -> set[str]:
        """Whose networks the runs of a setting are: "liang", "jane", "control"."""
        names = {v for g in self.groups if g.setting == setting for _, v in g.cells}
        names |= {v for _, v in self.latency.get(setting, {})}
        return {load_variants()[v].suite for v in names}

    def specs(self, setting: Setting) -> list[RunSpec]:
        """Of the setting's runs, those asked for and missing too."""
        slots = [s for g in self.groups if g.setting == setting for s in g.slots]
        return [s.spec for s in (*slots, *self.latency.get(setting, {}).values())]

    def backends(self, setting: Setting) -> dict[str, list[str]]:
        """Twin -> what it computes on, by name."""
        found: dict[str, set[str]] = {}
        for spec in self.specs(setting):
            found.setdefault(spec.framework, set()).add(spec.backend)
        return {f: sorted(found[f]) for f in FRAMEWORKS if f in found}

    def group(self, setting: Setting, protocol: str) -> Group | None:
        """The training runs of a setting under a protocol."""
        wanted = (g for g in self.groups if g.setting == setting and g.protocol == protocol)
        return next(wanted, None)


def _rank(setting: Setting) -> tuple[bool, bool, int, str]:
    return (
        not setting.planned,
        not setting.as_published,
        len(setting.objections),
        setting.title,
    )


def collect(
    store: Store,
    plan: list[RunSpec],
    jobs: int = 1,
    meanwhile: Callable[[], None] | None = None,
) -> Collected:
    """Joins the plan and the store; runs outside the plan get settings of their own. `jobs`:
    processes that read and compute; `meanwhile`: called while they read."""
    wanted = {spec.id: spec for spec in plan}
    runs = {run.spec.id: run for run in store.runs()}
    slots = [Slot(spec, runs.get(key), True) for key, spec in wanted.items()]
    slots += [Slot(run.spec, run, False) for key, run in runs.items() if key not in wanted]
    for slot, read in zip(slots, spread(Slot.read, slots, jobs, meanwhile), strict=True):
        slot.take(read)
    editions = _editions(slots)
    asked = {setting_of(s.spec, True) for s in slots if s.planned and _known(s.spec)}
    groups: dict[tuple[Setting, str], Group] = {}
    latency: dict[Setting, dict[tuple[str, str], Slot]] = defaultdict(dict)
    for slot in (s for s in slots if _known(s.spec)):
        spec = slot.spec
        setting = setting_of(spec, slot.planned, editions.get(spec.id, 0))
        if not slot.planned and replace(setting, planned=True) in asked:
            setting = replace(setting, shadowed=True)
        key = (spec.framework, spec.variant)
        if spec.stage == "latency":
            latency[setting].setdefault(key, slot)
            continue
        group = groups.setdefault((setting, spec.protocol), Group(setting, spec.protocol, {}))
        cell = group.cells.setdefault(key, Cell(*key, [], group.page, group.place))
        cell.slots.append(slot)
    _take_anchors(groups)
    cells = [cell for group in groups.values() for cell in group.cells.values()]
    for cell, found in zip(cells, spread(Cell.estimate, cells, jobs), strict=True):
        cell.estimates = found
    ordered = sorted(groups.values(), key=lambda g: (_rank(g.setting), PROTOCOLS.index(g.protocol)))
    return Collected(ordered, dict(latency), slots, jobs)


def _take_anchors(groups: dict[tuple[Setting, str], Group]) -> None:
    """Where two groups share a page, an anchor is that of the request's runs."""
    for (setting, protocol), group in groups.items():
        if setting.shadowed:
            other = groups.get((replace(setting, planned=True, shadowed=False), protocol))
            for key, cell in group.cells.items():
                there = other.cells.get(key) if other else None
                cell.taken = frozenset(there.seeds if there else ())


def _known(spec: RunSpec) -> bool:
    """Whether today's tables can place it; others stand in the list of all runs only."""
    return spec.variant in load_variants() and spec.protocol in PROTOCOLS


def _editions(slots: list[Slot]) -> dict[str, int]:
    """Run id -> 0, 1, ... so that no cell outside the plan mixes runs of unlike signatures."""
    cells: dict[tuple[object, ...], list[RunSpec]] = defaultdict(list)
    for slot in slots:
        if not slot.planned and _known(slot.spec):
            s = slot.spec
            protocol = "" if s.stage == "latency" else s.protocol
            key = (setting_of(s, False), protocol, s.stage, s.framework, s.variant)
            cells[key].append(s)
    numbers = {}
    for specs in cells.values():
        order = sorted({signature(s) for s in specs})
        numbers |= {s.id: order.index(signature(s)) for s in specs}
    return numbers
