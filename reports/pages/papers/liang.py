"""The page of Liang 2018."""

from protocols.papers.claims import load_claims, of_table
from reports.cells.cell import Group
from reports.figures import curves
from reports.pages.content import Drawn, Results
from reports.pages.papers import pictured, tables
from reports.pages.papers.measures import more_table, per_class_table
from reports.pages.papers.sections import in_twins, record
from reports.tables.table import Table

SIX = (
    "After Liang's Fig. 6: loss and accuracy of Xception-LSTM over the epochs of fine-tuning "
    "(phase 2). The paper draws one run, with its test images as the validation part; here are all "
    "runs {twins}."
)


def parts(results: Results, group: Group) -> list[Table | Drawn]:
    """Return the tables and figures of a group of runs as published."""
    collected, slug = results.collected, group.setting.slug
    table1 = of_table(load_claims(), "liang", "Table 1", "accuracy")
    fig6 = tables.claims_where("liang", "IV.A, Fig. 6")
    dots = curves.dots_figure(group, table1, f"dots-{slug}") if group.setting.comparable else None
    curve = curves.fine_tuning_figure(group, fig6, f"curve-{slug}")
    return [
        tables.liang_table1(collected, group),
        Drawn(dots, "Table 1 as a plot."),
        *pictured.of_images(group, results.out),
        tables.liang_fig6(collected, group),
        Drawn(curve, SIX.format(twins=in_twins(group, {fig6[0].variant}))),
        *pictured.of_maps(group),
        tables.ordering_table(group, "liang"),
        more_table(group),
        per_class_table(group),
    ]


PAGE = record("liang", parts, lambda: [tables.counts_table(), tables.cited_table("liang")])
