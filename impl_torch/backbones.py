"""timm's Xception, InceptionV3 and ResNet50, changed until they are keras.applications' networks;
and its EfficientNet-Lite0, which the Keras twin builds layer by layer.

Each change is named where it is made; parameter counts then equal Keras's without top.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import timm
import torch
import torch.nn.functional as F
from torch import nn

from protocols.papers.backbones import load_backbones
from protocols.spec import IMPLIED

Change = Callable[[nn.Module, Mapping[str, Any]], None]
CHANGES: dict[str, Change] = {}  # what is done to timm's network; by backbone


def changes(backbone: str) -> Callable[[Change], Change]:
    """Registers the function that changes timm's network, by a run's recipe, into Keras's."""
    return partial(CHANGES.setdefault, backbone)


class SamePadMaxPool(nn.Module):
    """3x3 max pooling, stride 2, padded as TensorFlow's "same": the odd cell goes behind."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, c, h, w) -> (n, c, ceil(h/2), ceil(w/2))."""
        pad = []
        for size in (x.shape[-1], x.shape[-2]):
            total = max((-(-size // 2) - 1) * 2 + 3 - size, 0)
            pad += [total // 2, total - total // 2]
        return F.max_pool2d(F.pad(x, pad, value=float("-inf")), 3, 2)


class WithoutPadding(nn.Module):
    """Turns a padded 3x3 mean (stride 1) into the mean over the cells inside the image."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Shape stays (n, c, h, w)."""
        inside = F.avg_pool2d(x.new_ones(1, 1, *x.shape[-2:]), 3, 1, 1)
        return x / inside


class Preprocess(nn.Module):
    """keras.applications' input: uint8 RGB (n, h, w, 3) -> float (n, 3, h, w), channels last.

    "caffe" is BGR minus ImageNet's mean, in 0..255; "tf" is x / 127.5 - 1.
    """

    mean: torch.Tensor

    def __init__(self, backbone: str) -> None:
        super().__init__()
        self.caffe = load_backbones()[backbone].preprocessing == "caffe"
        mean = torch.tensor([103.939, 116.779, 123.68], dtype=torch.float64)  # B, G, R
        self.register_buffer("mean", mean, persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = images.to(self.mean.dtype)
        x = x.flip(-1) - self.mean if self.caffe else x / 127.5 - 1
        return x.permute(0, 3, 1, 2)


def make_backbone(name: str, recipe: Mapping[str, Any] = IMPLIED) -> nn.Sequential:
    """uint8 RGB (n, h, w, 3) -> last feature map (n, channels, h', w'), as Keras has it.

    `recipe`: a run's, for ResNet50's epsilon and pooling.
    """
    theirs = load_backbones()[name].timm
    model = timm.create_model(theirs, pretrained=False, num_classes=0, global_pool="")
    if name in CHANGES:
        CHANGES[name](model, recipe)
    return nn.Sequential(Preprocess(name), model)


@changes("xception")
def _xception(model: nn.Module, recipe: Mapping[str, Any]) -> None:
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-3
        if isinstance(module, nn.Sequential) and isinstance(module[-1], nn.MaxPool2d):
            module[-1] = SamePadMaxPool()


@changes("inception_v3")
def _inception_v3(model: nn.Module, recipe: Mapping[str, Any]) -> None:
    for module in list(model.modules()):
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-3
            module.weight.requires_grad_(False)  # Keras: scale=False, gamma stays 1
        pool = getattr(module, "branch_pool", None)
        if pool is not None:  # gets the padded mean; Keras leaves padding out
            module.branch_pool = nn.Sequential(WithoutPadding(), pool)


@changes("resnet50")
def _resnet50(model: nn.Module, recipe: Mapping[str, Any]) -> None:
    for name in ("layer2", "layer3", "layer4"):  # v1: the stride is in the first 1x1
        first = getattr(model, name)[0]
        first.conv1.stride, first.conv2.stride = (2, 2), (1, 1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = recipe["resnet50_epsilon"]
        if isinstance(module, nn.MaxPool2d) and recipe["resnet50_stem_pooling"] == "unpadded":
            module.padding = 0  # as Keras-Applications 1.0.2, of June 2018
        if isinstance(module, nn.Conv2d):  # Keras keeps a bias before batch normalisation
            module.bias = nn.Parameter(torch.zeros(module.out_channels))
