"""TensorFlow's side of Keras: the device, and compiled functions. Twin: step_jax.py."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

NAME = "tensorflow"
VERSION = tf.__version__
ENGINE = "graph"  # tf.function
Function = Callable[..., Any]


def gpu_name() -> str | None:
    """The GPU that TensorFlow really sees, by the driver's name; None without one."""
    gpus = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(gpus[0])["device_name"] if gpus else None


def prepare(threads: int) -> None:
    """Threads, memory on demand, float32 proper (no TF32); before anything is computed.

    Raises RuntimeError if another number of threads is in force already.
    """
    if tf.config.threading.get_intra_op_parallelism_threads() != threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_tensor_float_32_execution(False)
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if not gpus:  # measured on a CPU: seconds a graph saved, no slower a step
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def compiled(function: Function, layers: list[keras.Layer], graph: bool) -> Function:
    """`function(*arrays)`, which reads and assigns variables of `layers`, as one fast call.

    With `graph` it is traced once for all batch sizes; without, it runs operation by operation.
    """
    traced = None

    def call(*arrays: np.ndarray) -> Any:
        nonlocal traced
        tensors = [tf.convert_to_tensor(a) for a in arrays]
        if not graph:
            return function(*tensors)
        if traced is None:
            signature = [tf.TensorSpec((None, *t.shape[1:]), t.dtype) for t in tensors]
            traced = tf.function(function, input_signature=signature)
        return traced(*tensors)

    return call


class TrainStep:
    """One update of `trained` by `loss(*arrays) -> (to minimise, figures)`; gives the figures."""

    def __init__(
        self,
        loss: Function,
        layers: list[keras.Layer],
        trained: list[keras.Layer],
        optimizer: keras.optimizers.Optimizer,
    ) -> None:
        variables = [v for layer in trained for v in layer.trainable_variables]
        optimizer.build(variables)

        def step(*arrays: Any) -> Any:
            with tf.GradientTape() as tape:
                total, figures = loss(*arrays)
            gradients = tape.gradient(total, [v.value for v in variables])
            optimizer.apply(gradients, variables)
            return figures

        self._step = compiled(step, layers, graph=True)

    def __call__(self, *arrays: np.ndarray) -> Any:
        return self._step(*arrays)

    def sync(self) -> None:
        """Nothing to do: the variables were assigned in place."""
