"""Defines the table and its cell as data, whatever form they are written in."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Td:
    """One cell of a table, or one heading."""

    text: str
    note: str = ""  # the small print under the text
    kind: str = "num"  # "num", "text", or a heading: "head" over numbers, "headtext", "row"
    span: int = 1  # the columns that the cell spans
    rows: int = 1  # the rows that the cell spans
    href: str = ""
    reason: str = ""  # the text of a footnote of the same table
    ref: int = 0  # the number of that footnote; 0: none
    id: str = ""
    colour: str = ""  # a framework's name: its mark stands before the text
    ok: bool | None = None  # whether a bound was kept, shown as a sign and a colour
    key: str = ""  # the number's place in results.json, "id:path" (docs/files.md)
    near: str = ""  # the place of the interval in the small print
    scale: int = 1  # the factor by which the number is multiplied to be written; 100 for points


@dataclass
class Table:
    """A caption, one or two rows of column headings, and bodies with optional titles."""

    name: str  # unique on its page
    caption: str
    heads: list[list[Td]]
    bodies: list[tuple[str, list[list[Td]]]]
    notes: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)  # footnotes, numbered from 1
    tight: bool = False  # whether it has many narrow columns
    listed: bool = False  # whether it is too long for its page, so that it is in CSV alone
    setting: str = ""  # what its runs share; on a page the section says it once for all tables

    @property
    def columns(self) -> int:
        """The number of columns."""
        return sum(cell.span for cell in self.heads[0])

    @property
    def whole_caption(self) -> str:
        """The caption where the table stands alone: with what its runs share."""
        return f"{self.caption} {self.setting}".strip()

    def reason(self, text: str) -> int:
        """Returns the number of the footnote `text`, which is added if it is new; 0 for no text."""
        if not text:
            return 0
        if text not in self.reasons:
            self.reasons.append(text)
        return self.reasons.index(text) + 1


def label(text: str, note: str = "", anchor: str = "") -> Td:
    """Returns a row's heading."""
    return Td(text, note, kind="row", id=anchor)


def words(text: str, note: str = "", href: str = "", reason: str = "") -> Td:
    """Returns a cell of text."""
    return Td(text, note, kind="text", href=href, reason=reason)
