"""Runs a plan: first the sets are decoded, then workers train, then latency is measured alone."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.estimates.estimates import Estimates
from benchmarks.estimates.progress import Work, shares
from benchmarks.launch.latency import Latency
from benchmarks.launch.pending import image_sets, say_regrouped
from benchmarks.launch.worker import Computes, LatencyProcess, RunFailed, Worker, WorkerDied
from benchmarks.planning.plan import Device, trained_together
from benchmarks.processes.checkout import commit
from benchmarks.processes.job_control import one_interrupt, stopping_together
from benchmarks.store.run import Run
from benchmarks.store.store import Store
from benchmarks.terminal.console import Console
from protocols.images.dataset import Source
from protocols.images.sets import ImageSet
from protocols.runs.checkpoint import AT_EPOCH, INSIDE_EPOCH, remove
from protocols.runs.worker_loop import Job
from protocols.spec import RunSpec

if TYPE_CHECKING:
    from benchmarks.launch.cluster import Cluster


@dataclass
class Launcher:
    """One launch. `run` returns the stored runs of everything that was to do. With a `cluster` its
    nodes compute, and the rest is the same: only this process writes into the store."""

    store: Store
    source: Source
    devices: dict[str, Device]
    cache: Path
    console: Console
    jobs: int
    weights: dict[str, Path] = field(default_factory=dict)  # backbone -> its file
    fresh: str = ""  # "all": all runs begin anew; "stale": those with stale results
    estimates: Estimates | None = None
    pauses: tuple[float, float] = (AT_EPOCH, INSIDE_EPOCH)  # seconds between checkpoints
    cluster: Cluster | None = None
    sets: dict[str, ImageSet] = field(default_factory=dict)
    results: list[Run] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._workers: list[Computes | LatencyProcess] = []
        self._stopping = False
        self._works: dict[str, Work] = {}
        self._at_once = 1  # jobs of this stage that are computed beside each other
        self.commit = commit()

    def run(self, todo: list[RunSpec]) -> list[Run]:
        """Runs everything of `todo`, prepared. On an interrupt nothing half-written stays. The
        cluster, if there is one, is left."""
        leaving = contextlib.closing(self.cluster) if self.cluster else contextlib.nullcontext()
        with one_interrupt(), stopping_together(), leaving:
            return self._run(todo) if todo else []

    def _run(self, todo: list[RunSpec]) -> list[Run]:
        groups = trained_together(todo)
        known = self.estimates.by_run(groups) if self.estimates else {}
        self._works = shares(todo, {run: found.work for run, found in known.items() if found})
        self.console.begin(self._work(todo), len(todo))
        self.store.drop_checkpoints(todo if self.fresh == "all" else [])
        training, latency = (
            [group for group in groups if group[0].stage == stage] for stage in ("train", "latency")
        )
        try:
            self._stage(sorted(training, key=self._work, reverse=True), self.jobs)
            self._stage(latency, 1)  # alone on the machine
        finally:
            self._stopping = True
            self._close_workers()
            self.console.end()
        return self.results

    def _work(self, specs: list[RunSpec], share: float | None = None) -> float:
        """Returns the work of these runs, or their work when this share of each is done."""
        works = (self._works[spec.id] for spec in specs)
        return sum(work.total if share is None else work.at(share) for work in works)

    def prepare(self, todo: list[RunSpec]) -> None:
        """Checks the data and builds every decoded set before anything is trained."""
        if self.cluster:
            self.cluster.check(todo)
        self.console.doing("checking the decoded images")
        self.sets = image_sets(
            todo, self.source, self.cache, self.console.progress, self.console.say
        )

    def _stage(self, queue: list[list[RunSpec]], jobs: int) -> None:
        queue, frameworks = list(queue), list(self.devices)
        self._at_once = max(1, min(jobs, len(queue)))
        begin = threading.Event()  # nothing starts before all threads are known

        def serve(framework: str) -> None:
            begin.wait()
            self._serve(queue, framework)

        with ThreadPoolExecutor(jobs) as pool:
            try:
                threads = [
                    pool.submit(serve, frameworks[i % len(frameworks)])
                    for i in range(min(jobs, len(queue)))
                ]
                begin.set()
                for thread in as_completed(threads):
                    thread.result()
            except BaseException:  # an interrupt, or a fault of this code: end every worker
                self._stopping = True
                begin.set()
                self._close_workers()
                raise
        self._close_workers()

    def _close_workers(self) -> None:
        with self._lock:
            workers, self._workers = self._workers, []
        for worker in workers:
            worker.close()

    def _serve(self, queue: list[list[RunSpec]], framework: str) -> None:
        """Takes runs from the queue and makes them: training runs with one worker, so first those
        of `framework`; latency runs in their order, in which the twins of a network take turns."""
        worker: Computes | None = None
        while not self._stopping:
            with self._lock:
                if not queue:
                    break
                own = [specs for specs in queue if specs[0].framework == framework]
                specs = own[0] if own and own[0][0].stage == "train" else queue[0]
                queue.remove(specs)
            framework = specs[0].framework
            worker = self._one_job(specs, worker)
        self._retire(worker)  # on a cluster another waits for its place

    def _keep(self, process: Computes | LatencyProcess) -> None:
        """Makes the process end with the launch. Raises WorkerDied if the launch is over."""
        with self._lock:
            self._workers.append(process)
        if self._stopping:
            self._retire(process)
            raise WorkerDied("interrupted")

    def _worker_for(self, spec: RunSpec, worker: Computes | None) -> Computes:
        device = self.devices[spec.framework]
        key = (spec.framework, device, spec.threads, spec.deterministic)
        if worker and worker.key == key:
            return worker
        self._retire(worker)
        self.console.doing(f"a worker process for {spec.framework} starts")
        if self.cluster:
            worker = self.cluster.worker(key, alone=spec.stage == "latency")
        else:
            worker = Worker(*key, self.cache)
        self._keep(worker)
        return worker

    def _retire(self, process: Computes | LatencyProcess | None) -> None:
        if process is None:
            return
        with self._lock:
            mine = process in self._workers
            if mine:
                self._workers.remove(process)
        if mine:
            process.close()

    def _one_job(self, specs: list[RunSpec], worker: Computes | None) -> Computes | None:
        """Makes a run, or several that train together, from empty folders to their stored ends.

        Returns the worker for the next run; None where that needs a new one.
        """
        first, answered = specs[0], False
        results: list[Run | None] = []
        try:
            if first.stage == "train" or self.cluster:
                worker = self._worker_for(first, worker)
            self._compute(specs, worker)
            answered = True
            for spec in specs:
                results.append(self._finish(spec))
            remove(self.store.checkpoint(specs))
            # JAX tells the peak of memory of the whole process, so each run needs its own
            spent = first.backend == "jax" and first.device != "cpu"
        except BrokenPipeError:  # nobody reads what is printed
            raise
        except (RunFailed, WorkerDied, ValueError, OSError) as error:
            results += [self._rest(spec, error, answered) for spec in specs[len(results) :]]
            # a worker that failed may be anywhere in its work; a fault of a GPU may linger
            spent = not isinstance(error, RunFailed) or first.device != "cpu"
        finally:
            for spec, result in zip_longest(specs, results):
                if result is None:
                    self.store.discard(self.store.working_folder(spec))
        if spent:
            self._retire(worker)
        for spec, result in zip(specs, results, strict=True):
            if result:
                self._tell(spec, result)
        return None if spent else worker

    def _compute(self, specs: list[RunSpec], worker: Computes | None) -> None:
        """Computes a run, or several together, into their folders. Raises RunFailed, WorkerDied or
        OSError."""
        first, jobs = specs[0], self._jobs(specs)
        if worker is None:
            self._latency(first, jobs[0])
            return
        say_regrouped(self.store, specs, self.console.say)
        progress = self.console.run_progress(first, partial(self._work, specs))
        worker.run(specs, jobs, progress, self.console.say)
        for job in jobs[1:]:
            text = f"trained together with {first.id}\n"
            (job.folder / "log.txt").write_text(text, encoding="utf-8")

    def _tell(self, spec: RunSpec, result: Run) -> None:
        """Keeps the result, learns from it how long such a run takes, and prints its line."""
        with self._lock:
            self.results.append(result)
            if self.estimates and result.done:
                self.estimates.learn(result)
        self.console.finished(result, self._work([spec]))

    def _rest(self, spec: RunSpec, error: Exception, answered: bool) -> Run | None:
        """Ends a member of a failed job: done if it is whole (another member diverged, or could not
        be stored), else failed; None if the launch is over."""
        if answered or isinstance(error, RunFailed):
            with contextlib.suppress(OSError, ValueError):
                return self._finish(spec)
        if self._stopping:  # this launcher itself ended the worker
            return None
        return self.store.fail(spec, self.store.working_folder(spec), reason_of(error))

    def _jobs(self, specs: list[RunSpec]) -> list[Job]:
        images = self.sets[specs[0].data["digest"]]
        return [
            Job(
                images=images.folder,
                folder=self.store.begin(spec),
                jpeg=Path(images.files[0]),
                cache=self.cache,
                checkpoint=self.store.checkpoint(specs),
                pauses=self.pauses,
                weights=self.weights,
                at_once=self._at_once,
            )
            for spec in specs
        ]

    def _finish(self, spec: RunSpec) -> Run:
        return self.store.finish(spec, self.store.working_folder(spec), self.commit)

    def _latency(self, spec: RunSpec, job: Job) -> None:
        """Measures the latency of one network, alone on the machine."""
        self.console.run_progress(spec, partial(self._work, [spec]))("latencies", 0, 4)
        device = self.devices[spec.framework]
        Latency(spec, device, job, self._keep, self._retire, self.console.say).measure()


def reason_of(error: Exception) -> str:
    """Returns the reason that is stored of a run that `error` ended."""
    if not isinstance(error, OSError):
        return str(error)
    where = f": {error.filename}" if error.filename else ""
    return f"the launcher couldn't go on with it ({error.strerror or error}{where})"
