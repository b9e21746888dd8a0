"""What a user sees while runs go on: a bar on a terminal, one line a run, time left."""

import sys
import threading
import time
from collections.abc import Callable

from tqdm import tqdm

from benchmarks.store.run import Run
from protocols.files import Progress
from protocols.spec import RunSpec
from protocols.stops import running_seconds

LINE_EVERY = 20.0  # seconds between progress lines where there is no terminal


def duration(seconds: float) -> str:
    """Seconds in words: "42 s", "7 min", "3.5 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


class Console:
    """Prints to stdout; the bar goes to stderr. Used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bar: tqdm | None = None
        self._what = ""
        self._last = 0.0
        self._parts: dict[str, float] = {}
        self._found: dict[str, float] = {}  # of runs gone on with: what was done before
        self._complete = self._total = 0.0
        self._count = self._of = 0

    def say(self, text: str) -> None:
        """One line."""
        with self._lock:
            if self._bar is not None:
                self._bar.clear()
            _print(text)

    def progress(self, what: str, done: int, total: int) -> None:
        """Progress of the work on the data, before the runs."""
        with self._lock:
            if self._what != what:
                self._close()
                self._what = what
                _print(what)
                if sys.stderr.isatty():
                    self._bar = tqdm(total=total, leave=False, unit="")
            if self._bar is not None:
                self._bar.update(done - self._bar.n)

    def begin(self, work: float, runs: int) -> None:
        """The runs begin: so much work in so many."""
        with self._lock:
            self._close()
            self._total, self._of, self._start = work, runs, running_seconds()
            if sys.stderr.isatty():
                form = "{desc} {percentage:3.0f}%|{bar}| {elapsed} gone, {remaining} left"
                self._bar = tqdm(total=work, leave=False, bar_format=form)

    def run_progress(self, spec: RunSpec, work_at: Callable[[float], float]) -> Progress:
        """The progress callable of one run; `work_at` a share of it is done, how much of the whole
        is."""

        def progress(what: str, done: int, total: int) -> None:
            self._parts[spec.id] = part = work_at(done / max(total, 1))
            self._found.setdefault(spec.id, part - work_at(0))
            label = spec.id.rsplit("-", 1)[0]
            self._show(f"{label}: {done} of {total} {what}")

        return progress

    def _show(self, text: str) -> None:
        with self._lock:
            complete = self._complete + sum(self._parts.values())
            if self._bar is not None:
                self._bar.set_description_str(f"{self._count}/{self._of} {text}", refresh=False)
                self._bar.update(complete - self._bar.n)
            elif time.monotonic() - self._last > LINE_EVERY:
                self._last = time.monotonic()
                _print(f"          {text}; {self._left(complete)}")

    def _left(self, complete: float) -> str:
        gone, here = running_seconds() - self._start, complete - sum(self._found.values())
        if here < 0.02 * self._total or gone < 5:
            return "time left not known yet"
        return f"about {duration(gone * (self._total - complete) / here)} left"

    def finished(self, run: Run, work: float) -> None:
        """One line for a run that ended."""
        with self._lock:
            self._parts.pop(run.spec.id, None)
            self._complete += work
            self._count += 1
            left = self._left(self._complete) if self._count < self._of else "all ended"
        result = f"FAILED: {run.reason}" if run.status == "failed" else _result(run)
        label = run.spec.id.rsplit("-", 1)[0]
        self.say(f"[{self._count}/{self._of}] {label}: {result}; {left}")

    def end(self) -> None:
        """Takes the bar away."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _print(text: str) -> None:
    """A log on a full disk loses the line; a reader who left ends the launch."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except OSError:
        pass


def _result(run: Run) -> str:
    if run.spec.stage == "latency":
        t = run.timings
        return f"one image {1000 * t['single']['median']:.0f} ms, cold {t['cold']['median']:.1f} s"
    selected = run.history[int(run.predictions["selected_index"])]
    seconds = duration(run.timings["total_seconds"])
    return f"accuracy {100 * selected['eval_accuracy']:.2f}% in {seconds}"
