"""The one error a user is meant to read."""

BYTES = frozenset(map(chr, range(0xDC80, 0xDD00)))  # surrogateescape


def one_line(text: str) -> str:
    """The text with every character that no terminal prints, line ends above all, as Python writes
    it in quotes: what a user typed is told back as one line.

    A byte of a path that is no text (a surrogate of Python's) stays: protocols.streams prints it.
    """
    return "".join(c if c.isprintable() or c in BYTES else repr(c)[1:-1] for c in text)


class TableError(ValueError):
    """A table of `protocols` (claims, variants, recipes) says what nothing can read."""


class RequestError(Exception):
    """A request that can't be met. Its text is one sentence: what is wrong, what to do instead.

    runner.py prints it, always as one line, without a traceback and exits with 2.
    """

    def __str__(self) -> str:
        return one_line(super().__str__())
