"""Measures training whole networks, per backbone: ours against the same framework's plain loop."""

import pytest

from benchmarks.speed.harness import Trained, pool_of, spec_of
from benchmarks.speed.peers.process import ASKED, ONEDNN, asks_for_onednn
from benchmarks.speed.side_by_side import Bench
from protocols.papers.variants import load_variants
from protocols.spec import FRAMEWORKS

PHASE = 1


@pytest.mark.parametrize("backbone", ["inception_v3", "resnet50", "xception"])
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_epoch(bench: Bench, framework: str, backbone: str) -> None:
    """Measures phase 2: Adam trains every layer. timm's steps have made-up input and SGD."""
    run, files = spec_of(framework, backbone, bench.scale), bench.sample(bench.scale.images)
    ours = Trained([run], pool_of(files, run, bench.cache)).calibrated().begin(PHASE, None)
    words = {"spec": run, "phase": PHASE, "folder": str(files.folder)}
    if framework == "torch":
        steps = -(-files.count // run.recipe["batch_size"])
        peers = {
            "plain PyTorch": bench.peer("plain_torch", "epoch", **words),
            "timm's benchmark": bench.peer("timm_script", "train_steps", spec=run, steps=steps),
        }
    else:
        peers = {"plain Keras": bench.peer("plain_keras", "epoch", **words)}
        if asks_for_onednn(run):
            peers[ASKED] = bench.peer("plain_keras", "epoch", settings=ONEDNN, **words)
    bench.paired(
        ours.epoch,
        peers,
        files,
        aims={name: 1.0 for name in peers if name.startswith("plain")},
        what=f"Thawed epoch, {load_variants()[backbone].title}",
        framework=framework,
    )
