"""The sections of a paper's page: tables and figures in their order."""

from collections.abc import Callable
from typing import Any

from protocols.papers.papers import load_papers
from reports.cells.cell import Group
from reports.cells.collect import Collected
from reports.cells.settings import Setting
from reports.pages.content import Drawn, PageRecord, Results, Section
from reports.pages.papers.measures import more_table
from reports.tables.table import Table

FIRST = 2.5  # the place of the first paper in the menu
CLAIMS = "Claims"  # its group there
Parts = Callable[[Collected, Group], list[Table | Drawn]]  # makes the parts of a group as published


def record(paper: str, parts: Parts, fixed: Callable[[], list[Table]], figures: str) -> PageRecord:
    """Return the record of a paper's page.
    `fixed` makes the tables that no run changes; `figures` names the paper's figures that stand on
    the page of activations."""
    known = load_papers()[paper]

    def page(results: Results) -> dict[str, Any]:
        return {
            "lead": known.lead,
            "figures": figures,
            "fixed_tables": fixed(),
            "sections": sections(results.collected, paper, parts),
        }

    def settings(results: Results) -> list[Setting]:
        return [group.setting for group in groups_of(results.collected, paper)]

    place = FIRST + list(load_papers()).index(paper) / 100  # before the next page, however many
    return PageRecord(
        f"{paper}.html", known.name, known.name, page, place, CLAIMS, "paper.html.j2", settings
    )


def sections(collected: Collected, paper: str, published: Parts) -> list[Section]:
    """Return the sections of a paper's page.
    The runs as published under the paper's own protocol stand first; other protocols and
    sensitivity runs stand below, folded."""
    protocol = load_papers()[paper].protocol
    own: list[Section] = []
    beside: list[Section] = []
    others: list[Section] = []
    for group in groups_of(collected, paper):
        if group.protocol == protocol and group.setting.as_published:
            main = group.setting.planned or group.setting.comparable
            parts = published(collected, group)
            section = Section("As published", group.caption, main, "Other settings", parts)
            (own if main else beside).append(section)
        else:
            parts = [more_table(group)]
            what = "Beyond the paper"
            others.append(Section(what, group.caption, False, "Never beside the claims", parts))
    return own + beside + others


def groups_of(collected: Collected, paper: str) -> list[Group]:
    """Return the groups that have runs of the paper's networks, reduced to these networks."""
    found = (group.of(paper) for group in collected.groups)
    return [group for group in found if group.cells]
