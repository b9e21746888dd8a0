"""The parts of a page: its record, and the drawings and sections that stand on it beside tables."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from protocols.papers.papers import load_papers
from reports.cells.cell import Group
from reports.cells.collect import Collected
from reports.cells.settings import Setting
from reports.data.numbers import Numbers
from reports.figures.drawing import Drawing
from reports.tables.table import Table

Shared = TypeVar("Shared", Group, Setting)


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


def worth_showing(found: list[Shared]) -> tuple[list[Shared], list[Shared]]:
    """Return the settings or groups that a page shows, and those that it leaves out: where some
    measure anything, it leaves out those that test the machinery alone."""

    def measures(one: Shared) -> bool:
        return (one.setting if isinstance(one, Group) else one).measures

    shown = [one for one in found if measures(one)] or found
    return shown, [one for one in found if one not in shown]


@dataclass(frozen=True)
class Drawn:
    """A figure, or None, and the words below it: what is drawn, and what its marks mean. `lack`
    stands in its place where it can't be drawn."""

    drawing: Drawing | None
    about: str
    lack: str = ""

    @property
    def caption(self) -> str:
        """The words below the figure."""
        marks = self.drawing.key if self.drawing else ""
        return " ".join(filter(None, (self.about, marks)))


@dataclass(frozen=True)
class Section:
    """The tables and figures of one group of runs, whose setting stands above all of them."""

    setting: str
    parts: list[Table | Drawn]
    heading: str = ""

    @property
    def title(self) -> str:
        """The line above the section."""
        return f"{self.heading}: {self.setting}" if self.heading else self.setting
