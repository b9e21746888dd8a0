"""As-published and leak-free protocols of one setting, side by side: tables, learning curves."""

from protocols.spec import FRAMEWORKS
from reports.cells.cell import Group
from reports.cells.collect import Collected
from reports.figures import curves
from reports.judging.leak_free import Both, Sides, sides
from reports.pages.content import Drawn
from reports.tables.cell_text import measured, number_text, stale_notes, twin
from reports.tables.table import MISSING, STALE, Table, Td, head, label, points, title


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


def _shown(both: Both, index: int) -> Td:
    cell, value = (both.a, both.b)[index], both.values[index]
    if both.metric == "accuracy":
        return measured(cell, "accuracy")
    old = f" {STALE}" if cell.stale and value is not None else ""
    return Td(number_text(both.metric, value) + old, cell.lack, href=cell.href,
              key=f"{both.key}:values.{index}", scale=100)  # fmt: skip
