"""TensorFlow's side of Keras: the device, and compiled functions. Its counterpart is
step_jax.py."""

import contextlib
import os
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from protocols import nvidia
from protocols.hardware import NO_DEVICE, DeviceMemory
from protocols.spec import RunSpec

NAME = "tensorflow"
ENGINE = "graph"  # tf.function
Function = Callable[..., Any]
# Keras's operations need no AutoGraph, which writes a file for each function it rewrites
graph_of = partial(tf.function, autograph=False)


def gpu_name() -> str | None:
    """Gives the name, by the driver, of the GPU that TensorFlow sees; None without one."""
    gpus = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(gpus[0])["device_name"] if gpus else None


def _asked_for_onednn() -> bool:
    return os.environ.get("TF_ENABLE_ONEDNN_OPTS", "").lower() in ("1", "true")


def versions() -> dict[str, str]:
    """Gives the version of TensorFlow, and whether it runs without oneDNN.
    The bits differ with and without oneDNN, so neither takes a checkpoint or a feature of the
    other."""
    return {NAME: tf.__version__ + ("" if _asked_for_onednn() else " without oneDNN")}


def computes_by() -> str:
    """Gives the engine of a run, and on a CPU whether oneDNN was asked for."""
    return ENGINE if gpu_name() else f"{ENGINE}, oneDNN {'on' if _asked_for_onednn() else 'off'}"


def prepare(spec: RunSpec) -> None:
    """Sets threads, memory on demand, precision and determinism; called before anything is
    computed. The precision is full float32 unless the run says TF32. On a CPU operations are always
    deterministic, which costs nothing measurable there. As many operations as there are threads may
    run at once, as the two directions of an LSTM or the branches of InceptionV3, which was measured
    to move no bit (docs/benchmarks.md). Raises RuntimeError if other numbers of threads are in
    force."""
    threads, threading = spec.threads, tf.config.threading
    if threading.get_intra_op_parallelism_threads() != threads:
        threading.set_intra_op_parallelism_threads(threads)
    if threading.get_inter_op_parallelism_threads() != threads:
        threading.set_inter_op_parallelism_threads(threads)
    tf.config.experimental.enable_tensor_float_32_execution(spec.precision == "tf32")
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if spec.deterministic or not gpus:
        tf.config.experimental.enable_op_determinism()
    if gpus:
        tf.config.experimental.reset_memory_stats("GPU:0")
    else:  # measured on a CPU: it saves seconds per graph, and no step is slower
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def free_memory() -> int:
    """Gives the number of free bytes on the GPU, by its driver; what this process holds is not
    free."""
    return nvidia.memory("free")


def device_memory() -> DeviceMemory:
    """Gives the peak of the device's memory since `prepare`, in bytes."""
    if not tf.config.list_physical_devices("GPU"):
        return NO_DEVICE
    return NO_DEVICE | {
        "device_peak_bytes": tf.config.experimental.get_memory_info("GPU:0")["peak"]
    }


def compiled(function: Function, layers: list[keras.Layer], graph: bool) -> Function:
    """Gives `function(*arrays)`, which reads and assigns variables of `layers`, as one fast call.

    With `graph` the function is traced once for all batch sizes; without, it runs operation by
    operation.
    """
    traced = None

    def call(*arrays: np.ndarray) -> Any:
        nonlocal traced
        tensors = [tf.convert_to_tensor(a) for a in arrays]
        if not graph:
            return function(*tensors)
        if traced is None:
            signature = [tf.TensorSpec((None, *t.shape[1:]), t.dtype) for t in tensors]
            traced = graph_of(function, input_signature=signature)
        return traced(*tensors)

    return call


def on_host(results: list[Any]) -> list[Any]:
    """Gives NumPy arrays for tensors, or for lists of tensors; call it when nothing more is to be
    computed."""
    return tf.nest.map_structure(lambda tensor: tensor.numpy(), results)


@contextlib.contextmanager
def eagerly() -> Iterator[None]:
    """Makes graphs inside run operation by operation: for a few calls, tracing takes longer."""
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


def gradient(function: Function, arrays: list[Any]) -> tuple[Any, list[Any]]:
    """Calls `function(*arrays) -> (scalar, more)`; gives `more`, and the scalar's gradient by each
    array."""
    tensors = [tf.convert_to_tensor(a) for a in arrays]
    with eagerly(), tf.GradientTape() as tape:
        tape.watch(tensors)
        scalar, more = function(*tensors)
    return more, tape.gradient(scalar, tensors)


class TrainStep:
    """One update of `trained` by `loss(*arrays) -> (to minimise, figures)`; a call gives the
    figures."""

    def __init__(
        self,
        loss: Function,
        layers: list[keras.Layer],
        trained: list[keras.Layer],
        optimizer: keras.optimizers.Optimizer,
    ) -> None:
        variables = [v for layer in trained for v in layer.trainable_variables]
        optimizer.build(variables)

        def gradients(*arrays: Any) -> Any:
            with tf.GradientTape() as tape:
                total, figures = loss(*arrays)
            return tape.gradient(total, [v.value for v in variables]), figures

        def step(*arrays: Any) -> Any:
            found, figures = gradients(*arrays)
            # without merge_call Keras sums gradients over replicas by an operation whose gradient
            # TensorFlow registers for good, and the graph with it: 0.5 GB per thawed InceptionV3
            replica = tf.distribute.get_replica_context()
            replica.merge_call(lambda _: optimizer.apply(found, variables))
            return figures

        self._step = compiled(step, layers, graph=True)
        self._gradients = compiled(gradients, layers, graph=False)
        self._variables = variables

    def __call__(self, *arrays: np.ndarray) -> Any:
        return self._step(*arrays)

    def gradients(self, *arrays: np.ndarray) -> list[tuple[keras.Variable, Any]]:
        """Gives the gradients of a step by variable; moving statistics move, no weight does."""
        return list(zip(self._variables, self._gradients(*arrays)[0], strict=True))

    def sync(self) -> None:
        """Does nothing: the variables were assigned in place."""


def operations(
    function: Function, layers: list[keras.Layer], arrays: list[tuple[tuple[int, ...], str]]
) -> set[str]:
    """Gives the names of all operations of a trace of `function`, those inside loops and calls
    included; `arrays` are the shape and the type of each argument."""
    signature = [tf.TensorSpec(*array) for array in arrays]
    graph = graph_of(function, input_signature=signature).get_concrete_function().graph
    definition = graph.as_graph_def()
    inner = [node.op for one in definition.library.function for node in one.node_def]
    return {node.op for node in definition.node} | set(inner)


def engines(
    function: Function, layers: list[keras.Layer], shape: tuple[int | None, ...], compile_too: bool
) -> dict[str, Function]:
    """Gives the ways to compute `function(images)`, with images uint8 of `shape`, by name.

    "folded" is a graph whose weights are constants, with batch normalisation folded into
    convolutions.
    """
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})  # this folds
    signature = [tf.TensorSpec(shape, tf.uint8)]
    graph = graph_of(function, input_signature=signature)

    @cache
    def folded() -> Function:
        return convert_variables_to_constants_v2(graph.get_concrete_function())

    ways = {"eager": function, "graph": graph, "folded": lambda images: folded()(images)[0]}
    if compile_too:
        ways["XLA"] = graph_of(function, jit_compile=True)
    return {
        name: lambda images, way=way: way(tf.convert_to_tensor(images))
        for name, way in ways.items()
    }
