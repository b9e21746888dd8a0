"""The latency stage, alike in both twins: cold start, then repeated calls."""

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from protocols.hardware import DeviceMemory, peak_memory
from protocols.images.decoded import open_set
from protocols.images.sets import ImageSet
from protocols.runs.record import write_common
from protocols.runs.worker_loop import end_with_launcher
from protocols.spec import RunSpec
from protocols.stops import undisturbed, watch
from protocols.streams import print_anything

Predict = Callable[[np.ndarray], np.ndarray]  # uint8 (n, h, w, 3) -> probabilities (n, 4), host
BATCH = 32
TRIAL, AGAIN = 5, 15  # calls that choose among the engines: of each; then of those not far off
NEAR = 1.5  # times the fastest's seconds
FIRST_ANSWER = "probabilities"  # begins the line that ends the cold start


def measure(call: Callable[[], Any], repeats: int, warmup: int) -> dict[str, float]:
    """Seconds of `repeats` calls after `warmup` calls: median, 5th and 95th percentile.

    `call` must end only when its result is in the host's memory.
    """
    for _ in range(warmup):
        call()
    return summary([seconds_of(call) for _ in range(repeats)])


def seconds_of(call: Callable[[], Any]) -> float:
    """How long one call takes; called again where the process was stopped meanwhile."""

    def once() -> float:
        start = time.perf_counter()
        call()
        return time.perf_counter() - start

    return undisturbed(once)


def summary(seconds: list[float]) -> dict[str, float]:
    """The figures that timings.json keeps of repeated measurements."""
    p5, median, p95 = np.percentile(seconds, [5, 50, 95])
    return {"repeats": len(seconds), "median": median, "p5": p5, "p95": p95}


def latencies(
    spec: RunSpec, predict: dict[int, Predict], batch: np.ndarray, jpeg: Path
) -> dict[str, dict[str, Any]]:
    """The three warm figures: one image, a batch of 32, one JPEG file. Seconds a call.

    `predict`: the engine for each number of images; `batch`: the images.
    """
    size, one = (spec.data["width"], spec.data["height"]), batch[:1].copy()

    def from_jpeg() -> np.ndarray:
        with Image.open(jpeg) as file:
            pixels = file.convert("RGB").resize(size, Image.Resampling.BILINEAR)
        return predict[1](np.asarray(pixels)[None].copy())

    calls = {
        "single": lambda: predict[1](one),
        "batch32": lambda: predict[BATCH](batch),
        "jpeg": from_jpeg,
    }
    repeats, warmup = spec.recipe["latency_repeats"], spec.recipe["latency_warmup"]
    return {name: measure(call, repeats, warmup) for name, call in calls.items()}


class LatencyTwin(Protocol):
    """What a twin brings to the latency stage: a fresh network of the run's variant."""

    first: str  # the engine that is soonest at one answer
    default: str  # the usual engine for many

    def engines(self, everything: bool) -> dict[str, Predict]:
        """Ways to the same probabilities, by name; not `everything`: none slow to prepare."""

    def environment(self) -> dict[str, Any]:
        """env.json."""

    def device_memory(self) -> DeviceMemory:
        """See protocols.runs.twin.Twin."""


def latency_main(make: Callable[[RunSpec], LatencyTwin]) -> None:
    """A latency process: STAGE FOLDER IMAGES JPEG. Says FIRST_ANSWER, then measures on."""
    watch()
    print_anything()
    end_with_launcher()
    stage, folder, images_folder, jpeg = sys.argv[1], *map(Path, sys.argv[2:])
    spec = RunSpec.from_json((folder / "spec.json").read_text(encoding="utf-8"))
    images = open_set(images_folder)
    twin = make(spec)
    ways = twin.engines(everything=False)
    print(FIRST_ANSWER, *ways[twin.first](np.array(images.pixels[:1]))[0], flush=True)
    if stage == "all":
        write_common(folder, spec, *warm(spec, twin, ways, first_images(images), jpeg))


def first_images(images: ImageSet) -> np.ndarray:
    """uint8 (BATCH, h, w, 3): the set's first images, over again where it has fewer."""
    return np.ascontiguousarray(images.pixels[np.arange(BATCH) % len(images.pixels)])


def warm(
    spec: RunSpec, twin: LatencyTwin, ways: dict[str, Predict], batch: np.ndarray, jpeg: Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    """env.json and timings.json: for each number of images the engine that is fastest at it."""
    seconds: dict[int, dict[str, float]] = {size: {} for size in (1, BATCH)}
    if spec.recipe["latency_engines"] == "all":
        ways = twin.engines(everything=True)
        seconds = {size: tried(ways, batch[:size].copy()) for size in seconds}
    names = {size: min(s, key=s.__getitem__) if s else twin.default for size, s in seconds.items()}
    found = latencies(spec, {size: ways[name] for size, name in names.items()}, batch, jpeg)
    for part, values in found.items():
        values["engine"] = names[BATCH if part == "batch32" else 1]
    engine = (
        names[1] if names[1] == names[BATCH] else f"{names[1]}; {BATCH} at once: {names[BATCH]}"
    )
    memory = {"host_peak_bytes": peak_memory(), **twin.device_memory()}
    timings = {"engine": engine, "engines": {str(s): v for s, v in seconds.items()}}
    return twin.environment() | {"engine": engine}, timings | memory | found


def tried(
    ways: dict[str, Predict], images: np.ndarray, calls: int = TRIAL, again: int = AGAIN
) -> dict[str, float]:
    """Median seconds by engine. An engine that can't run here is left out, said.

    `calls` of each; then those near the fastest `again` times in turn, so that drift hits all.
    """
    seconds = {}
    for name, predict in ways.items():
        try:
            seconds[name] = measure(partial(predict, images), calls, 2)["median"]
        except Exception as error:
            print(f"engine {name} can't run here: {error}", file=sys.stderr)
    near = [name for name in seconds if seconds[name] <= NEAR * min(seconds.values())]
    if len(near) > 1:
        turns: dict[str, list[float]] = {name: [] for name in near}
        for _ in range(again):
            for name in near:
                turns[name].append(seconds_of(partial(ways[name], images)))
        seconds |= {name: float(np.median(found)) for name, found in turns.items()}
    return seconds
