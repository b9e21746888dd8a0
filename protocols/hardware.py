"""Tells what machine this is, without asking any deep-learning framework."""

import contextlib
import os
import platform
import re
import resource
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import PIL

from protocols.spec import RunSpec

# device_peak_bytes: the most that arrays held at once; device_reserved_bytes: what the framework
# had taken from the device for those arrays, None where the framework doesn't say
DeviceMemory = dict[str, int | None]
NO_DEVICE: DeviceMemory = {"device_peak_bytes": None, "device_reserved_bytes": None}
DETERMINISTIC = "--xla_gpu_deterministic_ops=true"  # a word of XLA_FLAGS, for JAX on a GPU
CPUINFO = Path("/proc/cpuinfo")
# the instructions of a processor by which libraries choose their kernels (x86, Arm, Power)
INSTRUCTIONS = re.compile(
    r"ssse3|sse4_[12]|f16c|fma\w*|avx\w*|amx\w*|neon|asimd\w*|sve\w*|sme(?!p)\w*|bf16|i8mm|altivec|vsx"
)
# the variables of the environment by which libraries choose kernels, or how exactly they compute
CHOOSING = re.compile(
    r"ATEN_CPU_CAPABILITY|(ONEDNN|DNNL|MKL|OPENBLAS|BLIS|CUBLAS|CUDNN)_\w+|GLIBC_TUNABLES|"
    r"NPY_(DISABLE|ENABLE)_CPU_FEATURES|NVIDIA_TF32_OVERRIDE|TORCH_ALLOW_TF32_CUBLAS_OVERRIDE|"
    r"TF_(ENABLE_ONEDNN_OPTS|XLA_FLAGS|DETERMINISTIC_OPS|CUDNN_\w+)|(XLA|LIBTPU_INIT)_(FLAGS|ARGS)|"
    r"JAX_(ENABLE_X64|DEFAULT_MATMUL_PRECISION)"
)
TALK = re.compile(r"\w+_(VERBOSE\w*|LOG\w*)")  # what libraries print changes no computation


def installed_versions(packages: Iterable[str]) -> dict[str, str]:
    """Gives the versions of those of the packages that are installed; nothing is imported."""
    found = {}
    for name in packages:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def cpu_name() -> str:
    """Gives the processor's name as the system has it."""
    return _told(CPUINFO, "model name") or platform.processor() or platform.machine()


def _told(path: Path, *names: str) -> str:
    """Gives what the first line of a file of Linux's /proc that has one of the names says, or "" if
    none has."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    found = (line.partition(":") for line in lines)
    return next((text.strip() for key, _, text in found if key.strip() in names), "")


def _bytes(path: Path, name: str) -> int:
    """Gives the bytes that such a line tells as "12 kB"; 0 if none has the name."""
    return 1024 * int((_told(path, name) or "0").split()[0])


def instruction_set() -> str:
    """Gives the instructions by which kernels are chosen, in alphabetical order; where the system
    doesn't tell them, the words "not known" and the kind of machine."""
    flags = _told(CPUINFO, "flags", "Features").split()
    known = sorted(flag for flag in flags if INSTRUCTIONS.fullmatch(flag))
    return " ".join(known) or f"not known ({platform.machine()})"


def kernels() -> dict[str, Any]:
    """Gives the part of env.json that, beside versions and the device, decides which kernels
    compute: two processors of one name may differ in this, and so in the bits they compute."""
    found = sorted(name for name in os.environ if CHOOSING.fullmatch(name))
    variables = {name: os.environ[name] for name in found if not TALK.fullmatch(name)}
    return {"instruction_set": instruction_set(), "variables": variables}


def cores() -> int:
    """Counts the processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def repeatable(deterministic: bool, device: str) -> str:
    """Gives what env.json says on whether the same run gives the same bits again."""
    if deterministic:
        return "bit for bit, enforced (--deterministic)"
    if device == "cpu":
        return "bit for bit, as measured on this number of threads"
    return "not bit for bit: convolutions and sums on the GPU may take another order each time"


def described(
    spec: RunSpec, backend: str, versions: dict[str, str], threads: int, engine: str
) -> dict[str, Any]:
    """Gives the content of env.json, for a run by the backend, packages, threads and engine that
    its twin really has. The twins read images and numbers with NumPy and Pillow."""
    return {
        "framework": spec.framework,
        "backend": backend,
        "versions": {**versions, "numpy": np.__version__, "pillow": PIL.__version__},
        "threads": threads,
        "engine": engine,
        "device": spec.device,
        "device_detail": cpu_name() if spec.device == "cpu" else spec.device,
        "repeatable": repeatable(spec.deterministic, spec.device),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        **kernels(),
    }


def free_memory(meminfo: Path = Path("/proc/meminfo")) -> int:
    """Gives the bytes of host memory that new processes could take (Linux's MemAvailable); 0 if
    unknown."""
    return _bytes(meminfo, "MemAvailable")


def reset_peak_memory() -> None:
    """Starts the count of peak host memory anew (on Linux; elsewhere the peak stays that of the
    whole process)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def peak_memory() -> int:
    """Gives the most host memory that this process held at once since the reset, in bytes."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return _bytes(Path("/proc/self/status"), "VmHWM") or kilobytes * 1024
