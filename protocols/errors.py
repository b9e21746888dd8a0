"""The one error a user is meant to read."""


class RequestError(Exception):
    """A request that can't be met. Its text is one sentence: what is wrong, what to do instead.

    runner.py prints it without a traceback and exits with 2.
    """
