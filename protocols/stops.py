"""Sees stops of this process (Ctrl-Z, kill -STOP) and sleep of its machine, so that no measured
time counts them.

What was measured across a stop is measured again where that can be (`undisturbed`); seconds that
add up over a run leave the stop out (`running_seconds`). A clock alone can't tell: it runs on.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import TypeVar

TICK = 0.25  # seconds between two looks: at most so much of a stop is counted, or of work left out
ASLEEP = 0.5  # seconds that the clock which counts sleep must gain on the one that doesn't
Value = TypeVar("Value")


class _Seen:
    """The stops and sleeps that were seen so far, for all threads."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.pipe: int | None = None  # receives the number of every signal, whatever threads do
        self.ticks = False
        self.count, self.lost = 0, 0.0
        self.slept, self.alive = _slept(), time.perf_counter()

    def look(self) -> None:
        """Counts the stops and sleeps that have come since the last look."""
        with self.lock:
            now, slept = time.perf_counter(), _slept()
            if slept - self.slept > ASLEEP:
                self.count += 1
            if times := self._continued():
                self.count += times
                self.lost += now - self.alive if self.ticks else 0.0
            self.slept, self.alive = slept, now

    def _continued(self) -> int:
        if self.pipe is None:
            return 0
        try:
            return os.read(self.pipe, 4096).count(signal.SIGCONT)
        except BlockingIOError:
            return 0

    def tick(self) -> None:
        """Looks every TICK seconds without end, so that `alive` is never old."""
        while True:
            time.sleep(TICK)
            self.look()


def _slept() -> float:
    """Gives the seconds that the machine slept since some fixed moment; always 0 where no clock
    tells."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)


_seen = _Seen()


def watch(ticks: bool = False) -> None:
    """Makes every later stop of this process seen; it is called in the main thread. With `ticks`
    `running_seconds` leaves each stop out, for which a thread looks every TICK seconds."""
    if _seen.pipe is None:
        _seen.pipe, end = os.pipe()
        os.set_blocking(_seen.pipe, False)
        os.set_blocking(end, False)
        signal.signal(signal.SIGCONT, lambda *_: None)
        signal.siginterrupt(signal.SIGCONT, False)
        signal.set_wakeup_fd(end, warn_on_full_buffer=False)
    if ticks and not _seen.ticks:
        _seen.look()
        _seen.ticks = True
        threading.Thread(target=_seen.tick, daemon=True).start()


def count() -> int:
    """Counts the stops and sleeps that were seen so far."""
    _seen.look()
    return _seen.count


def running_seconds() -> float:
    """Gives time.perf_counter() without the seconds in which this process was stopped."""
    if not _seen.ticks:
        _seen.look()  # no thread looks
    return time.perf_counter() - _seen.lost


def undisturbed(measure: Callable[[], Value]) -> Value:
    """Calls `measure` until no stop came during the call, and gives its value then."""
    while True:
        before = count()
        value = measure()
        if count() == before:
            return value
