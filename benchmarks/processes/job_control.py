"""Ctrl-Z and fg: processes in sessions of their own stop and go on with the launcher.

The terminal reaches the launcher's process group only. A worker that computed on meanwhile would
be measured by a launcher that stood still.
"""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator

from protocols import stops

_groups: set[int] = set()  # of the processes that are there; each leads its own


def begins(process: subprocess.Popen) -> None:
    """From now on `process`, the leader of a session, stops and goes on with this one."""
    _groups.add(process.pid)


def ends(process: subprocess.Popen) -> None:
    """Call it before the process is waited for: its number may become another's."""
    _groups.discard(process.pid)


@contextlib.contextmanager
def stopping_together() -> Iterator[None]:
    """Within, a SIGTSTP to this process stops the others too, and SIGCONT lets all go on. Stops
    are seen (protocols.stops). Only from the main thread, and where there are such signals."""
    here = threading.current_thread() is threading.main_thread()
    if not here or not hasattr(signal, "SIGTSTP"):
        yield
        return
    stops.watch(ticks=True)
    before = signal.getsignal(signal.SIGTSTP)
    if before == signal.SIG_DFL:  # a shell without job control ignores it
        signal.signal(signal.SIGTSTP, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, before)


def _stop(*_: object) -> None:
    _send(signal.SIGSTOP)  # SIGTSTP is ignored by a session without a terminal
    came: list[int] = []
    # what would end this process as it wakes up waits until the others run: one that is stopped
    # doesn't see that its launcher is gone
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
