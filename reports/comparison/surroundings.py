"""Finds what differs around two joined sets of runs: device, versions, threads, backend, commit."""

from collections import Counter
from dataclasses import dataclass

from protocols.spec import FRAMEWORKS
from reports.cells.environment import FACTS, NONE, NOT_RECORDED, SHORT, as_text, packages
from reports.cells.planned_run import Slot
from reports.comparison.join import Joined
from reports.comparison.run_pairs import RunPair

KINDS = {"place": "Where and how", "package": "Packages", "suite": "This suite"}


@dataclass(frozen=True)
class Field:
    """One property of the pairs of a framework: its values on both sides, and how many runs have
    each of them."""

    what: str
    kind: str  # one of KINDS
    a: dict[str, int]
    b: dict[str, int]
    differ: int  # the number of pairs that don't share the value

    @property
    def known(self) -> bool:
        """Whether any run has the property recorded."""
        return {*self.a, *self.b} != {NOT_RECORDED}

    @property
    def pairs(self) -> int:
        """The number of pairs of runs."""
        return sum(self.a.values())


def fields(joined: Joined) -> dict[str, list[Field]]:
    """Returns by framework every property that any of its paired runs names."""
    pairs = {f: [p for p in joined.pairs if p.a.spec.framework == f] for f in FRAMEWORKS}
    return {framework: _fields(found) for framework, found in pairs.items() if found}


def _fields(pairs: list[RunPair]) -> list[Field]:
    both = [(surroundings(pair.a), surroundings(pair.b)) for pair in pairs]
    names = dict.fromkeys(key for two in both for one in two for key in one)
    made = []
    for kind, what in sorted(names, key=lambda name: list(KINDS).index(name[0])):
        ends = [tuple(one.get((kind, what), NONE) for one in two) for two in both]
        a, b = (dict(Counter(side)) for side in zip(*ends, strict=True))
        made.append(Field(what, kind, a, b, sum(one != other for one, other in ends)))
    return made


def surroundings(slot: Slot) -> dict[tuple[str, str], str]:
    """Returns the value of each (kind, property) of a finished run."""
    run = slot.stored
    found = {("place", fact.name): as_text(fact.read(slot.spec, run.env)) for fact in FACTS}
    found |= {("package", name): version for name, version in packages(run.env).items()}
    found["suite", "results version"] = as_text(run.version)
    found["suite", "commit"] = as_text(run.record["commit"][:SHORT])
    return found
