"""The device of a run in Keras: its settings, and what env.json says of it."""

from typing import Any

import keras

from impl_keras.step import backend
from protocols.hardware import described
from protocols.spec import RunSpec


def seen() -> dict[str, Any]:
    """Gives the worker's first message: the backend, and the GPU that it sees (None without
    one)."""
    return {"backend": backend.NAME, "gpu": backend.gpu_name()}


def prepare(spec: RunSpec) -> None:
    """Sets the device up. Raises RuntimeError if device or backend are not those of the spec."""
    here = seen()
    name = here["gpu"] or "cpu"
    if (spec.device, spec.backend) != (name, here["backend"]):
        raise RuntimeError(
            f"the run is for {spec.backend} on {spec.device}, "
            f"this worker has {here['backend']} on {name}"
        )
    backend.prepare(spec)


def environment(spec: RunSpec) -> dict[str, Any]:
    """Gives the content of a run's env.json."""
    versions = {"keras": keras.__version__, **backend.versions()}
    return described(spec, backend.NAME, versions, spec.threads, backend.computes_by())
