"""Latency of one variant in PyTorch: a process of its own, timed from its start.

python -m impl_torch.latency all|cold FOLDER IMAGES JPEG (protocols.timing.latency_main)
"""

from typing import Any

import numpy as np
import torch

from impl_torch.device import device_of, environment, prepare
from impl_torch.models import Network
from protocols.seeds import derive
from protocols.spec import RunSpec
from protocols.timing import latency_main


class TorchLatency:
    """protocols.timing.LatencyTwin in PyTorch, eager."""

    engine = "eager"

    def __init__(self, spec: RunSpec) -> None:
        self.spec, self.device = spec, device_of(spec)
        prepare(spec)
        torch.manual_seed(derive(spec.seed, "weights"))
        self.network = Network(spec).to(self.device).eval()

    @torch.inference_mode()
    def predict(self, images: np.ndarray) -> np.ndarray:
        """See LatencyTwin."""
        return self.network(torch.from_numpy(images).to(self.device)).softmax(1).cpu().numpy()

    first = predict

    def environment(self) -> dict[str, Any]:
        """See LatencyTwin."""
        return environment(self.spec)


if __name__ == "__main__":
    latency_main(TorchLatency)
