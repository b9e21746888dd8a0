"""The one error a user is meant to read."""


def one_line(text: str) -> str:
    """The text with every character that no terminal prints, line ends above all, as Python writes
    it in quotes: what a user typed is told back as one line."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class RequestError(Exception):
    """A request that can't be met. Its text is one sentence: what is wrong, what to do instead.

    runner.py prints it, always as one line, without a traceback and exits with 2.
    """

    def __str__(self) -> str:
        return one_line(super().__str__())
