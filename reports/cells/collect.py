"""Makes cells of a store and a plan: what was asked for, what is there, and the numbers of it."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

from benchmarks.store.store import Store
from protocols.papers.papers import load_papers
from protocols.papers.variants import load_variants
from protocols.spec import FRAMEWORKS, PROTOCOLS, RunSpec
from reports.cells.cell import Cell, Group
from reports.cells.parallel import spread
from reports.cells.planned_run import Slot
from reports.cells.settings import Setting, setting_of, signature

# the runs by setting and protocol, then by twin and network
Training = dict[tuple[Setting, str], dict[tuple[str, str], list[Slot]]]


@dataclass(frozen=True)
class Collected:
    """Everything that the pages show."""

    groups: list[Group]  # of training runs
    latency: dict[Setting, dict[tuple[str, str], Slot]]  # the latency runs, by twin and network
    slots: list[Slot]  # every run asked for or found, planned ones first
    jobs: int = 1  # the number of processes that may make the pages
    unreadable: dict[str, str] = field(default_factory=dict)  # folder without a run -> why

    @property
    def settings(self) -> list[Setting]:
        """All settings: planned ones first, then those as published, then by the number of
        objections, then by title."""
        found = {g.setting for g in self.groups} | set(self.latency)
        return sorted(found, key=_rank)

    @cached_property
    def blocks(self) -> dict[str, str]:
        """The link to each training run's block on its page, by the run's id."""
        return {
            slot.spec.id: f"{cell.page}#{cell.anchor(slot.spec.seed)}"
            for group in self.groups
            for cell in group.cells.values()
            for slot in cell.slots
        }

    @property
    def papers(self) -> list[Setting]:
        """The settings with runs of the papers' networks; the others say nothing of a claim."""
        return [s for s in self.settings if self.suites(s) & load_papers().keys()]

    def suites(self, setting: Setting) -> set[str]:
        """Returns the suites whose networks a setting has runs of: papers, or folders of ours."""
        names = {v for g in self.groups if g.setting == setting for _, v in g.cells}
        names |= {v for _, v in self.latency.get(setting, {})}
        return {load_variants()[v].suite for v in names}

    def specs(self, setting: Setting) -> list[RunSpec]:
        """Returns the specifications of a setting's runs, of missing runs too."""
        slots = [s for g in self.groups if g.setting == setting for s in g.slots]
        return [s.spec for s in (*slots, *self.latency.get(setting, {}).values())]

    def backends(self, setting: Setting) -> dict[str, list[str]]:
        """Returns by twin the backends that a setting's runs name, sorted."""
        found: dict[str, set[str]] = {}
        for spec in self.specs(setting):
            found.setdefault(spec.framework, set()).add(spec.backend)
        return {f: sorted(found[f]) for f in FRAMEWORKS if f in found}

    def group(self, setting: Setting, protocol: str) -> Group:
        """Returns the training runs of a setting under a protocol: a group without cells if there
        are none."""
        wanted = (g for g in self.groups if g.setting == setting and g.protocol == protocol)
        return next(wanted, Group(setting, protocol, {}))

    def of(self, suite: str, paper: str = "") -> list[Group]:
        """Returns the groups that have runs of a suite, each reduced as by `Group.of`."""
        found = (group.of(suite, paper) for group in self.groups)
        return [group for group in found if group.cells]

    def like(self, setting: Setting, protocol: str) -> Group | None:
        """Returns the training runs under a protocol of a setting or, if it has none, of the
        setting that differs only in lying inside or outside the current request."""
        found = [
            g
            for g in self.groups
            if g.protocol == protocol
            and replace(g.setting, planned=setting.planned, shadowed=setting.shadowed) == setting
        ]
        return min(found, key=lambda g: g.setting != setting, default=None)


def _rank(setting: Setting) -> tuple[bool, bool, int, str]:
    return not setting.planned, not setting.as_published, len(setting.objections), setting.title


def collect(
    store: Store,
    plan: list[RunSpec],
    jobs: int = 1,
    meanwhile: Callable[[], None] | None = None,
) -> Collected:
    """Joins the plan and the store; runs outside the plan get settings of their own. `jobs` is the
    number of processes that read and compute; `meanwhile` is called while they read."""
    wanted = {spec.id: spec for spec in plan}
    stored, unreadable = store.look()
    runs = {run.spec.id: run for run in stored}
    slots = [Slot(spec, runs.get(key), True) for key, spec in wanted.items()]
    slots += [Slot(run.spec, run, False) for key, run in runs.items() if key not in wanted]
    found = spread(Slot.read, slots, jobs, meanwhile)
    slots = [slot.with_numbers(one) for slot, one in zip(slots, found, strict=True)]
    editions = _editions(slots)
    asked = {
        setting_of(s.spec, True, editions.get(s.spec.id, 0))
        for s in slots
        if s.planned and _known(s.spec)
    }
    training: Training = defaultdict(lambda: defaultdict(list))
    latency: dict[Setting, dict[tuple[str, str], Slot]] = defaultdict(dict)
    for slot in (s for s in slots if _known(s.spec)):
        spec = slot.spec
        setting = setting_of(spec, slot.planned, editions.get(spec.id, 0))
        if not slot.planned and replace(setting, planned=True) in asked:
            setting = replace(setting, shadowed=True)
        key = (spec.framework, spec.variant)
        if spec.stage == "latency":
            latency[setting].setdefault(key, slot)
        else:
            training[setting, spec.protocol][key].append(slot)
    return Collected(_groups(training, jobs), dict(latency), slots, jobs, unreadable)


def _groups(training: Training, jobs: int) -> list[Group]:
    """Returns the groups in the order of the pages, each cell with its estimates."""
    cells = []
    for (setting, protocol), own in training.items():
        group, beside = Group(setting, protocol, {}), _beside(training, setting, protocol)
        cells += [
            Cell(*key, slots, group.page, group.place, frozenset(beside.get(key, ())))
            for key, slots in own.items()
        ]
    made = zip(cells, spread(Cell.estimate, cells, jobs), strict=True)
    whole = (replace(cell, estimates=estimates) for cell, estimates in made)
    groups = [
        Group(setting, protocol, {key: next(whole) for key in own})
        for (setting, protocol), own in training.items()
    ]
    return sorted(groups, key=lambda g: (_rank(g.setting), PROTOCOLS.index(g.protocol)))


def _beside(training: Training, setting: Setting, protocol: str) -> dict[tuple[str, str], set[int]]:
    """Returns by twin and network the seeds of the request's runs that share a page with those of
    `setting`: there the plain anchor of a seed belongs to the request's runs."""
    if not setting.shadowed:
        return {}
    own = training.get((replace(setting, planned=True, shadowed=False), protocol), {})
    return {key: {slot.spec.seed for slot in slots} for key, slots in own.items()}


def _known(spec: RunSpec) -> bool:
    """Tells whether today's tables can place a run; if not, only the list of all runs has it."""
    return spec.variant in load_variants() and spec.protocol in PROTOCOLS


def _editions(slots: list[Slot]) -> dict[str, int]:
    """Numbers runs by id, from 0 on: those of one cell that differ in their signature get different
    numbers, so that they are kept in cells apart. Planned runs stay together where each has a seed
    and fold of its own: a table says of them in what they differ."""
    cells: dict[tuple[Setting, str, str, str, str], list[RunSpec]] = defaultdict(list)
    for slot in slots:
        if _known(s := slot.spec):
            protocol = "" if s.stage == "latency" else s.protocol
            key = (setting_of(s, slot.planned), protocol, s.stage, s.framework, s.variant)
            cells[key].append(s)
    numbers: dict[str, int] = {}
    for (setting, *_), specs in cells.items():
        places = {(s.seed, s.fold) if s.stage == "train" else None for s in specs}
        if setting.planned and len(places) == len(specs):
            continue
        order = sorted({signature(s) for s in specs})
        numbers |= {s.id: order.index(signature(s)) for s in specs}
    return numbers
