"""The worker's side of the pipe: jobs in by stdin, events out by stdout, a JSON line each.

In:   {"spec": ..., "images": folder of the decoded set, "folder": where to write}
Out:  {"event": "hello", ...}, {"event": "progress", "done": i, "total": n, "what": ...},
      {"event": "done"}, {"event": "failed", "reason": ...}
Ends when stdin closes, even in the middle of a job: a worker never outlives its launcher.
"""

import contextlib
import json
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from protocols.spec import RunSpec

Progress = Callable[[str, int, int], None]
Job = Callable[[RunSpec, Path, Path, Progress], None]


def _read_jobs(jobs: "queue.Queue[str]") -> None:
    for line in sys.stdin:
        jobs.put(line)
    os._exit(0)


def serve(hello: dict[str, Any], stages: dict[str, Job]) -> None:
    """Answers with `hello`, then runs each job by the function of its stage, until stdin closes.

    What the frameworks print goes to the job's log.txt. A job that raises is reported with its
    reason and the traceback in the log; the worker goes on.
    """
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def send(**event: Any) -> None:
        out.write(json.dumps(event) + "\n")

    jobs: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read_jobs, args=(jobs,), daemon=True).start()
    send(event="hello", **hello)
    while True:
        job = json.loads(jobs.get())
        spec = RunSpec(**job["spec"])
        with _log_to(Path(job["folder"]) / "log.txt"):
            try:
                stages[spec.stage](spec, Path(job["images"]), Path(job["folder"]), _throttled(send))
            except Exception as error:
                traceback.print_exc()
                reason = f"{type(error).__name__}: {str(error).strip().splitlines()[:1]}"
                event = {"event": "failed", "reason": reason.replace("['", "").replace("']", "")}
            else:
                event = {"event": "done"}
        send(**event)


def _throttled(send: Callable[..., None], seconds: float = 0.2) -> Progress:
    last = 0.0

    def progress(what: str, done: int, total: int) -> None:
        nonlocal last
        if done >= total or time.monotonic() - last > seconds:
            last = time.monotonic()
            send(event="progress", what=what, done=done, total=total)

    return progress


@contextlib.contextmanager
def _log_to(path: Path):  # noqa: ANN202
    """Sends stdout and stderr, those of C libraries too, to `path`."""
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
