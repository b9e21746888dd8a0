"""Time to an answer, per variant: each twin's fastest engine against the raw framework call.

Ours takes uint8 images; the raw calls get arrays that are preprocessed already. All give
probabilities in the host's memory (timm's steps leave them on the device).
"""

import gc
import importlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

from benchmarks.paired import paired
from benchmarks.peers.process import PeerProcess
from benchmarks.trial import Scale, spec_of
from protocols.spec import FRAMEWORKS, RunSpec
from protocols.timing import BATCH, TRIAL, tried
from protocols.variants import load_variants

RAW = {
    ("torch", 1): ("call",),
    ("torch", BATCH): ("call",),
    ("keras", 1): ("call", "predict_on_batch", "predict"),
    ("keras", BATCH): ("predict_on_batch",),
}
NAMES = {
    ("torch", "call"): "raw call",
    ("keras", "call"): "raw call, model(x)",
    ("keras", "predict_on_batch"): "raw call, predict_on_batch",
    ("keras", "predict"): "model.predict",
}


class Contenders:
    """A variant in one framework: our engines here, the raw calls in processes of their own."""

    def __init__(self, framework: str, variant: str, scale: Scale) -> None:
        self.framework, self.variant = framework, load_variants()[variant]
        self.run: RunSpec = spec_of(framework, variant, scale, stage="latency")
        spec = self.run.to_json()
        # keras.applications has no EfficientNet-Lite0, so plain Keras has nothing to call
        known = framework == "torch" or self.variant.suite != "control"
        self.raw = PeerProcess(f"plain_{framework}", "answers", spec=spec) if known else None
        alone = framework == "torch" and self.variant.sequence == "none"
        self.timm = PeerProcess("timm_script", "answers", spec=spec) if alone else None
        self.processes = [process for process in (self.raw, self.timm) if process]
        latency = importlib.import_module(f"impl_{framework}.latency")
        twin = getattr(latency, f"{framework.title()}Latency")(self.run)
        self.engines = latency.engines(twin.network, self.run, scale.compile)
        for process in self.processes:
            process.ready()

    def peers(self, batch: int) -> dict[str, Any]:
        """What answers for `batch` images are held against."""
        found = {
            NAMES[self.framework, how]: partial(self.raw, how, batch)
            for how in (RAW[self.framework, batch] if self.raw else ())
        }
        return found | ({"timm's benchmark": partial(self.timm, batch)} if self.timm else {})

    def close(self) -> None:
        """Ends the processes."""
        for process in self.processes:
            process.close()


@pytest.fixture(
    scope="module",
    params=[(f, v) for f in FRAMEWORKS for v in load_variants()],
    ids="-".join,
)
def contenders(request: pytest.FixtureRequest, scale: Scale) -> Iterator[Contenders]:
    """Of every framework and variant, one after the other."""
    found = Contenders(*request.param, scale)
    yield found
    found.close()
    del found
    gc.collect()


@pytest.mark.parametrize("batch", [1, BATCH])
def test_answer(benchmark: Any, contenders: Contenders, batch: int, scale: Scale) -> None:
    """The fastest engine is chosen by a few calls of each, then measured."""
    data = contenders.run.data
    shape = batch, data["height"], data["width"], 3
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    first, rounds = (TRIAL, scale.calls) if batch == 1 else (2, scale.rounds)
    medians = tried(contenders.engines, images, first, rounds)
    fastest = min(medians, key=medians.get)
    peers = contenders.peers(batch)
    paired(
        benchmark,
        partial(contenders.engines[fastest], images),
        peers,
        rounds,
        warmup=2,
        again=True,
        aims={name: 1.0 for name in peers if batch == 1 and "timm" not in name},
        what=f"Answer, {contenders.variant.title}",
        framework=contenders.framework,
        engine=fastest,
        engines=medians,
        unit="1 image" if batch == 1 else f"{batch} images",
        size=scale.size,
        data="made up",
    )
