"""Defines the table and its cell as data, whatever form they are written in."""

from dataclasses import dataclass, field, replace

SENTENCE = 80  # letters of a cell that takes several lines on a small screen


@dataclass(frozen=True)
class Td:
    """One cell of a table, or one heading."""

    text: str
    note: str = ""  # the small print under the text
    # "num", "text", "word" (text below numbers), or a heading: "head" over numbers, "headtext",
    # "row"
    kind: str = "num"
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
    def lowest(self) -> list[Td]:
        """The heading of each column, with the text of one that stands over several before it."""
        below = iter(self.heads[1] if len(self.heads) > 1 else [])
        found: list[Td] = []
        for td in self.heads[0]:
            if td.rows == len(self.heads):
                found.append(td)
            else:
                some = [next(below) for _ in range(td.span)]
                found += [replace(one, text=f"{td.text}, {one.text}") for one in some]
        return found

    @property
    def stacks(self) -> bool:
        """Whether it is made of sentences, so that on a small screen the cells of a row stand below
        each other, each with its heading."""
        cells = [td for _, rows in self.bodies for row in rows for td in row]
        kinds = [td.kind for td in self.lowest]
        longest = max((len(text) for td in cells for text in (td.text, td.note)), default=0)
        plain = all(td.span == td.rows == 1 for td in cells)
        return plain and len(kinds) > 2 and kinds.count("head") < 2 and longest > SENTENCE

    @property
    def whole_caption(self) -> str:
        """The caption where the table stands alone: with what its runs share."""
        return f"{self.caption} {self.setting}".strip()

    def reason(self, text: str) -> int:
        """Returns the number of the footnote `text`, which is added if it is new."""
        if text not in self.reasons:
            self.reasons.append(text)
        return self.reasons.index(text) + 1


def label(text: str, note: str = "", anchor: str = "") -> Td:
    """Returns a row's heading."""
    return Td(text, note, kind="row", id=anchor)


def words(text: str, note: str = "", href: str = "", reason: str = "") -> Td:
    """Returns a cell of text."""
    return Td(text, note, kind="text", href=href, reason=reason)
