"""What differs around two joined sets of runs: device, versions, threads, backend, commit."""

from collections import Counter
from dataclasses import dataclass

from protocols.spec import FRAMEWORKS
from reports.cells.environment import NOT_RECORDED, SHORT, instructions_of, variables_of
from reports.cells.planned_run import Slot
from reports.cells.settings import scrub
from reports.comparison.join import Joined, Pair

NONE = "–"
INSTRUCTIONS = "CPU instructions"


@dataclass(frozen=True)
class Field:
    """One property of the pairs of a framework: its values on both sides, with their runs."""

    what: str
    kind: str  # "place", "package" or "suite"
    a: dict[str, int]
    b: dict[str, int]
    differ: int  # pairs that don't share the value

    @property
    def known(self) -> bool:
        """Whether any run has it recorded."""
        return {*self.a, *self.b} != {NOT_RECORDED}

    @property
    def pairs(self) -> int:
        """How many there are."""
        return sum(self.a.values())


def fields(joined: Joined) -> dict[str, list[Field]]:
    """By framework, every property that any of its paired runs names."""
    found = {}
    for framework in FRAMEWORKS:
        pairs = [pair for pair in joined.pairs if pair.a.spec.framework == framework]
        if pairs:
            found[framework] = _fields(pairs)
    return found


def _fields(pairs: list[Pair]) -> list[Field]:
    both = [(values(pair.a), values(pair.b)) for pair in pairs]
    names = dict.fromkeys(key for two in both for one in two for key in one)
    kinds = ("place", "package", "suite")
    made = []
    for kind, what in sorted(names, key=lambda n: kinds.index(n[0])):
        a, b = ([one.get((kind, what), NONE) for one in side] for side in zip(*both, strict=True))
        differ = sum(x != y for x, y in zip(a, b, strict=True))
        made.append(Field(what, kind, dict(Counter(a)), dict(Counter(b)), differ))
    return made


def values(slot: Slot) -> dict[tuple[str, str], str]:
    """(kind, property) -> value of a finished run."""
    spec, env = slot.spec, slot.stored.env
    place = {
        "device": env.get("device", spec.device),
        "device, in detail": env.get("device_detail"),
        INSTRUCTIONS: instructions_of(env),
        "variables that choose kernels": variables_of(env),
        "backend": env.get("backend", spec.backend),
        "engine": env.get("engine"),
        "CPU threads": env.get("threads", spec.threads),
        "precision": spec.precision,
        "deterministic": spec.deterministic,
        "the same run again": env.get("repeatable"),
        "Python": env.get("python"),
        "platform": env.get("platform"),
        "contract": spec.contract,
    }
    found = {("place", key): value for key, value in place.items()}
    found |= {("package", key): value for key, value in sorted(env.get("versions", {}).items())}
    found["suite", "results version"] = slot.stored.version
    found["suite", "commit"] = slot.stored.record["commit"][:SHORT]
    return {key: NONE if v in (None, "") else scrub(str(v)) for key, v in found.items()}
