"""Joins two result folders by what each run is an experiment of, wherever and however it ran."""

import dataclasses
import hashlib
import json
import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.store.store import Store
from protocols.errors import RequestError
from protocols.papers.variants import load_variants
from protocols.spec import RunSpec
from reports.cells.cell import Cell
from reports.cells.planned_run import Slot
from reports.cells.settings import scrub
from reports.comparison.run_pairs import RunPair, pair_of

# These say how and where a run ran. Everything else of a RunSpec makes another experiment.
FREE = ("device", "backend", "precision", "threads", "deterministic", "contract")


@dataclass(frozen=True)
class Side:
    """One folder: its runs, those it was asked for and lacks, and what couldn't be read."""

    letter: str  # "A" or "B"
    name: str  # the folder's own name, without its path
    slots: list[Slot]
    unreadable: dict[str, str]  # folder without a run of this contract -> why
    folder: Path = Path()

    def beside(self, out: Path) -> str:
        """Returns the path of the folder's runs/ as seen from `out`; "" where the folder isn't near
        `out`, for no page names a machine's folders."""
        way = os.path.relpath(self.folder.resolve(), out.resolve())
        near = way.count("..") <= 1 and not os.path.isabs(way)
        return Path(way, "runs").as_posix() if near else ""


@dataclass(frozen=True)
class CellPair:
    """The runs, on both sides, of one network in one twin under one setting and protocol."""

    a: Cell
    b: Cell
    pairs: list[RunPair]

    @property
    def spec(self) -> RunSpec:
        """The specification of the first run on side A."""
        return self.a.slots[0].spec

    @property
    def key(self) -> str:
        """The id in compare.json and on the page, made of what ran and of how both sides ran it."""
        ran = [experiments(self.spec), *(ways(c.slots[0].spec) for c in (self.a, self.b))]
        digest = hashlib.sha256(json.dumps(ran).encode()).hexdigest()[:8]
        return f"{self.spec.framework}-{self.spec.variant}-{self.spec.protocol}-{digest}"

    @property
    def seeds(self) -> list[int]:
        """The seeds that are whole on both sides."""
        return [s for s in self.a.seeds if self.a.whole(s) and s in self.b.seeds
                and self.b.whole(s)]  # fmt: skip

    @property
    def common(self) -> list[RunPair]:
        """The pairs of runs of the seeds that are whole on both sides."""
        return [pair for pair in self.pairs if pair.a.spec.seed in self.seeds]

    @property
    def identical(self) -> bool:
        """Whether both sides have the same runs, all of them with the same bits."""
        whole = len(self.pairs) == len(self.a.slots) == len(self.b.slots)
        return whole and all(pair.identical for pair in self.pairs)


@dataclass(frozen=True)
class Lone:
    """A run that isn't compared with another, its side's letter, and the reason."""

    letter: str
    slot: Slot
    why: str


@dataclass(frozen=True)
class Joined:
    """Everything that compare.html shows of two folders."""

    a: Side
    b: Side
    training: list[CellPair]
    latency: list[RunPair]
    lone: list[Lone] = field(default_factory=list)

    @property
    def pairs(self) -> list[RunPair]:
        """All pairs of runs, those of training and those of latency."""
        return [pair for cells in self.training for pair in cells.pairs] + self.latency


def side(letter: str, store: Store) -> Side:
    """Reads a folder; a plan that can't be read is left aside."""
    try:
        plan = store.plan()
    except RequestError:
        plan = []
    found, others = store.look()
    runs = {run.spec.id: run for run in found}
    specs = {spec.id: spec for spec in plan} | {key: run.spec for key, run in runs.items()}
    wanted = (Slot(spec, runs.get(key), True) for key, spec in specs.items())
    slots = [slot.with_numbers(slot.read()) for slot in wanted]
    return Side(letter, store.out.resolve().name, slots, others, store.out)


def experiment(spec: RunSpec) -> str:
    """Returns, as JSON, what a run is an experiment of: all of its specification but FREE."""
    return json.dumps({k: v for k, v in dataclasses.asdict(spec).items() if k not in FREE},
                      sort_keys=True)  # fmt: skip


def experiments(spec: RunSpec) -> str:
    """Returns, as JSON, what a set of seeds and folds is an experiment of: what `experiment` has,
    without the seed, the fold, and the images' digest where each fold has its own images."""
    rest = json.loads(experiment(spec)) | {"seed": None, "fold": None}
    if spec.protocol == "cv10-grouped":  # there each fold has its own set of images
        rest["data"] = {k: v for k, v in spec.data.items() if k != "digest"}
    return json.dumps(rest, sort_keys=True)


def ways(spec: RunSpec) -> tuple[object, ...]:
    """Returns how and where a run ran, in FREE's order."""
    return tuple(getattr(spec, name) for name in FREE)


def join(a: Side, b: Side) -> Joined:
    """Puts every run of both sides into a pair, or among the lone ones."""
    found = Joined(a, b, [], [])
    sets = _by_experiment(a.slots), _by_experiment(b.slots)
    for key in dict.fromkeys([*sets[0], *sets[1]]):
        ours, theirs = (dict(one.get(key, {})) for one in sets)
        for one, two in most_alike(ours, theirs):
            _compare(ours.pop(one), theirs.pop(two), found)
        for here, rest, there, other in ((a, ours, b, sets[1]), (b, theirs, a, sets[0])):
            nearer = f"not compared: another way of running it is nearer to {there.letter}'s"
            for slot in (slot for slots in rest.values() for slot in slots):
                found.lone.append(_lone(here, slot, there, nearer if key in other else ""))
    found.training.sort(key=lambda pair: _place(pair.spec))
    found.latency.sort(key=lambda pair: _place(pair.a.spec))
    return found


def _place(spec: RunSpec) -> tuple[object, ...]:
    """Returns the key that sorts by profile and protocol, then in the papers' order."""
    known = list(load_variants())
    order = known.index(spec.variant) if spec.variant in known else len(known)
    return spec.profile, spec.protocol, order, spec.variant, spec.framework


Ways = dict[
    tuple[object, ...], list[Slot]
]  # the runs of a set of seeds and folds, by the way they ran


def _by_experiment(slots: list[Slot]) -> dict[str, Ways]:
    found: dict[str, Ways] = defaultdict(lambda: defaultdict(list))
    for slot in slots:
        found[experiments(slot.spec)][ways(slot.spec)].append(slot)
    return found


def most_alike(ours: Ways, theirs: Ways) -> list[tuple[tuple, tuple]]:
    """Returns pairs of the ways in which both sides ran the same, the most alike first; each way is
    in one pair at most."""
    left = sorted(
        ((x, y) for x in ours for y in theirs),
        key=lambda p: (-sum(i == j for i, j in zip(*p, strict=True)), str(p)),
    )
    found = []
    while left:
        found.append(left[0])
        left = [p for p in left if p[0] != found[-1][0] and p[1] != found[-1][1]]
    return found


def _compare(ours: list[Slot], theirs: list[Slot], found: Joined) -> None:
    """Puts the runs of two sets of seeds and folds into pairs, or among the lone ones."""
    own, other = ({experiment(s.spec): s for s in slots} for slots in (ours, theirs))
    pairs = [pair_of(own[k], other[k]) for k in own if k in other
             and own[k].usable and other[k].usable]  # fmt: skip
    paired = {slot.spec.id for pair in pairs for slot in (pair.a, pair.b)}
    for here, slots, there, twins in (
        (found.a, ours, found.b, other),
        (found.b, theirs, found.a, own),
    ):
        for slot in (s for s in slots if s.spec.id not in paired):
            twin = twins.get(experiment(slot.spec))
            why = f"{twin.state} in {there.letter}" if twin else ""
            found.lone.append(_lone(here, slot, there, why))
    if ours[0].spec.stage == "latency":
        found.latency.extend(pairs)
    elif any(s.usable for s in ours) and any(s.usable for s in theirs):
        key = (ours[0].spec.framework, ours[0].spec.variant)
        found.training.append(CellPair(Cell(*key, ours), Cell(*key, theirs), pairs))


def _lone(here: Side, slot: Slot, there: Side, why: str) -> Lone:
    """Returns the lone run with the first reason that holds: that it has no numbers itself, `why`,
    or what the other side has instead."""
    if slot.state == "missing":
        why = "asked for, not there"
    elif not slot.usable:
        why = f"{slot.state}: {scrub(slot.reason)}"
    return Lone(here.letter, slot, why or _instead(slot.spec, there))


def _instead(spec: RunSpec, there: Side) -> str:
    names = ("stage", "framework", "variant", "protocol", "fold", "seed")
    for near in (s.spec for s in there.slots):
        if all(getattr(near, n) == getattr(spec, n) for n in names):
            return f"{there.letter} has another experiment: {', '.join(_unlike(spec, near))}"
    return f"not in {there.letter}"


def _unlike(spec: RunSpec, near: RunSpec) -> list[str]:
    """Lists what makes two runs of one network different experiments; hyperparameters stand with
    their values."""
    found = [name for name in ("profile", "init") if getattr(spec, name) != getattr(near, name)]
    found += [f"{part} ({k})" for part in ("data", "weights")
              for k in sorted({*getattr(spec, part), *getattr(near, part)})
              if getattr(spec, part).get(k) != getattr(near, part).get(k)]  # fmt: skip
    for key in sorted({*spec.recipe, *near.recipe}):
        ours, theirs = (s.recipe.get(key, "none") for s in (spec, near))
        if ours != theirs:
            found.append(f"{key} {ours} here, {theirs} there")
    return found
