"""Writes a table from its caption, its headings and its lines of values."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from protocols.spec import FRAMEWORKS
from reports.tables.formats import BESIDE, BESIDE_NOTE, NAMES, STALE, STALE_NOTE, marked
from reports.tables.table import Table, Td, label, words

Value = Td | str | int | None  # the values that `table` makes cells of
Line = Sequence[Value]  # a row's values; the first names the row


@dataclass(frozen=True)
class Over:
    """A heading that stands above others."""

    top: Td
    below: list[Td]


def texts(*names: str) -> list[Td]:
    """Returns headings of columns that hold text."""
    return [Td(name, kind="headtext") for name in names]


def numbers(*names: str) -> list[Td]:
    """Returns headings of columns that hold numbers."""
    return [Td(name, kind="head") for name in names]


def over(name: str, below: list[Td], kind: str = "head") -> Over:
    """Returns the heading `name` above the headings `below`; for text `kind` is "headtext"."""
    return Over(Td(name, kind=kind), below)


def twins(kind: str = "head", stale: Sequence[bool] = (False, False)) -> list[Td]:
    """Returns a heading for each twin, with its colour; that of a `stale` one bears the mark of
    stale numbers."""
    both = zip(FRAMEWORKS, stale, strict=True)
    return [Td(marked(NAMES[f], old), kind=kind, colour=f) for f, old in both]


def over_twins(below: list[Td], stale: Sequence[bool] = (False, False)) -> list[Over]:
    """Returns the headings of `twins`, each above the headings `below`."""
    return [Over(top, below) for top in twins(stale=stale)]


def table(
    name: str,
    caption: str,
    heads: Iterable[Td | Over],
    lines: Iterable[Line] | Mapping[str, Iterable[Line]],
    notes: Iterable[str] = (),
    *,
    spans: Sequence[Sequence[int]] = (),
    tight: bool = False,
    listed: bool = False,
    setting: str = "",
) -> Table:
    """Returns the table of a caption, headings, rows and notes.

    `setting` says what the runs share; a page says it once, above all tables of a section.
    `lines` holds the rows, or the rows below each title; a title without rows is left out. A text
    is a cell of text (in the first column the row's heading), a whole number is written with
    thousands separated, None is a dash, and a Td is any other cell. A cell's `reason` becomes a
    footnote. Equal cells below each other become one in the columns `spans`: those of one entry all
    together, those of a further entry only where those before it do.
    Where the caption, a heading or a cell bears the mark of stale numbers, or of times that were
    measured beside other work, a last note explains it.
    """
    made = Table(name, caption, _heads(list(heads)), [], list(notes), [], tight, listed, setting)
    for title, body in lines.items() if isinstance(lines, Mapping) else [("", lines)]:
        rows = [[_cell(made, v, i == 0) for i, v in enumerate(line)] for line in body]
        if rows or not title:
            made.bodies.append((title, _joined(rows, spans)))
    cells = [*chain(*made.heads), *(td for _, rows in made.bodies for row in rows for td in row)]
    for mark, note in ((STALE, STALE_NOTE), (BESIDE, BESIDE_NOTE)):
        if mark in caption or any(mark in td.text for td in cells):
            made.notes.append(note)
    return made


def _heads(heads: list[Td | Over]) -> list[list[Td]]:
    """Returns one row of headings, or two where some stand above others."""
    below = [td for one in heads if isinstance(one, Over) for td in one.below]
    above = [
        replace(one.top, span=len(one.below)) if isinstance(one, Over)
        else replace(one, rows=2 if below else 1)
        for one in heads
    ]  # fmt: skip
    return [above, below] if below else [above]


def _cell(made: Table, value: Value, first: bool) -> Td:
    if value is None:
        return Td("–")
    if isinstance(value, str):
        return label(value) if first else words(value)
    if isinstance(value, int):
        return Td(f"{value:,}")
    return replace(value, ref=made.reason(value.reason)) if value.reason else value


def _joined(rows: list[list[Td]], spans: Sequence[Sequence[int]]) -> list[list[Td]]:
    """Returns the rows with one cell for equal ones below each other."""
    if not spans:
        return rows
    # for each row, the rows that a column's cell spans; 0: the cell above reaches down here
    tall = [dict.fromkeys(chain(*spans), 1) for _ in rows]
    for i in range(len(rows) - 1, 0, -1):
        for columns in spans:
            if any(rows[i][c] != rows[i - 1][c] for c in columns):
                break
            for c in columns:
                tall[i - 1][c] += tall[i][c]
                tall[i][c] = 0
    return [
        [replace(td, rows=own.get(c, 1)) for c, td in enumerate(row) if own.get(c, 1)]
        for row, own in zip(rows, tall, strict=True)
    ]
