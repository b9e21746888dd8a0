"""The backbones of timm, made equal to those of the Keras twin.

Xception, InceptionV3 and ResNet50 are changed until they are the networks of keras.applications;
EfficientNet-Lite0 stays as it is, as the Keras twin builds timm's layer by layer. Each change is
named where it is made; the parameter counts then equal those of Keras without top.
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

# how the maps of a backbone, and its kernels, lie in memory
LAST, FIRST = "channels_last", "channels_first"
FORMATS = {LAST: torch.channels_last, FIRST: torch.contiguous_format}
Layouts = Mapping[str, str]  # by backbone, where that isn't LAST
Change = Callable[[nn.Module, Mapping[str, Any]], None]
CHANGES: dict[str, Change] = {}  # what is done to timm's network, by backbone


def changes(backbone: str) -> Callable[[Change], Change]:
    """Registers the function that changes timm's network, by a run's recipe, into Keras's
    network."""
    return partial(CHANGES.setdefault, backbone)


class SamePadMaxPool(nn.Module):
    """A 3x3 max pooling with stride 2, padded as TensorFlow's "same": an odd cell goes behind."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pools (n, c, h, w) to (n, c, ceil(h/2), ceil(w/2))."""
        pad = []
        for size in (x.shape[-1], x.shape[-2]):
            total = max((-(-size // 2) - 1) * 2 + 3 - size, 0)
            pad += [total // 2, total - total // 2]
        return F.max_pool2d(F.pad(x, pad, value=float("-inf")), 3, 2)


class WithoutPadding(nn.Module):
    """A layer that turns a padded 3x3 mean (stride 1) into the mean over the cells inside the
    image."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Divides by the share of cells inside the image; the shape stays (n, c, h, w)."""
        inside = F.avg_pool2d(x.new_ones(1, 1, *x.shape[-2:]), 3, 1, 1)
        return x / inside


class Preprocess(nn.Module):
    """The input layer of keras.applications: uint8 RGB (n, h, w, 3) -> float (n, 3, h, w), in
    the memory layout `layout`. "caffe" means BGR minus the mean of ImageNet, in 0..255; "tf" means
    x / 127.5 - 1."""

    mean: torch.Tensor
    layout = LAST

    def __init__(self, backbone: str) -> None:
        super().__init__()
        self.caffe = load_backbones()[backbone].preprocessing == "caffe"
        mean = torch.tensor([103.939, 116.779, 123.68], dtype=torch.float64)  # B, G, R
        self.register_buffer("mean", mean, persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = images.to(self.mean.dtype)
        x = x.flip(-1) - self.mean if self.caffe else x / 127.5 - 1
        x = x.permute(0, 3, 1, 2)
        return x if self.layout == LAST else x.contiguous()


def make_backbone(name: str, recipe: Mapping[str, Any] = IMPLIED) -> nn.Sequential:
    """Makes a backbone: uint8 RGB (n, h, w, 3) -> its last feature map (n, channels, h', w'), as in
    Keras. `recipe` is that of a run; ResNet50's epsilon and pooling are read from it."""
    theirs = load_backbones()[name].timm
    model = timm.create_model(theirs, pretrained=False, num_classes=0, global_pool="")
    if name in CHANGES:
        CHANGES[name](model, recipe)
    return nn.Sequential(Preprocess(name), model)


def lay_out(backbone: nn.Sequential, layout: str) -> None:
    """Has a backbone of `make_backbone` compute in this memory layout, LAST or FIRST: its kernels
    lie so, and its input does; PyTorch keeps the layout of a layer's input in its output."""
    backbone.to(memory_format=FORMATS[layout])
    backbone.get_submodule("0").layout = layout  # type: ignore[assignment]  # that of Preprocess


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
            module.weight.requires_grad_(False)  # Keras has scale=False: gamma stays 1
        pool = getattr(module, "branch_pool", None)
        if pool is not None:  # the pool gives the padded mean; Keras leaves the padding out
            module.branch_pool = nn.Sequential(WithoutPadding(), pool)


@changes("resnet50")
def _resnet50(model: nn.Module, recipe: Mapping[str, Any]) -> None:
    for name in ("layer2", "layer3", "layer4"):  # as ResNet v1, with the stride in the first 1x1
        first = getattr(model, name)[0]
        first.conv1.stride, first.conv2.stride = (2, 2), (1, 1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = recipe["resnet50_epsilon"]
        if isinstance(module, nn.MaxPool2d) and recipe["resnet50_stem_pooling"] == "unpadded":
            module.padding = 0  # as in Keras-Applications 1.0.2 of June 2018
        if isinstance(module, nn.Conv2d):  # Keras has a bias before each batch normalisation
            module.bias = nn.Parameter(torch.zeros(module.out_channels))
