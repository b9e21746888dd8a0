"""The page of Jane 2022."""

from reports.cells.cell import Group
from reports.figures import curves
from reports.pages.content import Drawn, Results
from reports.pages.papers import tables
from reports.pages.papers.measures import more_table, per_class_table
from reports.pages.papers.sections import in_twins, record
from reports.tables.table import Table

ONE = (
    "After Jane's Fig. 1: accuracy over the epochs, on the held-out folds. The paper prints "
    "every hundredth epoch (its Table III); here are all epochs, of every fold that was run "
    "{twins}."
)
TWO = (
    "After Jane's Fig. 2: log loss over the epochs, on the held-out folds. It differs from the "
    "paper's as Fig. 1 does."
)
THREE = (
    "After Jane's Fig. 3: Table II as bars, printed beside measured. Measured: macro averages at "
    "each fold's selected epoch; X: no number."
)


def parts(results: Results, group: Group) -> list[Table | Drawn]:
    """Return the tables and figures of a group of runs as published."""
    collected, slug = results.collected, group.setting.slug
    table2 = tables.claims_where("jane", "Table II")
    networks = list(dict.fromkeys(claim.variant for claim in table2))
    one = ONE.format(twins=in_twins(group, networks))
    bars = curves.bars_figure(group, table2, f"bars-{slug}") if group.setting.comparable else None
    return [
        tables.jane_table2(collected, group),
        tables.jane_table3(collected, group),
        Drawn(curves.network_figure(group, networks, "accuracy", f"one-{slug}"), one),
        Drawn(curves.network_figure(group, networks, "loss", f"two-{slug}"), TWO),
        Drawn(bars, THREE),
        more_table(group),
        per_class_table(group),
        tables.ordering_table(group, "jane"),
    ]


PAGE = record("jane", parts, lambda: [tables.cited_table("jane")])
