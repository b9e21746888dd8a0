"""Shows a user how work goes on: a bar, a line for each run, the time left, and no silence."""

import os
import sys
import threading
import time
from collections.abc import Callable

from tqdm import tqdm

from benchmarks.store.run import Run
from protocols.files import Progress
from protocols.spec import RunSpec
from protocols.stops import running_seconds

FIRST = 1.5  # the most seconds until the first sign of life
LINE_EVERY = 8.0  # seconds between lines, where no bar is drawn; a silence never lasts ten
LOOK_EVERY = 0.5  # seconds

# Everything here is printed under this lock, and no process is forked meanwhile: the child would
# begin with a stream that another thread has locked.
_printing = threading.RLock()
os.register_at_fork(
    before=_printing.acquire,
    after_in_parent=_printing.release,
    after_in_child=_printing.release,
)


def duration(seconds: float) -> str:
    """Returns a time of `seconds` in words: "42 s", "7 min", "3.5 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def counted(count: int, word: str) -> str:
    """Returns a number of things in words: "1 run", "2 runs"."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def size(count: int) -> str:
    """Returns a number of bytes in words: "270 MB", "3.4 GB"."""
    return f"{max(1, round(count / 1e6))} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"


class Console:
    """Prints lines to stdout and a bar to stderr. Several threads may use one console.

    Inside `with`, a thread makes sure that the user is never left without a sign of life, once the
    user was told what is being done.
    """

    def __init__(self) -> None:
        self._bar: tqdm | None = None
        self._doing, self._at, self._since = "", "", time.monotonic()
        self._last, self._due = self._since, FIRST  # when a line was printed, when the next must be
        self._over = threading.Event()
        self._parts: dict[str, float] = {}
        self._found: dict[str, float] = {}  # of resumed runs: what was done before
        self._complete = self._total = 0.0
        self._count = self._of = 0
        self._start = running_seconds()

    def __enter__(self) -> "Console":
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watcher.join()
        self.end()

    def _watch(self) -> None:
        """Moves the bar, or tells what is being done, where nothing was printed for a while."""
        try:
            while not self._over.wait(LOOK_EVERY):
                with _printing:
                    if self._bar is not None:
                        self._bar.refresh()
                    elif self._doing and time.monotonic() - self._last > self._due:
                        self._line(f"          {self._doing}{self._how_far()}")
        except (BrokenPipeError, ValueError):  # the reader left, which the work itself will notice
            return

    def _how_far(self) -> str:
        """Returns the time left in a launch; else what is done, and for how long it has gone on."""
        if self._of:
            return f"; {self._left(self._complete + sum(self._parts.values()))}"
        gone = time.monotonic() - self._since
        return f"{self._at}, {duration(gone)} so far" if gone >= 1 else self._at

    def say(self, text: str) -> None:
        """Prints one line."""
        with _printing:
            if self._bar is not None:
                self._bar.clear()
            self._line(text)

    def doing(self, what: str) -> None:
        """Notes what is being done from now on; the user is told if the work takes a while."""
        with _printing:
            self._doing, self._at, self._since = what, "", time.monotonic()
            if not self._of:
                self._close()  # the bar of the work before

    def progress(self, what: str, done: int, total: int) -> None:
        """Shows the progress of the work on the data, before the runs."""
        with _printing:
            if self._doing != what:
                self.doing(what)
                self._line(what)
                if _has_room():
                    self._bar = tqdm(total=total, leave=False, unit="")
            self._at = f": {done} of {total}"
            if self._bar is not None:
                self._bar.update(done - self._bar.n)

    def begin(self, work: float, runs: int) -> None:
        """Begins the display of the runs: how many they are, and how much work in all."""
        with _printing:
            self.doing(f"{counted(runs, 'run')} to make")
            self._total, self._of, self._start = work, runs, running_seconds()
            self._last = 0.0  # the first news is told at once
            if _has_room():
                form = "{desc} {percentage:3.0f}%|{bar}| {elapsed} gone, {remaining} left"
                self._bar = tqdm(total=work, leave=False, bar_format=form)

    def run_progress(self, spec: RunSpec, work_at: Callable[[float], float]) -> Progress:
        """Returns the progress callable of one run. `work_at` gives how much work is done when a
        share of the run is."""

        def progress(what: str, done: int, total: int) -> None:
            with _printing:
                self._parts[spec.id] = part = work_at(done / max(total, 1))
                self._found.setdefault(spec.id, part - work_at(0))
                label = spec.id.rsplit("-", 1)[0]
                self._show(f"{label}: {done} of {total} {what}")

        return progress

    def _show(self, text: str) -> None:
        complete = self._complete + sum(self._parts.values())
        self._doing = text
        if self._bar is not None:
            self._bar.set_description_str(f"{self._count}/{self._of} {text}", refresh=False)
            self._bar.update(complete - self._bar.n)
        elif time.monotonic() - self._last > LINE_EVERY:
            self._line(f"          {text}; {self._left(complete)}")

    def _left(self, complete: float) -> str:
        gone, here = running_seconds() - self._start, complete - sum(self._found.values())
        if here < 0.02 * self._total or gone < 5:
            return "time left not known yet"
        return f"about {duration(gone * (self._total - complete) / here)} left"

    def finished(self, run: Run, work: float) -> None:
        """Prints one line for a run that ended."""
        with _printing:
            self._parts.pop(run.spec.id, None)
            self._complete += work
            self._count += 1
            left = self._left(self._complete) if self._count < self._of else "all ended"
        failed = run.status == "failed"
        result = f"FAILED: {run.reason}" if failed else _result(run)
        if not failed and run.node:
            result += f" on {run.node}"
        label = run.spec.id.rsplit("-", 1)[0]
        self.say(f"[{self._count}/{self._of}] {label}: {result}; {left}")

    def end(self) -> None:
        """Takes the bar away; the runs are over."""
        with _printing:
            self._close()
            self._of = 0

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _line(self, text: str) -> None:
        """Prints a line. A log on a full disk loses the line; a reader who left ends the launch."""
        self._last, self._due = time.monotonic(), LINE_EVERY
        try:
            print(text, flush=True)
        except BrokenPipeError:
            raise
        except OSError:
            pass


def _has_room() -> bool:
    """Returns whether stderr is a terminal where a bar can be drawn; some have no columns."""
    try:
        return sys.stderr.isatty() and os.get_terminal_size(sys.stderr.fileno()).columns > 0
    except (OSError, ValueError):  # stderr is no stream of the system's
        return False


def _result(run: Run) -> str:
    if run.spec.stage == "latency":
        t = run.timings
        return f"one image {1000 * t['single']['median']:.0f} ms, cold {t['cold']['median']:.1f} s"
    selected = run.history[int(run.predictions["selected_index"])]
    seconds = duration(run.timings["total_seconds"])
    return f"accuracy {100 * selected['eval_accuracy']:.2f}% in {seconds}"
