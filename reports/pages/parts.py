"""What a page is made of: drawings and sections."""

from dataclasses import dataclass

from markupsafe import Markup

from reports.tables.table import Table


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
