"""The errors whose text a user is meant to read."""

BYTES = frozenset(map(chr, range(0xDC80, 0xDD00)))  # Python's "surrogateescape" of bytes


def one_line(text: str) -> str:
    """Gives the text with every character that no terminal prints, line ends above all, as Python
    writes the character in quotes, so that what a user typed is told back as one line.

    A byte of a path that is no text (a surrogate of Python's) stays: protocols.streams prints it.
    """
    return "".join(c if c.isprintable() or c in BYTES else repr(c)[1:-1] for c in text)


class TableError(ValueError):
    """A table of `protocols` (claims, variants, recipes) holds an entry that can't be used."""


class RequestError(Exception):
    """A request can't be met. The text is one sentence: what is wrong, and what to do instead.

    runner.py prints the text, always as one line, without a traceback, and exits with 2.
    """

    def __str__(self) -> str:
        return one_line(super().__str__())
