"""Drives one worker process of a twin, whose own end is protocols.runs.worker_loop."""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from benchmarks.planning.plan import Device
from benchmarks.processes import job_control
from benchmarks.processes.children import common, piped
from protocols import nvidia, stops
from protocols.files import ROOT, Progress, default_cache
from protocols.hardware import DETERMINISTIC
from protocols.runs.latency import FIRST_ANSWER
from protocols.runs.worker_loop import Job
from protocols.spec import RunSpec

COMPILED = 4 << 30  # the most bytes of compiled programs that JAX keeps in a cache folder


class WorkerDied(RuntimeError):
    """The process ended by itself, or was killed, before it answered."""


class RunFailed(RuntimeError):
    """The worker reported that a run failed; it is ready for the next one."""


def environment(
    device: Device,
    threads: int,
    deterministic: bool = False,
    keep_compiled: bool = True,
    cache: Path | None = None,
) -> dict[str, str]:
    """Returns the variables of a worker: its device, threads and backend, and no chatter.

    No framework may take the whole GPU memory in advance. `keep_compiled`: what XLA compiled for a
    GPU serves later workers (not where a cold start is timed). `cache`: the launch's own.
    """
    count = str(threads)
    cache = cache or default_cache()
    more = common(cache)
    if device.index is not None and keep_compiled:
        more |= keeping(cache / "jax")
    inherited = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    if not any(name.endswith("CLIENT_MEM_FRACTION") for name in os.environ):
        more["XLA_CLIENT_MEM_FRACTION"] = "0.95"  # JAX's own limit is three quarters
    if deterministic and device.index is not None:
        more["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
        more["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {DETERMINISTIC}".strip()
    return (
        inherited
        | more
        | {
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
            nvidia.VARIABLE: "" if device.index is None else nvidia.token(device.index),
            "JAX_PLATFORMS": "cpu" if device.index is None else "cuda,cpu",
            "KERAS_BACKEND": device.backend,
            "NPROC": count,  # XLA's thread pool on a CPU
            "OMP_NUM_THREADS": count,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "TF_FORCE_GPU_ALLOW_GROWTH": "true",
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        }
    )


def keeping(folder: Path) -> dict[str, str]:
    """Returns the variables by which JAX keeps in `folder` every program that it compiles, however
    small, and takes from there those that it would compile again. A worker ends after each run on a
    GPU, so that each would compile them all. The least used go first where the folder is full."""
    return {
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "JAX_COMPILATION_CACHE_MAX_SIZE": str(COMPILED),
    }


def _how_it_ended(process: subprocess.Popen[str], errors: bytes) -> str:
    """Returns the exit code or signal of a process, and the last line that it wrote to stderr."""
    code = process.wait()
    last = errors.decode(errors="replace").strip().splitlines()[-1:]
    how = f": killed by signal {-code}" if code < 0 else f": ended with code {code}"
    return f"{how}, {last[0]}" if last else how


def _end(process: subprocess.Popen[str], errors: BinaryIO) -> None:
    job_control.ends(process)
    process.kill()
    process.wait()
    for stream in (piped(process.stdin), piped(process.stdout), errors):
        with contextlib.suppress(BrokenPipeError):  # the process leaves input unread
            stream.close()


class Computes(Protocol):
    """What computes runs for a launch, one after the other."""

    key: tuple[str, Device, int, bool]

    def run(
        self,
        specs: list[RunSpec],
        jobs: list[Job],
        progress: Progress,
        note: Callable[[str], None],
    ) -> None:
        """Has one run computed, or several together. Raises RunFailed or WorkerDied."""

    def close(self) -> None:
        """Ends it, whatever it does."""


class Worker:
    """A worker process. `close` kills it."""

    def __init__(
        self,
        framework: str,
        device: Device,
        threads: int,
        deterministic: bool = False,
        cache: Path | None = None,
    ) -> None:
        self.key = (framework, device, threads, deterministic)
        self._hello: dict[str, Any] | None = None
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 (closed in close)
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"impl_{framework}.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            cwd=ROOT,
            env=environment(device, threads, deterministic, cache=cache),
            text=True,
            start_new_session=True,  # Ctrl-C reaches the launcher, which ends its workers
            encoding="utf-8",
        )
        job_control.begins(self.process)

    @property
    def hello(self) -> dict[str, Any]:
        """The worker's first message: what it sees, once it has started. Raises WorkerDied."""
        if self._hello is None:
            self._hello = self._answer()
        return self._hello

    def _answer(self) -> dict[str, Any]:
        line = piped(self.process.stdout).readline()
        if line:
            return json.loads(line)
        self._stderr.seek(0)
        raise WorkerDied(f"the worker failed{_how_it_ended(self.process, self._stderr.read())}")

    def run(
        self,
        specs: list[RunSpec],
        jobs: list[Job],
        progress: Progress,
        note: Callable[[str], None],
    ) -> None:
        """Has one run computed, or several together. Raises RunFailed or WorkerDied."""
        runs = [
            {"spec": dataclasses.asdict(spec), "job": job.to_dict()}
            for spec, job in zip(specs, jobs, strict=True)
        ]
        _ = self.hello
        try:
            questions = piped(self.process.stdin)
            questions.write(json.dumps({"runs": runs}) + "\n")
            questions.flush()
        except OSError as error:
            raise WorkerDied("the worker had ended before the run") from error
        while True:
            event = self._answer()
            if event["event"] == "progress":
                progress(event["what"], event["done"], event["total"])
            elif event["event"] == "note":
                note(event["text"])
            elif event["event"] == "failed":
                raise RunFailed(event["reason"])
            else:
                return

    def close(self) -> None:
        """Ends the process, whatever it does."""
        _end(self.process, self._stderr)


class LatencyProcess:
    """A new process that measures one variant, from its own start on. `close` kills it."""

    def __init__(
        self, spec: RunSpec, device: Device, job: Job, stage: str, compiled: Path | None = None
    ) -> None:
        """Takes as `stage` "cold", which ends after the first answer, or "all", which also measures
        the warm figures. JAX reads and keeps compiled programs in the folder `compiled` alone."""
        self._log = (job.folder / "log.txt").open("ab")
        (job.folder / "spec.json").write_text(spec.to_json(), encoding="utf-8")
        paths = [str(path) for path in (job.folder, job.images, job.jpeg)]
        self._stops, self._start = stops.count(), time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"impl_{spec.framework}.latency", stage, *paths],
            stdin=subprocess.PIPE,  # nothing is written to it; it closes when the launcher ends
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=ROOT,
            env=environment(device, spec.threads, spec.deterministic, False, job.cache)
            | (keeping(compiled) if compiled else {}),
            text=True,
            start_new_session=True,
            encoding="utf-8",
            errors="replace",  # a framework may print a path, which may hold any bytes
        )
        job_control.begins(self.process)

    def cold_seconds(self) -> tuple[float, bool]:
        """Returns the seconds from the start of the process to its first probabilities of one
        image, and whether a stop came between. Raises WorkerDied if there is no answer."""
        for line in piped(self.process.stdout):
            if line.startswith(FIRST_ANSWER):
                seconds = time.perf_counter() - self._start
                return seconds, stops.count() != self._stops
        raise WorkerDied(f"the latency process gave no answer{self._how()}")

    def finish(self) -> None:
        """Waits for the end of the process. Raises WorkerDied if the exit code isn't 0."""
        if self.process.wait():
            raise WorkerDied(f"the latency process failed{self._how()}")

    def _how(self) -> str:
        return _how_it_ended(self.process, Path(self._log.name).read_bytes())

    def close(self) -> None:
        """Ends the process, whatever it does."""
        _end(self.process, self._log)
