"""JAX's side of Keras: the device, and compiled functions. Its counterpart is
step_tensorflow.py."""

import contextlib
import os
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import jaxlib.version
import keras
import numpy as np

from protocols.hardware import DETERMINISTIC, NO_DEVICE, DeviceMemory
from protocols.spec import RunSpec

NAME = "jax"
ENGINE = "jit"  # XLA
Function = Callable[..., Any]


def gpu_name() -> str | None:
    """Gives the name, by the driver, of the GPU that JAX sees; None without one."""
    device = jax.devices()[0]
    return device.device_kind if device.platform == "gpu" else None


def versions() -> dict[str, str]:
    """Gives the versions of JAX and of jaxlib, a package of its own, which has XLA."""
    return {NAME: jax.__version__, "jaxlib": jaxlib.version.__version__}


def computes_by() -> str:
    """Gives the engine of a run."""
    return ENGINE


def prepare(spec: RunSpec) -> None:
    """Sets full float32 unless the run says TF32.
    The launcher limits XLA's threads, and on a GPU asks XLA for determinism, at the start of the
    process. Raises RuntimeError if a deterministic run on a GPU doesn't find that asked for."""
    wanted = "tensorfloat32" if spec.precision == "tf32" else "highest"
    jax.config.update("jax_default_matmul_precision", wanted)
    if spec.deterministic and gpu_name() and DETERMINISTIC not in os.environ.get("XLA_FLAGS", ""):
        raise RuntimeError(f"XLA_FLAGS lacks {DETERMINISTIC}, which --deterministic needs")


def free_memory() -> int:
    """Gives the number of bytes that JAX may still use on the GPU."""
    stats = jax.devices()[0].memory_stats()
    return stats["bytes_limit"] - stats["bytes_in_use"]


def device_memory() -> DeviceMemory:
    """Gives the peaks of the device's memory since the process began, in bytes."""
    stats = jax.devices()[0].memory_stats() if gpu_name() else None
    if not stats:
        return NO_DEVICE
    names = {"device_peak_bytes": "peak_bytes_in_use", "device_reserved_bytes": "peak_pool_bytes"}
    return {ours: stats.get(theirs) for ours, theirs in names.items()}


def compiled(function: Function, layers: list[keras.Layer], graph: bool) -> Function:
    """Gives `function(*arrays)`, which reads and assigns variables of `layers`, as one fast call.

    The function is always compiled, once for each batch size.
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


def on_host(results: list[Any]) -> list[Any]:
    """Gives NumPy arrays for arrays, or for lists of arrays: all are copied at once, waited for
    once."""
    return jax.device_get(results)


def eagerly() -> contextlib.AbstractContextManager:
    """Changes nothing: JAX always compiles here. In step_tensorflow this function has an effect."""
    return contextlib.nullcontext()


def gradient(function: Function, arrays: list[Any]) -> tuple[Any, list[Any]]:
    """Calls `function(*arrays) -> (scalar, more)`; gives `more`, and the scalar's gradient by each
    array."""
    by_all = jax.grad(function, argnums=tuple(range(len(arrays))), has_aux=True)
    gradients, more = by_all(*arrays)
    return more, list(gradients)


class TrainStep:
    """One update of `trained` by `loss(*arrays) -> (to minimise, figures)`; a call gives the
    figures. The state lives in this object between steps; `sync` writes the state back to the
    variables."""

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
        self._state: list[list[Any]] = []  # where it is empty, the variables hold the state

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

        self._step = jax.jit(self._mapped(step), donate_argnums=0)

    def _mapped(self, step: Function) -> Function:
        return step

    def __call__(self, *arrays: np.ndarray) -> Any:
        if not self._state:
            self._state = [[v.value + 0 for v in group] for group in self._variables]
        figures, self._state = self._step(self._state, *arrays)
        return figures

    def sync(self) -> None:
        """Writes weights, statistics and optimiser state back to their variables."""
        if self._state:
            for group, values in zip(self._variables, self._state, strict=True):
                for variable, value in zip(group, values, strict=True):
                    variable.assign(value)
            self._state = []


class TogetherStep(TrainStep):
    """A TrainStep of several members at once (jax.vmap): each array has a first axis of members.

    The state stays in this object: `values` by variable, each with a first axis of members.
    """

    def __init__(
        self,
        loss: Function,
        layers: list[keras.Layer],
        trained: list[keras.Layer],
        optimizer: keras.optimizers.Optimizer,
        members: list[list[np.ndarray]],
    ) -> None:
        """Takes `members`: for each, the values of all variables of `layers`, in their order."""
        super().__init__(loss, layers, trained, optimizer)
        stacked = [jnp.stack(values) for values in zip(*members, strict=True)]
        by_variable = {id(v): x for v, x in zip(_variables(layers), stacked, strict=True)}
        self._state = [[by_variable[id(v)] for v in group] for group in self._variables[:2]]
        self._state.append([jnp.stack([v.value] * len(members)) for v in optimizer.variables])

    def _mapped(self, step: Function) -> Function:
        return jax.vmap(step)

    def sync(self) -> None:
        """Does nothing: the variables hold no member."""

    @property
    def values(self) -> list[np.ndarray]:
        """The weights, the other variables, the optimiser's state."""
        return [np.asarray(value) for group in self._state for value in group]

    @values.setter
    def values(self, found: list[np.ndarray]) -> None:
        given = iter(found)
        self._state = [[jnp.asarray(next(given)) for _ in group] for group in self._state]

    def member(self, number: int) -> keras.StatelessScope:
        """Gives a scope in which the variables have one member's values."""
        values = [value[number] for value in self._state[0] + self._state[1]]
        return keras.StatelessScope(_pairs(self._variables[0] + self._variables[1], values))

    def mapped(self, function: Function) -> Function:
        """Gives `function(*arrays)` of every member, computed with the member's variables."""
        one = _stateless(function, self._variables[0] + self._variables[1])
        pure = jax.jit(jax.vmap(one))
        return lambda *arrays: pure(self._state[0] + self._state[1], *arrays)


def engines(
    function: Function, layers: list[keras.Layer], shape: tuple[int | None, ...], compile_too: bool
) -> dict[str, Function]:
    """Gives the ways to compute `function(images)`, by name. See step_tensorflow.

    There is only one. Operation by operation an answer of InceptionV3 took ten times the processor
    time on a CPU, and the first answer five times.
    """
    return {ENGINE: compiled(function, layers, graph=True)}


def operations(
    function: Function, layers: list[keras.Layer], arrays: list[tuple[tuple[int, ...], str]]
) -> set[str]:
    """Gives the names of all operations of a trace of `function`, which reads variables of
    `layers`; `arrays` are the shape and the type of each argument."""
    variables = _variables(layers)
    inputs = [jax.ShapeDtypeStruct(*array) for array in arrays]
    pure = _stateless(function, variables)
    trace = jax.make_jaxpr(pure)([v.value for v in variables], *inputs)
    return _names(trace.jaxpr)


def _stateless(function: Function, variables: list[keras.Variable]) -> Function:
    """Gives `function(*arrays)` as a function of `variables` too, whose values come first."""

    def pure(values: list[Any], *arrays: Any) -> Any:
        with keras.StatelessScope(_pairs(variables, values)):
            return function(*arrays)

    return pure


def _names(trace: Any) -> set[str]:
    """Gives the names of a trace's operations, and of those inside loops and calls."""
    found = set()
    for equation in trace.eqns:
        found.add(equation.primitive.name)
        for value in equation.params.values():
            for one in value if isinstance(value, list | tuple) else [value]:
                inner = getattr(one, "jaxpr", one)
                found |= _names(inner) if hasattr(inner, "eqns") else set()
    return found


def _variables(layers: list[keras.Layer]) -> list[keras.Variable]:
    return [v for layer in layers for v in layer.variables]


def _pairs(variables: list[keras.Variable], values: list[Any]) -> list[tuple[Any, Any]]:
    return list(zip(variables, values, strict=True))
