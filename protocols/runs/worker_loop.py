"""Runs a worker, which reads jobs from stdin and writes events to stdout, each as one JSON line.

In:   {"runs": [{"spec": ..., "job": fields of Job}, ...]}, several if trained together
Out:  {"event": "hello", ...}, {"event": "progress", "done": i, "total": n, "what": ...},
      {"event": "note", "text": ...}, {"event": "done"}, {"event": "failed", "reason": ...}
A worker ends when its stdin closes, even in the middle of a job, so it never outlives its launcher.
"""

import contextlib
import gc
import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from protocols.files import Progress, throttled
from protocols.runs.checkpoint import AT_EPOCH, INSIDE_EPOCH
from protocols.spec import RunSpec
from protocols.stops import watch
from protocols.streams import print_anything


@dataclass(frozen=True)
class Job:
    """The places where a run reads and writes; nothing here decides what the run computes."""

    images: Path  # the folder of the decoded set
    folder: Path  # the run's folder
    jpeg: Path  # an image file
    cache: Path  # the user's cache folder
    checkpoint: Path  # one file, for all runs that are trained together
    pauses: tuple[float, float] = (AT_EPOCH, INSIDE_EPOCH)  # those of Checkpoints
    weights: dict[str, Path] = field(default_factory=dict)  # the files of loaded backbones
    at_once: int = 1  # so many jobs the launch has computed beside each other, this one included

    def to_dict(self) -> dict[str, Any]:
        """Gives the fields in the form in which JSON holds them."""
        return msgspec.to_builtins(self, enc_hook=os.fspath)

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> "Job":
        """Makes a job from what `to_dict` gave."""
        return msgspec.convert(found, cls, dec_hook=lambda path, text: path(text))


Train = Callable[[list[RunSpec], list[Job], Progress, Callable[[str], None]], None]


def _read_jobs(jobs: "queue.Queue[str]") -> None:
    for line in sys.stdin:
        jobs.put(line)
    os._exit(0)


def end_with_launcher(jobs: "queue.Queue[str] | None" = None) -> None:
    """Makes this process end when its stdin closes; the lines of stdin go to `jobs`."""
    threading.Thread(target=_read_jobs, args=(jobs or queue.Queue(),), daemon=True).start()


def serve(hello: dict[str, Any], train: Train) -> None:
    """Writes the event `hello`, then trains each job with `train`, until stdin closes.

    What the frameworks print goes to the job's log.txt. If a job raises, its reason is reported,
    its traceback goes to the log, and the worker goes on.
    """
    watch(ticks=True)
    print_anything()
    out = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)

    def send(**event: Any) -> None:
        out.write(json.dumps(event) + "\n")

    def progress(what: str, done: int, total: int) -> None:
        send(event="progress", what=what, done=done, total=total)

    def note(text: str) -> None:
        print(text, flush=True)
        send(event="note", text=text)

    jobs: queue.Queue[str] = queue.Queue()
    end_with_launcher(jobs)
    send(event="hello", **hello)
    while True:
        runs = json.loads(jobs.get())["runs"]
        specs = [RunSpec(**run["spec"]) for run in runs]
        all_jobs = [Job.from_dict(run["job"]) for run in runs]
        with _log_to(all_jobs[0].folder / "log.txt"):
            try:
                train(specs, all_jobs, throttled(progress, 0.2), note)
            except Exception as error:
                traceback.print_exc()
                first_line = (str(error).strip().splitlines() or [""])[0]
                event = {"event": "failed", "reason": f"{type(error).__name__}: {first_line}"}
            else:
                event = {"event": "done"}
        gc.collect()  # reference cycles in a network hold the network's memory
        send(**event)


@contextlib.contextmanager
def _log_to(path: Path) -> Iterator[None]:
    """Sends stdout and stderr, those of C libraries too, to the end of the file `path`."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with path.open("ab", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(saved[0], 1)
        os.dup2(saved[1], 2)
        os.close(saved[0])
        os.close(saved[1])
