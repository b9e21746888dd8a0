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

BATCH = 32
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
    predict: Callable[[np.ndarray], np.ndarray],
    images: ImageSet,
    jpeg: Path,
) -> dict[str, dict[str, float]]:
    """The three warm figures: one image, a batch of 32, one JPEG file. Seconds a call.

    `predict` takes uint8 (n, h, w, 3) in host memory and gives probabilities there.
    """
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

    engine: str

    def first(self, images: np.ndarray) -> np.ndarray:
        """The shortest way to one first answer: probabilities (n, 4)."""

    def predict(self, images: np.ndarray) -> np.ndarray:
        """The fastest repeated way: uint8 (n, h, w, 3) -> probabilities (n, 4), on the host."""

    def environment(self) -> dict[str, Any]:
        """env.json."""


def latency_main(make: Callable[[RunSpec], LatencyTwin]) -> None:
    """A latency process: STAGE FOLDER IMAGES JPEG. Says FIRST_ANSWER, then measures on."""
    end_with_launcher()
    stage, folder, images_folder, jpeg = sys.argv[1], *map(Path, sys.argv[2:])
    spec = RunSpec.from_json((folder / "spec.json").read_text())
    images = open_set(images_folder)
    twin = make(spec)
    print(FIRST_ANSWER, *twin.first(np.array(images.pixels[:1]))[0], flush=True)
    if stage == "all":
        timings = latencies(spec, twin.predict, images, jpeg)
        write_common(folder, spec, twin.environment(), {"engine": twin.engine, **timings})
