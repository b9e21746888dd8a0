"""Passes Ctrl-Z and fg on: processes in sessions of their own stop and go on with the launcher.
Ctrl-C ends it once.

The terminal reaches the launcher's process group only. A worker that went on computing meanwhile
would be measured by a launcher that stood still.
"""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator

from protocols import stops

_groups: set[int] = set()  # the groups of the running processes; each leads its own group


def begins(process: subprocess.Popen) -> None:
    """Makes `process`, the leader of a session, stop and go on with this process from now on."""
    _groups.add(process.pid)


def ends(process: subprocess.Popen) -> None:
    """Forgets `process`. Call it before waiting for the process: its number may be given anew."""
    _groups.discard(process.pid)


@contextlib.contextmanager
def stopping_together() -> Iterator[None]:
    """Lets a SIGTSTP to this process stop the others too within the block, and SIGCONT start all
    again. `protocols.stops` sees the stops. Only for the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    stops.watch(ticks=True)
    before = signal.getsignal(signal.SIGTSTP)
    if before == signal.SIG_DFL:  # a shell without job control ignores the signal
        signal.signal(signal.SIGTSTP, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, before)


@contextlib.contextmanager
def one_interrupt() -> Iterator[None]:
    """Ignores a second, impatient Ctrl-C, which must not cut the cleaning up short."""

    def first(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _stop(*_: object) -> None:
    _send(signal.SIGSTOP)  # a session without a terminal ignores SIGTSTP
    came: list[int] = []
    # A signal that would end this process as it wakes up waits until the others run: a stopped
    # process doesn't see that its launcher is gone.
    others = {
        number: signal.signal(number, lambda number, _: came.append(number))
        for number in (signal.SIGTERM, signal.SIGHUP)
    }
    signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    signal.raise_signal(signal.SIGTSTP)  # this process stops here, and goes on from here
    signal.signal(signal.SIGTSTP, _stop)
    _send(signal.SIGCONT)
    for number, handler in others.items():
        signal.signal(number, handler)
    for seen in came:
        signal.raise_signal(seen)


def _send(number: int) -> None:
    for group in list(_groups):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
