"""Stops of this process (Ctrl-Z, kill -STOP) and sleep of its machine: no time goes on meanwhile.

What was measured across one is measured again where it can be (`undisturbed`); seconds that add up
over a run leave it out (`running_seconds`). A clock alone can't tell: it runs on in a stop.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import TypeVar

TICK = (
    0.25  # seconds between two looks: at most this much of a stop is counted, or of work left out
)
ASLEEP = 0.5  # seconds that the clock which counts sleep must gain on the one that doesn't
CONTINUED = getattr(signal, "SIGCONT", None)  # none on Windows
Value = TypeVar("Value")


class _Seen:
    """What was seen so far, by all threads."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.pipe: int | None = None  # gets the number of every signal, whatever the threads do
        self.ticks = False
        self.count, self.lost = 0, 0.0
        self.slept, self.alive = _slept(), time.perf_counter()

    def look(self) -> None:
        """Takes in what has come since the last look."""
        with self.lock:
            now, slept = time.perf_counter(), _slept()
            if slept - self.slept > ASLEEP:
                self.count += 1
            if times := self._continued():
                self.count += times
                self.lost += now - self.alive if self.ticks else 0.0
            self.slept, self.alive = slept, now

    def _continued(self) -> int:
        if self.pipe is None or CONTINUED is None:
            return 0
        try:
            return os.read(self.pipe, 4096).count(CONTINUED)
        except BlockingIOError:
            return 0

    def tick(self) -> None:
        """Looks on and on, so that `alive` is never old."""
        while True:
            time.sleep(TICK)
            self.look()


def _slept() -> float:
    """Seconds that the machine slept, from any moment on; always 0 where no clock tells."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)


_seen = _Seen()


def watch(ticks: bool = False) -> None:
    """From now on every stop of this process is seen; call it in the main thread. `ticks`: and
    `running_seconds` leaves it out, for which a thread looks every TICK seconds."""
    if CONTINUED is None:
        return
    if _seen.pipe is None:
        _seen.pipe, end = os.pipe()
        os.set_blocking(_seen.pipe, False)
        os.set_blocking(end, False)
        signal.signal(CONTINUED, lambda *_: None)
        signal.siginterrupt(CONTINUED, False)
        signal.set_wakeup_fd(end, warn_on_full_buffer=False)
    if ticks and not _seen.ticks:
        _seen.look()
        _seen.ticks = True
        threading.Thread(target=_seen.tick, daemon=True).start()


def count() -> int:
    """How many stops were seen so far."""
    _seen.look()
    return _seen.count


def running_seconds() -> float:
    """time.perf_counter without the seconds in which this process was stopped."""
    if not _seen.ticks:
        _seen.look()  # where no thread does
    return time.perf_counter() - _seen.lost


def undisturbed(measure: Callable[[], Value]) -> Value:
    """What `measure` gives when no stop came between; until then it is called anew."""
    while True:
        before = count()
        value = measure()
        if count() == before:
            return value
