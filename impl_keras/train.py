"""Training in Keras: the compiled functions of a network, the step, the state."""

from typing import Any

import keras
import numpy as np
from keras import ops

from impl_keras import activations, bridge
from impl_keras.batches import Batches
from impl_keras.device import environment, prepare
from impl_keras.models import Network, at_least_float32, data_loss, make_optimizer, penalty
from impl_keras.recurrent import computed_by
from impl_keras.step import backend
from protocols.hardware import DeviceMemory
from protocols.images.pool import Pool, in_batches
from protocols.runs.activations import Seen
from protocols.runs.checkpoint import Layout
from protocols.spec import RunSpec
from protocols.weights.start import OWN, Start

TRACING_PAYS_AFTER = 12  # calls of a backbone on TensorFlow; a recurrent layer is always traced


class KerasTraining:
    """The part of protocols.runs.twin.Twin that is the same for one member and, on JAX, for
    several. It holds the network and its functions, and the loss."""

    phase: dict[str, Any]  # these three have the values of the phase that began last
    reads_images: bool
    step_function: Any
    order: np.ndarray  # the epoch's positions, (n,) or (members, n)
    keep: np.ndarray | None  # the units that dropout keeps, order.shape and an axis of units

    def __init__(self, specs: list[RunSpec], pool: Pool, start: Start = OWN) -> None:
        spec = specs[0]
        prepare(spec)
        self.specs, self.spec, self.recipe, self.pool = specs, spec, spec.recipe, pool
        on_gpu = spec.device != "cpu"
        self.batches = Batches(pool, on_gpu, on_gpu and pool.fits(backend.free_memory()))
        self.network = Network(spec)
        bridge.begin(self.network, spec, start)
        self.parameters = sum(int(np.prod(v.shape)) for v in self.network.variables)
        self.kernels = self.network.penalised() if self.recipe["l2"] else []
        self.momenta = [norm.momentum for norm in self.network.batch_norms()]
        self._compile()

    def _compile(self) -> None:
        """Makes the network's functions, traced only where enough calls pay for it."""
        size, backbone = self.recipe["batch_size"], self.network.backbone
        test, whole = (-(-n // size) for n in (len(self.pool.evaluated[0]), len(self.pool)))
        calls = sum(p["epochs"] * test for p in self.spec.phases if not p["stored"])
        calls += whole if self.spec.stores_features else 0
        self.backbone_functions = [
            self._compiled(lambda images, i=i: at_least_float32(backbone(i, images)), calls)
            for i in range(len(self.network.backbones))
        ]
        parts = self.network.parts
        self._head = backend.compiled(self.network_log_probabilities, parts, graph=True)

    def _compiled(self, function: Any, calls: int) -> Any:
        return backend.compiled(function, self.network.parts, calls > TRACING_PAYS_AFTER)

    def calibrate(self, batches: list[np.ndarray]) -> None:
        """Sets the moving statistics to the mean of the batches' own (biased) statistics.
        Each batch is normalised by its own statistics, as in training."""
        norms = self.network.batch_norms()
        for norm in norms:
            norm.momentum = 0.0  # the moving statistics become the batch's
        forward = self._compiled(
            lambda images: self.network.features(images, training=True), len(batches)
        )
        sums = [[0.0, 0.0] for _ in norms]
        for positions in batches:
            forward(*self.batches.inputs(positions, True))
            for total, norm in zip(sums, norms, strict=True):
                total[0] += ops.convert_to_numpy(norm.moving_mean) / len(batches)
                total[1] += ops.convert_to_numpy(norm.moving_variance) / len(batches)
        for norm, momentum, (mean, variance) in zip(norms, self.momenta, sums, strict=True):
            norm.momentum = momentum
            norm.moving_mean.assign(mean)
            norm.moving_variance.assign(variance)

    def backbone_features(self, number: int, positions: np.ndarray) -> np.ndarray:
        found = self.backbone_functions[number](*self.batches.inputs(positions, True))
        return ops.convert_to_numpy(ops.cast(found, "float32"))  # also from float64

    def begin_phase(self, phase: dict[str, Any], stored: list[np.ndarray] | None) -> None:
        self.phase = phase
        self.reads_images = stored is None or self.network.reads_images
        self.batches.keep_features(stored)

    def moved(self, phase: dict[str, Any]) -> list[keras.Layer]:
        """Gives the parts that a phase trains."""
        return self.network.head_parts if phase["frozen"] else self.network.parts

    def optimizer_variables(self, phase: dict[str, Any]) -> list[keras.Variable]:
        """Gives the variables of a new optimiser of the phase, in the host's memory."""
        with keras.device("cpu"):
            optimizer = make_optimizer(phase, self.recipe)
            optimizer.build([v for layer in self.moved(phase) for v in layer.trainable_variables])
        return optimizer.variables

    def step(self, start: int, stop: int) -> Any:
        positions = self.order[..., start:stop]
        inputs = self.batches.inputs(positions, self.reads_images)
        if self.keep is not None:
            inputs.append(self.keep[..., start:stop, :])
        return self.step_function(self.batches.labels[positions], *inputs)

    def loss(self, labels: Any, *inputs: Any) -> tuple[Any, list[Any]]:
        """Gives what a step minimises (data loss and penalty), and the batch's summed loss and
        number right. `inputs` are images if they are read, stored features if there are any, and
        dropout's units."""
        rest = list(inputs)
        images = rest.pop(0) if self.reads_images else None
        keep = rest.pop() if self.recipe["dropout"] else None
        by_batch = self.phase["batch_statistics"]
        features = rest or self.network.features(images, training=by_batch)
        logits = self.network.head(features, images, keep, training=True)
        losses = data_loss(at_least_float32(logits), labels, self.recipe["label_smoothing"])
        right = ops.cast(ops.equal(ops.argmax(logits, axis=1), labels), losses.dtype)
        total = ops.mean(losses) + penalty(self.kernels, self.recipe["l2"])
        return total, [ops.sum(losses), ops.sum(right)]

    def network_log_probabilities(self, *inputs: Any) -> Any:
        """Gives log probabilities (n, 4) of the images, if they are read, and the backbones'
        features."""
        rest = list(inputs)
        images = rest.pop(0) if self.network.reads_images else None
        return ops.log_softmax(at_least_float32(self.network.head(rest, images)))

    def spare_memory(self) -> bool:
        return self.batches.evict()

    def device_memory(self) -> DeviceMemory:
        return backend.device_memory()

    @property
    def engine(self) -> str:
        return backend.computes_by()

    def environment(self) -> dict[str, Any]:
        return environment(self.spec) | {"recurrent": computed_by(self.network, self.spec)}


class KerasTwin(KerasTraining):
    """The protocols.runs.twin.Twin of Keras with one member."""

    def begin_phase(self, phase: dict[str, Any], stored: list[np.ndarray] | None) -> None:
        super().begin_phase(phase, stored)
        for norm, momentum in zip(self.network.batch_norms(), self.momenta, strict=True):
            norm.momentum = 1.0 if phase["frozen"] else momentum  # 1 keeps the moving statistics
        self.optimizer = make_optimizer(phase, self.recipe)
        head, whole = self.network.head_parts, self.network.parts
        self.step_function = backend.TrainStep(
            self.loss,
            whole if stored is None else head,  # the layers that the step reads
            self.moved(phase),
            self.optimizer,
        )

    def begin_epoch(self, orders: list[np.ndarray], keep: list[np.ndarray] | None) -> None:
        (self.order,) = orders
        self.keep = None if keep is None else keep[0]

    def read(self, figures: list[Any]) -> np.ndarray:
        return np.array(backend.on_host(figures))[:, None]

    def penalty(self) -> list[float]:
        self.step_function.sync()
        return [float(penalty(self.kernels, self.recipe["l2"]))]

    def log_probabilities(self, part: slice = slice(None)) -> list[np.ndarray]:
        self.step_function.sync()
        answers = []
        for positions in in_batches(self.pool.evaluated[0][part], self.recipe["batch_size"]):
            inputs = self.batches.inputs(positions, self.reads_images)
            if self.batches.features is None:
                features = [backbone(inputs[0]) for backbone in self.backbone_functions]
                inputs = [*inputs, *features] if self.network.reads_images else features
            answers.append(self._head(*inputs))
        return [np.concatenate(backend.on_host(answers))]

    def look(self, positions: list[np.ndarray]) -> list[Seen]:
        self.step_function.sync()
        (images,) = (self.batches.images(p) for p in positions)
        return [activations.look(self.network, self.spec, images)]

    def _stateful(self) -> dict[str, keras.Variable]:
        found = {f"network/{i}": v for i, v in enumerate(self.network.variables)}
        if hasattr(self, "optimizer"):
            found |= {f"optimizer/{i}": v for i, v in enumerate(self.optimizer.variables)}
        return found

    def state(self) -> dict[str, np.ndarray]:
        if hasattr(self, "step_function"):
            self.step_function.sync()
        return {name: np.array(v) for name, v in self._stateful().items()}

    def layout(self, phase: dict[str, Any], stepped: bool) -> Layout:
        """Gives the layout of the state; Keras makes what an optimiser keeps before the first
        step."""
        found = {f"network/{i}": v for i, v in enumerate(self.network.variables)}
        found |= {f"optimizer/{i}": v for i, v in enumerate(self.optimizer_variables(phase))}
        return {name: (v.dtype, tuple(v.shape)) for name, v in found.items()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        if hasattr(self, "step_function"):
            self.step_function.sync()
        variables = self._stateful()
        for name, value in state.items():
            variables[name].assign(value)
