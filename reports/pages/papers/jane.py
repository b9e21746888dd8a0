"""The page of Jane 2022."""

from reports.cells.cell import Group
from reports.cells.collect import Collected
from reports.figures import curves
from reports.pages.content import Drawn
from reports.pages.papers import tables
from reports.pages.papers.measures import more_table, per_class_table
from reports.pages.papers.sections import record
from reports.tables.table import Table


def parts(collected: Collected, group: Group) -> list[Table | Drawn]:
    """Return the tables and figures of a group of runs as published."""
    slug = group.setting.slug
    text = (
        "on the held-out folds. Thin: single folds; thick: their mean, where none is missing. Open "
        "marks: selected epochs. Diamonds: Table III, where the epochs are the paper's."
    )
    one = f"After Jane's Fig. 1: accuracy over the epochs, {text} {group.caption}"
    two = f"After Jane's Fig. 2: log loss over the epochs, {text} {group.caption}"
    three = (
        "After Jane's Fig. 3: Table II as bars, printed and measured, macro averages at the "
        f"selected epochs; X: no number. {group.caption}"
    )
    table2 = tables.claims_where("jane", "Table II")
    networks = list(dict.fromkeys(claim.variant for claim in table2))
    bars = curves.bars_figure(group, table2, f"bars-{slug}") if group.setting.comparable else None
    return [
        tables.jane_table2(collected, group),
        Drawn(bars, three),
        tables.jane_table3(collected, group),
        Drawn(curves.network_figure(group, networks, "accuracy", f"one-{slug}"), one),
        Drawn(curves.network_figure(group, networks, "loss", f"two-{slug}"), two),
        more_table(group),
        per_class_table(group),
        tables.ordering_table(collected, group, "jane"),
    ]


PAGE = record("jane", parts, lambda: [tables.cited_table("jane")], "")
