"""The page "What is guessed": every value the papers don't state, and what it changes."""

from protocols.papers.papers import load_papers
from protocols.papers.recipes import Value, load_recipe, others
from protocols.spec import FRAMEWORKS
from reports.cells.cell import Cell, Group
from reports.cells.collect import Collected
from reports.cells.settings import changed
from reports.judging.contrasts import Contrast, effect_key
from reports.judging.pairings import effects, sensitivity_groups
from reports.pages.content import PageRecord
from reports.tables.cell_text import contrast_cell, framework_heads, measured, stale_notes
from reports.tables.table import (
    MISSING,
    STALE_NOTE,
    Table,
    Td,
    head,
    label,
    title,
    words,
)

NO_RUN = "no such run"


def page(collected: Collected) -> dict[str, object]:
    """Tables of the assumed values, and of the sensitivity runs there are."""
    groups = sensitivity_groups(collected)
    keys = {key for g in groups for key in changed(g.slots[0].spec)}
    return {
        "tables": [assumed_table(paper, keys) for paper in load_papers()],
        "effects": [effect_table(collected, group) for group in groups],
        "command": f"python runner.py --suite {next(iter(load_papers()))} --set label_smoothing=0",
    }


def assumed_table(paper: str, keys: set[str]) -> Table:
    """Every value of a recipe that the paper doesn't state; `keys`: those with sensitivity runs."""
    rows = [
        [
            label(key.replace("_", " "), anchor=f"{paper}-{key}"),
            words(_plain(key, entry)),
            words(entry.reason),
            words("see below" if key in keys else NO_RUN),
        ]
        for key, entry in load_recipe(paper).items()
        if entry.source == "assumed"
    ]
    heads = ("Value", "Our reading", "Reason", "Its effect")
    return Table(
        f"assumed-{paper}",
        f"{load_papers()[paper].name}: {len(rows)} values the paper does not state, and our "
        "reading.",
        [[head(t, kind="headtext") for t in heads]],
        [("", rows)],
    )


def _plain(key: str, entry: Value) -> str:
    """The value, and the words that may be tried for it."""
    value = entry.value
    said = ", ".join(map(str, value)) if isinstance(value, list | tuple) else f"{value}"
    more = " or ".join(others(key, entry))
    return f"{said} (--set takes another: {more})" if more else said


def effect_table(collected: Collected, group: Group) -> Table:
    """Accuracy with a changed value, and the difference to the same runs without the change."""
    changes = changed(group.slots[0].spec)
    said = ", ".join(f"{key} = {value}" for key, value in changes.items())
    table = Table(
        f"effect-{group.setting.slug}-{group.protocol}",
        f"With {said}: accuracy at the selected epoch, and the difference, in points, to the same "
        f"runs without the change. One seed says nothing of noise. {group.caption}",
        [
            [head("Network", rows=2, kind="headtext"), *framework_heads(span=2)],
            [head("accuracy"), head("difference")] * len(FRAMEWORKS),
        ],
        [],
        stale_notes(group),
    )
    found = {(c.framework, c.variant): (c, one) for c, one in effects(collected, group).items()}
    rows = []
    if any(one and one.stale for _, one in found.values()):
        table.notes = [STALE_NOTE]
    for variant in group.variants:
        row = [label(title(variant))]
        for framework in FRAMEWORKS:
            one = found.get((framework, variant))
            row += _effect(*one) if one else [Td("–", "not asked for"), Td("–")]
        rows.append(row)
    table.bodies.append(("", rows))
    return table


def _effect(cell: Cell, one: Contrast | None) -> list[Td]:
    """Accuracy with the change, linked to its runs; the difference, linked to those without."""
    first, known = measured(cell, "accuracy"), cell.number("accuracy").value is not None
    if one is None:
        note = "no run without it" if known else ""
        return [first, Td(MISSING, note, href=cell.href, key=f"{effect_key(cell)}:difference")]
    href = cell.href if one.value is None else one.b.href
    return [first, contrast_cell(one, one.lack if known else "", href)]


PAGE = PageRecord(
    "assumed.html", "What is guessed", "Guessed", lambda results: page(results.collected), place=10,
    settings=lambda results: [g.setting for g in sensitivity_groups(results.collected)],
)  # fmt: skip
