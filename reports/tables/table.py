"""Tables as data."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Td:
    """One cell. `kind`: "num", "text" or "head"; `note` is small print under the text."""

    text: str
    note: str = ""
    kind: str = "num"
    span: int = 1
    rows: int = 1
    href: str = ""
    reason: str = ""  # a footnote of the same table
    ref: int = 0  # its number
    id: str = ""
    colour: str = ""  # a framework's name: its mark stands before the text
    ok: bool | None = None  # whether a bound was kept: a sign and a colour
    key: str = ""  # the number's place in results.json, "id:path" (docs/files.md)
    near: str = ""  # that of the interval in the small print
    scale: int = 1  # by what the number is multiplied to be written; 100 for points


@dataclass
class Table:
    """A caption, one or two rows of column headings, and bodies with optional titles."""

    name: str  # unique on its page
    caption: str
    heads: list[list[Td]]
    bodies: list[tuple[str, list[list[Td]]]]
    notes: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)  # footnotes, numbered from 1
    tight: bool = False  # many narrow columns
    listed: bool = False  # too long for its page, so in CSV alone

    @property
    def columns(self) -> int:
        """How many there are."""
        return sum(cell.span for cell in self.heads[0])

    def reason(self, text: str) -> int:
        """The number of the footnote `text`, added if it is new; 0 for no text."""
        if not text:
            return 0
        if text not in self.reasons:
            self.reasons.append(text)
        return self.reasons.index(text) + 1


def label(text: str, note: str = "", anchor: str = "") -> Td:
    """Return a row's heading."""
    return Td(text, note, kind="row", id=anchor)


def words(text: str, note: str = "", href: str = "", reason: str = "") -> Td:
    """Return a cell of text."""
    return Td(text, note, kind="text", href=href, reason=reason)
