"""The course of a training run, stated once: phases, epochs, evaluation, what is recorded.

A twin brings the network, the loss, the optimisers and the step (class Twin).
"""

import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from protocols.contract import Recorder, phase_timing
from protocols.files import Progress
from protocols.images import ImageSet, open_set
from protocols.seeds import epoch_order
from protocols.serve import Job
from protocols.spec import RunSpec
from protocols.splits import calibration_rows, split

Tick = Callable[[int], None]


class Twin(Protocol):
    """One network on its device, with the training and the test part of a run."""

    def calibrate(self, batches: list[np.ndarray]) -> None:
        """Sets the moving statistics of random backbones from batches of training rows."""

    def begin_phase(self, phase: dict[str, Any]) -> None:
        """Freezes or thaws the backbones, makes the phase's optimiser."""

    def epoch(self, batches: list[np.ndarray], tick: Tick) -> dict[str, float]:
        """Trains on batches of training rows: train_loss, train_accuracy, penalty."""

    def log_probabilities(self) -> np.ndarray:
        """Of the test part, float32 (n, 4), inference mode."""

    def environment(self) -> dict[str, Any]:
        """env.json."""


def run(
    spec: RunSpec,
    job: Job,
    progress: Progress,
    make: Callable[[RunSpec, ImageSet, np.ndarray, np.ndarray], Twin],
) -> None:
    """Trains `spec` and writes the run's folder.

    `make` gets the spec, the images, and the indices of the training and the test part. Raises
    TrainingDiverged, and whatever a framework raises.
    """
    begin = time.perf_counter()
    images = open_set(job.images)
    train_rows, test_rows = split(images, spec)
    twin = make(spec, images, train_rows, test_rows)
    timings = {"build_seconds": time.perf_counter() - begin, "phases": []}
    start = time.perf_counter()
    if spec.weights["source"] == "random" and spec.phases[0]["frozen"]:
        wanted = spec.recipe["calibration_images"]
        twin.calibrate(calibration_rows(len(train_rows), wanted, spec.recipe["batch_size"]))
    timings["calibration_seconds"] = time.perf_counter() - start
    timings["features_seconds"] = 0.0
    recorder = Recorder(spec, [images.ids[i] for i in test_rows], images.labels[test_rows])
    tick = _ticker(progress, len(train_rows) * sum(p["epochs"] for p in spec.phases))
    for phase in spec.phases:
        start = time.perf_counter()
        twin.begin_phase(phase)
        if phase["frozen"]:
            timings["features_seconds"] += time.perf_counter() - start
        _run_phase(spec, phase, twin, len(train_rows), recorder, tick)
        timings["phases"].append(phase_timing(phase, recorder, len(train_rows)))
    timings["total_seconds"] = time.perf_counter() - begin
    recorder.write(job.folder, twin.environment(), timings)


def _run_phase(
    spec: RunSpec, phase: dict[str, Any], twin: Twin, n: int, recorder: Recorder, tick: Tick
) -> None:
    size = spec.recipe["batch_size"]
    for epoch in range(1, phase["epochs"] + 1):
        start = time.perf_counter()
        order = epoch_order(spec.seed, phase["phase"], epoch, n)
        batches = [order[i : i + size] for i in range(0, n, size)]  # the last one smaller
        figures = twin.epoch(batches, tick)
        middle = time.perf_counter()
        answers = twin.log_probabilities()
        recorder.epoch(
            phase["phase"],
            epoch,
            answers,
            **figures,
            train_seconds=middle - start,
            eval_seconds=time.perf_counter() - middle,
        )


def _ticker(progress: Progress, total: int) -> Tick:
    done = 0

    def tick(n: int) -> None:
        nonlocal done
        done += n
        progress("images trained", done, total)

    return tick


def in_batches(n: int, size: int) -> list[np.ndarray]:
    """Row numbers 0..n-1 in order, `size` at a time; the last batch is kept, smaller."""
    return [np.arange(i, min(i + size, n)) for i in range(0, n, size)]
