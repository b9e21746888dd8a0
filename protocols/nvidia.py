"""Tells which NVIDIA GPUs are here, and which of them CUDA_VISIBLE_DEVICES leaves to this process.

The variable is read as CUDA reads it: an entry that names no GPU ends the list, and a GPU that is
named twice hides all. A number counts as in nvidia-smi, for workers set CUDA_DEVICE_ORDER.
"""

import contextlib
import os
import re
import subprocess
from dataclasses import dataclass, replace

VARIABLE = "CUDA_VISIBLE_DEVICES"
# The lines of nvidia-smi -L: "GPU 0: NVIDIA A100 (UUID: GPU-...)", and below it, where the GPU is
# divided (multi-instance GPU, MIG), "  MIG 3g.20gb     Device  0: (UUID: MIG-...)".
WHOLE = re.compile(r"GPU \d+: (.+) \(UUID: (GPU-[^)]+)\)")
PART = re.compile(r"MIG (\S+)\s+Device\s+\d+: \(UUID: (MIG-[^)]+)\)")
NUMBER = re.compile(r"[+-]?\d+")


@dataclass(frozen=True)
class Gpu:
    """A GPU, or a part of a divided one, by the name that frameworks give it."""

    name: str
    uuid: str
    parts: tuple["Gpu", ...] = ()


@dataclass(frozen=True)
class Seen:
    """What was found: the GPUs that this process may use, by number, and words on those that it
    may not: why there are none, or what CUDA_VISIBLE_DEVICES hides. "" if nothing is hidden."""

    gpus: list[Gpu]
    lacking: str
    by_variable: bool = False  # whether the words are on CUDA_VISIBLE_DEVICES


def names() -> list[str]:
    """Gives the names of the GPUs that this process may use, by number."""
    return [gpu.name for gpu in seen().gpus]


def token(number: int) -> str:
    """Gives CUDA's word for GPU `number` of --gpu, which counts among the GPUs that
    CUDA_VISIBLE_DEVICES names, if it is set. All entries before a valid one are valid."""
    return (
        os.environ[VARIABLE].split(",")[number].strip() if VARIABLE in os.environ else f"{number}"
    )


def seen() -> Seen:
    """Looks for the GPUs that this process may use."""
    listed, fault = _listed()
    if fault:
        return Seen([], fault)
    if VARIABLE not in os.environ:
        return Seen([_first(gpu) for gpu in listed], "")
    value = os.environ[VARIABLE]
    found, ended = _named(value, listed)
    count = len({gpu.uuid for gpu in listed} - {_owner(gpu, listed) for gpu in found})
    if not count and not ended:
        return Seen(found, "")
    many = f"{len(listed)} GPUs" if len(listed) > 1 else "GPU"
    hidden = f"{count} of the {many}" if count < len(listed) else f"the {many}"
    said = repr(value) if value.strip() else "empty"
    why = f"{VARIABLE} is {said}{ended and ': ' + ended}"
    hides = f", {'so it' if ended else 'which'} hides {hidden} that nvidia-smi lists"
    return Seen(found, why + (hides if count else ""), by_variable=True)


def _listed() -> tuple[list[Gpu], str]:
    """Gives the GPUs of this machine, and in words why there are none."""
    try:
        answer = _asked(["-L"])
    except FileNotFoundError:
        return [], "there is no nvidia-smi here, which comes with NVIDIA's driver"
    except subprocess.CalledProcessError as error:
        said = (error.stdout + error.stderr).strip().splitlines()[:1]
        return [], f"nvidia-smi failed{''.join(f' ({line})' for line in said)}"
    except (OSError, subprocess.SubprocessError) as error:
        return [], f"nvidia-smi failed ({type(error).__name__})"
    found: list[Gpu] = []
    for line in answer.splitlines():
        if whole := WHOLE.match(line):
            found.append(Gpu(whole[1], whole[2]))
        elif (part := PART.match(line.strip())) and found:
            own = Gpu(f"{found[-1].name} MIG {part[1]}", part[2])
            found[-1] = replace(found[-1], parts=(*found[-1].parts, own))
    return found, "" if found else "nvidia-smi lists no GPU"


def _named(value: str, listed: list[Gpu]) -> tuple[list[Gpu], str]:
    """Gives the GPUs that a value of CUDA_VISIBLE_DEVICES names, and in words what ends the list
    before its end. The first entry decides whether entries are numbers or the beginnings of UUIDs.
    """
    kind = next((k for k in ("GPU-", "MIG-") if value.startswith(k)), "")
    every = [one for gpu in listed for one in (gpu, *gpu.parts)]
    found: list[Gpu] = []
    for entry in value.split(",") if value.strip() else []:
        if kind:
            fit = [gpu for gpu in every if entry.startswith(kind) and gpu.uuid.startswith(entry)]
        else:
            number = NUMBER.match(entry.strip())
            fit = listed[int(number[0]) :][:1] if number and int(number[0]) >= 0 else []
        if len(fit) != 1:
            fault = "names no GPU here" if not fit else f"fits {len(fit)} GPUs"
            return found, f"{entry!r} {fault} and ends the list"
        gpu = _first(fit[0])
        if gpu in found:
            return [], f"it names {gpu.name} twice, and CUDA then shows none"
        found.append(gpu)
    return found, ""


def _first(gpu: Gpu) -> Gpu:
    """Gives what CUDA shows of a GPU: all of it, or the first part of a divided one."""
    return gpu.parts[0] if gpu.parts else gpu


def _owner(gpu: Gpu, listed: list[Gpu]) -> str:
    """Gives the UUID of the GPU that `gpu` is, or is a part of."""
    return next(one.uuid for one in listed if gpu in (one, *one.parts))


def memory(what: str) -> int:
    """Gives the bytes of the first GPU of this process, as the driver has them: `what` is "total"
    or "free". 0 if the driver can't tell, as of a part of a divided GPU."""
    query = [f"--query-gpu=memory.{what}", "--format=csv,noheader"]
    words: list[str] = []
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        for gpu in seen().gpus[:1]:
            words = _asked(["-i", gpu.uuid, *query]).split()
    return int(words[0]) << 20 if words and words[0].isdigit() else 0  # "1234 MiB", or "[N/A]"


def _asked(words: list[str]) -> str:
    """Gives the answer of nvidia-smi. Raises OSError or SubprocessError."""
    return subprocess.run(
        ["nvidia-smi", *words],
        capture_output=True, text=True, timeout=20, check=True, encoding="utf-8", errors="replace",
    ).stdout  # fmt: skip
