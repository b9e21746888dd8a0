"""Training in PyTorch: the optimisers, the step, the state."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from impl_torch import activations, bridge
from impl_torch.backbones import Layouts
from impl_torch.batches import Batches
from impl_torch.device import (
    EAGER,
    at_least_float32,
    autocast,
    device_memory,
    device_of,
    dtype_of,
    environment,
    prepare,
)
from impl_torch.models import Network, calibrate, keras_epsilon, penalised
from impl_torch.recurrent import computed_by
from protocols.hardware import DeviceMemory
from protocols.images.pool import Pool, in_batches
from protocols.runs.activations import Seen
from protocols.runs.checkpoint import Layout
from protocols.spec import RunSpec
from protocols.weights.start import OWN, Start

# what an optimiser keeps of each parameter once a step was made, beside the number of steps
SLOTS = {"rmsprop": ("square_avg",), "adam": ("exp_avg", "exp_avg_sq")}


def make_optimizer(
    parameters: list[nn.Parameter], phase: dict[str, Any], recipe: dict[str, Any]
) -> torch.optim.Optimizer:
    """Makes the phase's optimiser; RMSProp is that of Keras of 2018 (epsilon outside the root)."""
    if phase["optimizer"] == "rmsprop":
        return torch.optim.RMSprop(
            parameters, phase["rate"], alpha=recipe["rmsprop_rho"], eps=recipe["epsilon"]
        )
    betas = (recipe["adam_beta1"], recipe["adam_beta2"])
    return torch.optim.Adam(parameters, phase["rate"], betas, recipe["epsilon"], fused=True)


class TorchTraining:
    """The part of protocols.runs.twin.Twin that is the same for one member and for several.
    It holds the backbones, the optimiser and the state."""

    def __init__(
        self, specs: list[RunSpec], pool: Pool, start: Start = OWN, layouts: Layouts | None = None
    ) -> None:
        spec = specs[0]
        self.device = device_of(spec)
        prepare(spec)
        self.spec, self.recipe, self.pool = spec, spec.recipe, pool
        on_gpu = spec.device != "cpu"
        resident = on_gpu and len(specs) == 1 and pool.fits(torch.cuda.mem_get_info()[0])
        self.batches = Batches(pool, self.device, resident)
        self.network = Network(spec, layouts).to(self.device)
        bridge.begin(self.network, spec, start)
        self.parameters = sum(v.numel() for v in self.network.state_dict().values())
        self.kernels = penalised(self.network.head) if self.recipe["l2"] else []

    def trained(self, phase: dict[str, Any]) -> list[nn.Parameter]:
        """Gives the parameters that a phase trains, in the optimiser's order."""
        raise NotImplementedError

    def network_state(self) -> dict[str, torch.Tensor]:
        """Gives all weights and moving statistics, by name."""
        raise NotImplementedError

    def calibrate(self, batches: list[np.ndarray]) -> None:
        with autocast(self.spec):
            calibrate(self.network, [self.batches.images(positions) for positions in batches])

    @torch.no_grad()
    def backbone_features(self, number: int, positions: np.ndarray) -> np.ndarray:
        self.network.eval()
        with autocast(self.spec):
            found = self.network.backbones[number](self.batches.images(positions))
        return self.network.head.reduce(found.float()).cpu().numpy()

    def begin_phase(self, phase: dict[str, Any], stored: list[np.ndarray] | None) -> None:
        self.phase, self.steps = phase, 0
        self.batches.keep_features(stored, dtype_of(self.spec))
        self.optimizer = self.make_optimizer(phase)

    def make_optimizer(self, phase: dict[str, Any]) -> torch.optim.Optimizer:
        """Makes the phase's optimiser of what the phase trains."""
        return make_optimizer(self.trained(phase), phase, self.recipe)

    def count_step(self) -> None:
        """Counts the step that comes next, and sets what changes in the optimiser from step to
        step: torch's Adam takes another epsilon each time."""
        self.steps += 1
        if isinstance(self.optimizer, torch.optim.Adam):
            epsilon = keras_epsilon(self.recipe["epsilon"], self.recipe["adam_beta2"], self.steps)
            self.optimizer.param_groups[0]["eps"] = epsilon

    def update(self, objective: torch.Tensor) -> None:
        """Makes one step of the optimiser, which is counted, down the gradient of `objective`."""
        self.optimizer.zero_grad(set_to_none=True)
        objective.backward()
        self.optimizer.step()

    def state(self) -> dict[str, np.ndarray]:
        found = {f"network/{name}": value for name, value in self.network_state().items()}
        if hasattr(self, "optimizer"):
            found["optimizer/steps"] = torch.tensor(self.steps)
            for i, slots in self.optimizer.state_dict()["state"].items():
                found |= {f"optimizer/{i}/{name}": value for name, value in slots.items()}
        return {name: value.detach().cpu().numpy().copy() for name, value in found.items()}

    def layout(self, phase: dict[str, Any], stepped: bool) -> Layout:
        found = {f"network/{name}": value for name, value in self.network_state().items()}
        found["optimizer/steps"] = torch.tensor(0)
        for i, parameter in enumerate(self.trained(phase) if stepped else ()):
            found[f"optimizer/{i}/step"] = torch.tensor(0.0)
            found |= {f"optimizer/{i}/{slot}": parameter for slot in SLOTS[phase["optimizer"]]}
        return {n: (str(v.dtype).removeprefix("torch."), (*v.shape,)) for n, v in found.items()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        tensors = {name: torch.from_numpy(value) for name, value in state.items()}
        with torch.no_grad():
            for name, variable in self.network_state().items():
                if f"network/{name}" in tensors:
                    variable.copy_(tensors[f"network/{name}"])
        if "optimizer/steps" not in tensors:
            return
        self.steps = int(tensors.pop("optimizer/steps"))
        slots: dict[int, dict[str, torch.Tensor]] = {}
        parameters = self.optimizer.param_groups[0]["params"]
        for name, value in tensors.items():
            if name.startswith("optimizer/"):
                _, index, slot = name.split("/")
                parameter = parameters[int(index)]
                if value.shape == parameter.shape:  # fused steps need this memory format
                    value = torch.empty_like(parameter, device="cpu").copy_(value)
                slots.setdefault(int(index), {})[slot] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": slots, "param_groups": groups})

    def spare_memory(self) -> bool:
        if self.batches.pixels is None:
            return False
        self.batches.pixels = None
        torch.cuda.empty_cache()
        return True

    def device_memory(self) -> DeviceMemory:
        return device_memory(self.spec)

    @property
    def engine(self) -> str:
        return EAGER

    def environment(self) -> dict[str, Any]:
        own = {"recurrent": computed_by(self.network.head), "layouts": self.network.layouts}
        return environment(self.spec) | own | {"engine": self.engine}


class TorchTwin(TorchTraining):
    """The protocols.runs.twin.Twin of PyTorch with one member."""

    def trained(self, phase: dict[str, Any]) -> list[nn.Parameter]:
        trained = self.network.head if phase["frozen"] else self.network
        return [p for p in trained.parameters() if p.requires_grad]

    def penalty_term(self) -> torch.Tensor | float:
        """Gives the L2 term: the rate times the sum of squares, as in keras.regularizers.l2."""
        return self.recipe["l2"] * sum(k.square().sum() for k in self.kernels)

    @torch.no_grad()
    def penalty(self) -> list[float]:
        return [float(self.penalty_term())]

    def begin_epoch(self, orders: list[np.ndarray], keep: list[np.ndarray] | None) -> None:
        self.network.train()
        self.network.backbones.train(self.phase["batch_statistics"])
        for module in self.network.backbones.modules():
            if isinstance(module, nn.BatchNorm2d):  # moving statistics move only with the weights
                module.track_running_stats = not self.phase["frozen"]
        (self.order,) = orders
        self.there = self.batches.to_device(self.order)
        self.keep = None if keep is None else torch.from_numpy(keep[0]).to(self.device)

    def logits(
        self, positions: np.ndarray, there: torch.Tensor, keep: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Gives logits (n, 4), computed from stored features where there are any."""
        head = self.network.head
        if self.batches.features:
            read = self.batches.images(positions, there) if head.reads_images else None
            with autocast(self.spec):
                return head(self.batches.chosen_features(there), read, keep)
        images = self.batches.images(positions, there)
        with autocast(self.spec):
            if not self.phase["frozen"]:
                return self.network(images, keep)
            with torch.no_grad():
                features = self.network.features(images)
            return head(features, images, keep)

    def step(self, start: int, stop: int) -> torch.Tensor:
        there = self.there[start:stop]
        labels = self.batches.labels[there]
        keep = None if self.keep is None else self.keep[start:stop]
        logits = self.logits(self.order[start:stop], there, keep)
        smoothing = self.recipe["label_smoothing"]
        loss = F.cross_entropy(at_least_float32(logits), labels, label_smoothing=smoothing)
        self.count_step()
        self.update(loss + self.penalty_term())
        right = (logits.argmax(1) == labels).sum()
        return torch.stack([loss.detach() * (stop - start), right])

    def read(self, figures: list[torch.Tensor]) -> np.ndarray:
        return torch.stack(figures).cpu().numpy()[:, None]

    @torch.no_grad()
    def log_probabilities(self, part: slice = slice(None)) -> list[np.ndarray]:
        self.network.eval()
        answers = [
            at_least_float32(self.logits(positions, self.batches.to_device(positions)))
            for positions in in_batches(self.pool.evaluated[0][part], self.recipe["batch_size"])
        ]
        return [torch.cat(answers).log_softmax(1).cpu().numpy()]

    def look(self, positions: list[np.ndarray]) -> list[Seen]:
        network = self.network.eval()
        (images,) = (self.batches.images(p) for p in positions)
        return [activations.look(self.spec, network.backbones, network.head, images)]

    def network_state(self) -> dict[str, torch.Tensor]:
        return self.network.state_dict()
