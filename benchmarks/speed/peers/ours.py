"""Answers with our twin's engines, in a process of their own like the raw calls."""

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from protocols.runs.latency import BATCH, tried
from protocols.spec import RunSpec


def answers(spec: RunSpec, compile_too: bool) -> Callable[..., Any]:
    """Returns answer(batch, engine), which gives the probabilities of `batch` made-up uint8 images.

    answer(batch, None, calls, again) gives every engine's median seconds, as `tried` of
    protocols.runs.latency does.
    """
    latency = importlib.import_module(f"impl_{spec.framework}.latency")
    twin = getattr(latency, f"{spec.framework.title()}Latency")(spec)
    ways = latency.engines(twin.network, spec, compile_too)
    shape = BATCH, spec.data["height"], spec.data["width"], 3
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    batches = {size: images[:size].copy() for size in (1, BATCH)}

    def answer(batch: int, engine: str | None, *calls: int) -> Any:
        return ways[engine](batches[batch]) if engine else tried(ways, batches[batch], *calls)

    return answer
