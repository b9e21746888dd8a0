"""The PyTorch twin on the parity ladder: the twin that trains, read in Keras's layouts."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import nn

from impl_torch import bridge
from impl_torch.models import PooledHead
from impl_torch.train import TorchTwin
from protocols.images.pool import Pool
from protocols.papers.variants import load_variants
from protocols.runs.parity import Side
from protocols.spec import RunSpec
from protocols.weights.start import Arrays

CHANNELS_LAST, CHANNELS_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)


class TorchSide(Side):
    """The Side of PyTorch."""

    twin: TorchTwin

    def __init__(self, spec: RunSpec, pool: Pool) -> None:
        self.twin = TorchTwin([spec], pool)
        self.network = self.twin.network
        self.names = load_variants()[spec.variant].backbones
        if spec.precision == "float64":  # ten times as fast; see protocols.runs.parity.DIFFERENCES
            self.network.to(memory_format=torch.contiguous_format)
        self.slots = bridge.slots(self.network, spec.variant)

    def _of(self, keys: Iterable[str]) -> bridge.Slots:
        return {key: self.slots[key] for key in keys}

    def weights(self, keys: Iterable[str] = ()) -> Arrays:
        return {
            key: array.copy() for key, array in bridge.read(self._of(keys or self.slots)).items()
        }

    def take(self, arrays: Arrays) -> None:
        bridge.write(self._of(arrays), arrays)

    @torch.no_grad()
    def inputs(self, positions: np.ndarray) -> Arrays:
        images = self.twin.batches.images(positions)
        found = {
            name: backbone.get_submodule("0")(images).permute(0, 2, 3, 1).numpy()
            for name, backbone in zip(self.names, self.network.backbones, strict=True)
        }
        head = self.network.head
        if isinstance(head, PooledHead) and head.rows is not None:
            seen = []
            hook = head.rows.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
            self.network.eval()(images)
            hook.remove()
            found["rows"] = seen[0].numpy()
        return found

    @torch.no_grad()
    def features(self, positions: np.ndarray) -> Arrays:
        self.network.eval()
        found = self.network.features(self.twin.batches.images(positions))
        arrays = [x.numpy().transpose(CHANNELS_LAST) if x.ndim == 4 else x.numpy() for x in found]
        return dict(zip(self.names, arrays, strict=True))

    @torch.no_grad()
    def values(self) -> dict[str, int]:
        keys = {
            slot.tensors[0].data_ptr(): key
            for key, slot in self.slots.items()
            if key.endswith("/moving_variance")
        }
        found: dict[str, int] = {}

        def note(module: nn.BatchNorm2d, given: tuple[torch.Tensor]) -> None:
            key = keys[module.get_buffer("running_var").data_ptr()]
            found[key] = given[0].shape[2] * given[0].shape[3]

        norms = [m for m in self.network.modules() if isinstance(m, nn.BatchNorm2d)]
        hooks = [m.register_forward_pre_hook(note) for m in norms]
        self.features(np.arange(1))
        self.network(self.twin.batches.images(np.arange(1)))
        for hook in hooks:
            hook.remove()
        return found

    def begin(self, phase: dict[str, Any], order: np.ndarray, stored: Arrays | None = None) -> None:
        arrays = [
            x.transpose(CHANNELS_FIRST) if x.ndim == 4 else x for x in (stored or {}).values()
        ]
        self.twin.begin_phase(phase, arrays or None)
        self.twin.begin_epoch([order], None)

    def step_gradients(self, start: int, stop: int) -> tuple[float, float, Arrays]:
        """Gives the step's loss, penalty and gradients; the step leaves the gradients on the
        tensors."""
        loss, penalty = self.step(start, stop)
        return loss, penalty, bridge.read(self.slots, lambda tensor: tensor.grad)
