"""The parts of a page: its record, and the drawings and sections that stand on it beside tables."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from protocols.papers.papers import load_papers
from reports.cells.collect import Collected
from reports.cells.settings import Setting
from reports.data.numbers import Numbers
from reports.figures.drawing import Drawing
from reports.tables.table import Table


@dataclass(frozen=True)
class Results:
    """The content that every page is made of.
    It is the collected runs, their numbers as in results.json, and the folder of the report, which
    may hold pictures and other measurements."""

    collected: Collected
    numbers: Numbers
    out: Path


@dataclass(frozen=True)
class PageRecord:
    """A page of the report.

    A module of reports.pages has its page under the name `PAGE`; menu.pages finds the page there.
    `content` gives the values for the template, with the tables in the order in which the template
    shows them; the exports take the tables from there.
    """

    file: str
    title: str  # the page's heading
    name: str  # the page's word in the menu, and above its tables in the exports
    content: Callable[[Results], dict[str, Any]]
    place: float = 0  # the place in the menu, the lowest first
    group: str = ""  # the word under which the menu has the page with others; "": its own
    template: str = ""  # the template's file; if empty, the one named as the page
    settings: Callable[[Results], list[Setting]] = lambda results: results.collected.settings
    is_there: Callable[[Results], bool] = lambda _: True
    # pages that belong to this one and are not in the menu
    further: Callable[[Results], list["PageRecord"]] = lambda _: []


def of_papers(room: str) -> dict[str, ModuleType]:
    """Return the modules of a room of reports.pages that are named after a paper's key, by that
    key. A paper may have no such module."""
    names = {key: f"{__package__}.{room}.{key}" for key in load_papers()}
    return {key: import_module(name) for key, name in names.items() if find_spec(name)}


@dataclass(frozen=True)
class Drawn:
    """A figure, or None, and the words below it: what is drawn, what its marks mean, and of which
    runs it is."""

    drawing: Drawing | None
    about: str
    setting: str = ""

    @property
    def caption(self) -> str:
        """The words below the figure."""
        marks = self.drawing.key if self.drawing else ""
        return " ".join(filter(None, (self.about, marks, self.setting)))


@dataclass(frozen=True)
class Section:
    """The tables and figures of one group on a paper's page."""

    heading: str
    setting: str
    main: bool
    kind: str
    parts: list[Table | Drawn]
