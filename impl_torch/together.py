"""Trains several runs of a head over a frozen CNN as one batched computation, by torch.func.vmap.

The folds and seeds of a variant differ in images and random numbers only; a single run leaves a GPU
idle. The losses of each member are those of the run alone (a test holds this in float64). The step
has thousands of kernels, small ones: a GPU replays them as one CUDA graph.
"""

from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from impl_torch import activations, bridge
from impl_torch.adam import DeviceAdam
from impl_torch.backbones import Layouts
from impl_torch.device import at_least_float32, autocast
from impl_torch.graphs import CudaGraphs, GraphedStep
from impl_torch.models import make_head, penalised
from impl_torch.recurrent import by_steps, computed_by
from impl_torch.train import TorchTraining
from protocols.images.pool import Pool
from protocols.runs.activations import Seen
from protocols.spec import RunSpec
from protocols.weights.start import OWN, Start


def _pointwise(conv: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
    """Computes a 1x1 convolution as a matrix product: with batched weights, a convolution is
    slow."""
    return torch.einsum("nchw,oc->nohw", x, conv.weight[:, :, 0, 0])


def make_stackable(head: nn.Module) -> None:
    """Makes every layer of the head compute by operations that vmap knows; the weights stay.
    The types don't foresee that an object gets a `forward` of its own."""
    for module in head.modules():
        if isinstance(module, nn.LSTM | nn.GRU):
            module.forward = partial(by_steps, module)  # type: ignore[method-assign, assignment]
        elif isinstance(module, nn.Conv2d):
            module.forward = partial(_pointwise, module)  # type: ignore[method-assign]


class TorchFolds(TorchTraining):
    """The protocols.runs.twin.Twin of PyTorch with one member per run; the CNN is frozen in every
    phase."""

    def __init__(
        self, specs: list[RunSpec], pool: Pool, start: Start = OWN, layouts: Layouts | None = None
    ) -> None:
        if not specs[0].heads_only:
            raise ValueError("only heads over a frozen CNN train together")
        super().__init__(specs, pool, start, layouts)  # the head of this network is not used
        self.size = len(specs)
        heads = [make_head(s).to(self.device) for s in specs]
        for head, member in zip(heads, specs, strict=True):
            bridge.begin_head(head, member, start)
        self.weights, self.buffers = stack_module_state(heads)
        self.head = heads[0]
        make_stackable(self.head)
        kernels = {id(p) for p in penalised(self.head)}
        self.penalised = [n for n, p in self.head.named_parameters() if id(p) in kernels]
        recorder = CudaGraphs() if self.device.type == "cuda" else None
        self.graphed = GraphedStep(self.step_on, self.recipe["batch_size"], recorder)

    def begin_phase(self, phase: dict[str, Any], stored: list[np.ndarray] | None) -> None:
        if stored is None:
            raise ValueError("runs that train together read stored features")
        self.graphed.begin()
        super().begin_phase(phase, stored)

    def make_optimizer(self, phase: dict[str, Any]) -> torch.optim.Optimizer:
        if self.graphed.recorder is None:
            return super().make_optimizer(phase)
        betas = (self.recipe["adam_beta1"], self.recipe["adam_beta2"])
        return DeviceAdam(self.trained(phase), phase["rate"], betas, self.recipe["epsilon"])

    def restore(self, state: dict[str, np.ndarray]) -> None:
        super().restore(state)
        self.graphed.begin()  # what was restored lies elsewhere

    def trained(self, phase: dict[str, Any]) -> list[nn.Parameter]:
        return [p for p in self.weights.values() if p.requires_grad]

    def begin_epoch(self, orders: list[np.ndarray], keep: list[np.ndarray] | None) -> None:
        self.head.train()
        self.there = self.batches.to_device(np.stack(orders))
        self.keep = None if keep is None else torch.from_numpy(np.stack(keep)).to(self.device)

    def _logits(self, weights: Any, buffers: Any, features: Any, keep: Any) -> torch.Tensor:
        """Gives the logits of one member."""
        with autocast(self.spec):
            found = functional_call(self.head, (weights, buffers), (features, None, keep))
        return at_least_float32(found)

    def _term(self, weights: dict[str, torch.Tensor]) -> torch.Tensor:
        """Gives the L2 term of one member."""
        return self.recipe["l2"] * sum(weights[name].square().sum() for name in self.penalised)

    def _loss(self, weights: Any, buffers: Any, features: Any, labels: Any, keep: Any) -> Any:
        """Gives, for one member, what its step minimises, and its figures."""
        logits = self._logits(weights, buffers, features, keep)
        smoothing = self.recipe["label_smoothing"]
        loss = F.cross_entropy(logits, labels, label_smoothing=smoothing)
        right = (logits.argmax(1) == labels).sum()
        figures = torch.stack([loss.detach() * len(labels), right])
        return loss + self._term(weights), figures

    def step(self, start: int, stop: int) -> torch.Tensor:
        self.count_step()
        batch = (self.there,) if self.keep is None else (self.there, self.keep)
        return self.graphed(*(x[:, start:stop] for x in batch))

    def step_on(self, there: torch.Tensor, keep: torch.Tensor | None = None) -> torch.Tensor:
        """Makes one update of each member on the images at `there`, (members, n); gives the
        figures. `keep` has the units that dropout keeps, (members, n, units).

        It can be recorded: what changes from step to step is in its arguments, or is state that it
        changes in place.
        """
        loss = vmap(self._loss, in_dims=(0, 0, 0, 0, None if keep is None else 0))
        features, labels = self.batches.chosen_features(there), self.batches.labels[there]
        losses, figures = loss(self.weights, self.buffers, features, labels, keep)
        self.update(losses.sum())
        return figures

    def read(self, figures: list[torch.Tensor]) -> np.ndarray:
        return torch.stack(figures).cpu().numpy()

    @torch.no_grad()
    def penalty(self) -> list[float]:
        if not self.recipe["l2"]:
            return [0.0] * self.size
        return vmap(self._term)(self.weights).tolist()

    @torch.no_grad()
    def log_probabilities(self, part: slice = slice(None)) -> list[np.ndarray]:
        self.head.eval()
        there = self.batches.to_device(np.stack(self.pool.evaluated)[:, part])
        answer = vmap(partial(self._logits, keep=None))
        parts = [
            answer(self.weights, self.buffers, self.batches.chosen_features(positions))
            for positions in there.split(self.recipe["batch_size"], dim=1)
        ]
        return list(torch.cat(parts, dim=1).log_softmax(2).cpu().numpy())

    def look(self, positions: list[np.ndarray]) -> list[Seen]:
        backbones, head = self.network.backbones.eval(), self.head.eval()
        found = []
        for i, part in enumerate(positions):
            own = {name: value[i] for name, value in (self.weights | self.buffers).items()}
            images = self.batches.images(part)
            found.append(activations.look(self.spec, backbones, head, images, own))
        return found

    def network_state(self) -> dict[str, torch.Tensor]:
        backbones = {f"backbones/{k}": v for k, v in self.network.backbones.state_dict().items()}
        heads = {f"heads/{k}": v for k, v in (self.weights | self.buffers).items()}
        return backbones | heads

    @property
    def engine(self) -> str:
        return f"{self.graphed.engine}; {self.size} runs together (vmap)"

    def environment(self) -> dict[str, Any]:
        return super().environment() | {"recurrent": computed_by(self.head)}
