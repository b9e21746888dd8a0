"""The sections of a paper's page: tables and figures in their order."""

from collections.abc import Callable, Collection
from typing import Any

from protocols.papers.papers import load_papers
from protocols.spec import FRAMEWORKS
from reports.cells.cell import Group
from reports.pages.content import Drawn, PageRecord, Results, Section, worth_showing
from reports.pages.papers.measures import more_table
from reports.tables.formats import NAMES
from reports.tables.table import Table

FIRST = 2.5  # the place of the first paper in the menu
CLAIMS = "Claims"  # its group there
Parts = Callable[[Results, Group], list[Table | Drawn]]  # makes the parts of a group as published


def record(paper: str, parts: Parts, fixed: Callable[[], list[Table]]) -> PageRecord:
    """Return the record of a paper's page.
    `fixed` makes the tables that no run changes."""
    known = load_papers()[paper]

    def page(results: Results) -> dict[str, Any]:
        shown, left = worth_showing(results.collected.of(paper))
        return {
            "lead": known.lead,
            "sections": sections(results, shown, paper, parts),
            "fixed_tables": fixed(),
            "left_out": sections(results, left, paper, parts),
        }

    return PageRecord(
        f"{paper}.html", known.name, known.name, page,
        place=FIRST + list(load_papers()).index(paper) / 100,  # before the next page, however many
        group=CLAIMS, template="paper.html.j2",
        settings=lambda results: [group.setting for group in results.collected.of(paper)],
    )  # fmt: skip


def sections(results: Results, groups: list[Group], paper: str, published: Parts) -> list[Section]:
    """Return the sections of a paper's page.
    The runs as published under the paper's own protocol stand first; other protocols and
    sensitivity runs stand below."""
    protocol = load_papers()[paper].protocol
    own: list[Section] = []
    beside: list[Section] = []
    others: list[Section] = []
    for group in groups:
        if group.protocol == protocol and group.setting.as_published:
            main = group.setting.planned or group.setting.comparable
            section = Section(group.caption, published(results, group), "As published")
            (own if main else beside).append(section)
        else:
            what = "Beyond the paper, never beside the claims"
            others.append(Section(group.caption, [more_table(group)], what))
    return own + beside + others


def in_twins(group: Group, variants: Collection[str]) -> str:
    """Return the frameworks in which runs of these networks are there: "in Keras and in
    PyTorch"."""
    there = {s.spec.framework for s in group.slots if s.usable and s.spec.variant in variants}
    return " and ".join(f"in {NAMES[framework]}" for framework in FRAMEWORKS if framework in there)
