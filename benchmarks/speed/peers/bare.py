"""Runs our own twin in a bare loop: no worker, no store, no record, no checkpoint, no file."""

from collections.abc import Callable
from pathlib import Path

from benchmarks.speed.harness import Trained
from protocols.images.decoded import open_set
from protocols.images.pool import make_pool
from protocols.spec import RunSpec


def run(spec: RunSpec, images: str) -> Callable[[], None]:
    """Returns the whole training of `spec` on a decoded set: same steps, same evaluations."""
    found = open_set(Path(images))

    def train() -> None:
        ours = Trained([spec], make_pool(found, [spec]))
        ours.calibrated(spec.recipe["calibration_images"])
        for number, phase in enumerate(spec.phases):
            ours.begin(number, ours.features() if phase["stored"] else None)
            for _ in range(phase["epochs"]):
                ours.epoch()
                ours.twin.log_probabilities()

    return train
