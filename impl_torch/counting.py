"""Counts the operations of a training run, and the bytes that it moves, on a CPU.

A run's own steps are made with a few images, in two sizes; both counts grow linearly with the
number of images, which gives those of a full batch. A floating-point operation (FLOP) is a
multiplication or an addition of a convolution, a matrix product or an LSTM, as
torch.utils.flop_counter counts them; other operations are few beside these. The bytes are those
that PyTorch's operations read and write one by one, without a cache and without joining operations;
an LSTM is one operation, as in cuDNN.

python -m impl_torch.counting: reads the specs of runs from stdin, one a line, each for the CPU, and
prints the counts of each as a line of JSON.
"""

import json
import sys
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count

from impl_torch.train import TorchTwin
from protocols.images.pool import Pool
from protocols.runs.twin import begin_epoch
from protocols.spec import RunSpec
from protocols.weights.start import HeadsOnly

SIZES = (2, 4)  # images: in training, batch normalisation needs two
Counts = dict[str, float]  # "flop" and "bytes"
ATEN = torch.ops.aten
STILL = {ATEN._unsafe_view, ATEN.empty, ATEN.empty_like, ATEN.empty_strided, ATEN.new_empty}


class Moved(TorchDispatchMode):
    """Sums the bytes of all tensors that operations read and write; a view moves nothing, and
    neither do the operations STILL."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if not func.is_view and func.overloadpacket not in STILL:
            tensors = tree_leaves((args, kwargs, found))
            self.bytes += sum(t.nbytes for t in tensors if isinstance(t, torch.Tensor))
        return found


def _of_convolution_backward(
    gradient: list[int], x: list[int], kernel: list[int], *words: Any, **__: Any
) -> int:
    """Gives the operations of a convolution's two gradients, those by its input and its kernel, as
    far as they are asked for. torch's own count is that of convolutions without groups."""
    *_, transposed, _, _, wanted = words
    return sum(wanted[:2]) * conv_flop_count(x, kernel, gradient, transposed=transposed)


def _of_lstm(
    x: list[int], kernel: list[int], recurrent_kernel: list[int], *_: Any, **__: Any
) -> int:
    """Gives the operations of one direction of an LSTM, over `x` (steps, images, channels)."""
    return 2 * prod(x[:2]) * (prod(kernel) + prod(recurrent_kernel))


# what torch's counter doesn't know, or knows without groups
FORMULAS = {
    ATEN.convolution_backward: _of_convolution_backward,
    ATEN.mkldnn_rnn_layer: _of_lstm,
    ATEN.mkldnn_rnn_layer_backward: lambda *shapes, **words: 2 * _of_lstm(*shapes, **words),
}


def counted(call: Callable[[], Any]) -> Counts:
    """Gives the counts of one call."""
    moved = Moved()
    operations = FlopCounterMode(display=False, custom_mapping=FORMULAS)
    with moved, operations:
        call()
    return {"flop": operations.get_total_flops(), "bytes": moved.bytes}


def _pool(spec: RunSpec, images: int) -> Pool:
    """Gives a pool of `images` black images to train on, and as many to evaluate."""
    n = 2 * images
    return Pool(
        pixels=np.zeros((1, spec.data["height"], spec.data["width"], 3), np.uint8),
        rows=np.zeros(n, np.int64),
        ids=[str(i) for i in range(n)],
        labels=np.zeros(n, np.int64),
        train=[np.arange(images)],
        evaluated=[np.arange(images, n)],
    )


def counts_with(spec: RunSpec, images: int) -> dict[str, Counts]:
    """Gives the counts of one batch of so many images: "features", where the run stores features,
    and "train N" and "evaluate N" of each phase N."""
    pool = _pool(spec, images)
    found: dict[str, Counts] = {}
    twin = TorchTwin([spec], pool, HeadsOnly())
    every = np.arange(images)

    def read() -> list[np.ndarray]:
        return [twin.backbone_features(i, every) for i in range(len(twin.network.backbones))]

    for phase in spec.phases:
        stored, number = None, phase["phase"]
        if phase["stored"]:
            found["features"] = counted(read)
            stored = [np.concatenate([array, array]) for array in read()]
        twin.begin_phase(phase, stored)
        begin_epoch([spec], pool, twin, number, 1)
        twin.step(0, images)  # makes the optimiser's state, which later steps read
        found[f"train {number}"] = counted(lambda: twin.step(0, images))
        found[f"evaluate {number}"] = counted(twin.log_probabilities)
    return found


def counts_of(spec: RunSpec) -> dict[str, Counts]:
    """Gives the counts of a full batch, as `counts_with` names them."""
    (less, few), (more, many) = ((n, counts_with(spec, n)) for n in SIZES)
    steps = (spec.recipe["batch_size"] - less) / (more - less)
    return {
        part: {kind: few[part][kind] + steps * (many[part][kind] - few[part][kind]) for kind in own}
        for part, own in few.items()
    }


if __name__ == "__main__":
    for line in sys.stdin.read().split("\n"):
        if line:
            print(json.dumps(counts_of(RunSpec.from_json(line))), flush=True)
