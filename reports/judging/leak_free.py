"""The published protocol beside the one without leakage."""

from dataclasses import dataclass

from protocols.spec import FRAMEWORKS
from reports.cells.cell import Cell, Group
from reports.cells.collect import Collected

GROUPED = {"fixed": ("fixed-grouped", "accuracy"), "cv10": ("cv10-grouped", "recall_macro")}


@dataclass(frozen=True)
class Both:
    """One network in one twin under both protocols."""

    a: Cell  # as published
    b: Cell  # leak-free
    metric: str

    @property
    def key(self) -> str:
        """Its id in results.json."""
        return f"{self.a.key}/leak-free"

    @property
    def values(self) -> list[float | None]:
        """As published, leak-free."""
        return [_value(cell, self.metric) for cell in (self.a, self.b)]

    @property
    def difference(self) -> float | None:
        """What the leak-free protocol takes away; None where one lacks, or has other seeds."""
        before, after = self.values
        known = None not in (before, after) and self.a.seeds == self.b.seeds
        return after - before if known else None


@dataclass(frozen=True)
class Sides:
    """A group under a published protocol, and the same networks under the leak-free one."""

    group: Group
    other: Group
    metric: str

    @property
    def pairs(self) -> list[Both]:
        """Those that both have, in the papers' order."""
        keys = [(f, v) for v in self.group.variants for f in FRAMEWORKS]
        known = [k for k in keys if k in self.group.cells and k in self.other.cells]
        return [Both(self.group.cells[k], self.other.cells[k], self.metric) for k in known]


def sides(collected: Collected) -> list[Sides]:
    """Every group that has a leak-free one of the same setting."""
    found = []
    for group in collected.groups:
        free, metric = GROUPED.get(group.protocol, ("", ""))
        other = collected.like(group.setting, free) if free else None
        if other is not None:
            found.append(Sides(group, other, metric))
    return [one for one in found if one.pairs]


def _value(cell: Cell, metric: str) -> float | None:
    if metric == "accuracy":
        return cell.number("accuracy").value
    pooled = [cell.pooled(seed) for seed in cell.seeds]
    return None if None in pooled else sum(p[metric] for p in pooled) / len(pooled)
