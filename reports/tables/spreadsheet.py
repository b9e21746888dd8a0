"""Writes CSV that a spreadsheet reads as it is meant: no text is taken for a formula."""

import csv
import io
import re
from collections.abc import Iterable
from typing import Any

from reports.tables.grid import spaced

_STARTS = ("=", "+", "-", "@")
_PLAIN = r"[^=+\-*/^&<>@|!'\"\[\];{}()]*"  # has nothing that computes
# a number, and perhaps words after it, in brackets too, with no operator but the number's sign
_NUMBER = re.compile(rf"[+-]?\d[\d.,]*(e[+-]?\d+)?(%|\s{_PLAIN}((?<=\s)\({_PLAIN}\){_PLAIN})?)?")


def cell(value: Any) -> Any:
    """Returns `value` as it may stand in a CSV file: a text that a spreadsheet would compute gets
    an apostrophe before it, which shows it as text; a line end, which some take for a new row, is a
    space. Numbers stay, with their sign."""
    if not isinstance(value, str):
        return value
    text = spaced(value)
    return f"'{text}" if text.lstrip().startswith(_STARTS) and not _NUMBER.fullmatch(text) else text


def as_csv(rows: Iterable[Iterable[Any]]) -> str:
    """Returns the text of a CSV file of these rows."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([cell(v) for v in row] for row in rows)
    return buffer.getvalue()
