"""Tables of what was measured, without any claim: for the papers' pages and the control's."""

from dataclasses import replace

from protocols.classes import LETTERS
from protocols.metrics import metric_of
from reports.cells.cell import Cell, Group
from reports.tables.cell_text import (
    MACRO,
    marked_twin,
    measured,
    number_text,
    other_metrics,
    pair,
    runs_behind,
    stale_notes,
    twin,
)
from reports.tables.table import THIN, Table, Td, head, label, points, title, words


def _columns() -> list[tuple[str, str, str]]:
    """The metric, the point of the schedule and the heading of each column."""
    accuracy, epoch = metric_of("accuracy"), metric_of("selected_epoch")
    return [
        (accuracy.name, "selected", accuracy.heading),
        (epoch.name, "selected", epoch.heading),
        (accuracy.name, "last", f"{accuracy.heading}, last epoch"),
        *((m.name, "selected", m.heading.removesuffix(MACRO)) for m in other_metrics()),
    ]


def more_table(group: Group) -> Table:
    """More measures of every cell of a group; no claims."""
    columns = _columns()
    table = Table(
        f"more-{group.setting.slug}-{group.protocol}-{group.variants[0]}",
        f"More measures, at the selected epoch unless said; precision, recall and F1 are macro "
        f"averages. Below the last epoch's accuracy: its difference from the selected one's. "
        f"{group.caption}",
        [
            [head("Network", kind="headtext"), head("Twin", kind="headtext")]
            + [head(text) for _, _, text in columns]
            + [head("Rests on", kind="headtext")]
        ],
        [],
    )
    rows = []
    for variant in group.variants:
        cells = [c for _, c in pair(group, variant) if c]
        for index, cell in enumerate(cells):
            first = [label(title(variant), rows=len(cells))] if index == 0 else []
            row = [*first, twin(cell)]
            row += [
                replace(measured(cell, metric, at), note=gap_text(cell) if at == "last" else "")
                for metric, at, _ in columns
            ]
            rows.append([*row, words(runs_behind(cell))])
    table.bodies.append(("", rows))
    table.notes += stale_notes(group)
    return table


def gap_text(cell: Cell) -> str:
    """Accuracy of the last epoch less that of the selected one; empty where one is missing."""
    last, selected = (cell.number("accuracy", at).value for at in ("last", "selected"))
    if last is None or selected is None or last != last or selected != selected:
        return ""
    return f"{points(last - selected)} points"


def per_class_table(group: Group) -> Table:
    """Precision, recall and F1 of each class, both twins."""
    names = ("precision", "recall", "f1")
    table = Table(
        f"class-{group.setting.slug}-{group.protocol}",
        f"Each class: precision, recall and F1 at the selected epoch, in %. {group.caption}",
        [
            [head("Network", rows=2, kind="headtext"), head("Twin", rows=2, kind="headtext")]
            + [head(n.capitalize(), span=4) for n in names],
            [head(letter) for _ in names for letter in LETTERS],
        ],
        [],
        ["E eosinophil, L lymphocyte, M monocyte, N neutrophil.", *stale_notes(group)],
    )
    rows = []
    for variant in group.variants:
        cells = [c for _, c in pair(group, variant) if c]
        for index, cell in enumerate(cells):
            row = [label(title(variant), rows=len(cells))] if index == 0 else []
            row.append(marked_twin(cell))
            for name in names:
                for letter in LETTERS:
                    value = cell.number(f"{name}_{letter}").value
                    text = number_text("accuracy", value).removesuffix(f"{THIN}%")
                    key = f"{cell.key}:numbers.selected.{name}_{letter}.value"
                    row.append(Td(text, key=key, scale=100))
            rows.append(row)
    table.bodies.append(("", rows))
    return table
