"""Trains several runs of a head over a frozen CNN as one batched computation: Keras on JAX, by
jax.vmap. The losses of each member are those of the run alone (a test holds this in float64)."""

from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from impl_keras import activations, bridge
from impl_keras.models import make_optimizer, penalty
from impl_keras.step import backend
from impl_keras.train import KerasTraining
from protocols.images.pool import Pool
from protocols.runs.activations import Seen
from protocols.runs.checkpoint import Layout
from protocols.spec import RunSpec
from protocols.weights.start import OWN, Start


def _pointwise(layer: keras.layers.Conv2D, x: Any) -> Any:
    """Computes a 1x1 convolution without bias as a matrix product."""
    return ops.matmul(x, layer.kernel[0, 0])


class KerasFolds(KerasTraining):
    """The protocols.runs.twin.Twin of Keras on JAX with one member per run; the CNN is always
    frozen."""

    def __init__(self, specs: list[RunSpec], pool: Pool, start: Start = OWN) -> None:
        if backend.NAME != "jax":
            raise ValueError("Keras trains runs together on JAX only")
        if not specs[0].heads_only:
            raise ValueError("only heads over a frozen CNN train together")
        super().__init__(specs, pool, start)
        for _, layer in bridge.head_layers(self.network.body, self.network.classify):
            if isinstance(layer, keras.layers.LSTM | keras.layers.GRU):
                layer.use_cudnn = False  # cuDNN's layers have no rule for vmap
            elif isinstance(layer, keras.layers.Conv2D):  # 1x1; a mapped convolution is slow
                layer.call = partial(_pointwise, layer)
        heads = [self.network.make_head(spec) for spec in specs]
        for head, spec in zip(heads, specs, strict=True):
            bridge.begin_head(head, spec, start)
        self.members = [[np.array(v) for part in head for v in part.variables] for head in heads]

    def begin_phase(self, phase: dict[str, Any], stored: list[np.ndarray] | None) -> None:
        if stored is None:
            raise ValueError("runs that train together read stored features")
        super().begin_phase(phase, stored)
        parts = self.network.head_parts
        optimizer = make_optimizer(phase, self.recipe)
        self.step_function = backend.TogetherStep(self.loss, parts, parts, optimizer, self.members)
        mapped = self.step_function.mapped
        self._answers = mapped(self.network_log_probabilities)
        self._penalties = mapped(lambda: penalty(self.kernels, self.recipe["l2"]))

    def begin_epoch(self, orders: list[np.ndarray], keep: list[np.ndarray] | None) -> None:
        self.order = np.stack(orders)
        self.keep = None if keep is None else np.stack(keep)

    def read(self, figures: list[Any]) -> np.ndarray:
        return np.array(backend.on_host(figures)).swapaxes(1, 2)

    def penalty(self) -> list[float]:
        return [float(value) for value in self._penalties()]

    def log_probabilities(self, part: slice = slice(None)) -> list[np.ndarray]:
        test, size = np.stack(self.pool.evaluated)[:, part], self.recipe["batch_size"]
        parts = [
            self._answers(*self.batches.inputs(test[:, i : i + size], False))
            for i in range(0, test.shape[1], size)
        ]
        return list(np.concatenate(backend.on_host(parts), axis=1))

    def look(self, positions: list[np.ndarray]) -> list[Seen]:
        return [
            activations.look(
                self.network, self.spec, self.batches.images(p), self.step_function.member(i)
            )
            for i, p in enumerate(positions)
        ]

    def state(self) -> dict[str, np.ndarray]:
        found = {f"network/{i}": np.array(v) for i, v in enumerate(self.network.variables)}
        if hasattr(self, "step_function"):
            found |= {f"optimizer/{i}": v for i, v in enumerate(self.step_function.values)}
        return found

    def layout(self, phase: dict[str, Any], stepped: bool) -> Layout:
        """Gives the layout of the state; what the members train has a first axis of members."""
        head = self.network.head_parts
        weights = [v for part in head for v in part.trainable_variables]
        others = [v for part in head for v in part.non_trainable_variables]
        held = [*weights, *others, *self.optimizer_variables(phase)]
        found = {
            f"network/{i}": (v.dtype, (*v.shape,)) for i, v in enumerate(self.network.variables)
        }
        count = len(self.specs)
        return found | {f"optimizer/{i}": (v.dtype, (count, *v.shape)) for i, v in enumerate(held)}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        for i, variable in enumerate(self.network.variables):
            if f"network/{i}" in state:
                variable.assign(state[f"network/{i}"])
        if "optimizer/0" in state:
            count = sum(name.startswith("optimizer/") for name in state)
            self.step_function.values = [state[f"optimizer/{i}"] for i in range(count)]
