"""Measures the time to an answer of each variant: each twin's fastest engine against the
framework's raw call.

Our engines take uint8 images; the raw calls get arrays that are preprocessed already. All give
probabilities in the host's memory (timm's steps leave them on the device). Everyone answers in a
process of its own and is timed from this process, so the way there and back counts for all.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from benchmarks.speed.harness import Scale, spec_of
from benchmarks.speed.peers.process import ASKED, ONEDNN, PeerProcess, asks_for_onednn
from benchmarks.speed.side_by_side import paired, timed
from protocols.papers.backbones import load_backbones
from protocols.papers.variants import load_variants
from protocols.runs.latency import BATCH, TRIAL
from protocols.spec import FRAMEWORKS

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
    """A variant in one framework: our engines, the raw calls, and timm's benchmark."""

    def __init__(self, framework: str, variant: str, scale: Scale) -> None:
        self.framework, self.variant = framework, load_variants()[variant]
        spec = spec_of(framework, variant, scale, stage="latency")
        # keras.applications has no EfficientNet-Lite0, so plain Keras has nothing to call
        known = framework == "torch" or all(
            load_backbones()[name].keras for name in self.variant.backbones
        )
        self.raw = PeerProcess(f"plain_{framework}", "answers", spec=spec) if known else None
        asked = known and asks_for_onednn(spec)
        self.asked = (
            PeerProcess("plain_keras", "answers", settings=ONEDNN, spec=spec) if asked else None
        )
        alone = framework == "torch" and self.variant.sequence == "none"
        self.timm = PeerProcess("timm_script", "answers", spec=spec) if alone else None
        self.ours = PeerProcess("ours", "answers", spec=spec, compile_too=scale.compile)
        everyone = self.ours, self.raw, self.asked, self.timm
        self.processes = [process for process in everyone if process]
        for process in self.processes:
            process.ready()

    def peers(self, batch: int) -> dict[str, Any]:
        """Returns what our answers for `batch` images are compared with."""
        found = {}
        if self.raw:
            for how in RAW[self.framework, batch]:
                found[NAMES[self.framework, how]] = timed(partial(self.raw, how, batch))
        if self.asked:
            how = "predict_on_batch"
            name = f"{NAMES[self.framework, how]}, {ASKED}"
            found[name] = timed(partial(self.asked, how, batch))
        if self.timm:
            found["timm's benchmark"] = timed(partial(self.timm, batch))
        return found

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
    """Yields the contenders of every framework and variant, one after the other."""
    framework, variant = request.param
    found = Contenders(framework, variant, scale)
    yield found
    found.close()


@pytest.mark.parametrize("batch", [1, BATCH])
def test_answer(benchmark: Any, contenders: Contenders, batch: int, scale: Scale) -> None:
    """Chooses the fastest engine by a few calls of each, then measures it."""
    first, rounds = (TRIAL, scale.calls) if batch == 1 else (2, scale.rounds)
    _, medians = contenders.ours.run(batch, None, first, rounds)
    fastest = min(medians, key=medians.get)
    peers = contenders.peers(batch)
    paired(
        benchmark,
        partial(contenders.ours, batch, fastest),
        peers,
        rounds,
        warmup=2,
        again=True,
        aims=dict.fromkeys(NAMES.values(), 1.0) if batch == 1 else {},
        what=f"Answer, {contenders.variant.title}",
        framework=contenders.framework,
        engine=fastest,
        engines=medians,
        unit="1 image" if batch == 1 else f"{batch} images",
        size=scale.size,
        data="made up",
    )
