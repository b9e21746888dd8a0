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

# What glibc sets by itself once a process has freed a block of 32 MB. Before that, a worker that
# only loads its features gives the memory of each training step back, and takes it again.
KEEPS_FREED = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(64 << 20)}


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


class Child:
    """A process of a twin, which ends when its stdin closes: when the launcher ends. `close` kills
    it."""

    def __init__(self, words: list[str], variables: dict[str, str], errors: BinaryIO) -> None:
        """Starts `python -m` with these words. `errors` is open to be written and read, and becomes
        stderr."""
        self._stderr = errors
        self.process = subprocess.Popen(
            [sys.executable, "-m", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=ROOT,
            env=variables,
            text=True,
            start_new_session=True,  # Ctrl-C reaches the launcher, which ends its workers
            encoding="utf-8",
            errors="replace",  # a framework may print a path, which may hold any bytes
        )
        job_control.begins(self.process)

    def died(self, what: str) -> WorkerDied:
        """Waits for the end of the process. Returns the error that says `what` came of that: with
        the exit code or signal, and the last line that the process wrote to stderr."""
        code = self.process.wait()
        self._stderr.seek(0)
        last = self._stderr.read().decode(errors="replace").strip().splitlines()[-1:]
        how = f"killed by signal {-code}" if code < 0 else f"ended with code {code}"
        return WorkerDied(f"{what}: {', '.join([how, *last])}")

    def close(self) -> None:
        """Ends the process, whatever it does."""
        job_control.ends(self.process)
        self.process.kill()
        self.process.wait()
        for stream in (piped(self.process.stdin), piped(self.process.stdout), self._stderr):
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


class Worker(Child):
    """A worker process."""

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
        self.variables = KEEPS_FREED | environment(device, threads, deterministic, cache=cache)
        errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed in close)
        super().__init__([f"impl_{framework}.worker"], self.variables, errors)

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
        raise self.died("the worker failed")

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


class LatencyProcess(Child):
    """A new process that measures one variant, from its own start on."""

    def __init__(
        self, spec: RunSpec, device: Device, job: Job, stage: str, compiled: Path | None = None
    ) -> None:
        """Takes as `stage` "cold", which ends after the first answer, or "all", which also measures
        the warm figures. JAX reads and keeps compiled programs in the folder `compiled` alone."""
        (job.folder / "spec.json").write_text(spec.to_json(), encoding="utf-8")
        paths = [str(path) for path in (job.folder, job.images, job.jpeg)]
        log = (job.folder / "log.txt").open("ab+")
        self._stops, self._start = stops.count(), time.perf_counter()
        variables = environment(device, spec.threads, spec.deterministic, False, job.cache)
        variables |= keeping(compiled) if compiled else {}
        super().__init__([f"impl_{spec.framework}.latency", stage, *paths], variables, log)

    def cold_seconds(self) -> tuple[float, bool]:
        """Returns the seconds from the start of the process to its first probabilities of one
        image, and whether a stop came between. Raises WorkerDied if there is no answer."""
        for line in piped(self.process.stdout):
            if line.startswith(FIRST_ANSWER):
                seconds = time.perf_counter() - self._start
                return seconds, stops.count() != self._stops
        raise self.died("the latency process gave no answer")

    def finish(self) -> None:
        """Waits for the end of the process. Raises WorkerDied if the exit code isn't 0."""
        if self.process.wait():
            raise self.died("the latency process failed")
