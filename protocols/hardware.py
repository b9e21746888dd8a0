"""What machine this is, asked without any framework."""

import os
import platform
import subprocess
from pathlib import Path

import numpy as np
import PIL


def common_versions() -> dict[str, str]:
    """Versions of what both twins read images and numbers with."""
    return {"numpy": np.__version__, "pillow": PIL.__version__}


def cpu_name() -> str:
    """The processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpu_token(number: int) -> str:
    """What number `number` of --gpu means to CUDA: counted among those allotted, if any are."""
    return _allotted()[number] if "CUDA_VISIBLE_DEVICES" in os.environ else str(number)


def _allotted() -> list[str]:
    tokens = os.environ["CUDA_VISIBLE_DEVICES"].split(",")
    return [token.strip() for token in tokens if token.strip()]


def gpus() -> list[str]:
    """Names of the NVIDIA GPUs this process may use, by number; [] without a driver."""
    if "CUDA_VISIBLE_DEVICES" not in os.environ:
        return _query([])
    return [name for token in _allotted() for name in _query(["-i", token])]


def _query(which: list[str]) -> list[str]:
    try:
        answer = subprocess.run(
            ["nvidia-smi", *which, "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True, text=True, timeout=20, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in answer.stdout.splitlines() if line.strip()]
