"""Measures the latency of one variant in Keras, in a process of its own, timed from its start.

python -m impl_keras.latency all|cold FOLDER IMAGES JPEG (protocols.runs.latency.latency_main)
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from keras import ops

from impl_keras.device import environment, prepare
from impl_keras.models import Network
from impl_keras.recurrent import computed_by
from impl_keras.step import backend
from protocols.hardware import DeviceMemory
from protocols.runs.latency import Predict, latency_main
from protocols.spec import RunSpec


def engines(network: Network, spec: RunSpec, compile_too: bool) -> dict[str, Predict]:
    """Gives the engines by name; each gives the same probabilities: uint8 (n, h, w, 3) -> (n, 4),
    on the host."""

    def answer(images: Any) -> Any:
        return ops.softmax(ops.cast(network.logits(images), "float32"))

    def on_host(way: Callable[..., Any], images: np.ndarray) -> np.ndarray:
        return ops.convert_to_numpy(way(images))

    shape = (None, spec.data["height"], spec.data["width"], 3)
    ways = backend.engines(answer, network.parts, shape, compile_too)
    return {name: partial(on_host, way) for name, way in ways.items()}


class KerasLatency:
    """The protocols.runs.latency.LatencyTwin of Keras."""

    default = backend.ENGINE
    first = "eager" if default == "graph" else default  # for a single answer nothing is traced

    def __init__(self, spec: RunSpec) -> None:
        prepare(spec)
        self.spec, self.network = spec, Network(spec)

    def engines(self, everything: bool) -> dict[str, Predict]:
        """Gives the engines; compilers only on a GPU, as on a CPU they take minutes per network."""
        return engines(self.network, self.spec, everything and self.spec.device != "cpu")

    def environment(self) -> dict[str, Any]:
        return environment(self.spec) | {"recurrent": computed_by(self.network, self.spec)}

    def device_memory(self) -> DeviceMemory:
        return backend.device_memory()


if __name__ == "__main__":
    latency_main(KerasLatency)
