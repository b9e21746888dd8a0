"""The sections of a paper's page: tables and figures in their order."""

from collections.abc import Callable, Collection
from typing import Any

from protocols.papers.papers import load_papers
from protocols.spec import FRAMEWORKS
from reports.cells.cell import Group
from reports.cells.collect import Collected
from reports.cells.settings import Setting
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
        shown, left = worth_showing(groups_of(results.collected, paper))
        return {
            "lead": known.lead,
            "sections": sections(results, shown, paper, parts),
            "fixed_tables": fixed(),
            "left_out": sections(results, left, paper, parts),
        }

    def settings(results: Results) -> list[Setting]:
        return [group.setting for group in groups_of(results.collected, paper)]

    place = FIRST + list(load_papers()).index(paper) / 100  # before the next page, however many
    return PageRecord(
        f"{paper}.html", known.name, known.name, page, place, CLAIMS, "paper.html.j2", settings
    )


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
            parts = published(results, group)
            section = Section(group.caption, parts, "As published")
            (own if main else beside).append(section)
        else:
            parts = [more_table(group)]
            what = "Beyond the paper, never beside the claims"
            others.append(Section(group.caption, parts, what))
    return own + beside + others


def in_twins(group: Group, variants: Collection[str]) -> str:
    """Return the frameworks in which runs of these networks are there: "in Keras and in
    PyTorch"."""
    there = {s.spec.framework for s in group.slots if s.usable and s.spec.variant in variants}
    return " and ".join(f"in {NAMES[framework]}" for framework in FRAMEWORKS if framework in there)


def groups_of(collected: Collected, paper: str) -> list[Group]:
    """Return the groups that have runs of the paper's networks, reduced to these networks."""
    found = (group.of(paper) for group in collected.groups)
    return [group for group in found if group.cells]
