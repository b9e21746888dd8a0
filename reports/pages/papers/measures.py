"""Tables of measured numbers without any claim, for the papers' pages and the control's page."""

from dataclasses import replace

from protocols.classes import LETTERS
from protocols.metrics import metric_of
from reports.cells.cell import Cell, Group
from reports.tables.builder import numbers, over, table, texts
from reports.tables.cell_text import measured, runs_behind, twin
from reports.tables.formats import MACRO, THIN, number_text, other_metrics, points, title
from reports.tables.table import Table, Td


def _columns() -> list[tuple[str, str, str]]:
    """Return the metric, the point of the schedule and the heading of each column."""
    accuracy, epoch = metric_of("accuracy"), metric_of("selected_epoch")
    return [
        (accuracy.name, "selected", accuracy.heading),
        (epoch.name, "selected", epoch.heading),
        (accuracy.name, "last", f"{accuracy.heading}, last epoch"),
        *((m.name, "selected", m.heading.removesuffix(MACRO)) for m in other_metrics()),
    ]


def more_table(group: Group) -> Table:
    """Return the table of more measures of every cell of a group, without claims."""
    return table(
        f"more-{group.setting.slug}-{group.protocol}-{group.variants[0]}",
        "More measures, at the selected epoch unless said; precision, recall and F1 are macro "
        "averages. Below the last epoch's accuracy: its difference from the selected one's.",
        [
            *texts("Network", "Framework"),
            *numbers(*(text for _, _, text in _columns())),
            *texts("Rests on"),
        ],
        [
            [title(cell.variant), twin(cell), *_more(cell), runs_behind(cell)]
            for cell in group.in_order
        ],
        spans=[[0]],
        setting=group.caption,
    )


def _more(cell: Cell) -> list[Td]:
    return [
        replace(measured(cell, metric, at), note=gap_text(cell) if at == "last" else "")
        for metric, at, _ in _columns()
    ]


def gap_text(cell: Cell) -> str:
    """Return the last epoch's accuracy less the selected one's, as text; empty where one is
    missing."""
    last, selected = (cell.number("accuracy", at).value for at in ("last", "selected"))
    if last is None or selected is None or last != last or selected != selected:
        return ""
    return f"{points(last - selected)} points"


def per_class_table(group: Group) -> Table:
    """Return the table of precision, recall and F1 of each class, in both twins."""
    names = ("precision", "recall", "f1")
    return table(
        f"class-{group.setting.slug}-{group.protocol}",
        "Each class: precision, recall and F1 at the selected epoch, in %.",
        [*texts("Network", "Framework"), *(over(n.capitalize(), numbers(*LETTERS)) for n in names)],
        [
            [title(cell.variant), twin(cell, cell.stale),
             *(_of_class(cell, f"{name}_{letter}") for name in names for letter in LETTERS)]
            for cell in group.in_order
        ],
        ["E eosinophil, L lymphocyte, M monocyte, N neutrophil."],
        spans=[[0]],
        setting=group.caption,
    )  # fmt: skip


def _of_class(cell: Cell, metric: str) -> Td:
    text = number_text("accuracy", cell.number(metric).value).removesuffix(f"{THIN}%")
    return Td(text, key=cell.address(metric), scale=100)
