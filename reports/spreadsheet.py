"""CSV that a spreadsheet reads as it is meant: no text is taken for a formula."""

import csv
import io
import re
from collections.abc import Iterable
from typing import Any

_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
_PLAIN = r"[^=+\-*/^&<>@|!'\"\[\];{}()]*"  # nothing that computes
# a number, and perhaps words after it, in brackets too; no operator but the sign before it
_NUMBER = re.compile(rf"[+-]?\d[\d.,]*(e[+-]?\d+)?(%|\s{_PLAIN}((?<=\s)\({_PLAIN}\){_PLAIN})?)?")


def cell(value: Any) -> Any:
    """`value` as it may stand in a CSV file: a text that a spreadsheet would compute gets an
    apostrophe before it, which shows it as text. Numbers stay, with their sign."""
    if not isinstance(value, str) or not value.startswith(_STARTS) or _NUMBER.fullmatch(value):
        return value
    return f"'{value}"


def as_csv(rows: Iterable[Iterable[Any]]) -> str:
    """The text of a CSV file."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([cell(v) for v in row] for row in rows)
    return buffer.getvalue()
