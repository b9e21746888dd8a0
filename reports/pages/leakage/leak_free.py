"""As-published and leak-free protocols of one setting, side by side: tables, learning curves."""

from protocols.spec import FRAMEWORKS
from reports.cells.cell import Group
from reports.cells.collect import Collected
from reports.figures import curves
from reports.judging.contrasts import Contrast
from reports.judging.pairings import LeakFree, leak_free
from reports.pages.content import Drawn
from reports.tables.cell_text import contrast_cell, measured, number_text, stale_notes, twin
from reports.tables.table import STALE, Table, Td, head, label, title


def beside(collected: Collected) -> list[Table | Drawn]:
    """As-published and leak-free protocols of one setting, side by side, with learning curves."""
    found: list[Table | Drawn] = []
    for one in leak_free(collected):
        found += [_table(one), *_curves(one.published, one.free)]
    return found


def _table(of: LeakFree) -> Table:
    group, free, metric = of.published, of.free.protocol, of.contrasts[0].metric
    rows = []
    for one in of.contrasts:
        known = all(number.value is not None for number in one.numbers)  # else it is said beside
        row = [label(title(one.b.variant)), twin(one.b), _shown(one, 0), _shown(one, 1)]
        rows.append([*row, contrast_cell(one, one.lack if known else "")])
    return Table(
        f"leakfree-{group.setting.slug}-{group.protocol}",
        f"The same networks under {group.protocol} and {free}: "
        f"{'accuracy' if metric == 'accuracy' else 'macro recall, folds pooled'}, and what "
        f"the leak-free protocol takes away, in points. {group.setting.title.capitalize()}.",
        [[head("Network", kind="headtext"), head("Twin", kind="headtext"),
          head(group.protocol), head(free), head("Difference")]],
        [("", rows)],
        list(dict.fromkeys(stale_notes(group) + stale_notes(of.free))),
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


def _shown(one: Contrast, index: int) -> Td:
    """The number as published (index 0) or without leakage (1)."""
    cell, value = (one.b, one.a)[index], one.numbers[1 - index].value
    if one.metric == "accuracy":
        return measured(cell, "accuracy")
    old = f" {STALE}" if cell.stale and value is not None else ""
    return Td(number_text(one.metric, value) + old, cell.lack, href=cell.href,
              key=f"{one.key}:values.{index}", scale=100)  # fmt: skip
