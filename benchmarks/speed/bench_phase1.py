"""Measures a phase-1 epoch: the backbone is frozen, so its features are constant and are stored.

The features are computed once for each data set and backbone, and are not part of an epoch.
"""

import pytest

from benchmarks.speed.harness import Trained, pool_of, spec_of
from benchmarks.speed.peers.process import ASKED, ONEDNN, asks_for_onednn
from benchmarks.speed.side_by_side import Bench, timed
from protocols.spec import FRAMEWORKS

FASTER = 1 / 50  # the aim, as a share of a plain epoch's time
ABOVE_ITS_HEAD = 1.2
PHASE = 0


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_cnn(bench: Bench, framework: str) -> None:
    """Trains Xception from stored features, against the same images through the network."""
    run = spec_of(framework, "xception", bench.scale)
    files = bench.sample(bench.scale.frozen_images)
    pool = pool_of(files, run, bench.cache)
    words = {"spec": run, "phase": PHASE, "folder": str(files.folder)}
    ours, through = Trained([run], pool).calibrated(), Trained([run], pool).calibrated()
    ours.begin(PHASE, ours.features())
    through.begin(PHASE, None)
    bench.paired(
        ours.epoch,
        {
            "ours without stored features": timed(through.epoch),
            "plain Keras": bench.peer("plain_keras", "epoch", **words),
            "plain PyTorch": bench.peer("plain_torch", "epoch", **words),
        },
        files,
        aims={"plain Keras": FASTER, "plain PyTorch": FASTER},
        what="Phase-1 epoch, Xception, features stored",
        framework=framework,
    )


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_cnn_rnn(bench: Bench, framework: str) -> None:
    """Trains Xception-LSTM from stored features, against training its LSTM and head alone."""
    run = spec_of(framework, "xception_lstm", bench.scale)
    files = bench.sample(bench.scale.frozen_images)
    ours = Trained([run], pool_of(files, run, bench.cache)).calibrated()
    ours.begin(PHASE, ours.features())
    whole = {"spec": run, "phase": PHASE, "folder": str(files.folder)}
    head = {"spec": run, "images": files.count}
    twin, named = f"plain_{framework}", {"keras": "plain Keras", "torch": "plain PyTorch"}
    alone = {
        "LSTM and head alone": bench.peer(twin, "head_alone", **head),
        named[framework]: bench.peer(twin, "epoch", **whole),
    }
    if asks_for_onednn(run):
        asked = bench.peer(twin, "head_alone", settings=ONEDNN, **head)
        alone[f"LSTM and head alone, {ASKED}"] = asked
    bench.paired(
        ours.epoch,
        alone,
        files,
        aims={name: ABOVE_ITS_HEAD for name in alone if "alone" in name},
        what="Phase-1 epoch, Xception-LSTM, features stored",
        framework=framework,
    )
