"""Has PyTorch time the memory layouts of backbones on a GPU, in a process of its own."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.launch.worker import environment
from benchmarks.planning.plan import Device
from protocols.files import ROOT
from protocols.spec import RunSpec


def timed_on_gpu(specs: list[RunSpec]) -> list[RunSpec]:
    """Returns the runs whose backbones are timed: those that train in PyTorch on a GPU. One that is
    deterministic doesn't ask what was faster."""
    return [
        spec
        for spec in specs
        if (spec.framework, spec.stage) == ("torch", "train")
        and spec.device != "cpu"
        and not spec.deterministic
    ]


def time_layouts(
    specs: list[RunSpec], devices: dict[str, Device], cache: Path, say: Callable[[str], None]
) -> str:
    """Times both layouts of the backbones of these runs, where they train in PyTorch on a GPU, and
    keeps the seconds in the cache. `say` is told the results, and what went wrong, which is also
    returned; "" if nothing did."""
    wanted = timed_on_gpu(specs)
    if not wanted:
        return ""
    device = devices["torch"]
    answer = subprocess.run(
        [sys.executable, "-m", "impl_torch.layouts", str(cache)],
        input="\n".join(spec.to_json() for spec in wanted),
        env=environment(device, wanted[0].threads, cache=cache),
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    for line in answer.stdout.splitlines():
        say(line)
    if not answer.returncode:
        return ""
    why = (answer.stderr.strip().splitlines() or [f"code {answer.returncode}"])[-1]
    fault = f"the memory layouts were not all timed ({why}); where they were not, nothing changes"
    say(fault)
    return fault
