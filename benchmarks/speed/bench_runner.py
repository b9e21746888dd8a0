"""Measures what running by the suite costs over a bare loop of the same steps."""

import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.launch.worker import Worker, environment
from benchmarks.speed.harness import (
    Sample,
    Scale,
    Trained,
    decoded,
    device_of,
    pool_of,
    spec_of,
)
from benchmarks.speed.peers.process import PeerProcess
from benchmarks.speed.side_by_side import paired
from benchmarks.store.store import Store
from protocols.runs.checkpoint import AT_EPOCH, Checkpoints
from protocols.runs.worker_loop import Job
from protocols.spec import FRAMEWORKS

OVERHEAD = 0.03
LONGER = 2  # times as many images: 3% of a run of seconds is less than its noise
EPOCHS = {"phase1_epochs": 1, "phase2_epochs": 8}
VARIANT = "inception_v3"  # the fastest to train, so that the rest weighs most


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_whole_run(
    benchmark: Any,
    framework: str,
    scale: Scale,
    sample: Callable[[int], Sample],
    peer: Callable[..., PeerProcess],
    cache: Path,
    tmp_path: Path,
) -> None:
    """Makes a run from an empty folder to its stored end by a worker that has started, against the
    same training without recording it. Building the network and its features is part of both."""
    run, files = spec_of(framework, VARIANT, scale), sample(LONGER * scale.images)
    run = replace(run, recipe=run.recipe | EPOCHS)
    images, store = decoded(files, run, cache), Store(tmp_path)
    start = time.perf_counter()
    device, spec = device_of(framework), run.to_json()
    worker, same = Worker(framework, device, run.threads), environment(device, run.threads)
    _ = worker.hello
    started, number = time.perf_counter() - start, itertools.count()

    def whole() -> None:
        folder = store.begin(run)
        fresh = tmp_path / str(next(number))  # so that features are computed each time
        checkpoint = store.checkpoint([run])
        job = Job(images.folder, folder, Path(images.files[0]), fresh, checkpoint)
        worker.run([run], [job], lambda *_: None, print)
        done = store.finish(run, folder)
        checkpoint.unlink(missing_ok=True)  # as the launcher does; else the next run goes on
        assert not done.timings["resumed"]

    try:
        paired(
            benchmark,
            whole,
            {"bare loop": peer("bare", "run", settings=same, spec=spec, images=str(images.folder))},
            scale.rounds,
            aims={"bare loop": 1 + OVERHEAD},
            what=f"A whole run, InceptionV3, {sum(EPOCHS.values())} epochs",
            framework=framework,
            unit=f"{files.count} images",
            size=scale.size,
            data=files.kind,
            note=f"The worker starts once a launch, here in {started:.1f} s: not counted.",
        )
    finally:
        worker.close()


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_checkpoint(
    benchmark: Any,
    framework: str,
    scale: Scale,
    sample: Callable[[int], Sample],
    cache: Path,
    tmp_path: Path,
) -> None:
    """Writes a checkpoint of a thawed network, against the training between two checkpoints."""
    run, files = spec_of(framework, VARIANT, scale), sample(scale.images)
    ours = Trained([run], pool_of(files, run, cache)).begin(1, None)
    ours.epoch()
    checkpoints = Checkpoints(tmp_path / "checkpoint.npz", {})
    pause = "training between two, at least"
    paired(
        benchmark,
        lambda: checkpoints.save(ours.twin.state(), {}),
        {pause: lambda: AT_EPOCH},
        scale.calls,
        aims={pause: OVERHEAD},
        what="A checkpoint, InceptionV3 thawed",
        framework=framework,
        unit="one",
        size=scale.size,
        data=files.kind,
    )
