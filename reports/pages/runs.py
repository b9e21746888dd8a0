"""The pages of single runs: curves and confusion matrices, one block per network, twin and seed."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from protocols.classes import CLASSES
from protocols.metrics import metric_of
from reports.cells.cell import Cell, Group
from reports.cells.collect import Collected
from reports.cells.commands import command
from reports.cells.parallel import spread
from reports.cells.planned_run import Slot
from reports.cells.settings import scrub
from reports.data.numbers import Numbers, Recorded
from reports.figures import curves
from reports.pages import ran
from reports.pages.content import Drawn, PageRecord, Results
from reports.tables.builder import Line, numbers, table, texts, twins
from reports.tables.cell_text import file_link, finished, number
from reports.tables.formats import MISSING, NAMES, marked, number_text, percent, plural, title
from reports.tables.table import Table, Td, words

# file, heading
FILES = (
    ("spec.json", "Specification"), ("env.json", "Versions, device"), ("history.csv", "Epochs"),
    ("predictions.npz", "Probabilities"), ("activations.npz", "Activations"),
    ("timings.json", "Times"), ("run.json", "Digests"), ("log.txt", "Log"),
)  # fmt: skip
FOLD = tuple(map(metric_of, ("selected_epoch", "accuracy", "f1_macro", "log_loss")))  # per fold


@dataclass(frozen=True)
class Block:
    """One run, or all folds of a seed."""

    anchor: str
    framework: str
    heading: str
    summary: str
    figure: Drawn
    folds: Table | None
    confusion: Table | None
    troubles: list[str]  # the failed or missing runs, with the reason
    command: str  # the command that makes the runs again
    evidence: Table  # the runs' files


def _block(wanted: tuple[Cell, int, Numbers]) -> Block:
    cell, seed, known = wanted
    slots = cell.of_seed(seed)
    anchor = cell.anchor(seed)
    return Block(
        anchor,
        cell.framework,
        f"{title(cell.variant)}, {NAMES[cell.framework]}, seed {seed}",
        summary(cell, seed),
        Drawn(curves.run_figure(cell, seed, f"f-{anchor}"), _about(slots)),
        _folds(anchor, slots, known) if cell.slots[0].spec.fold is not None else None,
        _confusion(cell, seed, known) if cell.whole(seed) else None,
        _troubles(cell, seed),
        command([s.spec for s in slots]),
        _evidence(anchor, slots),
    )


def summary(cell: Cell, seed: int) -> str:
    """Return the accuracy and selected epoch of a seed in a line, or what is missing."""
    slots = cell.of_seed(seed)
    there = [s for s in slots if s.usable]
    folded = slots[0].spec.fold is not None
    parts = []
    if folded:
        parts.append(f"{len(there)} of {plural(cell.folds, 'fold')}")
    elif not there:
        return slots[0].state
    if cell.whole(seed):
        values = [s.scored.scores["selected"]["accuracy"] for s in there]
        parts.append(f"accuracy {number_text('accuracy', sum(values) / len(values))}")
        if not folded:
            parts.append(_selected(there[0]))
    else:
        parts.append("accuracy X")
    if any(s.state == "stale" for s in there):
        parts.append(marked("stale", True))
    return ", ".join(parts)


def _selected(slot: Slot) -> str:
    row = slot.stored.history[slot.scored.row]
    several = len({r["phase"] for r in slot.stored.history}) > 1
    phase = f" of phase {row['phase']:.0f}" if several else ""
    return f"selected epoch {row['epoch']:.0f}{phase}"


def _about(slots: list[Slot]) -> str:
    part = next((s.scored.part for s in slots if s.usable), "")
    return f"Loss and accuracy over the epochs, in training and on the {part} part."


def _troubles(cell: Cell, seed: int) -> list[str]:
    """Return which runs failed or are missing, and what isn't shown because of that."""
    slots = cell.of_seed(seed)
    found = [_trouble(s) for s in slots if not s.usable]
    if cell.folds > 1 and not cell.whole(seed):
        there = sum(s.usable for s in slots)
        found.append(f"confusion matrix: X, {there} of {plural(cell.folds, 'fold')}")
    return found


def _trouble(slot: Slot) -> str:
    fold = "" if slot.spec.fold is None else f"fold {slot.spec.fold}: "
    reason = f": {scrub(slot.reason)}" if slot.reason else ""
    return f"{fold}{slot.state}{reason}"


def _confusion(cell: Cell, seed: int, known: Numbers) -> Table:
    there = cell.of_seed(seed)
    found = known[cell.key]["confusion"][str(seed)]
    matrix = np.array(found.value)
    pooled = f", {plural(len(there), 'fold')} together" if there[0].spec.fold is not None else ""
    names = [name.capitalize() for name in CLASSES]
    old = any(s.state == "stale" for s in there)
    lines: list[Line] = [
        [name,
         *(Td(f"{count:,}", percent(count / row.sum(), 1) if row.sum() else MISSING,
              key=found[i][j].key) for j, count in enumerate(row)),
         int(row.sum())]
        for i, (name, row) in enumerate(zip(names, matrix, strict=True))
    ]  # fmt: skip
    lines.append(["All", *map(int, matrix.sum(axis=0)), int(matrix.sum())])
    return table(
        f"confusion-{cell.anchor(seed)}",
        f"Confusion matrix at the selected epoch, images{pooled}{marked('', old)}: rows are the "
        "true classes, columns the predicted ones. Below each count: its share of the true class.",
        [*texts(""), *numbers(*names, "All")],
        lines,
    )


def _evidence(anchor: str, slots: list[Slot]) -> Table:
    """Return the table of each run with its files, as they lie beside the page."""
    return table(
        f"files-{anchor}",
        "What the runs left: every number above is made from these files.",
        texts("Run", "State", "Finished (UTC)", *(text for _, text in FILES)),
        [
            [slot.spec.id, slot.state, finished(slot)]
            + [file_link(slot, name) for name, _ in FILES]
            for slot in slots
        ],
        tight=True,
    )


def _folds(anchor: str, slots: list[Slot], known: Numbers) -> Table:
    return table(
        f"folds-{anchor}",
        "Each fold at its selected epoch.",
        [*texts("Fold"), *numbers("n", *(m.heading for m in FOLD)), *texts("State")],
        [
            [f"Fold {slot.spec.fold}", *_fold(slot, known[slot.spec.id]), slot.state]
            for slot in slots
        ],
    )


def _fold(slot: Slot, record: Recorded) -> list[Td]:
    if not slot.usable:
        return [Td(MISSING)] * 5
    n, scores = record["n"], [(m.name, record["scores"]["selected"][m.name]) for m in FOLD]
    cells = [number(name, found.value, found.key) for name, found in scores]
    return [Td(f"{n.value:,}", key=n.key), *cells]


def overview(group: Group) -> Table:
    """Return the table of all run sets of a group, linked to their blocks."""
    return table(
        f"sets-{group.setting.slug}-{group.protocol}",
        group.caption,
        [*texts("Network"), *twins("headtext")],
        [[title(v), *(_links(c) if c else "–" for c in group.twins(v))] for v in group.variants],
    )


def _links(cell: Cell) -> Td:
    seed, href = cell.seeds[0], cell.href
    if len(cell.seeds) == 1:
        return words(summary(cell, seed), href=href)
    number = cell.number("accuracy")
    value = marked(number_text("accuracy", number.value), number.stale)
    text = f"{plural(len(cell.seeds), 'seed')}, accuracy {value}"
    return words(text, note=number.lack, href=href)


def _overviews(collected: Collected) -> dict[str, object]:
    """Return the content of the page of all runs: the groups of the request, and those beside
    it."""
    sections = []
    for planned in (True, False):
        groups = [group for group in collected.groups if group.setting.planned == planned]
        if groups:
            tables = [(group.page, overview(group)) for group in groups]
            sections.append((ran.TITLES[planned], tables))
    return {
        "ran": ran.ran_table(collected),
        "failures": ran.failures(collected),
        "sections": sections,
        "schema_words": ran.SCHEMA,
    }


def _run_sets(results: Results) -> list[PageRecord]:
    """Return a page for each setting and protocol: the runs of the request, and those beside it."""
    of_page: dict[str, list[Group]] = {}
    for group in results.collected.groups:
        of_page.setdefault(group.page, []).append(group)
    sets = [(cell, seed, results.numbers) for groups in of_page.values() for group in groups
            for cell in group.in_order for seed in cell.seeds]  # fmt: skip
    made = iter(spread(_block, sets, results.collected.jobs))
    return [_run_set(file, groups, made) for file, groups in of_page.items()]


def _run_set(file: str, groups: list[Group], made: Iterator[Block]) -> PageRecord:
    """Return the page of these groups, which takes their blocks from those that are `made`."""
    first = groups[0]
    named = (first.setting.profile, first.protocol, first.setting.extra)
    sections = []
    for group in groups:
        own = [next(made) for cell in group.in_order for _ in cell.seeds]
        sections.append((ran.TITLES[group.setting.planned], group.caption, own))
    return PageRecord(
        file, f"Runs: {', '.join(filter(None, named))}", f"Runs: {first.caption}",
        lambda _: {"sections": sections}, template="runset.html.j2",
        settings=lambda _: [group.setting for group in groups],
    )  # fmt: skip


PAGE = PageRecord(
    "runs.html", "Runs", "Runs", lambda results: _overviews(results.collected),
    place=15, group="Runs",
    further=_run_sets,
)  # fmt: skip
