"""The engines of PyTorch: every way in which it computes a network's probabilities."""

import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import nn

from impl_torch.device import autocast, device_of
from impl_torch.models import Network
from protocols.runs.latency import Predict
from protocols.spec import RunSpec

Answer = Callable[[torch.Tensor], torch.Tensor]


class Probabilities(nn.Module):
    """The network with its softmax: uint8 (n, h, w, 3) -> float32 probabilities (n, 4), on the
    device."""

    def __init__(self, network: Network, spec: RunSpec) -> None:
        super().__init__()
        self.network, self.spec = network, spec
        self.eval()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        with autocast(self.spec):
            return self.network(images).float().softmax(1)


def engines(network: Network, spec: RunSpec, compile_too: bool) -> dict[str, Predict]:
    """Gives the engines by name; each gives the same probabilities: uint8 (n, h, w, 3) -> (n, 4),
    on the host. "folded" is TorchScript with batch normalisation folded into the convolutions.
    "CUDA graph" is the eager computation, recorded. "compiled" is torch.compile."""
    device, answer = device_of(spec), Probabilities(network, spec)
    ways: dict[str, Answer] = {"eager": answer}
    if spec.precision != "bfloat16":  # a trace made under autocast keeps the casts
        ways["folded"] = _by_size(partial(_folded, answer))
    if device.type == "cuda":
        ways["CUDA graph"] = _by_size(partial(_recorded, answer))
    if compile_too:
        mode = "reduce-overhead" if device.type == "cuda" else "default"
        ways["compiled"] = torch.compile(answer, mode=mode, dynamic=False)
    return {name: partial(_on_host, way, device) for name, way in ways.items()}


@torch.inference_mode()
def _on_host(way: Answer, device: torch.device, images: np.ndarray) -> np.ndarray:
    return way(torch.from_numpy(images).to(device)).cpu().numpy()


def _by_size(make: Callable[[torch.Tensor], Answer]) -> Answer:
    """Gives a function that calls `make` once for each batch size, with the first batch of that
    size."""
    made: dict[int, Answer] = {}

    def call(images: torch.Tensor) -> torch.Tensor:
        if len(images) not in made:
            made[len(images)] = make(images)
        return made[len(images)](images)

    return call


def _folded(answer: nn.Module, images: torch.Tensor) -> Answer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript warns that it is old; nothing newer folds
        traced = torch.jit.freeze(torch.jit.trace(answer, images, check_trace=False))
    for _ in range(3):  # the executor of TorchScript optimises in its first calls
        traced(images)
    return traced


def _recorded(answer: Answer, images: torch.Tensor) -> Answer:
    static, stream = images.clone(), torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):  # the first calls choose and allocate; the recording shall not hold that
            answer(static)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = answer(static)

    def call(images: torch.Tensor) -> torch.Tensor:
        static.copy_(images)
        graph.replay()
        return result

    return call
