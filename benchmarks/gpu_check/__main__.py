"""The command of `make gpu-check`: python -m benchmarks.gpu_check --help"""

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import Any

from benchmarks.estimates.estimates import GPU_CHECK
from benchmarks.gpu_check.check import SMALL, WHOLE, Check
from benchmarks.gpu_check.record import Part, Record
from benchmarks.launch.devices import chosen_gpu, expected_devices, real_devices
from benchmarks.planning.plan import Device
from benchmarks.processes.checkout import commit
from benchmarks.terminal import flags
from benchmarks.terminal.console import duration
from benchmarks.terminal.endings import exit_code
from protocols import hardware
from protocols.errors import RequestError
from protocols.files import ROOT, default_cache
from protocols.spec import FRAMEWORKS

PACKAGES = ("torch", "torchvision", "timm", "keras", "jax", "jaxlib", "tensorflow", "numpy")
LIMIT = 570  # seconds


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the flags."""
    p = argparse.ArgumentParser("gpu-check", description="Measures a GPU in its first ten minutes.")
    p.add_argument("--gpu", default="0", type=flags.typed(flags.gpu), help="as runner.py takes it")
    p.add_argument("--out", default=ROOT / "reports" / "out", type=flags.folder, metavar="DIR")
    p.add_argument("--cache", default=None, type=flags.folder, metavar="DIR")
    p.add_argument("--variant", nargs="+", default=(), metavar="NAME", help="only these networks")
    p.add_argument("--small", action="store_true", help="a few small images")
    p.add_argument("--limit", type=int, default=LIMIT, metavar="SECONDS", help="ends after so long")
    return p


def seen_devices(gpu: str | None, index: int | None, cache: Path) -> tuple[dict[str, Device], dict]:
    """Returns where each twin computes, and the words of those that can't."""
    found: dict[str, Device] = {}
    faults: dict[str, str] = {}
    backend, threads = os.environ.get("KERAS_BACKEND", ""), max(1, hardware.cores() // 2)
    for framework in reversed(FRAMEWORKS):  # PyTorch first: it has no programs to compile
        try:
            expected = expected_devices((framework,), gpu, index, backend)
            found |= real_devices(expected, backend, threads, cache)
        except RequestError as error:
            faults[framework] = str(error)
    return found, faults


def main(args: argparse.Namespace) -> int:
    """Measures, and returns the exit code: 0 if everything is measured and nothing failed."""
    where, cache = chosen_gpu(args.gpu), args.cache or default_cache()
    size = SMALL if args.small else WHOLE
    about: dict[str, Any] = {
        "commit": commit(),
        "device": where.gpu or hardware.cpu_name(),
        "processor": hardware.cpu_name(),
        "cores": hardware.cores(),
        "versions": hardware.installed_versions(PACKAGES),
        "profile": size.profile,
        "images": size.images,
        "epochs": size.epochs,
    }
    record = Record(args.out / GPU_CHECK, about)
    print(f"{about['device']}; {record.path}; {len(record.parts)} parts kept", flush=True)
    signal.signal(signal.SIGALRM, signal.default_int_handler)  # also where Ctrl-C is ignored
    signal.alarm(args.limit)
    devices, faults = seen_devices(where.gpu, where.index, cache)
    for framework in devices:
        record.parts.pop(Part("device", framework), None)  # a fault that is mended
    for framework, reason in faults.items():
        record.add(Part("device", framework), state="failed", reason=reason)
    check = Check(size, devices, tuple(args.variant), hardware.cores(), cache, record, args.limit)
    try:
        check.measure(lambda text: print(text, flush=True))
    except KeyboardInterrupt:
        print("stopped; what was measured is kept, and the same command goes on", flush=True)
        check.project()
    signal.alarm(0)
    return told(check)


def told(check: Check) -> int:
    """Prints what was measured and what not, and returns the exit code."""
    parts, record = check.parts(), check.record
    failed = [part for part, found in record.parts.items() if found["state"] == "failed"]
    lacking = [part for part in parts if part not in record.parts]
    for part in failed:
        print(f"failed: {' '.join(filter(None, part))}: {record.parts[part]['reason']}")
    for part in lacking:
        print(f"not measured yet: {' '.join(filter(None, part))}")
    whole = record.projection
    unknown = f", without {whole['lacking']} parts that are not known" if whole["lacking"] else ""
    print(f"profile {whole['profile']}, all runs: about {duration(whole['seconds'])}{unknown}")
    print(f"every number: {record.path}")
    tests = record.parts.get(Part("tests"), {}).get("failures", [])
    return 1 if failed or lacking or tests else 0


if __name__ == "__main__":
    words = parser().parse_args()
    sys.exit(exit_code(lambda _: main(words), words.out, words.cache, goes_on=True))
