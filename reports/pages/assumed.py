"""The page "What is guessed": every value that the papers don't state, and what it changes."""

from protocols.papers.papers import load_papers
from protocols.papers.recipes import Value, load_recipe, others
from reports.cells.cell import Cell, Group
from reports.cells.collect import Collected
from reports.cells.settings import changed
from reports.data.numbers import Numbers
from reports.judging.contrasts import Contrast, effect_key
from reports.judging.pairings import effects, sensitivity_groups
from reports.pages.content import PageRecord, Results
from reports.pages.overview.tables import plain
from reports.tables.builder import Line, numbers, over_twins, table, texts
from reports.tables.cell_text import NOT_ASKED, contrast_cell, measured
from reports.tables.formats import MISSING, title
from reports.tables.table import Table, Td, label, words

NO_RUN = "no such run"
UNTRIED = " No run here tries another value for one of them."


def page(results: Results) -> dict[str, object]:
    """Return the tables of the assumed values and of the sensitivity runs."""
    collected, known = results.collected, results.numbers
    groups = sensitivity_groups(collected)
    keys = {key for g in groups for key in changed(g.slots[0].spec)}
    return {
        "tables": [assumed_table(paper, keys) for paper in load_papers()],
        "effects": [effect_table(collected, known, group) for group in groups],
        "command": f"python runner.py --suite {next(iter(load_papers()))} --set label_smoothing=0",
    }


def assumed_table(paper: str, keys: set[str]) -> Table:
    """Return the table of every value of a recipe that the paper doesn't state.
    `keys` are the values for which there are sensitivity runs."""
    entries = {k: entry for k, entry in load_recipe(paper).items() if entry.source == "assumed"}
    tried = any(key in keys for key in entries)
    lines: list[Line] = [
        [
            _name(paper, key, entry),
            plain(entry.value),
            entry.reason,
            *[words("see below", href="#effects") if key in keys else NO_RUN] * tried,
        ]
        for key, entry in entries.items()
    ]
    return table(
        f"assumed-{paper}",
        f"{load_papers()[paper].name}: {len(lines)} values the paper does not state, and our "
        f"reading.{'' if tried else UNTRIED}",
        texts("Value", "Our reading", "Reason", *["Its effect"] * tried),
        lines,
    )


def _name(paper: str, key: str, entry: Value) -> Td:
    """Return the name of a value; below it, where another may be tried, what --set takes."""
    tried = " or ".join(others(key, entry))
    note = f"--set {key}={tried or '…'}" if entry.settable or tried else ""
    return label(entry.name or key.replace("_", " "), note, anchor=f"{paper}-{key}")


def effect_table(collected: Collected, known: Numbers, group: Group) -> Table:
    """Return the accuracies with a changed value, and their differences to the runs without the
    change."""
    changes = changed(group.slots[0].spec)
    said = ", ".join(f"{key} = {value}" for key, value in changes.items())
    found = effects(collected, group)
    return table(
        f"effect-{group.setting.slug}-{group.protocol}",
        f"With {said}: accuracy at the selected epoch, and the difference, in points, to the same "
        f"runs without the change. One seed says nothing of noise. {group.caption}",
        [*texts("Network"), *over_twins(numbers("accuracy", "difference"))],
        [
            [title(v), *(td for cell in group.twins(v) for td in _effect(cell, found, known))]
            for v in group.variants
        ],
    )


def _effect(cell: Cell | None, found: dict[Cell, Contrast | None], known: Numbers) -> list[Td]:
    """Return the accuracy with the change and the difference that the change makes.
    The accuracy is linked to the runs with the change, the difference to the runs without."""
    if cell is None:
        return [NOT_ASKED, Td("–")]
    one, there = found[cell], cell.number("accuracy").value is not None
    first = measured(cell, "accuracy")
    if one is None:
        note = "no run without it" if there else ""
        key = known[effect_key(cell)]["difference"].key
        return [first, Td(MISSING, note, href=cell.href, key=key)]
    href = cell.href if one.value is None else one.b.href
    return [first, contrast_cell(one, one.lack if there else "", href)]


PAGE = PageRecord(
    "assumed.html", "What is guessed", "Guessed", page, place=11, group="Method",
    settings=lambda results: [g.setting for g in sensitivity_groups(results.collected)],
)  # fmt: skip
