"""Measures the latency of one variant in PyTorch, in a process of its own, timed from its start.

python -m impl_torch.latency all|cold FOLDER IMAGES JPEG (protocols.runs.latency.latency_main)
"""

from typing import Any

from impl_torch.device import device_memory, device_of, environment, prepare
from impl_torch.engines import engines
from impl_torch.models import Network
from impl_torch.recurrent import computed_by
from protocols.hardware import DeviceMemory
from protocols.runs.latency import Predict, latency_main
from protocols.spec import RunSpec


class TorchLatency:
    """The protocols.runs.latency.LatencyTwin of PyTorch."""

    default = first = "eager"

    def __init__(self, spec: RunSpec) -> None:
        self.spec, device = spec, device_of(spec)
        prepare(spec)
        self.network = Network(spec).to(device)

    def engines(self, everything: bool) -> dict[str, Predict]:
        """Gives the engines; compilers only on a GPU, as on a CPU they take minutes per network."""
        return engines(self.network, self.spec, everything and self.spec.device != "cpu")

    def environment(self) -> dict[str, Any]:
        return environment(self.spec) | {"recurrent": computed_by(self.network.head)}

    def device_memory(self) -> DeviceMemory:
        return device_memory(self.spec)


if __name__ == "__main__":
    latency_main(TorchLatency)
