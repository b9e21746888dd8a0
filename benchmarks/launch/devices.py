"""Finds where each framework computes: first expected without starting it, then really asked."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from benchmarks.launch.worker import Worker, WorkerDied
from benchmarks.planning.plan import Device
from benchmarks.planning.request import Request
from benchmarks.terminal.console import Console
from protocols import nvidia
from protocols.errors import RequestError
from protocols.images import dataset

KERAS_BACKENDS = ("tensorflow", "jax")
GPU_HELP = "install requirements-gpu.txt on a machine with an NVIDIA GPU, or run with --gpu none"
OTHER_HELP = "install requirements.txt or requirements-gpu.txt, or run with --framework torch"
HIDDEN_HELP = f"change or unset {nvidia.VARIABLE}, or run with --gpu none"


@dataclass(frozen=True)
class Choice:
    """Where a request computes: on a GPU, by its name and number, or on the CPU (None for both);
    why, in words that follow the profile's name; and how many runs at a time there are unless
    --jobs says another number."""

    gpu: str | None
    index: int | None
    why: str
    at_a_time: int


def chosen_gpu(wish: str) -> Choice:
    """Returns where to compute. `wish` is "auto", "none", a number, or as `one_kind` takes it.
    Raises RequestError if the GPU isn't there, or if CUDA_VISIBLE_DEVICES hides it."""
    if wish == "none":
        return Choice(None, None, "on the CPU, by --gpu none", 2)
    seen = nvidia.seen()
    if wish.startswith("all"):
        names = [gpu.name for gpu in seen.gpus]
        kind = one_kind(wish, names, seen.lacking)
        count = names.count(kind)
        return Choice(kind, names.index(kind), f"on {kind}, {count} of them, by Ray", count)
    if wish == "auto" and not seen.gpus:
        return Choice(None, None, f"on the CPU: {seen.lacking}", 2)
    index = 0 if wish == "auto" else int(wish)
    if index >= len(seen.gpus):
        listed = ", ".join(gpu.name for gpu in seen.gpus)
        found = f"this process may use {listed}" if listed else "this process may use none"
        raise RequestError(
            f"there is no GPU {index}: {'; '.join(filter(None, (found, seen.lacking)))}; "
            f"{HIDDEN_HELP if seen.by_variable else GPU_HELP}"
        )
    name = seen.gpus[index].name
    return Choice(name, index, "; ".join(filter(None, (f"on {name}", seen.lacking))), 1)


def one_kind(wish: str, there: Sequence[str], lacking: str) -> str:
    """Returns the kind of GPU on which all runs of a request compute, for "all" (or "auto") the
    only one that is there; "all:NAME" names one, or a part of its name. `lacking` says why there is
    none. Raises RequestError unless exactly one fits."""
    kinds, name = list(dict.fromkeys(there)), wish.partition(":")[2]
    if not kinds:
        raise RequestError(f"--gpu {wish}: there is no GPU to use: {lacking}; {GPU_HELP}")
    fit = [k for k in kinds if k == name] or [k for k in kinds if name.lower() in k.lower()]
    if not fit:
        raise RequestError(f"there is no GPU of the kind {name!r}; there are {', '.join(kinds)}")
    if len(fit) > 1:
        raise RequestError(
            f"there are several kinds of GPU ({', '.join(fit)}), whose numbers never stand in one "
            f"column; choose one, as --gpu 'all:{fit[0]}'"
        )
    return fit[0]


def installed_backends() -> list[str]:
    """Returns the backends of Keras that are installed, in the order in which they are taken."""
    return [name for name in KERAS_BACKENDS if find_spec(name)]


def _keras_backend(wish: str, on_gpu: bool) -> str:
    """Returns the backend that Keras will compute on. Raises RequestError where it can't."""
    installed = installed_backends()
    if wish not in ("", *KERAS_BACKENDS):
        raise RequestError(
            f"KERAS_BACKEND is {wish!r}; the Keras twin runs on {' or '.join(KERAS_BACKENDS)}: "
            "set one of them, or unset it"
        )
    if wish and wish not in installed:
        raise RequestError(f"KERAS_BACKEND is {wish!r}, which isn't installed: {OTHER_HELP}")
    if not installed:
        raise RequestError(f"Keras finds neither TensorFlow nor JAX: {OTHER_HELP}")
    if wish or not on_gpu or len(installed) == 1:
        return wish or installed[0]
    names = {(d.metadata["Name"] or "").lower() for d in distributions()}
    plugin = any(name.startswith("jax-cuda") for name in names)
    return "jax" if plugin and "nvidia-cudnn-cu12" not in names else "tensorflow"


def expected_devices(frameworks: tuple[str, ...], gpu: str | None, index: int | None,
                     keras_backend: str) -> dict[str, Device]:  # fmt: skip
    """Returns what each framework will compute on, without starting the framework.

    With "" as `keras_backend`, Keras takes TensorFlow if it is installed, else JAX; on a GPU it is
    expected on JAX also where a JAX CUDA plugin is installed without TensorFlow's CUDA libraries,
    which `real_devices` finds out. Raises RequestError on a backend that isn't known or installed.
    """
    backends = {"torch": "torch"}
    if "keras" in frameworks:
        backends["keras"] = _keras_backend(keras_backend, gpu is not None)
    return {f: Device(backends[f], gpu or "cpu", index) for f in frameworks}


def real_devices(
    expected: dict[str, Device], keras_backend: str, threads: int, cache: Path | None = None
) -> dict[str, Device]:
    """Returns the devices on which the twins really run, asked of a worker of each.

    On a GPU Keras takes TensorFlow if TensorFlow sees the GPU, else JAX. Raises RequestError where
    a framework doesn't see the GPU: a CPU number never stands in a GPU column.
    """
    found = {}
    for framework, device in expected.items():
        if device.index is None:
            found[framework] = device
            continue
        options = installed_backends() if framework == "keras" else ["torch"]
        if framework == "keras" and keras_backend:
            options = [keras_backend]
        reasons = []
        for backend in options:
            try:
                wished = Device(backend, device.name, device.index)
                with contextlib.closing(Worker(framework, wished, threads, cache=cache)) as worker:
                    seen = worker.hello["gpu"]
            except WorkerDied as error:
                reasons.append(f"{backend}: {error}")
                continue
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


class Elsewhere(Protocol):
    """Other machines, which compute in place of this one."""

    def real_devices(
        self, expected: dict[str, Device], keras_backend: str, threads: int
    ) -> dict[str, Device]:
        """Returns what the function `real_devices` returns there."""


def devices_and_images(
    request: Request, console: Console, elsewhere: Elsewhere | None = None
) -> tuple[dict[str, Device], dataset.Source]:
    """Returns where the frameworks of a request really compute, here or elsewhere, and its images,
    which are downloaded or drawn if need be. Raises RequestError."""
    console.doing("asking the frameworks for the GPU")
    threads, cache = max(1, request.cores // 2), request.cache
    asked = request.devices, request.keras_backend, threads
    devices = elsewhere.real_devices(*asked) if elsewhere else real_devices(*asked, cache)
    console.doing("looking for the images and weights")
    allowed = request.profile.phantom_allowed
    return devices, dataset.made(request.source, allowed, cache, console.progress)
