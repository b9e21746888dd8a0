"""Spreads cells that span rows or columns over a grid, for forms of a table that know no spans."""

import re
from dataclasses import dataclass, field

from reports.tables.table import Table, Td

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
SIGNS = {True: "✓ ", False: "✗ ", None: ""}  # the signs of Td.ok


@dataclass
class Page:
    """A page's tables in their order, and the banners that stand above them."""

    file: str
    name: str
    banners: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)


@dataclass(frozen=True)
class Place:
    """One column of one row: its cell, and whether the cell begins in this column and this row."""

    td: Td
    left: bool
    top: bool


def key(page: Page, table: Table) -> str:
    """Returns a name for the table that no table of another page has."""
    return f"{page.file.removesuffix('.html')}-{table.name}"


def spread(rows: list[list[Td]], columns: int) -> list[list[Place]]:
    """Returns one Place a column for each row; short rows are filled up with empty cells."""
    found: list[list[Place]] = []
    # column -> the cell from above, the rows that it still spans, whether it begins in the column
    below: dict[int, tuple[Td, int, bool]] = {}
    for row in rows:
        line: list[Place] = []
        cells = iter(row)
        while len(line) < columns:
            column = len(line)
            if column in below:
                td, more, left = below.pop(column)
                line.append(Place(td, left, False))
                if more > 1:
                    below[column] = (td, more - 1, left)
                continue
            td = next(cells, Td("", kind="text"))
            for i in range(td.span):
                line.append(Place(td, i == 0, True))
                if td.rows > 1:
                    below[column + i] = (td, td.rows - 1, i == 0)
        found.append(line)
    return found


def width(table: Table) -> int:
    """Returns the number of the table's columns, or of its widest row's if that has more."""
    rows = [row for _, rows in table.bodies for row in rows]
    return max([table.columns, *(sum(td.span for td in row) for row in rows)])


def spaced(text: str) -> str:
    """Returns `text` with a space for each line end and control character."""
    return _CONTROL.sub(" ", text)


def plain(td: Td) -> str:
    """Returns a cell's text, after its sign if it has one."""
    return SIGNS[td.ok] + td.text


def headings(table: Table) -> list[str]:
    """Returns one heading a column; headings above each other are joined by commas."""
    grid = spread(table.heads, width(table))
    columns = zip(*grid, strict=True)
    return [", ".join(dict.fromkeys(p.td.text for p in c if p.td.text)) for c in columns]


def numeric(table: Table) -> list[bool]:
    """Tells for each column whether it holds more numbers than text."""
    columns = width(table)
    votes = [0] * columns
    for _, rows in table.bodies:
        for line in spread(rows, columns):
            for i, place in enumerate(line):
                votes[i] += 1 if place.td.kind == "num" else -1
    return [vote > 0 for vote in votes]
