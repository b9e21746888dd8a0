"""The device of a run in PyTorch: its settings, and what env.json says of it."""

from typing import Any

import timm
import torch
import torchvision

from protocols.hardware import NO_DEVICE, DeviceMemory, described
from protocols.spec import RunSpec

EAGER = "eager"  # the engine: operation by operation


def seen() -> dict[str, Any]:
    """Gives the worker's first message: the backend, and the GPU that PyTorch sees (None without
    one)."""
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    return {"backend": "torch", "gpu": gpu}


def device_of(spec: RunSpec) -> torch.device:
    """Gives the run's device. Raises RuntimeError if PyTorch sees another device than the spec
    names."""
    name = seen()["gpu"] or "cpu"
    if spec.device != name:
        raise RuntimeError(f"the run is for {spec.device}, PyTorch sees {name}")
    return torch.device("cpu" if name == "cpu" else "cuda:0")


def prepare(spec: RunSpec) -> None:
    """Sets precision (full float32 unless the run says TF32), threads and determinism.

    On a GPU cuDNN tries its convolutions and takes the fastest, unless the run is deterministic.
    """
    torch.set_num_threads(spec.threads)
    torch.backends.cuda.matmul.allow_tf32 = spec.precision == "tf32"
    torch.backends.cudnn.allow_tf32 = spec.precision == "tf32"
    torch.use_deterministic_algorithms(spec.deterministic)
    torch.backends.cudnn.deterministic = spec.deterministic
    torch.backends.cudnn.benchmark = spec.device != "cpu" and not spec.deterministic
    if spec.device != "cpu":
        torch.cuda.empty_cache()  # frees what the worker's earlier runs held
        torch.cuda.reset_peak_memory_stats()


def dtype_of(spec: RunSpec) -> torch.dtype:
    """Gives the type of the weights and of the stored features (float64 is for tests)."""
    return torch.float64 if spec.precision == "float64" else torch.float32


def at_least_float32(x: torch.Tensor) -> torch.Tensor:
    """Gives `x`; bfloat16 becomes float32."""
    return x.float() if x.dtype == torch.bfloat16 else x


def autocast(spec: RunSpec) -> torch.autocast:
    """Gives the context of a forward pass: bfloat16 where the run asks for it, else no change."""
    device = "cpu" if spec.device == "cpu" else "cuda"
    return torch.autocast(device, torch.bfloat16, enabled=spec.precision == "bfloat16")


def device_memory(spec: RunSpec) -> DeviceMemory:
    """Gives the peaks of the device's memory since `prepare`, in bytes."""
    if spec.device == "cpu":
        return NO_DEVICE
    used, taken = torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()
    return {"device_peak_bytes": used, "device_reserved_bytes": taken}


def environment(spec: RunSpec) -> dict[str, Any]:
    """Gives the content of a run's env.json."""
    packages = {"torch": torch, "torchvision": torchvision, "timm": timm}
    versions = {name: package.__version__ for name, package in packages.items()}
    return described(spec, "torch", versions, torch.get_num_threads(), EAGER)
