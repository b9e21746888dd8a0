"""The device of a run in PyTorch, its settings, and what env.json says of it."""

import platform
from typing import Any

import timm
import torch
import torchvision

from protocols.hardware import common_versions, cpu_name
from protocols.spec import RunSpec


def seen() -> dict[str, Any]:
    """The worker's hello: backend, and the GPU that PyTorch really sees (None without one)."""
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    return {"backend": "torch", "gpu": gpu}


def device_of(spec: RunSpec) -> torch.device:
    """The run's device. Raises RuntimeError if it is another one than the spec names."""
    name = seen()["gpu"] or "cpu"
    if spec.device != name:
        raise RuntimeError(f"the run is for {spec.device}, PyTorch sees {name}")
    return torch.device("cpu" if name == "cpu" else "cuda:0")


def prepare(spec: RunSpec) -> None:
    """Precision (float32 proper, no TF32), threads."""
    torch.set_num_threads(spec.threads)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def environment(spec: RunSpec) -> dict[str, Any]:
    """env.json of a run."""
    return {
        "framework": "torch",
        "backend": "torch",
        "versions": {
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "timm": timm.__version__,
            **common_versions(),
        },
        "device": spec.device,
        "device_detail": cpu_name() if spec.device == "cpu" else spec.device,
        "threads": torch.get_num_threads(),
        "engine": "eager",
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }
