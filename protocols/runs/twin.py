"""Defines what a twin brings to training, and asks the twin what is needed before every epoch."""

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
    """The interface of what fetches a twin's batches."""

    waited: float  # seconds the host has spent so far drawing epochs and fetching batches


class Twin(Protocol):
    """The interface of networks on their device, one per member. Positions count in the pool."""

    parameters: int  # of one network, moving statistics counted

    @property
    def engine(self) -> str:
        """What env.json says of how this process has computed the steps so far."""

    @property
    def batches(self) -> Fetching:
        """The object that fetches the batches, and counts how long that takes."""

    def calibrate(self, batches: list[np.ndarray]) -> None:
        """Sets the moving statistics of random backbones from batches of positions."""

    def backbone_features(self, number: int, positions: np.ndarray) -> np.ndarray:
        """Gives what the head reads of the frozen backbone `number`: float32 (len(positions),
        ...)."""

    def begin_phase(self, phase: Phase, stored: list[np.ndarray] | None) -> None:
        """Freezes or thaws the backbones, and makes the phase's optimiser.

        `stored` holds the features of the whole pool, one array per backbone; None means to train
        through the backbones, frozen or not. Frozen backbones that normalise by the batch's own
        statistics keep their moving statistics as they are (Keras of 2018, from 2.1.3 on).
        """

    def begin_epoch(self, orders: list[np.ndarray], keep: list[np.ndarray] | None) -> None:
        """Begins an epoch. Each member has an array in `orders`, the positions in the epoch's
        order, and one in `keep`, the units that dropout keeps (None without dropout)."""

    def step(self, start: int, stop: int) -> Any:
        """Makes one update of each member on orders[start:stop]; gives figures that stay on the
        device."""

    def read(self, figures: list[Any]) -> np.ndarray:
        """Reads the figures of steps: float32 (steps, members, 2), the summed data loss of the
        batch and the number of its images that are predicted right."""

    def penalty(self) -> list[float]:
        """Gives the L2 term of each member."""

    def log_probabilities(self, part: slice = slice(None)) -> list[np.ndarray]:
        """Gives the log-probabilities, float32 (n, 4) in inference mode, of the images on which
        each member is evaluated, or of a part of these that begins with a batch."""

    def look(self, positions: list[np.ndarray]) -> list[Seen]:
        """Gives what each member computes from its images, in inference mode, for
        protocols.runs.activations.

        It is called once, after the last step, and nothing is compiled for it.
        """

    def state(self) -> dict[str, np.ndarray]:
        """Gives the arrays "network/..." and "optimizer/...": all on which a later step depends."""

    def layout(self, phase: Phase, stepped: bool) -> Layout:
        """Gives the dtype and shape of each array that `state` gives inside a phase; `stepped`
        tells whether a step of the phase was made."""

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Takes over the arrays that `state` gave, or the part of them that is given."""

    def spare_memory(self) -> bool:
        """Gives up what the device holds for speed only, and tells whether there was anything."""

    def device_memory(self) -> DeviceMemory:
        """Gives the most device memory held at once; no number on a CPU."""

    def environment(self) -> dict[str, Any]:
        """Gives the content of env.json."""


def begin_epoch(specs: list[RunSpec], pool: Pool, twin: Twin, phase: int, epoch: int) -> int:
    """Begins an epoch with an order and dropout drawn for every member; gives the number of images
    that each member trains on."""
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
    """Tries the first step of the last phase, of all members together, and takes the step back.

    What the device holds for speed only is given up before OutOfMemory is raised.
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
        if stored:  # the device holds the real features next
            twin.begin_phase(phase, [array[:1] for array in stored])
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return False
    return True


def _empty(spec: RunSpec, pool: Pool, twin: Twin, size: int) -> list[np.ndarray]:
    """Gives zeros of the shapes of the frozen backbones' features of the whole pool."""
    count = len(load_variants()[spec.variant].backbones)
    batches = [twin.backbone_features(i, np.arange(min(size, len(pool)))) for i in range(count)]
    return [np.zeros((len(pool), *batch.shape[1:]), batch.dtype) for batch in batches]


def is_out_of_memory(error: Exception) -> bool:
    """Tells whether a framework's error says that the device's memory is full."""
    text = f"{type(error).__name__}: {error}"
    return any(
        w in text
        for w in ("OutOfMemory", "out of memory", "RESOURCE_EXHAUSTED", "OOM", "ALLOC_FAILED")
    )
