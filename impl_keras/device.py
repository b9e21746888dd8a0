"""The device of a run in Keras, its settings, and what env.json says of it."""

import platform
from typing import Any

import keras

from impl_keras.step import backend
from protocols.hardware import common_versions, cpu_name, kernels, repeatable
from protocols.spec import RunSpec


def seen() -> dict[str, Any]:
    """The worker's hello: backend, and the GPU that it really sees (None without one)."""
    return {"backend": backend.NAME, "gpu": backend.gpu_name()}


def prepare(spec: RunSpec) -> None:
    """Settings of the device. RuntimeError if it or the backend isn't the one of the spec."""
    here = seen()
    name = here["gpu"] or "cpu"
    if (spec.device, spec.backend) != (name, here["backend"]):
        raise RuntimeError(
            f"the run is for {spec.backend} on {spec.device}, "
            f"this worker has {here['backend']} on {name}"
        )
    backend.prepare(spec)


def environment(spec: RunSpec) -> dict[str, Any]:
    """env.json of a run."""
    return {
        "framework": "keras",
        "backend": backend.NAME,
        "versions": {
            "keras": keras.__version__,
            backend.NAME: backend.version(),
            **common_versions(),
        },
        "device": spec.device,
        "device_detail": cpu_name() if spec.device == "cpu" else spec.device,
        "threads": spec.threads,
        "engine": backend.computes_by(),
        "repeatable": repeatable(spec.deterministic, spec.device),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        **kernels(),
    }
