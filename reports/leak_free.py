"""As-published and leak-free protocols of one setting, side by side: tables, learning curves."""

from dataclasses import dataclass

from protocols.spec import FRAMEWORKS
from reports import curves
from reports.cells import Cell, Group
from reports.collect import Collected
from reports.papers import Drawn
from reports.tables import (
    MISSING,
    STALE,
    Table,
    Td,
    head,
    label,
    measured,
    number_text,
    points,
    stale_notes,
    title,
    twin,
)

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


def beside(collected: Collected) -> list[Table | Drawn]:
    """As-published and leak-free protocols of one setting, side by side, with learning curves."""
    found: list[Table | Drawn] = []
    for one in sides(collected):
        found += [_table(one), *_curves(one.group, one.other)]
    return found


def _table(of: Sides) -> Table:
    group, free = of.group, of.other.protocol
    rows = []
    for one in of.pairs:
        row = [label(title(one.a.variant)), twin(one.a)]
        row += [_shown(one, 0), _shown(one, 1)]
        old = f" {STALE}" if one.a.stale or one.b.stale else ""
        text = MISSING if one.difference is None else points(one.difference) + old
        lack = "" if one.a.seeds == one.b.seeds else "the two have different seeds"
        rows.append([*row, Td(text, lack, href=one.b.href, key=f"{one.key}:difference",
                              scale=100)])  # fmt: skip
    return Table(
        f"leakfree-{group.setting.slug}-{group.protocol}",
        f"The same networks under {group.protocol} and {free}: "
        f"{'accuracy' if of.metric == 'accuracy' else 'macro recall, folds pooled'}, and what "
        f"the leak-free protocol takes away, in points. {group.setting.title.capitalize()}.",
        [[head("Network", kind="headtext"), head("Twin", kind="headtext"),
          head(group.protocol), head(free), head("Difference")]],
        [("", rows)],
        list(dict.fromkeys(stale_notes(group) + stale_notes(of.other))),
    )  # fmt: skip


def _curves(group: Group, other: Group) -> list[Drawn]:
    """A figure a network that has runs under both protocols."""
    drawn = []
    for variant in group.variants:
        keys = [(f, variant) for f in FRAMEWORKS]
        cells = {k[0]: (group.cells[k], other.cells[k]) for k in keys
                 if k in group.cells and k in other.cells}  # fmt: skip
        name = f"leakfree-{variant}-{group.setting.slug}-{group.protocol}-curve"
        caption = (
            f"{title(variant)}: accuracy on the test images after each epoch, as published "
            f"({group.protocol}) and leak-free ({other.protocol}). Large open mark: the selected "
            "epoch, which as published the test images choose. Thin: single runs; thick: their "
            "mean, where none is missing."
        )
        drawn.append(Drawn(curves.leak_free(variant, cells, name) if cells else None, caption))
    return [one for one in drawn if one.svg]


def _value(cell: Cell, metric: str) -> float | None:
    if metric == "accuracy":
        return cell.number("accuracy").value
    pooled = [cell.pooled(seed) for seed in cell.seeds]
    return None if None in pooled else sum(p[metric] for p in pooled) / len(pooled)


def _shown(both: Both, index: int) -> Td:
    cell, value = (both.a, both.b)[index], both.values[index]
    if both.metric == "accuracy":
        return measured(cell, "accuracy")
    old = f" {STALE}" if cell.stale and value is not None else ""
    return Td(number_text(both.metric, value) + old, cell.lack, href=cell.href,
              key=f"{both.key}:values.{index}", scale=100)  # fmt: skip
