"""Times the two memory layouts of a backbone's maps on a GPU, and tells which one was faster.

The channels of a map lie last in memory, or first; what is computed is the same but for rounding.
Which is faster depends on the GPU, the precision and the backbone: depthwise convolutions in
float32 may lose with the channels last. Where nothing was timed the channels are last; so they are
on a CPU, and in a deterministic run, whose bits must not depend on what was timed.

python -m impl_torch.layouts CACHE: reads the specs of runs from stdin, one a line, and times their
backbones; prints a sentence for each.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import nn

from impl_torch.backbones import FIRST, FORMATS, LAST, lay_out, make_backbone
from impl_torch.device import autocast, device_of, dtype_of, prepare
from protocols.boundary import Content, Damaged, Key, Positive, contents, decoded
from protocols.files import digest_of, write_whole
from protocols.papers.variants import load_variants
from protocols.runs.twin import is_out_of_memory
from protocols.spec import RunSpec

WARM_UP, ROUNDS, STEPS = 3, 5, 5  # steps before; rounds of each layout in turn; steps of a round
Say = Callable[[str], None]


@dataclass
class Timed:
    """The content of <cache>/layouts/<digest of the key>.json: the seconds of a training step of a
    backbone in each layout, and all on which they depend."""

    key: Content
    seconds: dict[Key, Positive]


def key_of(spec: RunSpec, backbone: str) -> dict[str, Any]:
    """Gives all on which the seconds of a backbone's step depend."""
    return {
        "backbone": backbone,
        "device": spec.device,
        "precision": spec.precision,
        "height": spec.data["height"],
        "width": spec.data["width"],
        "batch_size": spec.recipe["batch_size"],
        "torch": torch.__version__,
    }


def path_of(key: dict[str, Any], cache: Path) -> Path:
    """Gives the file of this key."""
    return cache / "layouts" / f"{digest_of(key)[:16]}.json"


def faster(spec: RunSpec, cache: Path, say: Say) -> dict[str, str]:
    """Gives the layout in which a run's backbones were faster, by backbone, where both were timed.
    `say` is told of a file that can't be used."""
    if spec.device == "cpu" or spec.deterministic:
        return {}
    found = {}
    for backbone in load_variants()[spec.variant].backbones:
        key = key_of(spec, backbone)
        path = path_of(key, cache)
        if not os.path.lexists(path):
            continue
        try:
            timed = decoded(contents(path), Timed, path.name)
            if timed.key != key or timed.seconds.keys() != FORMATS.keys():
                raise Damaged(f"{path.name}: not of {backbone} in both layouts")
            found[backbone] = min(FORMATS, key=timed.seconds.__getitem__)
        except Damaged as error:
            say(
                f"{error}: the channels of {backbone} lie last; --calibrate times both layouts anew"
            )
    return found


def measure(specs: Iterable[RunSpec], cache: Path, say: Say) -> None:
    """Times the backbones of these runs, each once for each size, and keeps the seconds."""
    done = set()
    for spec in specs:
        for backbone in load_variants()[spec.variant].backbones:
            key = key_of(spec, backbone)
            path = path_of(key, cache)
            if path in done:
                continue
            done.add(path)
            of = f"{backbone} at {key['height']}x{key['width']}, batch {key['batch_size']}"
            try:
                timed = Timed(key, timings(spec, backbone))
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                say(f"{of}: the GPU has no memory to time both layouts, so the channels lie last")
                continue
            write_whole(path, json.dumps(asdict(timed), indent=1).encode())
            last, first = (1000 * timed.seconds[layout] for layout in (LAST, FIRST))
            taken = "last" if last <= first else "first"
            say(
                f"{of}: a step takes {last:.1f} ms with the channels last, {first:.1f} ms with "
                f"them first; runs take them {taken}"
            )


def timings(spec: RunSpec, backbone: str) -> dict[str, float]:
    """Gives the median seconds of a training step of the backbone, by layout; they run in turn."""
    device, size = device_of(spec), spec.recipe["batch_size"]
    prepare(spec)
    shape = size, spec.data["height"], spec.data["width"], 3
    images = torch.randint(256, shape, dtype=torch.uint8, device=device)
    steps = {}
    for layout in FORMATS:
        network = make_backbone(backbone, spec.recipe).to(device, dtype_of(spec)).train()
        lay_out(network, layout)
        steps[layout] = partial(_step, spec, network, images)
        _seconds(steps[layout], WARM_UP, device)
    rounds = [{la: _seconds(s, STEPS, device) for la, s in steps.items()} for _ in range(ROUNDS)]
    return {layout: median(seconds[layout] for seconds in rounds) for layout in FORMATS}


def _step(spec: RunSpec, network: nn.Module, images: torch.Tensor) -> None:
    network.zero_grad(set_to_none=True)
    with autocast(spec):
        found = network(images)
    found.float().square().mean().backward()


def _seconds(step: Callable[[], None], count: int, device: torch.device) -> float:
    """Gives the seconds of each of `count` steps."""
    _wait(device)
    start = time.perf_counter()
    for _ in range(count):
        step()
    _wait(device)
    return (time.perf_counter() - start) / count


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    lines = [line for line in sys.stdin.read().splitlines() if line]
    measure(map(RunSpec.from_json, lines), Path(sys.argv[1]), print)
