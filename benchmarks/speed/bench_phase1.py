"""Measures a phase-1 epoch: the backbone is frozen, so its features are constant and are stored.

The features are computed once for each data set and backbone, and are not part of an epoch.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.speed.harness import Sample, Scale, Trained, pool_of, spec_of
from benchmarks.speed.peers.process import ASKED, ONEDNN, PeerProcess, asks_for_onednn
from benchmarks.speed.side_by_side import paired, timed
from protocols.spec import FRAMEWORKS

FASTER = 1 / 50  # the aim, as a share of a plain epoch's time
ABOVE_ITS_HEAD = 1.2
PHASE = 0


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_cnn(
    benchmark: Any,
    framework: str,
    scale: Scale,
    sample: Callable[[int], Sample],
    peer: Callable[..., PeerProcess],
    cache: Path,
) -> None:
    """Trains Xception from stored features, against the same images through the network."""
    run, files = spec_of(framework, "xception", scale), sample(scale.frozen_images)
    pool = pool_of(files, run, cache)
    words = {"spec": run.to_json(), "phase": PHASE, "folder": str(files.folder)}
    ours, through = Trained([run], pool).calibrated(), Trained([run], pool).calibrated()
    ours.begin(PHASE, ours.features())
    through.begin(PHASE, None)
    paired(
        benchmark,
        ours.epoch,
        {
            "ours without stored features": timed(through.epoch),
            "plain Keras": peer("plain_keras", "epoch", **words),
            "plain PyTorch": peer("plain_torch", "epoch", **words),
        },
        scale.rounds,
        aims={"plain Keras": FASTER, "plain PyTorch": FASTER},
        what="Phase-1 epoch, Xception, features stored",
        framework=framework,
        unit=f"{files.count} images",
        size=scale.size,
        data=files.kind,
    )


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_cnn_rnn(
    benchmark: Any,
    framework: str,
    scale: Scale,
    sample: Callable[[int], Sample],
    peer: Callable[..., PeerProcess],
    cache: Path,
) -> None:
    """Trains Xception-LSTM from stored features, against training its LSTM and head alone."""
    run, files = spec_of(framework, "xception_lstm", scale), sample(scale.frozen_images)
    ours = Trained([run], pool_of(files, run, cache)).calibrated()
    ours.begin(PHASE, ours.features())
    spec, count = run.to_json(), files.count
    whole = {"spec": spec, "phase": PHASE, "folder": str(files.folder)}
    twin, named = f"plain_{framework}", {"keras": "plain Keras", "torch": "plain PyTorch"}
    alone = {
        "LSTM and head alone": peer(twin, "head_alone", spec=spec, images=count),
        named[framework]: peer(twin, "epoch", **whole),
    }
    if asks_for_onednn(run):
        words = {"settings": ONEDNN, "spec": spec, "images": count}
        alone[f"LSTM and head alone, {ASKED}"] = peer(twin, "head_alone", **words)
    paired(
        benchmark,
        ours.epoch,
        alone,
        scale.rounds,
        aims={name: ABOVE_ITS_HEAD for name in alone if "alone" in name},
        what="Phase-1 epoch, Xception-LSTM, features stored",
        framework=framework,
        unit=f"{count} images",
        size=scale.size,
        data=files.kind,
    )
