"""One launch at a time writes into an output folder."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from protocols.errors import RequestError

NAME = ".lock"
_held: set[int] = set()  # descriptors


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Keeps other launches out of the folder, which is made; ends with the process at latest.

    Where the file system has no locks, nothing is kept out. Raises RequestError if another launch
    is there.
    """
    out.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # as of another user
            file = stack.enter_context((out / NAME).open("a", encoding="utf-8"))
            _take(file.fileno(), out)
            _held.add(file.fileno())
            stack.callback(_held.discard, file.fileno())
        yield


def check_free(out: Path) -> None:
    """Raises RequestError if a launch is writing there now; changes nothing."""
    with contextlib.suppress(OSError), (out / NAME).open("r+", encoding="utf-8") as file:
        _take(file.fileno(), out)


def _take(descriptor: int, out: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RequestError(
            f"another launch is writing into {out}; wait for it, or give another with --out DIR"
        ) from None


def _let_go() -> None:
    """A forked process outlives a killed launch, and would hold its lock. Workers are no fork."""
    while _held:
        os.close(_held.pop())


os.register_at_fork(after_in_child=_let_go)
