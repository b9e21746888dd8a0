"""Measures training whole networks, per backbone: ours against the same framework's plain loop."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.speed.harness import Sample, Scale, Trained, pool_of, spec_of
from benchmarks.speed.peers.process import ASKED, ONEDNN, PeerProcess, asks_for_onednn
from benchmarks.speed.side_by_side import paired
from protocols.papers.variants import load_variants
from protocols.spec import FRAMEWORKS

PHASE = 1


@pytest.mark.parametrize("backbone", ["inception_v3", "resnet50", "xception"])
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_epoch(
    benchmark: Any,
    framework: str,
    backbone: str,
    scale: Scale,
    sample: Callable[[int], Sample],
    peer: Callable[..., PeerProcess],
    cache: Path,
) -> None:
    """Measures phase 2: Adam trains every layer. timm's steps have made-up input and SGD."""
    run, files = spec_of(framework, backbone, scale), sample(scale.images)
    spec = run.to_json()
    ours = Trained([run], pool_of(files, run, cache)).calibrated().begin(PHASE, None)
    words = {"spec": spec, "phase": PHASE, "folder": str(files.folder)}
    if framework == "torch":
        steps = -(-files.count // run.recipe["batch_size"])
        peers = {
            "plain PyTorch": peer("plain_torch", "epoch", **words),
            "timm's benchmark": peer("timm_script", "train_steps", spec=spec, steps=steps),
        }
    else:
        peers = {"plain Keras": peer("plain_keras", "epoch", **words)}
        if asks_for_onednn(run):
            peers[ASKED] = peer("plain_keras", "epoch", settings=ONEDNN, **words)
    paired(
        benchmark,
        ours.epoch,
        peers,
        scale.rounds,
        aims={name: 1.0 for name in peers if name.startswith("plain")},
        what=f"Thawed epoch, {load_variants()[backbone].title}",
        framework=framework,
        unit=f"{files.count} images",
        size=scale.size,
        data=files.kind,
    )
