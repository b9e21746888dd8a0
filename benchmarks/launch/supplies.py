"""What a node of a Ray cluster must have to compute as this machine does: the packages are compared
by version, images and weights by SHA-256, and those that a node lacks are sent to it once."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayTaskError

from benchmarks.launch.node import Key, parcels, versions
from protocols.errors import RequestError
from protocols.files import sha256_of
from protocols.runs.worker_loop import Job

PACKAGES = {  # by backend; jaxlib has XLA, which computes
    "torch": ("torch", "torchvision", "timm"),
    "tensorflow": ("keras", "tensorflow"),
    "jax": ("keras", "jax", "jaxlib"),
}
COMMON = ("numpy", "pillow")
PART = 32 << 20  # bytes of a file that are sent at once


def got(reference: Any) -> Any:
    """Waits for a value from a node. Raises what the node raised."""
    try:
        return ray.get(reference)
    except RayTaskError as error:
        raise error.cause from None


class Supplies:
    """The files of this machine, and which of them each node has."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._there: dict[str, set[str]] = {}
        self._digests: dict[Path, str] = {}

    def unfit(self, actor: Any, key: Key, job: Job, sent_to: str) -> str:
        """Compares a node, by its `actor`, with this machine. Returns why the node can't run jobs
        like `job`, or "". Files are compared, and sent, to the node `sent_to`; "" stands for this
        machine."""
        names = (*COMMON, *PACKAGES[key[1].backend])
        here, there = versions(names), got(actor.versions.remote(names))
        if other := [name for name in names if there[name] != here[name]]:
            has, wanted = (
                ", ".join(f"{name} {found[name] or '(none)'}" for name in other)
                for found in (there, here)
            )
            return f"it has {has}, and the machine that launches has {wanted}"
        if not sent_to:
            return ""
        with self._lock:
            lock = self._locks.setdefault(sent_to, threading.Lock())
        with lock:  # a file travels once
            try:
                self._send(actor, job, self._there.setdefault(sent_to, set()))
            except RequestError as error:
                return str(error)
        return ""

    def _send(self, actor: Any, job: Job, there: set[str]) -> None:
        files = {place: path for place, path in parcels(job).items() if place not in there}
        for path in files.values():
            if path not in self._digests:
                self._digests[path] = sha256_of(path)
        wanted = {place: self._digests[path] for place, path in files.items()}
        for place in got(actor.lacking.remote(wanted)):
            for part, last in _parts(files[place]):
                got(actor.take.remote(place, wanted[place], part, last))
        there |= files.keys()


def _parts(path: Path) -> Iterator[tuple[bytes, bool]]:
    """Yields a file in parts, and whether each is the last."""
    left = path.stat().st_size
    with path.open("rb") as file:
        while True:
            part = file.read(PART)
            left -= len(part)
            yield part, left <= 0
            if left <= 0:
                return
