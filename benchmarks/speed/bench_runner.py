"""Measures what running by the suite costs over a bare loop of the same steps."""

import itertools
import time
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.launch.worker import Worker
from benchmarks.speed.harness import Trained, decoded, device_of, pool_of, spec_of
from benchmarks.speed.side_by_side import Bench
from benchmarks.store.store import Store
from protocols.runs.checkpoint import AT_EPOCH, Checkpoints
from protocols.runs.worker_loop import Job
from protocols.spec import FRAMEWORKS

OVERHEAD = 0.03
LONGER = 2  # times as many images: 3% of a run of seconds is less than its noise
EPOCHS = {"phase1_epochs": 1, "phase2_epochs": 8}
VARIANT = "inception_v3"  # the fastest to train, so that the rest weighs most


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_whole_run(bench: Bench, framework: str, tmp_path: Path) -> None:
    """Makes a run from an empty folder to its stored end by a worker that has started, against the
    same training without recording it. Building the network and its features is part of both."""
    run, files = spec_of(framework, VARIANT, bench.scale), bench.sample(LONGER * bench.scale.images)
    run = replace(run, recipe=run.recipe | EPOCHS)
    images, store = decoded(files, run, bench.cache), Store(tmp_path)
    start = time.perf_counter()
    device = device_of(framework)
    worker = Worker(framework, device, run.threads)
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

    words = {"settings": worker.variables, "spec": run, "images": str(images.folder)}
    try:
        bench.paired(
            whole,
            {"bare loop": bench.peer("bare", "run", **words)},
            files,
            aims={"bare loop": 1 + OVERHEAD},
            what=f"A whole run, InceptionV3, {sum(EPOCHS.values())} epochs",
            framework=framework,
            note=f"The worker starts once a launch, here in {started:.1f} s: not counted.",
        )
    finally:
        worker.close()


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_checkpoint(bench: Bench, framework: str, tmp_path: Path) -> None:
    """Writes a checkpoint of a thawed network, against the training between two checkpoints."""
    run, files = spec_of(framework, VARIANT, bench.scale), bench.sample(bench.scale.images)
    ours = Trained([run], pool_of(files, run, bench.cache)).begin(1, None)
    ours.epoch()
    checkpoints = Checkpoints(tmp_path / "checkpoint.npz", {})
    pause = "training between two, at least"
    bench.paired(
        lambda: checkpoints.save(ours.twin.state(), {}),
        {pause: lambda: AT_EPOCH},
        files,
        rounds=bench.scale.calls,
        aims={pause: OVERHEAD},
        what="A checkpoint, InceptionV3 thawed",
        framework=framework,
        unit="one",
    )
