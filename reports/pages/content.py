"""What a page is: its record, and the drawings and sections that stand on it beside tables."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from markupsafe import Markup

from protocols.papers.papers import load_papers
from reports.cells.collect import Collected
from reports.cells.settings import Setting
from reports.data.numbers import Numbers
from reports.tables.table import Table


@dataclass(frozen=True)
class Results:
    """What every page is made of: the collected runs, their numbers as results.json has them, and
    the folder that the report stands in, which may hold pictures and other measurements."""

    collected: Collected
    numbers: Numbers
    out: Path


@dataclass(frozen=True)
class PageRecord:
    """A page of the report. Every module of reports.pages may have one, named `PAGE`; menu.pages
    finds it there.

    `content` gives what the template is handed, with the tables in the order in which the template
    shows them; the exports take the tables from there.
    """

    file: str
    title: str  # the page's heading
    name: str  # its word in the menu, and above its tables in the exports
    content: Callable[[Results], dict[str, Any]]
    place: int = 0  # in the menu, the lowest first
    template: str = ""  # its file; empty: that of the page's own name
    settings: Callable[[Results], list[Setting]] = lambda results: results.collected.settings
    is_there: Callable[[Results], bool] = lambda _: True
    # pages that belong to this one and are not in the menu
    further: Callable[[Results], list["PageRecord"]] = lambda _: []


def of_papers(room: str) -> dict[str, ModuleType]:
    """The modules of a room of reports.pages that are named after the papers' keys, by key; a paper
    may have none."""
    names = {key: f"{__package__}.{room}.{key}" for key in load_papers()}
    return {key: import_module(name) for key, name in names.items() if find_spec(name)}


@dataclass(frozen=True)
class Drawn:
    """A figure with its caption."""

    svg: Markup | None
    caption: str


@dataclass(frozen=True)
class Section:
    """The tables and figures of one group on a paper's page."""

    heading: str
    setting: str
    main: bool
    kind: str
    parts: list[Table | Drawn]
