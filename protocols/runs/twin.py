"""What a twin brings to training, and what is asked of it before and in every epoch."""

from typing import Any, Protocol

import numpy as np

from protocols.hardware import DeviceMemory
from protocols.images.pool import Pool
from protocols.papers.variants import load_variants
from protocols.runs.activations import Seen
from protocols.runs.checkpoint import Layout
from protocols.seeds import dropout_keep, epoch_order
from protocols.spec import RunSpec
from protocols.stops import running_seconds

Phase = dict[str, Any]


class OutOfMemory(RuntimeError):
    """The device can't hold the run at its batch size."""


class Fetching(Protocol):
    """What fetches a twin's batches."""

    waited: float  # seconds the host has spent so far drawing epochs and fetching batches


class Twin(Protocol):
    """Networks on their device, one a member; positions count in the pool."""

    parameters: int  # of one network, moving statistics counted

    @property
    def batches(self) -> Fetching:
        """What fetches the batches, and counts how long that takes."""

    def calibrate(self, batches: list[np.ndarray]) -> None:
        """Sets the moving statistics of random backbones from batches of positions."""

    def backbone_features(self, number: int, positions: np.ndarray) -> np.ndarray:
        """What the head reads of backbone `number`: float32 (len(positions), ...), frozen."""

    def begin_phase(self, phase: Phase, stored: list[np.ndarray] | None) -> None:
        """Freezes or thaws the backbones, makes the phase's optimiser.

        `stored`: the features of the whole pool, an array a backbone; None trains through the
        backbones, frozen or not. Frozen ones that normalise by the batch's own statistics keep
        their moving ones as they are (Keras of 2018, from 2.1.3 on).
        """

    def begin_epoch(self, orders: list[np.ndarray], keep: list[np.ndarray] | None) -> None:
        """Positions in the epoch's order, a member each, and the units that dropout keeps."""

    def step(self, start: int, stop: int) -> Any:
        """One update of each member on orders[start:stop]; figures that stay on the device."""

    def read(self, figures: list[Any]) -> np.ndarray:
        """Of steps: float32 (steps, members, 2), the batch's summed data loss and number right."""

    def penalty(self) -> list[float]:
        """The L2 term of each member."""

    def log_probabilities(self, part: slice = slice(None)) -> list[np.ndarray]:
        """Of what each member is evaluated on, or of a part that begins with a batch: float32
        (n, 4), inference mode."""

    def look(self, positions: list[np.ndarray]) -> list[Seen]:
        """What each member makes of images, inference mode: layers of protocols.runs.activations.

        Called once, after the last step; not compiled for it.
        """

    def state(self) -> dict[str, np.ndarray]:
        """ "network/..." and "optimizer/...": all that a later step depends on."""

    def layout(self, phase: Phase, stepped: bool) -> Layout:
        """Type and shape of each array that `state` gives inside a phase; `stepped`: of which a
        step was made."""

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Takes what `state` gave, or the network's part of it."""

    def spare_memory(self) -> bool:
        """Gives up what the device holds for speed only; whether there was anything."""

    def device_memory(self) -> DeviceMemory:
        """The most device memory held at once; no number on a CPU."""

    def environment(self) -> dict[str, Any]:
        """env.json."""


def begin_epoch(specs: list[RunSpec], pool: Pool, twin: Twin, phase: int, epoch: int) -> int:
    """Draws an epoch's order and dropout for every member; the number of images."""
    start, orders, keep = running_seconds(), [], []
    for spec, train in zip(specs, pool.train, strict=True):
        orders.append(train[epoch_order(spec.seed, phase, epoch, len(train))])
        if rate := spec.recipe["dropout"]:
            shape = len(train), spec.recipe["projection_units"]
            keep.append(dropout_keep(spec.seed, spec.fold, phase, epoch, shape, rate))
    twin.begin_epoch(orders, keep or None)
    twin.batches.waited += running_seconds() - start
    return len(orders[0])


def check_memory(specs: list[RunSpec], pool: Pool, twin: Twin) -> None:
    """Tries the first step of the last phase, of all members together, and takes it back.

    Raises OutOfMemory. What the device holds for speed only is given up first.
    """
    before = twin.state()
    while not _fits(specs, pool, twin):
        if not twin.spare_memory():
            several = f", {len(specs)} runs together," if len(specs) > 1 else ""
            raise OutOfMemory(
                f"{specs[0].variant} at batch {specs[0].recipe['batch_size']}{several} needs more "
                f"memory than {specs[0].device} has free; take a larger GPU, or end what else "
                "runs on it"
            )
    twin.restore({name: v for name, v in before.items() if name.startswith("network/")})


def _fits(specs: list[RunSpec], pool: Pool, twin: Twin) -> bool:
    phase, size = specs[0].phases[-1], specs[0].recipe["batch_size"]
    try:
        stored = _empty(specs[0], pool, twin, size) if phase["stored"] else None
        twin.begin_phase(phase, stored)
        n = begin_epoch(specs, pool, twin, phase["phase"], 1)
        twin.read([twin.step(0, min(size, n))])
        if stored:  # the device holds the real ones next
            twin.begin_phase(phase, [array[:1] for array in stored])
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return False
    return True


def _empty(spec: RunSpec, pool: Pool, twin: Twin, size: int) -> list[np.ndarray]:
    """Zeros as large as the frozen backbones' features of the whole pool."""
    count = len(load_variants()[spec.variant].backbones)
    batches = [twin.backbone_features(i, np.arange(min(size, len(pool)))) for i in range(count)]
    return [np.zeros((len(pool), *batch.shape[1:]), batch.dtype) for batch in batches]


def is_out_of_memory(error: Exception) -> bool:
    """Whether a framework's error says that the device's memory is full."""
    text = f"{type(error).__name__}: {error}"
    return any(
        w in text
        for w in ("OutOfMemory", "out of memory", "RESOURCE_EXHAUSTED", "OOM", "ALLOC_FAILED")
    )
