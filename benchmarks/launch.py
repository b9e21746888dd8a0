"""Runs a plan: decoded sets first, training by worker processes, then latency, alone."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path

from benchmarks.console import Console
from benchmarks.plan import Device, set_request, work
from benchmarks.store import Run, Store, source_digests
from benchmarks.worker import LatencyProcess, RunFailed, Worker, WorkerDied
from protocols.contract import write_json
from protocols.dataset import Source
from protocols.errors import RequestError
from protocols.images import ImageSet, image_set
from protocols.serve import Job
from protocols.spec import RunSpec
from protocols.timing import summary

KERAS_BACKENDS = ("tensorflow", "jax")
GPU_HELP = "install requirements-gpu.txt on a machine with an NVIDIA GPU, or run with --gpu none"


def expected_devices(frameworks: tuple[str, ...], gpu: str | None, index: int | None,
                     keras_backend: str) -> dict[str, Device]:  # fmt: skip
    """What each framework will compute on, without starting it. `keras_backend` "" chooses.

    On a GPU, Keras is expected on JAX where a JAX CUDA plugin is installed without TensorFlow's
    CUDA libraries; `real_devices` finds out. Raises RequestError on another backend.
    """
    if keras_backend not in ("", *KERAS_BACKENDS):
        raise RequestError(
            f"KERAS_BACKEND is {keras_backend!r}; the Keras twin runs on "
            f"{' or '.join(KERAS_BACKENDS)}: set one of them, or unset it"
        )
    if gpu is None:
        keras = Device(keras_backend or "tensorflow", "cpu")
        return {f: keras if f == "keras" else Device("torch", "cpu") for f in frameworks}
    if not keras_backend:
        names = {(d.metadata["Name"] or "").lower() for d in distributions()}
        plugin = any(name.startswith("jax-cuda") for name in names)
        keras_backend = "jax" if plugin and "nvidia-cudnn-cu12" not in names else "tensorflow"
    backends = {"keras": keras_backend, "torch": "torch"}
    return {f: Device(backends[f], gpu, index) for f in frameworks}


def real_devices(
    expected: dict[str, Device], keras_backend: str, threads: int
) -> dict[str, Device]:
    """The devices on which the twins really run, asked of a worker of each.

    On a GPU Keras takes TensorFlow if that sees it, else JAX. Raises RequestError where a
    framework doesn't see the GPU: a CPU number never stands in a GPU column.
    """
    found = {}
    for framework, device in expected.items():
        if device.index is None:
            found[framework] = device
            continue
        options = ["tensorflow", "jax"] if framework == "keras" else ["torch"]
        if framework == "keras" and keras_backend:
            options = [keras_backend]
        reasons = []
        for backend in options:
            try:
                worker = Worker(framework, Device(backend, device.name, device.index), threads)
            except WorkerDied as error:
                reasons.append(f"{backend}: {error}")
                continue
            seen = worker.hello["gpu"]
            worker.close()
            if seen:
                found[framework] = Device(backend, seen, device.index)
                break
            reasons.append(f"{backend} sees no GPU")
        else:
            raise RequestError(
                f"{framework} doesn't see GPU {device.index} ({device.name}; "
                f"{'; '.join(reasons)}); {GPU_HELP}"
            )
    return found


@contextlib.contextmanager
def _one_interrupt() -> Iterator[None]:
    """Cleaning up takes a moment; a second, impatient Ctrl-C must not cut it short."""

    def first(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@dataclass
class Launcher:
    """One launch. `run` gives the stored runs of everything it had to do."""

    store: Store
    source: Source
    devices: dict[str, Device]
    cache: Path
    console: Console
    jobs: int
    sets: dict[str, ImageSet] = field(default_factory=dict)
    results: list[Run] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._workers: list[Worker | LatencyProcess] = []
        self._stopping = False
        self.sources = {framework: source_digests(framework) for framework in self.devices}

    def run(self, todo: list[RunSpec]) -> list[Run]:
        """Runs everything of `todo`, prepared. On an interrupt nothing half-written stays."""
        with _one_interrupt():
            return self._run(todo)

    def _run(self, todo: list[RunSpec]) -> list[Run]:
        self.console.begin(sum(map(work, todo)), len(todo))
        stages = [[s for s in todo if s.stage == stage] for stage in ("train", "latency")]
        try:
            self._stage(sorted(stages[0], key=work, reverse=True), self.jobs)
            self._stage(stages[1], 1)  # alone on the machine
        finally:
            self._stopping = True
            self._close_workers()
            self.console.end()
        return self.results

    def prepare(self, todo: list[RunSpec]) -> None:
        """Checks the data and builds every decoded set before anything is trained."""
        for spec in todo:
            if spec.data["digest"] not in self.sets:
                request = set_request(spec.protocol, spec.fold, spec.data)
                self.sets[spec.data["digest"]] = image_set(
                    self.source, request, self.cache, self.console.progress
                )

    def _stage(self, queue: list[RunSpec], jobs: int) -> None:
        queue, frameworks = list(queue), list(self.devices)
        with ThreadPoolExecutor(jobs) as pool:
            threads = [
                pool.submit(self._serve, queue, frameworks[i % len(frameworks)])
                for i in range(min(jobs, len(queue)))
            ]
            try:
                for thread in as_completed(threads):
                    thread.result()
            except BaseException:  # an interrupt, or a fault of ours: end every worker
                self._stopping = True
                self._close_workers()
                raise
        self._close_workers()

    def _close_workers(self) -> None:
        with self._lock:
            workers, self._workers = self._workers, []
        for worker in workers:
            worker.close()

    def _serve(self, queue: list[RunSpec], framework: str) -> None:
        """Takes runs from the queue, those of its own framework first, with one worker."""
        worker = None
        while not self._stopping:
            with self._lock:
                if not queue:
                    break
                own = [s for s in queue if s.framework == framework]
                spec = own[0] if own else queue[0]
                queue.remove(spec)
            framework = spec.framework
            worker = self._one_run(spec, worker)

    def _keep(self, process: Worker | LatencyProcess) -> None:
        """Makes the process end with the launch. Raises WorkerDied if that is over."""
        with self._lock:
            self._workers.append(process)
        if self._stopping:
            self._retire(process)
            raise WorkerDied("interrupted")

    def _worker_for(self, spec: RunSpec, worker: Worker | None) -> Worker:
        device = self.devices[spec.framework]
        if worker and worker.key == (spec.framework, device, spec.threads):
            return worker
        self._retire(worker)
        worker = Worker(spec.framework, device, spec.threads)
        self._keep(worker)
        return worker

    def _retire(self, process: Worker | LatencyProcess | None) -> None:
        with self._lock:
            mine = process in self._workers
            if mine:
                self._workers.remove(process)
        if mine:
            process.close()

    def _one_run(self, spec: RunSpec, worker: Worker | None) -> Worker | None:
        """One run from its empty folder to its stored end; the worker for the next one."""
        images = self.sets[spec.data["digest"]]
        folder = self.store.begin(spec)
        job = Job(images.folder, folder, Path(images.files[0]))
        result = None
        try:
            if spec.stage == "latency":
                self._latency(spec, job)
            else:
                worker = self._worker_for(spec, worker)
                worker.run(spec, job, self.console.run_progress(spec, work(spec)))
            result = self.store.finish(spec, folder, self.sources[spec.framework])
        except (RunFailed, WorkerDied, ValueError) as error:
            result = self._failed(spec, folder, str(error))
            if isinstance(error, WorkerDied) or spec.device != "cpu":  # a GPU fault may linger
                self._retire(worker)
                worker = None
        finally:
            if result is None:
                self.store.discard(folder)
        if result:
            with self._lock:
                self.results.append(result)
            self.console.finished(result, work(spec))
        return worker

    def _latency(self, spec: RunSpec, job: Job) -> None:
        """Cold starts in new processes; the last of them goes on to the warm figures."""
        self.console.run_progress(spec, work(spec))("latencies", 0, 4)
        seconds = []
        repeats = spec.recipe["cold_repeats"]
        for number in range(1, repeats + 1):
            stage = "all" if number == repeats else "cold"
            process = LatencyProcess(spec, self.devices[spec.framework], job, stage)
            self._keep(process)
            try:
                seconds.append(process.cold_seconds())
                process.finish()
            finally:
                self._retire(process)
        write_json(job.folder / "timings.json", {"cold": summary(seconds)}, add=True)

    def _failed(self, spec: RunSpec, folder: Path, reason: str) -> Run | None:
        """A stored failure; None when we are the ones who ended the worker."""
        return None if self._stopping else self.store.fail(spec, folder, reason)


def todo_of(plan: list[RunSpec], store: Store, fresh: bool) -> list[RunSpec]:
    """The runs of the plan that are neither done nor stale; all of them if `fresh`."""
    return [s for s in plan if fresh or not ((run := store.find(s)) and run.done)]
