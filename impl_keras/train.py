"""Training in Keras: compiled functions of a network, the step, the epoch."""

from typing import Any

import numpy as np
from keras import ops

from impl_keras.device import environment, prepare
from impl_keras.models import Network, data_loss, make_optimizer, penalty
from impl_keras.step import backend
from protocols import training
from protocols.files import Progress
from protocols.images import ImageSet
from protocols.serve import Job
from protocols.spec import RunSpec
from protocols.training import in_batches

TRACING_PAYS_AFTER = 12  # calls of a backbone on TensorFlow; a recurrent layer is always traced
MANY = TRACING_PAYS_AFTER + 1


class Part:
    """The training or the test part of a run."""

    def __init__(self, images: ImageSet, indices: np.ndarray) -> None:
        self.indices = indices
        self.labels = images.labels[indices].astype(np.int32)
        self.pixels = images.pixels
        self.features: list[np.ndarray] = []

    def __len__(self) -> int:
        return len(self.indices)

    def inputs(self, rows: np.ndarray) -> list[np.ndarray]:
        """What the network reads: uint8 images (n, h, w, 3), then stored features, if any."""
        return [self.pixels[self.indices[rows]], *(f[rows] for f in self.features)]


class KerasTwin:
    """protocols.training.Twin in Keras."""

    def __init__(
        self, spec: RunSpec, images: ImageSet, train_rows: np.ndarray, test_rows: np.ndarray
    ) -> None:
        prepare(spec)
        self.spec, self.recipe = spec, spec.recipe
        self.train_part, self.test_part = Part(images, train_rows), Part(images, test_rows)
        self.network = Network(spec)
        self.kernels = self.network.penalised() if self.recipe["l2"] else []
        self._features = self._compiled(self.network.features, self._feature_calls())
        self._answers = self._compiled(self._log_probabilities, MANY)

    def _feature_calls(self) -> int:
        """How often backbones will run in inference mode."""
        test_batches = len(in_batches(len(self.test_part), self.recipe["batch_size"]))
        train_batches = len(in_batches(len(self.train_part), self.recipe["batch_size"]))
        return sum(
            train_batches + test_batches if phase["frozen"] else test_batches * phase["epochs"]
            for phase in self.spec.phases
        )

    def _compiled(self, function: Any, calls: int) -> Any:
        """Traced only where it will be called so often that tracing pays."""
        return backend.compiled(function, self.network.parts, calls > TRACING_PAYS_AFTER)

    def _log_probabilities(self, images: Any, *features: Any) -> Any:
        return ops.log_softmax(self.network.logits(images, list(features)))

    def calibrate(self, batches: list[np.ndarray]) -> None:
        """See Twin. The mean over the batches' own (biased) statistics; each batch runs through
        normalised by its own, as in training."""
        norms = self.network.batch_norms()
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.momentum = 0.0  # the moving statistics become the batch's
        forward = self._compiled(
            lambda images: self.network.features(images, training=True), len(batches)
        )
        sums = [[0.0, 0.0] for _ in norms]
        for rows in batches:
            forward(*self.train_part.inputs(rows))
            for total, norm in zip(sums, norms, strict=True):
                total[0] += ops.convert_to_numpy(norm.moving_mean) / len(batches)
                total[1] += ops.convert_to_numpy(norm.moving_variance) / len(batches)
        for norm, momentum, (mean, variance) in zip(norms, momenta, sums, strict=True):
            norm.momentum = momentum
            norm.moving_mean.assign(mean)
            norm.moving_variance.assign(variance)

    def begin_phase(self, phase: dict[str, Any]) -> None:
        """See Twin. Frozen backbones' features are computed once, inference mode, float32."""
        for part in (self.train_part, self.test_part):
            part.features = []
            if phase["frozen"]:
                part.features = self._keep_features(part)
        self.step = backend.TrainStep(
            self.loss,
            self.network.parts,
            [self.network.head] if phase["frozen"] else self.network.parts,
            make_optimizer(phase, self.recipe),
        )

    def _keep_features(self, part: Part) -> list[np.ndarray]:
        batches = in_batches(len(part), self.recipe["batch_size"])
        parts = [self._features(*part.inputs(rows)) for rows in batches]
        return [
            np.concatenate([ops.convert_to_numpy(p) for p in column])
            for column in zip(*parts, strict=True)
        ]

    def loss(self, labels: Any, images: Any, *features: Any) -> tuple[Any, list[Any]]:
        """What a step minimises (data loss and penalty); the batch's summed loss, number right."""
        logits = self.network.logits(images, list(features) or None, training=True)
        losses = data_loss(logits, labels, self.recipe["label_smoothing"])
        right = ops.cast(ops.equal(ops.argmax(logits, axis=1), labels), losses.dtype)
        total = ops.mean(losses) + penalty(self.kernels, self.recipe["l2"])
        return total, [ops.sum(losses), ops.sum(right)]

    def epoch(self, batches: list[np.ndarray], tick: training.Tick) -> dict[str, float]:
        """See Twin."""
        sums = []
        for rows in batches:
            sums.append(self.step(self.train_part.labels[rows], *self.train_part.inputs(rows)))
            tick(len(rows))
        self.step.sync()
        n = sum(map(len, batches))
        return {
            "train_loss": sum(float(loss) for loss, _ in sums) / n,
            "train_accuracy": sum(float(right) for _, right in sums) / n,
            "penalty": float(penalty(self.kernels, self.recipe["l2"])),
        }

    def log_probabilities(self) -> np.ndarray:
        """See Twin."""
        part, answers = self.test_part, []
        for rows in in_batches(len(part), self.recipe["batch_size"]):
            images, *features = part.inputs(rows)
            answers.append(self._answers(images, *(features or self._features(images))))
        return np.concatenate([ops.convert_to_numpy(a) for a in answers])

    def environment(self) -> dict[str, Any]:
        """See Twin."""
        return environment(self.spec)


def train(spec: RunSpec, job: Job, progress: Progress) -> None:
    """Trains `spec` and writes the run's folder."""
    training.run(spec, job, progress, KerasTwin)
