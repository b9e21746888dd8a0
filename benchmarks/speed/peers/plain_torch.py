"""Trains and answers in plain PyTorch: timm's models, ImageFolder, DataLoader, the usual loop.

The loader's workers stay, its memory is pinned for a GPU, and images lie channels last. A frozen
backbone runs without gradients in evaluation mode. Every image is decoded and goes through the
backbone in every epoch.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import timm
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from benchmarks.speed.peers.process import normal_images
from protocols.hardware import cores
from protocols.papers.backbones import load_backbones
from protocols.papers.variants import load_variants
from protocols.runs.latency import BATCH
from protocols.spec import RunSpec

RNN = {"lstm": nn.LSTM, "gru": nn.GRU}
CLASSES = 4
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Network(nn.Module):
    """A variant of plain layers: normalised images (n, 3, h, w) -> logits."""

    def __init__(self, spec: RunSpec) -> None:
        super().__init__()
        variant, recipe = load_variants()[spec.variant], spec.recipe
        units = recipe["projection_units"]
        cnns = [_backbone(name) for name in variant.backbones]
        self.cnns, width = nn.ModuleList(cnns), cnns[0].num_features
        self.width: int = width
        self.project = nn.ModuleList(nn.Linear(width, units) for _ in self.cnns)
        self.classify = nn.Linear(units, CLASSES)
        self.sequence = variant.sequence
        if variant.sequence == "rows":
            self.rnn = _both_ways(variant.cell, spec.data["width"], recipe["lstm_units"])
        if variant.sequence == "feature_map":
            channels, small = recipe["map_channels"], recipe["small_rnn_units"]
            self.reduce = nn.Sequential(
                nn.Conv2d(width, channels, 1, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(),
                nn.MaxPool2d(2),
            )
            self.small = RNN[variant.cell](channels, small, num_layers=2, batch_first=True)
            self.rnn = _both_ways(variant.cell, small, recipe["rnn_units"])
        self.dropout = nn.Dropout(recipe["dropout"])

    def head(self, maps: list[torch.Tensor], images: torch.Tensor) -> torch.Tensor:
        """Returns logits from the backbones' last maps, or from their means (n, channels)."""
        means = [m.mean((2, 3)) if m.ndim == 4 else m for m in maps]
        product = F.relu(self.project[0](means[0]))
        for project, mean in zip(self.project[1:], means[1:], strict=True):
            product = product * F.relu(project(mean))
        if self.sequence == "rows":
            product = product * _last_states(self.rnn, images.mean(1))
        if self.sequence == "feature_map":
            sequence = self.reduce(maps[0]).flatten(2).transpose(1, 2)
            product = product * _last_states(self.rnn, self.small(sequence)[0])
        return self.classify(self.dropout(product))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head([cnn(images) for cnn in self.cnns], images)


def _backbone(name: str) -> Any:
    """Returns one of timm's models; their declared type doesn't have their attributes."""
    return timm.create_model(load_backbones()[name].timm, num_classes=0, global_pool="")


def _both_ways(cell: str, inputs: int, units: int) -> nn.Module:
    return RNN[cell](inputs, units, batch_first=True, bidirectional=True)


def _last_states(rnn: nn.Module, sequence: torch.Tensor) -> torch.Tensor:
    state = rnn(sequence)[1]
    state = state[0] if isinstance(state, tuple) else state
    return torch.cat([state[0], state[1]], dim=1)


def make_network(spec: RunSpec) -> Network:
    """Makes the network on the device, channels last; in full float32, as the verdicts need."""
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    return Network(spec).to(DEVICE).to(memory_format=torch.channels_last)


def loader(spec: RunSpec, folder: str) -> DataLoader:
    """Returns batches of (images, labels) from a folder of class folders."""
    transform = transforms.Compose(
        [
            transforms.Resize((spec.data["height"], spec.data["width"])),
            transforms.ToTensor(),
            transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ]
    )
    return DataLoader(
        ImageFolder(folder, transform),
        batch_size=spec.recipe["batch_size"],
        shuffle=True,
        num_workers=cores(),
        persistent_workers=True,
        pin_memory=DEVICE.type == "cuda",
    )


def make_optimizer(phase: dict[str, Any], parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """Returns the optimiser that the phase names, with PyTorch's defaults."""
    kind = {"rmsprop": torch.optim.RMSprop, "adam": torch.optim.Adam}[phase["optimizer"]]
    return kind(parameters, lr=phase["rate"])


def epoch(spec: RunSpec, phase: int, folder: str) -> Callable[[], float]:
    """Returns a call that trains one epoch of a phase (counted from 0) over the images in `folder`,
    and gives the mean loss of the epoch."""
    how, network, batches = spec.phases[phase], make_network(spec), loader(spec, folder)
    if how["frozen"]:
        network.cnns.requires_grad_(False)
    optimizer = make_optimizer(how, [p for p in network.parameters() if p.requires_grad])
    criterion = nn.CrossEntropyLoss(label_smoothing=spec.recipe["label_smoothing"])

    def train() -> float:
        network.train()
        if how["frozen"]:
            network.cnns.eval()
        total, count = 0.0, 0
        for images, labels in batches:
            images = images.to(DEVICE, non_blocking=True, memory_format=torch.channels_last)
            labels = labels.to(DEVICE, non_blocking=True)
            with torch.set_grad_enabled(not how["frozen"]):
                maps = [cnn(images) for cnn in network.cnns]
            loss = criterion(network.head(maps, images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
            count += len(labels)
        return total / count

    return train


def head_alone(spec: RunSpec, images: int) -> Callable[[], float]:
    """Returns a call that trains a variant's head and recurrent branch for one epoch. The inputs
    are made up, and lie on the device."""
    network, size = make_network(spec), spec.recipe["batch_size"]
    features = [torch.randn(images, network.width, device=DEVICE) for _ in network.cnns]
    shape = images, 3, spec.data["height"], spec.data["width"]
    pictures = torch.rand(shape, device=DEVICE)
    labels = torch.randint(CLASSES, (images,), device=DEVICE)
    network.cnns.requires_grad_(False)
    optimizer = make_optimizer(spec.phases[0], [p for p in network.parameters() if p.requires_grad])
    criterion = nn.CrossEntropyLoss(label_smoothing=spec.recipe["label_smoothing"])

    def train() -> float:
        network.train()
        total = torch.zeros((), device=DEVICE)
        for rows in torch.randperm(images, device=DEVICE).split(size):
            loss = criterion(
                network.head([f[rows] for f in features], pictures[rows]), labels[rows]
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(rows)
        return float(total) / images

    return train


def answers(spec: RunSpec) -> Callable[[str, int], np.ndarray]:
    """Returns the raw call: the network on a preprocessed batch, with probabilities on the host."""
    network = make_network(spec).eval()
    arrays = {n: normal_images(spec, n) for n in (1, BATCH)}

    @torch.inference_mode()
    def call(how: str, batch: int) -> np.ndarray:
        images = torch.from_numpy(arrays[batch]).permute(0, 3, 1, 2)  # channels last already
        return network(images.to(DEVICE)).softmax(1).cpu().numpy()

    return call


def read(spec: RunSpec, folder: str) -> Callable[[], int]:
    """Returns a call that reads all images once, decoded and resized: what every epoch pays."""
    batches = loader(spec, folder)
    return lambda: sum(len(labels) for _, labels in batches)
