"""Training in PyTorch: parts on the device, optimisers, the step."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from impl_torch.device import device_of, environment, prepare
from impl_torch.models import Network, calibrate, keras_epsilon, penalised
from protocols import training
from protocols.files import Progress
from protocols.images import ImageSet
from protocols.seeds import derive
from protocols.serve import Job
from protocols.spec import RunSpec
from protocols.training import in_batches


class Part:
    """The training or the test part of a run: images as the device reads them, and labels."""

    def __init__(self, images: ImageSet, indices: np.ndarray, device: torch.device) -> None:
        self.indices = indices
        self.labels = torch.from_numpy(images.labels[indices]).to(device)
        self.pixels = images.pixels
        self.resident = None
        if device.type == "cuda":  # uint8, once
            self.resident = torch.from_numpy(images.pixels[indices]).to(device)
        self.features: tuple[torch.Tensor, ...] | None = None

    def __len__(self) -> int:
        return len(self.indices)

    def fetch(self, rows: np.ndarray) -> torch.Tensor:
        """uint8 images (len(rows), h, w, 3) on the device."""
        if self.resident is not None:
            return self.resident[torch.from_numpy(rows).to(self.resident.device)]
        return torch.from_numpy(self.pixels[self.indices[rows]])

    def logits(self, network: Network, rows: np.ndarray) -> torch.Tensor:
        """The network's answer, through stored features where there are any."""
        images = self.fetch(rows)
        if self.features is None:
            return network(images)
        chosen = torch.from_numpy(rows).to(images.device)
        return network.head(tuple(f[chosen] for f in self.features), images)


def make_optimizer(
    parameters: list[torch.nn.Parameter], phase: dict[str, Any], recipe: dict[str, Any]
) -> torch.optim.Optimizer:
    """The phase's optimiser; RMSProp as Keras of 2018 (epsilon outside the root)."""
    if phase["optimizer"] == "rmsprop":
        return torch.optim.RMSprop(
            parameters, phase["rate"], alpha=recipe["rmsprop_rho"], eps=recipe["epsilon"]
        )
    betas = (recipe["adam_beta1"], recipe["adam_beta2"])
    return torch.optim.Adam(parameters, phase["rate"], betas=betas, eps=recipe["epsilon"])


class TorchTwin:
    """protocols.training.Twin in PyTorch."""

    def __init__(
        self, spec: RunSpec, images: ImageSet, train_rows: np.ndarray, test_rows: np.ndarray
    ) -> None:
        prepare(spec)
        device = device_of(spec)
        self.spec, self.recipe = spec, spec.recipe
        self.train_part = Part(images, train_rows, device)
        self.test_part = Part(images, test_rows, device)
        torch.manual_seed(derive(spec.seed, "weights"))
        self.network = Network(spec).to(device)
        self.kernels = penalised(self.network) if self.recipe["l2"] else []
        torch.manual_seed(derive(spec.seed, "dropout"))

    def calibrate(self, batches: list[np.ndarray]) -> None:
        """See Twin."""
        calibrate(self.network, [self.train_part.fetch(rows) for rows in batches])
        self._wait()

    def _wait(self) -> None:
        """Ends queued work of a GPU, so that its seconds stand where they belong."""
        if self.train_part.resident is not None:
            torch.cuda.synchronize()

    def begin_phase(self, phase: dict[str, Any]) -> None:
        """See Twin. Frozen backbones' features are computed once, inference mode, float32."""
        self.phase, self.steps = phase, 0
        trained = self.network.head if phase["frozen"] else self.network
        parameters = [p for p in trained.parameters() if p.requires_grad]
        self.optimizer = make_optimizer(parameters, phase, self.recipe)
        for part in (self.train_part, self.test_part):
            part.features = self._features(part) if phase["frozen"] else None
        self._wait()

    @torch.no_grad()
    def _features(self, part: Part) -> tuple[torch.Tensor, ...]:
        self.network.eval()
        batches = in_batches(len(part), self.recipe["batch_size"])
        parts = [self.network.features(part.fetch(rows)) for rows in batches]
        return tuple(torch.cat(column) for column in zip(*parts, strict=True))

    def penalty(self) -> torch.Tensor | float:
        """The L2 term: rate times the sum of squares, as keras.regularizers.l2."""
        return self.recipe["l2"] * sum(k.square().sum() for k in self.kernels)

    def step(self, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """One update; the batch's summed data loss and number right, on the device."""
        chosen = torch.from_numpy(rows).to(self.train_part.labels.device)
        labels = self.train_part.labels[chosen]
        logits = self.train_part.logits(self.network, rows)
        loss = F.cross_entropy(logits, labels, label_smoothing=self.recipe["label_smoothing"])
        self.optimizer.zero_grad(set_to_none=True)
        (loss + self.penalty()).backward()
        self.steps += 1
        if self.phase["optimizer"] == "adam":
            epsilon = keras_epsilon(self.recipe["epsilon"], self.recipe["adam_beta2"], self.steps)
            self.optimizer.param_groups[0]["eps"] = epsilon
        self.optimizer.step()
        return loss.detach() * len(rows), (logits.argmax(1) == labels).sum()

    def epoch(self, batches: list[np.ndarray], tick: training.Tick) -> dict[str, float]:
        """See Twin."""
        self.network.train()
        if self.phase["frozen"]:
            self.network.backbones.eval()
        loss = right = 0
        for rows in batches:
            batch_loss, batch_right = self.step(rows)
            loss, right = loss + batch_loss, right + batch_right
            tick(len(rows))
        n = sum(map(len, batches))
        with torch.no_grad():
            penalty = float(self.penalty())
        return {
            "train_loss": float(loss) / n,
            "train_accuracy": float(right) / n,
            "penalty": penalty,
        }

    @torch.no_grad()
    def log_probabilities(self) -> np.ndarray:
        """See Twin."""
        self.network.eval()
        batches = in_batches(len(self.test_part), self.recipe["batch_size"])
        answers = [self.test_part.logits(self.network, rows).log_softmax(1) for rows in batches]
        return torch.cat(answers).float().cpu().numpy()

    def environment(self) -> dict[str, Any]:
        """See Twin."""
        return environment(self.spec)


def train(spec: RunSpec, job: Job, progress: Progress) -> None:
    """Trains `spec` and writes the run's folder."""
    training.run(spec, job, progress, TorchTwin)
