"""Latency of one variant in Keras: a process of its own, timed from its start.

python -m impl_keras.latency all|cold FOLDER IMAGES JPEG (protocols.timing.latency_main)
"""

from typing import Any

import numpy as np
from keras import ops

from impl_keras.device import environment, prepare
from impl_keras.models import Network
from impl_keras.step import backend
from protocols.spec import RunSpec
from protocols.timing import latency_main


class KerasLatency:
    """protocols.timing.LatencyTwin in Keras."""

    engine = backend.ENGINE

    def __init__(self, spec: RunSpec) -> None:
        prepare(spec)
        self.spec, self.network = spec, Network(spec)
        self._traced = backend.compiled(self._probabilities, self.network.parts, graph=True)
        self._first = self._traced
        if backend.ENGINE == "graph":
            self._first = backend.compiled(self._probabilities, self.network.parts, graph=False)

    def _probabilities(self, images: Any) -> Any:
        return ops.softmax(self.network.logits(images, None))

    def first(self, images: np.ndarray) -> np.ndarray:
        """See LatencyTwin. TensorFlow traces nothing for one answer."""
        return ops.convert_to_numpy(self._first(images))

    def predict(self, images: np.ndarray) -> np.ndarray:
        """See LatencyTwin."""
        return ops.convert_to_numpy(self._traced(images))

    def environment(self) -> dict[str, Any]:
        """See LatencyTwin."""
        return environment(self.spec)


if __name__ == "__main__":
    latency_main(KerasLatency)
