"""The Keras twin on the parity ladder: the twin that trains, by the keys of the bridge."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from keras import layers, ops

from impl_keras import bridge
from impl_keras.models import make_optimizer, preprocess
from impl_keras.step import backend
from impl_keras.train import KerasTwin
from protocols.images.pool import Pool
from protocols.runs.parity import GivenSide
from protocols.spec import RunSpec
from protocols.weights.start import Arrays


class KerasSide(GivenSide):
    """The GivenSide of Keras; it makes steps on TensorFlow only."""

    twin: KerasTwin

    def __init__(self, spec: RunSpec, pool: Pool) -> None:
        self.twin = KerasTwin([spec], pool)
        self.network = self.twin.network
        self.names = self.network.variant.backbones
        self.variables = bridge.variables(self.network)
        self.keys = {id(variable): key for key, variable in self.variables.items()}

    def _of(self, keys: Iterable[str]) -> bridge.Variables:
        return {key: self.variables[key] for key in keys}

    def weights(self, keys: Iterable[str] = ()) -> Arrays:
        return bridge.read(self._of(keys or self.variables))

    def take(self, arrays: Arrays) -> None:
        bridge.write(self._of(arrays), arrays)

    def inputs(self, positions: np.ndarray) -> Arrays:
        images = self.twin.batches.images(positions)
        dtype = self.network.dtype
        found = {name: preprocess(name, images, dtype) for name in self.names}
        if self.network.reads_images:
            found["rows"] = self.network.body.get_layer("grey")(ops.convert_to_tensor(images))
        return {name: ops.convert_to_numpy(x) for name, x in found.items()}

    def features(self, positions: np.ndarray) -> Arrays:
        images = self.twin.batches.images(positions)
        parts = zip(self.names, self.twin.backbone_functions, strict=True)
        return {name: ops.convert_to_numpy(backbone(images)) for name, backbone in parts}

    def probabilities(self) -> np.ndarray:
        with backend.eagerly():
            return super().probabilities()

    def values(self) -> dict[str, int]:
        models = [*self.network.backbones, self.network.body]
        norms = [
            layer
            for model in models
            for layer in model.layers
            if isinstance(layer, layers.BatchNormalization)
        ]
        shapes = {self.keys[id(x.moving_variance)]: x.output.shape for x in norms}
        return {key: height * width for key, (_, height, width, _) in shapes.items()}

    def begin(self, phase: dict[str, Any], order: np.ndarray, stored: Arrays | None = None) -> None:
        self.twin.begin_phase(phase, list(stored.values()) if stored else None)
        self.twin.begin_epoch([order], None)
        self.apart = make_optimizer(phase, self.twin.recipe)

    def apply(self, gradients: Arrays) -> None:
        variables = [self.variables[key] for key in gradients]
        self.apart.apply([ops.convert_to_tensor(g) for g in gradients.values()], variables)

    def step_gradients(self, start: int, stop: int) -> tuple[float, float, Arrays]:
        """Gives the step's loss, penalty and gradients.
        The gradients are computed once more before the step, and the network is set back. The step
        is not traced: tracing would take longer than this one step."""
        before, positions = self.weights(), self.twin.order[start:stop]
        labels = self.twin.batches.labels[positions]
        inputs = self.twin.batches.inputs(positions, self.twin.reads_images)
        found = self.twin.step_function.gradients(labels, *inputs)
        self.take(before)
        gradients = {self.keys[id(v)]: ops.convert_to_numpy(g) for v, g in found}
        with backend.eagerly():
            return *self.step(start, stop), gradients
