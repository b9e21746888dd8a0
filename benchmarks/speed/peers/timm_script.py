"""Runs timm's own benchmark: the steps of benchmark.py in huggingface/pytorch-image-models.

The script is not part of the package, so its steps are written again here with its defaults:
made-up input, float32, no channels-last, the model's own number of classes, SGD (momentum 0.9, no
decay) at 1e-4, cross entropy against random targets, cudnn.benchmark. Image size and batch are ours
(the script's own: the model's size, 256).
"""

from collections.abc import Callable

import timm
import torch
from timm.optim import create_optimizer_v2
from torch import nn

from benchmarks.speed.peers.plain_torch import DEVICE
from protocols.papers.backbones import load_backbones
from protocols.papers.variants import load_variants
from protocols.runs.latency import BATCH
from protocols.spec import RunSpec


def _model(spec: RunSpec) -> nn.Module:
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = False  # full float32, as the verdicts need
    (name,) = load_variants()[spec.variant].backbones
    return timm.create_model(load_backbones()[name].timm).to(DEVICE)


def _images(spec: RunSpec, batch: int) -> torch.Tensor:
    return torch.randn(batch, 3, spec.data["height"], spec.data["width"], device=DEVICE)


def _wait() -> None:
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def train_steps(spec: RunSpec, steps: int) -> Callable[[], float]:
    """Returns a call that trains `steps` steps and gives the last loss."""
    model, images = _model(spec).train(), _images(spec, spec.recipe["batch_size"])
    optimizer = create_optimizer_v2(model, opt="sgd", lr=1e-4)
    criterion = nn.CrossEntropyLoss()

    def train() -> float:
        for _ in range(steps):
            optimizer.zero_grad()
            output = model(images)
            output = output[0] if isinstance(output, tuple) else output
            target = torch.empty(len(output), device=DEVICE, dtype=torch.long)
            loss = criterion(output, target.random_(output.shape[1]))
            loss.backward()
            optimizer.step()
            _wait()
        return loss.item()

    return train


def answers(spec: RunSpec) -> Callable[[int], torch.Tensor]:
    """Returns a call that makes one inference step on a batch; the result stays on the device."""
    model, batches = _model(spec).eval(), {n: _images(spec, n) for n in (1, BATCH)}

    @torch.no_grad()
    def call(batch: int) -> torch.Tensor:
        found = model(batches[batch])
        _wait()
        return found

    return call
