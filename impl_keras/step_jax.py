"""JAX's side of Keras: the device, and compiled functions. Twin: step_tensorflow.py."""

from collections.abc import Callable
from typing import Any

import jax
import keras
import numpy as np

NAME = "jax"
VERSION = jax.__version__
ENGINE = "jit"  # XLA
Function = Callable[..., Any]


def gpu_name() -> str | None:
    """The GPU that JAX really sees, by the driver's name; None without one."""
    device = jax.devices()[0]
    return device.device_kind if device.platform == "gpu" else None


def prepare(threads: int) -> None:
    """float32 proper (no TF32); the launcher limits XLA's threads at start."""
    jax.config.update("jax_default_matmul_precision", "highest")


def compiled(function: Function, layers: list[keras.Layer], graph: bool) -> Function:
    """`function(*arrays)`, which reads and assigns variables of `layers`, as one fast call.

    Always compiled, once for each batch size.
    """
    variables = _variables(layers)

    @jax.jit
    def pure(values: list[Any], *arrays: Any) -> Any:
        with keras.StatelessScope(_pairs(variables, values)) as scope:
            result = function(*arrays)
            after = [scope.get_current_value(v) for v in variables]
        assigned = {i: new for i, new in enumerate(after) if new is not values[i]}
        return result, assigned

    def call(*arrays: np.ndarray) -> Any:
        result, assigned = pure([v.value for v in variables], *arrays)
        for number, value in assigned.items():
            variables[number].assign(value)
        return result

    return call


class TrainStep:
    """One update of `trained` by `loss(*arrays) -> (to minimise, figures)`; gives the figures.

    The state lives here between steps; `sync` writes it back to the variables.
    """

    def __init__(
        self,
        loss: Function,
        layers: list[keras.Layer],
        trained: list[keras.Layer],
        optimizer: keras.optimizers.Optimizer,
    ) -> None:
        weights = [v for layer in trained for v in layer.trainable_variables]
        own = {id(v) for v in weights}
        others = [v for v in _variables(layers) if id(v) not in own]
        optimizer.build(weights)
        self._variables = [weights, others, optimizer.variables]
        self._state: list[list[Any]] | None = None

        def step(state: list[list[Any]], *arrays: Any) -> Any:
            def objective(values: list[Any]) -> Any:
                pairs = _pairs(weights, values) + _pairs(others, state[1])
                with keras.StatelessScope(pairs) as scope:
                    total, figures = loss(*arrays)
                    return total, (figures, [scope.get_current_value(v) for v in others])

            gradient = jax.value_and_grad(objective, has_aux=True)
            (_, (figures, rest)), gradients = gradient(state[0])
            values, slots = optimizer.stateless_apply(state[2], gradients, state[0])
            return figures, [values, rest, slots]

        self._step = jax.jit(step, donate_argnums=0)

    def __call__(self, *arrays: np.ndarray) -> Any:
        if self._state is None:
            self._state = [[v.value + 0 for v in group] for group in self._variables]
        figures, self._state = self._step(self._state, *arrays)
        return figures

    def sync(self) -> None:
        """Writes weights, statistics and optimiser state back to their variables."""
        if self._state is not None:
            for group, values in zip(self._variables, self._state, strict=True):
                for variable, value in zip(group, values, strict=True):
                    variable.assign(value)
            self._state = None


def _variables(layers: list[keras.Layer]) -> list[keras.Variable]:
    return [v for layer in layers for v in layer.variables]


def _pairs(variables: list[keras.Variable], values: list[Any]) -> list[tuple[Any, Any]]:
    return list(zip(variables, values, strict=True))
