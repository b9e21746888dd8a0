"""Repeated timing of one call, alike in both twins."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from protocols.files import Progress
from protocols.images import ImageSet
from protocols.spec import RunSpec

BATCH = 32


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
    progress: Progress,
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
    result = {}
    for done, (name, call) in enumerate(calls.items()):
        progress("latencies", done, len(calls))
        result[name] = measure(call, repeats, warmup)
    return result
