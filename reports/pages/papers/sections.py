"""The sections of the two papers' pages: tables and figures in their order."""

from reports.cells.cell import Group
from reports.cells.collect import Collected
from reports.figures import curves
from reports.pages.content import Drawn, Section
from reports.pages.papers import tables as papers_tables
from reports.pages.papers.measures import more_table, per_class_table
from reports.tables.table import Table


def sections(collected: Collected, paper: str) -> list[Section]:
    """The paper's own protocol first; other protocols and sensitivity runs below, folded."""
    protocol = "fixed" if paper == "liang" else "cv10"
    own: list[Section] = []
    beside: list[Section] = []
    others: list[Section] = []
    for group in groups_of(collected, paper):
        if group.protocol == protocol and group.setting.as_published:
            main = group.setting.planned or not group.setting.objections
            parts = (_liang if paper == "liang" else _jane)(collected, group)
            section = Section("As published", group.caption, main, "Other settings", parts)
            (own if main else beside).append(section)
        else:
            parts = [more_table(group)]
            what = "Beyond the paper"
            others.append(Section(what, group.caption, False, "Never beside the claims", parts))
    return own + beside + others


def groups_of(collected: Collected, paper: str) -> list[Group]:
    """The groups that have runs of the paper's networks, with these alone."""
    found = (group.of(paper) for group in collected.groups)
    return [group for group in found if group.cells]


def _liang(collected: Collected, group: Group) -> list[Table | Drawn]:
    slug = group.setting.slug
    spread = "Table 1 as a plot; whiskers span the seeds, where there are several."
    curve = (
        "After Liang's Fig. 6: Xception-LSTM over the epochs of fine-tuning (phase 2), whose test "
        "images are the paper's validation part. Dotted: training. Thin: single runs; thick: their "
        "mean, where none is missing. Open marks: selected epochs."
    )
    if group.setting.profile == "paper":
        curve += " Diamonds: the point that the paper prints."
    return [
        papers_tables.liang_table1(collected, group),
        Drawn(curves.liang_dots(group, f"dots-{slug}"), f"{spread} {group.caption}"),
        more_table(group),
        per_class_table(group),
        papers_tables.liang_fig6(collected, group),
        Drawn(curves.liang_fig6(group, f"curve-{slug}"), f"{curve} {group.caption}"),
        papers_tables.ordering_table(collected, group, "liang"),
    ]


def _jane(collected: Collected, group: Group) -> list[Table | Drawn]:
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
    return [
        papers_tables.jane_table2(collected, group),
        Drawn(curves.jane_bars(group, f"bars-{slug}"), three),
        papers_tables.jane_table3(collected, group),
        Drawn(curves.network_figure(group, curves.JANE, "accuracy", f"one-{slug}"), one),
        Drawn(curves.network_figure(group, curves.JANE, "loss", f"two-{slug}"), two),
        more_table(group),
        per_class_table(group),
        papers_tables.ordering_table(collected, group, "jane"),
    ]
