"""The part of a launch that is on a node of a Ray cluster: what the node has, the files that it is
sent, and the worker that computes there. Ray isn't imported here: benchmarks.launch.cluster makes
an actor, which is a process on a node, of the class `Node`."""

import os
import queue
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.launch.latency import Latency
from benchmarks.launch.worker import RunFailed, Worker, WorkerDied
from benchmarks.planning.plan import Device
from protocols import nvidia
from protocols.errors import RequestError
from protocols.files import default_cache, sha256_of, throttled
from protocols.hardware import installed_versions
from protocols.images.decoded import INDEX, PIXELS
from protocols.runs.record import write_json
from protocols.runs.worker_loop import Job
from protocols.spec import RunSpec

Key = tuple[str, Device, int, bool]  # that of a worker
PROGRESS_EVERY = 1.0  # seconds; each message crosses the network
AUTH = "RAY_AUTH_MODE"  # Ray's processes that ask for a token have "token" in this variable


def look() -> tuple[list[str], str]:
    """Returns the names of the GPUs of a node, and whether its Ray asks for a token ("token")."""
    return nvidia.names(), os.environ.get(AUTH, "")


def versions(names: tuple[str, ...]) -> dict[str, str]:
    """Returns the installed version of each package, "" for one that isn't installed. The part
    behind "+", which names a build for one machine, is left out."""
    found = installed_versions(names)
    return {name: found.get(name, "").partition("+")[0] for name in names}


def parcels(job: Job) -> dict[str, Path]:
    """Returns the files that a job reads, by their places below the cache of a node."""
    images = {f"arrays/{job.images.name}/{n}": job.images / n for n in (PIXELS, INDEX)}
    weights = {f"weights/{path.name}": path for path in job.weights.values()}
    return images | {_jpeg(job): job.jpeg} | weights


def _jpeg(job: Job) -> str:
    return f"jpeg/{job.images.name}/{job.jpeg.name}"


class Node:
    """A process on a node, which keeps a worker from run to run. `cache` is the node's folder for
    files; None stands for the usual folder of the node's user."""

    def __init__(self, cache: Path | None) -> None:
        self.cache = cache or default_cache()
        self.worker: Worker | None = None

    def gpu(self) -> str:
        """Returns the name of the GPU that this process has; "" if it has none."""
        return next(iter(nvidia.names()), "")

    def versions(self, names: tuple[str, ...]) -> dict[str, str]:
        """Returns the versions of the packages here."""
        return versions(names)

    def sees(self, folder: Path) -> bool:
        """Tells whether the folder is there."""
        return folder.is_dir()

    def lacking(self, wanted: dict[str, str]) -> list[str]:
        """Returns which of the files are not in the cache. `wanted`: place -> SHA-256. Raises
        RequestError if another file is in a place."""
        found = []
        for place, digest in wanted.items():
            path = self.cache / place
            if not path.exists():
                found.append(place)
            elif sha256_of(path) != digest:
                raise RequestError(
                    f"its {path} is another file than that of the machine that launches (other "
                    "SHA-256); delete it there, and the right one is sent"
                )
        return found

    def take(self, place: str, digest: str, part: bytes, last: bool) -> None:
        """Adds a part to a file that is sent; the last gives the file its name. Raises RequestError
        if the whole has another SHA-256."""
        path = self.cache / place
        path.parent.mkdir(parents=True, exist_ok=True)
        growing = path.with_name(f"{path.name}.tmp-{os.getpid()}")
        with growing.open("ab") as file:
            file.write(part)
        if not last:
            return
        if sha256_of(growing) != digest:
            growing.unlink()
            raise RequestError(f"{path} arrived with another SHA-256 than it was sent with")
        growing.replace(path)

    def run(
        self, key: Key, specs: list[RunSpec], jobs: list[Job], name: str, sent: bool, keeps: bool
    ) -> Iterator[tuple[str, Any]]:
        """Computes a run, or several together. Yields ("progress", arguments), ("note", text) and,
        at the end, for each run ("files", its files by name) and, if it failed, ("failed", error).

        `name` is the node's. `sent`: the files that the jobs read are in this node's cache.
        `keeps`: the jobs' checkpoint is in a folder that outlives this process.
        """
        events: queue.SimpleQueue[tuple[str, Any] | None] = queue.SimpleQueue()
        with tempfile.TemporaryDirectory(prefix="wbc-run-") as folder:
            own = [
                self._here(job, Path(folder) / f"{i}", sent, keeps) for i, job in enumerate(jobs)
            ]
            args = key, specs, own, events
            thread = threading.Thread(target=self._compute, args=args, daemon=True)
            thread.start()
            while event := events.get():
                yield event
            thread.join()
            for job in own:
                where = {"node": name, "gpu": next((g.uuid for g in nvidia.seen().gpus), None)}
                if (job.folder / "env.json").is_file():
                    write_json(job.folder / "env.json", {"ran_on": where}, add=True)
                yield "files", {p.name: p.read_bytes() for p in sorted(job.folder.iterdir())}

    def _here(self, job: Job, folder: Path, sent: bool, keeps: bool) -> Job:
        """Returns the job with its places on this node."""
        folder.mkdir()
        own = replace(job, folder=folder, cache=self.cache)
        if not keeps:
            own = replace(own, checkpoint=folder.with_name("checkpoint.npz"))
        if not sent:
            return own
        weights = {name: self.cache / "weights" / path.name for name, path in job.weights.items()}
        images = self.cache / "arrays" / job.images.name
        return replace(own, images=images, jpeg=self.cache / _jpeg(job), weights=weights)

    def _compute(self, key: Key, specs: list[RunSpec], jobs: list[Job], events: Any) -> None:
        def note(text: str) -> None:
            events.put(("note", text))

        def progress(what: str, done: int, total: int) -> None:
            events.put(("progress", (what, done, total)))

        try:
            if specs[0].stage == "latency":
                progress("latencies", 0, 4)
                Latency(
                    specs[0], key[1], jobs[0], lambda _: None, lambda p: p.close(), note
                ).measure()
            else:
                if self.worker is None:
                    self.worker = Worker(*key, self.cache)
                self.worker.run(specs, jobs, throttled(progress, PROGRESS_EVERY), note)
        except (RunFailed, WorkerDied) as error:
            events.put(("failed", error))
        except Exception as error:  # of this node: no room on its disk, for example
            events.put(("failed", WorkerDied(f"{type(error).__name__}: {error}")))
        finally:
            events.put(None)
