"""Measures latency, alike in both twins: first a cold start, then repeated calls."""

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

Predict = Callable[[np.ndarray], np.ndarray]  # uint8 (n, h, w, 3) -> (n, 4) in the host's memory
BATCH = 32
TRIAL, AGAIN = 5, 15  # the calls that choose an engine: first of each, then of each near engine
NEAR = 1.5  # an engine is near if it takes at most so many times the fastest's seconds
FIRST_ANSWER = "probabilities"  # the first word of the line that ends the cold start


def measure(call: Callable[[], Any], repeats: int, warmup: int) -> dict[str, float]:
    """Measures the seconds of `repeats` calls after `warmup` calls, and gives their `summary`.

    `call` must end only when its result is in the host's memory.
    """
    for _ in range(warmup):
        call()
    return summary([seconds_of(call) for _ in range(repeats)])


def seconds_of(call: Callable[[], Any]) -> float:
    """Gives the seconds of one call, which is made again if the process was stopped meanwhile."""

    def once() -> float:
        start = time.perf_counter()
        call()
        return time.perf_counter() - start

    return undisturbed(once)


def summary(seconds: list[float]) -> dict[str, float]:
    """Gives the figures that timings.json keeps of repeated measurements: their number, the median,
    the 5th and the 95th percentile."""
    p5, median, p95 = np.percentile(seconds, [5, 50, 95])
    return {"repeats": len(seconds), "median": median, "p5": p5, "p95": p95}


def latencies(
    spec: RunSpec, predict: dict[int, Predict], batch: np.ndarray, jpeg: Path
) -> dict[str, dict[str, Any]]:
    """Measures the three warm figures, in seconds per call: for one image, a batch of 32, and one
    JPEG file.

    `predict` holds the engine for each number of images; `batch` holds the images.
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
    """The interface of a twin in the latency stage, with a fresh network of the run's variant."""

    first: str  # the engine that gives the first answer soonest
    default: str  # the usual engine for many calls

    def engines(self, everything: bool) -> dict[str, Predict]:
        """Gives ways to the same probabilities, by name; without `everything`, only those that are
        quick to prepare."""

    def environment(self) -> dict[str, Any]:
        """Gives the content of env.json."""

    def device_memory(self) -> DeviceMemory:
        """Gives the most device memory held at once, as in protocols.runs.twin.Twin."""


def latency_main(make: Callable[[RunSpec], LatencyTwin]) -> None:
    """Runs a latency process, whose arguments are STAGE FOLDER IMAGES JPEG: prints FIRST_ANSWER and
    the first probabilities; with the stage "all" then measures warm latencies, and writes files."""
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
    """Gives the set's first images, uint8 (BATCH, h, w, 3), repeated where the set has fewer."""
    return np.ascontiguousarray(images.pixels[np.arange(BATCH) % len(images.pixels)])


def warm(
    spec: RunSpec, twin: LatencyTwin, ways: dict[str, Predict], batch: np.ndarray, jpeg: Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Measures with the fastest engine for each number of images, and gives the contents of
    env.json and timings.json."""
    seconds: dict[int, dict[str, float]] = {size: {} for size in (1, BATCH)}
    if spec.recipe["latency_engines"] == "all":
        ways = twin.engines(everything=True)
        seconds = {size: tried(ways, batch[:size].copy()) for size in seconds}
    names = {size: min(s, key=s.__getitem__) if s else twin.default for size, s in seconds.items()}
    found = latencies(spec, {size: ways[name] for size, name in names.items()}, batch, jpeg)
    for part, values in found.items():
        values["engine"] = names[BATCH if part == "batch32" else 1]
    one, many = names[1], names[BATCH]
    engine = one if one == many else f"{one}; {BATCH} at once: {many}"
    memory = {"host_peak_bytes": peak_memory(), **twin.device_memory()}
    timings = {"engine": engine, "engines": {str(s): v for s, v in seconds.items()}}
    return twin.environment() | {"engine": engine}, timings | memory | found


def tried(
    ways: dict[str, Predict], images: np.ndarray, calls: int = TRIAL, again: int = AGAIN
) -> dict[str, float]:
    """Gives the median seconds of each engine. An engine that can't run here is left out, and
    stderr tells so.

    Each engine is called `calls` times; then those near the fastest are called `again` times, in
    turn, so that drift hits all of them.
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
