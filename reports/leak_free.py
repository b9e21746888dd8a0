"""As-published and leak-free protocols of one setting, side by side: tables, learning curves."""

from protocols.spec import FRAMEWORKS
from reports import curves
from reports.collect import Cell, Collected, Group
from reports.papers import Drawn
from reports.tables import (
    NAMES,
    Table,
    Td,
    head,
    label,
    measured,
    number_text,
    points,
    stale_notes,
    title,
)

GROUPED = {"fixed": ("fixed-grouped", "accuracy"), "cv10": ("cv10-grouped", "recall_macro")}


def beside(collected: Collected) -> list[Table | Drawn]:
    """As-published and leak-free protocols of one setting, side by side, with learning curves."""
    found: list[Table | Drawn] = []
    for group in collected.groups:
        free, metric = GROUPED.get(group.protocol, ("", ""))
        other = collected.group(group.setting, free) if free else None
        if other is None:
            continue
        table = Table(
            f"leakfree-{group.setting.slug}-{group.protocol}",
            f"The same networks under {group.protocol} and {free}: "
            f"{'accuracy' if metric == 'accuracy' else 'macro recall, folds pooled'}, and what "
            f"the leak-free protocol takes away, in points. {group.setting.title.capitalize()}.",
            [[head("Network", kind="headtext"), head("Twin", kind="headtext"),
              head(group.protocol), head(free), head("Difference")]],
            [],
        )  # fmt: skip
        rows = []
        for variant in group.variants:
            pairs = [(f, group.cells.get((f, variant)), other.cells.get((f, variant)))
                     for f in FRAMEWORKS]  # fmt: skip
            for f, a, b in (p for p in pairs if p[1] and p[2]):
                values = [_value(cell, metric) for cell in (a, b)]
                gap = None if None in values else values[1] - values[0]
                row = [label(title(variant)), Td(NAMES[f], kind="text", colour=f)]
                row += [_shown(*of, metric) for of in zip((a, b), values, strict=True)]
                rows.append([*row, Td("X" if gap is None else points(gap))])
        table.bodies.append(("", rows))
        table.notes += stale_notes(group)
        if rows:
            found += [table, *_curves(group, other)]
    return found


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


def _shown(cell: Cell, value: float | None, metric: str) -> Td:
    if metric == "accuracy":
        return measured(cell, "accuracy")
    return Td("X", cell.lack) if value is None else Td(number_text(metric, value))
