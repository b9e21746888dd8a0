"""Two result folders joined by what each run is an experiment of, wherever and however it ran."""

import dataclasses
import hashlib
import json
import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.store.store import Store
from protocols.errors import RequestError
from protocols.papers.variants import load_variants
from protocols.spec import RunSpec
from reports.cells.cell import Cell
from reports.cells.planned_run import Slot
from reports.cells.settings import scrub

# How and where a run ran. Everything else of a RunSpec makes another experiment.
FREE = ("device", "backend", "precision", "threads", "deterministic", "contract")

# every epoch's answers, as earlier runs and today's store them: the same bits can't be told there
EVERY_EPOCH = {f"{part}{name}" for part in ("", "validation_") for name in ("epochs", "log_epochs")}


@dataclass(frozen=True)
class Side:
    """One folder: its runs, those it was asked for and lacks, and what couldn't be read."""

    letter: str  # "A" or "B"
    name: str  # the folder's own, without its path
    slots: list[Slot]
    unreadable: dict[str, str]  # folder without a run of this contract -> why
    folder: Path = Path()

    def beside(self, out: Path) -> str:
        """The folder's runs/ as seen from `out`; empty where it lies elsewhere, for no page names a
        machine's folders."""
        way = os.path.relpath(self.folder.resolve(), out.resolve())
        near = way.count("..") <= 1 and not os.path.isabs(way)
        return Path(way, "runs").as_posix() if near else ""


@dataclass(frozen=True)
class Pair:
    """One experiment, finished on both sides."""

    a: Slot
    b: Slot
    identical: bool = False  # every stored probability has the same bits (training runs)
    order: np.ndarray | None = None  # b's images in a's order, int (n,); None: other images
    apart: float | None = None  # the largest difference of a selected epoch's probability; or none

    @property
    def key(self) -> str:
        """Its id in compare.json and on the page."""
        return f"{self.a.spec.id}={self.b.spec.id}"

    @property
    def agree(self) -> float | None:
        """Share of test images to which both selected epochs give one class."""
        other = self.otherwise
        return None if other is None else (self.a.scored.n - other) / self.a.scored.n

    @property
    def otherwise(self) -> int | None:
        """How many test images get another class on the other side."""
        if self.order is None:
            return None
        one, two = (s.scored.selected.argmax(axis=1) for s in (self.a, self.b))
        return int((one != two[self.order]).sum())


@dataclass(frozen=True)
class Both:
    """One network in one twin under a setting and protocol: its runs on both sides."""

    a: Cell
    b: Cell
    pairs: list[Pair]

    @property
    def spec(self) -> RunSpec:
        """Of one of its runs."""
        return self.a.slots[0].spec

    @property
    def key(self) -> str:
        """Its id in compare.json and on the page: of what ran and how, on both sides."""
        ran = [experiments(self.spec), *(ways(c.slots[0].spec) for c in (self.a, self.b))]
        digest = hashlib.sha256(json.dumps(ran).encode()).hexdigest()[:8]
        return f"{self.spec.framework}-{self.spec.variant}-{self.spec.protocol}-{digest}"

    @property
    def seeds(self) -> list[int]:
        """Those that are whole on both sides."""
        return [s for s in self.a.seeds if self.a.whole(s) and s in self.b.seeds
                and self.b.whole(s)]  # fmt: skip

    @property
    def common(self) -> list[Pair]:
        """The pairs of those seeds."""
        return [pair for pair in self.pairs if pair.a.spec.seed in self.seeds]

    @property
    def identical(self) -> bool:
        """Whether both sides have the same runs, all of them with the same bits."""
        whole = len(self.pairs) == len(self.a.slots) == len(self.b.slots)
        return whole and all(pair.identical for pair in self.pairs)


@dataclass(frozen=True)
class Lone:
    """A run that isn't compared with another, and why."""

    letter: str
    slot: Slot
    why: str


@dataclass(frozen=True)
class Joined:
    """Everything that compare.html shows of two folders."""

    a: Side
    b: Side
    training: list[Both]
    latency: list[Pair]
    lone: list[Lone] = field(default_factory=list)

    @property
    def pairs(self) -> list[Pair]:
        """Every pair of runs, of training and of latency."""
        return [pair for both in self.training for pair in both.pairs] + self.latency


def side(letter: str, store: Store) -> Side:
    """Reads a folder; a plan of another version is left aside."""
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
    """What one run is, as JSON: all of its specification but FREE."""
    return json.dumps({k: v for k, v in dataclasses.asdict(spec).items() if k not in FREE},
                      sort_keys=True)  # fmt: skip


def experiments(spec: RunSpec) -> str:
    """The same of a set of seeds and folds."""
    rest = json.loads(experiment(spec)) | {"seed": None, "fold": None}
    if spec.protocol == "cv10-grouped":  # there, one set of images a fold
        rest["data"] = {k: v for k, v in spec.data.items() if k != "digest"}
    return json.dumps(rest, sort_keys=True)


def ways(spec: RunSpec) -> tuple[object, ...]:
    """How and where it ran, in FREE's order."""
    return tuple(getattr(spec, name) for name in FREE)


def join(a: Side, b: Side) -> Joined:
    """Every run of both sides is in a pair or among the lone ones."""
    found = Joined(a, b, [], [])
    sets = _sets(a.slots), _sets(b.slots)
    for key in dict.fromkeys([*sets[0], *sets[1]]):
        ours, theirs = (dict(s.get(key, {})) for s in sets)
        for one, two in _alike(ours, theirs):
            _compare(ours.pop(one), theirs.pop(two), found)
        for here, rest, there, other in ((a, ours, b, sets[1]), (b, theirs, a, sets[0])):
            for slot in (slot for slots in rest.values() for slot in slots):
                nearer = f"not compared: another way of running it is nearer to {there.letter}’s"
                why = nearer if key in other else _nearest(slot, there)
                found.lone.append(Lone(here.letter, slot, _own(slot) or why))
    found.training.sort(key=lambda both: _place(both.spec))
    found.latency.sort(key=lambda pair: _place(pair.a.spec))
    return found


def _place(spec: RunSpec) -> tuple[object, ...]:
    """By profile and protocol, then in the papers' order."""
    known = list(load_variants())
    order = known.index(spec.variant) if spec.variant in known else len(known)
    return spec.profile, spec.protocol, order, spec.variant, spec.framework


Editions = dict[tuple[object, ...], list[Slot]]  # by the way they ran


def _sets(slots: list[Slot]) -> dict[str, Editions]:
    found: dict[str, Editions] = defaultdict(lambda: defaultdict(list))
    for slot in slots:
        found[experiments(slot.spec)][ways(slot.spec)].append(slot)
    return found


def _alike(ours: Editions, theirs: Editions) -> list[tuple[tuple, tuple]]:
    """Pairs of ways to run the same, the most alike first; each is in one pair at most."""
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
    keys = [{experiment(s.spec): s for s in slots} for slots in (ours, theirs)]
    pairs = [pair_of(keys[0][k], keys[1][k]) for k in keys[0] if k in keys[1]
             and keys[0][k].usable and keys[1][k].usable]  # fmt: skip
    paired = {id(s) for pair in pairs for s in (pair.a, pair.b)}
    both = (found.a, ours, found.b, keys[1]), (found.b, theirs, found.a, keys[0])
    for here, slots, there, other in both:
        for slot in (s for s in slots if id(s) not in paired):
            twin = other.get(experiment(slot.spec))
            why = f"{twin.state} in {there.letter}" if twin else _nearest(slot, there)
            found.lone.append(Lone(here.letter, slot, _own(slot) or why))
    if ours[0].spec.stage == "latency":
        found.latency.extend(pairs)
    elif any(s.usable for s in ours) and any(s.usable for s in theirs):
        key = (ours[0].spec.framework, ours[0].spec.variant)
        found.training.append(Both(Cell(*key, ours), Cell(*key, theirs), pairs))


def pair_of(a: Slot, b: Slot) -> Pair:
    """Both runs' predictions, read and held against each other."""
    if a.spec.stage != "train":
        return Pair(a, b)
    files = [s.stored.record["files"]["predictions.npz"]["sha256"] for s in (a, b)]
    if files[0] == files[1]:
        return Pair(a, b, True, np.arange(a.scored.n), 0.0)
    one, two = a.stored.predictions, b.stored.predictions
    both = one.keys() & two.keys()
    same = one.keys() ^ two.keys() <= EVERY_EPOCH and all(
        one[k].dtype == two[k].dtype and one[k].tobytes() == two[k].tobytes() for k in both
    )
    rows = [np.argsort(x["ids"], kind="stable") for x in (one, two)]
    order = None
    if all(np.array_equal(one[k][rows[0]], two[k][rows[1]]) for k in ("ids", "labels")):
        order = rows[1][np.argsort(rows[0])]
    return Pair(a, b, same, order, _apart(one["selected"], two["selected"], order))


def _apart(one: np.ndarray, two: np.ndarray, order: np.ndarray | None) -> float | None:
    """The largest difference of a probability, float (n, 4) each; None if there is none."""
    if order is None:
        return None
    gaps = np.abs(one.astype(np.float64) - two[order])
    return float(gaps.max()) if np.isfinite(gaps).all() else None


def _own(slot: Slot) -> str:
    """Why the run has no numbers of its own; empty if it has."""
    if slot.usable:
        return ""
    if slot.state == "missing":
        return "asked for, not there"
    return f"{slot.state}: {scrub(slot.reason)}"


def _nearest(slot: Slot, there: Side) -> str:
    """What the other side has instead of a run."""
    names = ("stage", "framework", "variant", "protocol", "fold", "seed")
    for near in (s.spec for s in there.slots):
        if all(getattr(near, n) == getattr(slot.spec, n) for n in names):
            unlike = ", ".join(_unlike(slot.spec, near))
            return f"{there.letter} has another experiment: {unlike}"
    return f"not in {there.letter}"


def _unlike(spec: RunSpec, near: RunSpec) -> list[str]:
    """What makes two runs of one network different experiments; hyperparameters with values."""
    found = [name for name in ("profile", "init") if getattr(spec, name) != getattr(near, name)]
    found += [f"{part} ({k})" for part in ("data", "weights")
              for k in sorted({*getattr(spec, part), *getattr(near, part)})
              if getattr(spec, part).get(k) != getattr(near, part).get(k)]  # fmt: skip
    for key in sorted({*spec.recipe, *near.recipe}):
        ours, theirs = (s.recipe.get(key, "none") for s in (spec, near))
        if ours != theirs:
            found.append(f"{key} {ours} here, {theirs} there")
    return found
