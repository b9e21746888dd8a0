"""Lets any text be printed on any terminal: no path, and no letter that the terminal's encoding
lacks, ends in a UnicodeEncodeError after the work was done."""

import codecs
import io
import sys

HANDLER = "wbc.printable"


def _printable(error: UnicodeError) -> tuple[bytes, int]:
    """Gives a byte of a path that was no text (a surrogate of Python's) as that byte, so that what
    is printed names the file, and any other letter as its number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    made = b""
    for letter in error.object[error.start : error.end]:
        number = ord(letter) - 0xDC00
        plain = letter.encode("ascii", "backslashreplace")
        made += bytes([number]) if 0x80 <= number <= 0xFF else plain
    return made, error.end


codecs.register_error(HANDLER, _printable)


def print_anything() -> None:
    """Makes stdout and stderr of this process take any text; each process calls it at its start."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a stream that was closed before is None
            stream.reconfigure(errors=HANDLER)
