"""Tells how busy other processes keep this machine, so that a time measured beside them can be
marked."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

BUSY = 0.25  # so many cores of other work are too many beside a measured time
BEFORE = 0.25  # the seconds for which the machine is watched before a measurement
STAT = Path("/proc/stat")
IDLE = (3, 4)  # the places of "idle" and "iowait" in a line of STAT
OF_OTHERS = 8  # the places before this one are times that the system counts; "guest" is in "user"


def busy_seconds() -> float | None:
    """Gives the seconds for which the cores that this process may use have been busy since the
    machine started, those taken by other virtual machines included; None where the system (any but
    Linux) doesn't tell."""
    try:
        lines = STAT.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    names = {f"cpu{core}" for core in os.sched_getaffinity(0)}
    found = [words[1:] for line in lines if (words := line.split()) and words[0] in names]
    ticks = [
        int(tick)
        for words in found
        for place, tick in enumerate(words[:OF_OTHERS])
        if place not in IDLE
    ]
    return sum(ticks) / os.sysconf("SC_CLK_TCK") if any(ticks) else None


def own_seconds() -> float:
    """Gives the processor's seconds that this process has taken, and those of its processes that
    have ended."""
    return sum(os.times()[:4])


class OtherWork:
    """Watches, from its making on, how many cores others than this process and its own keep busy.
    The processes that this one starts must have ended when it is asked."""

    def __init__(self) -> None:
        self._began, self._busy, self._own = time.perf_counter(), busy_seconds(), own_seconds()

    def cores(self) -> float | None:
        """Gives the mean number of cores that others kept busy; None where that isn't known."""
        busy, spent = busy_seconds(), time.perf_counter() - self._began
        if busy is None or self._busy is None or not spent:
            return None
        own = own_seconds() - self._own
        return max(0.0, busy - self._busy - own) / spent


@contextlib.contextmanager
def watched() -> Iterator[dict[str, float | None]]:
    """Gives the cores that others keep busy "before" the body of the `with` statement; after it,
    those "during" it are there too."""
    first = OtherWork()
    time.sleep(BEFORE)
    found = {"before": first.cores()}
    beside = OtherWork()
    yield found
    found["during"] = beside.cores()
