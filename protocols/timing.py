"""The latency stage, alike in both twins: cold start, then repeated calls."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from protocols.contract import write_common
from protocols.images import ImageSet, open_set
from protocols.serve import end_with_launcher
from protocols.spec import RunSpec

Predict = Callable[[np.ndarray], np.ndarray]  # uint8 (n, h, w, 3) -> probabilities (n, 4), host
BATCH = 32
TRIAL = 5  # calls that choose among the engines
FIRST_ANSWER = "probabilities"  # begins the line that ends the cold start


def measure(call: Callable[[], Any], repeats: int, warmup: int) -> dict[str, float]:
    """Seconds of `repeats` calls after `warmup` calls: median, 5th and 95th percentile.

    `call` must end only when its result is in the host's memory.
    """
    for _ in range(warmup):
        call()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return summary(seconds)


def summary(seconds: list[float]) -> dict[str, float]:
    """The figures that timings.json keeps of repeated measurements."""
    p5, median, p95 = np.percentile(seconds, [5, 50, 95])
    return {"repeats": len(seconds), "median": median, "p5": p5, "p95": p95}


def latencies(
    spec: RunSpec,
    predict: Predict,
    images: ImageSet,
    jpeg: Path,
) -> dict[str, dict[str, float]]:
    """The three warm figures: one image, a batch of 32, one JPEG file. Seconds a call."""
    size = spec.data["width"], spec.data["height"]
    rows = np.arange(BATCH) % len(images.pixels)
    batch = np.ascontiguousarray(images.pixels[rows])
    one = batch[:1].copy()

    def from_jpeg() -> np.ndarray:
        with Image.open(jpeg) as file:
            pixels = file.convert("RGB").resize(size, Image.Resampling.BILINEAR)
        return predict(np.asarray(pixels)[None].copy())

    calls = {
        "single": lambda: predict(one),
        "batch32": lambda: predict(batch),
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


def latency_main(make: Callable[[RunSpec], LatencyTwin]) -> None:
    """A latency process: STAGE FOLDER IMAGES JPEG. Says FIRST_ANSWER, then measures on."""
    end_with_launcher()
    stage, folder, images_folder, jpeg = sys.argv[1], *map(Path, sys.argv[2:])
    spec = RunSpec.from_json((folder / "spec.json").read_text())
    images = open_set(images_folder)
    twin = make(spec)
    one, ways = np.array(images.pixels[:1]), twin.engines(everything=False)
    print(FIRST_ANSWER, *ways[twin.first](one)[0], flush=True)
    if stage == "all":
        compared = {}
        if spec.recipe["latency_engines"] == "all":
            ways = twin.engines(everything=True)
            compared = fastest(ways, one)
        engine = min(compared, key=compared.get) if compared else twin.default
        timings = latencies(spec, ways[engine], images, jpeg)
        timings = {"engine": engine, "engines": compared, **timings}
        write_common(folder, spec, twin.environment() | {"engine": engine}, timings)


def fastest(ways: dict[str, Predict], one: np.ndarray) -> dict[str, float]:
    """Median seconds of one image by engine. An engine that can't run here is left out, said."""
    seconds = {}
    for name, predict in ways.items():
        try:
            seconds[name] = measure(lambda predict=predict: predict(one), TRIAL, 2)["median"]
        except Exception as error:
            print(f"engine {name} can't run here: {error}", file=sys.stderr)
    return seconds
