"""Sets the as-published and leak-free protocols of one setting side by side: tables and curves."""

from dataclasses import replace

from protocols.spec import FRAMEWORKS
from reports.cells.cell import Group
from reports.cells.collect import Collected
from reports.data.numbers import Numbers
from reports.figures import curves
from reports.judging.contrasts import Contrast
from reports.judging.pairings import LEAK_FREE, LeakFree, leak_free
from reports.pages.content import Drawn
from reports.tables.builder import numbers, table, texts
from reports.tables.cell_text import contrast_cell, measured, number, twin
from reports.tables.formats import marked, title
from reports.tables.table import Table, Td

CHOOSES = {  # by the leak-free protocol, what chooses the epoch
    "fixed-grouped": "Under fixed the test images choose the epoch. Under fixed-grouped a "
    "validation part of its own chooses it.",
    "cv10-grouped": "Under cv10-grouped the held-out images still choose the epoch, as under cv10: "
    "there is no validation part. So the two are compared in the last epoch, which nothing "
    "chooses.",
}


def beside(collected: Collected, known: Numbers) -> list[Table | Drawn]:
    """Return the tables and learning curves of the as-published and leak-free protocols, side by
    side."""
    found: list[Table | Drawn] = []
    for one in leak_free(collected):
        found += [leak_free_table(one, known), *_curves(one.published, one.free)]
    return found


def leak_free_table(of: LeakFree, known: Numbers) -> Table:
    """Return the table of a group's networks under the published and the leak-free protocol."""
    group, free = of.published, of.free.protocol
    last = of.contrasts[0].at == "last"
    return table(
        f"leakfree-{group.setting.slug}-{group.protocol}",
        f"The same networks under {group.protocol} and {free}: "
        f"{'macro recall in the last epoch, folds pooled' if last else 'accuracy'}, and what "
        f"the leak-free protocol takes away, in points. {group.setting.sentence}.",
        [*texts("Network", "Framework"), *numbers(group.protocol, free, "Difference")],
        [
            [title(one.b.variant), twin(one.b), *_shown(one, known), _taken(one)]
            for one in of.contrasts
        ],
        [CHOOSES[free]],
    )


def _taken(one: Contrast) -> Td:
    known = all(number.value is not None for number in one.numbers)  # else the cell beside says so
    return contrast_cell(one, one.lack if known else "")


def _curves(group: Group, other: Group) -> list[Drawn]:
    """Return a figure for each network that has runs under both protocols."""
    drawn = []
    for variant in group.variants:
        keys = [(f, variant) for f in FRAMEWORKS]
        cells = {k[0]: (group.cells[k], other.cells[k]) for k in keys
                 if k in group.cells and k in other.cells}  # fmt: skip
        name = f"leakfree-{variant}-{group.setting.slug}-{group.protocol}-curve"
        about = (
            f"{title(variant)}: accuracy on the test images after each epoch, as published "
            f"({group.protocol}) and leak-free ({other.protocol}). {CHOOSES[other.protocol]}"
        )
        at = LEAK_FREE[group.protocol][-1]
        drawn.append(Drawn(curves.leak_free(variant, cells, name, at) if cells else None, about))
    return [one for one in drawn if one.drawing]


def _shown(one: Contrast, known: Numbers) -> list[Td]:
    """Return the number as published, and the one without leakage."""
    cells = (one.b, one.a)
    if one.metric == "accuracy":
        return [measured(cell, "accuracy", one.at) for cell in cells]
    values = [known[one.key]["values"][index] for index in range(len(cells))]
    made = [number(one.metric, found.value, found.key, cell.lack, cell.href)
            for found, cell in zip(values, cells, strict=True)]  # fmt: skip
    return [replace(td, text=marked(td.text, cell.stale))
            for td, cell in zip(made, cells, strict=True)]  # fmt: skip
