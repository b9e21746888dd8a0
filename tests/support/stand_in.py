"""A backbone of two layers in both twins, in place of the backbones of a hundred layers."""

import keras
import numpy as np
import pytest
import torch
from torch import nn

import impl_keras.models
import impl_torch.bridge
import impl_torch.models
from benchmarks.parity import twin_pair
from impl_torch.backbones import Preprocess
from protocols.images.pool import Pool
from protocols.papers import papers
from protocols.papers.backbones import load_backbones
from protocols.papers.variants import FILE, Variant
from protocols.runs import parity

SIZE = (128, 160)  # a last map of 4 x 5: pooled, it is still a sequence
CELL = 32


class Small(nn.Module):
    """A network of means of 32 x 32 pixels, a 1x1 convolution and batch normalisation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(channels, eps=1e-3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.bn(self.conv(nn.functional.avg_pool2d(x, CELL)))


def _torch(name, recipe=None):
    return nn.Sequential(Preprocess(name), Small(load_backbones()[name].channels))


def _keras(name):
    def make(include_top, weights, input_shape):
        images = keras.Input(input_shape)
        x = keras.layers.AveragePooling2D(CELL)(images)
        x = keras.layers.Conv2D(load_backbones()[name].channels, 1, use_bias=False, name="conv")(x)
        return keras.Model(images, keras.layers.BatchNormalization(name="bn")(x))

    return make


def put(patch: pytest.MonkeyPatch) -> None:
    """Puts the stand-in under all backbones' names in both twins, and the ladder at a size to
    match."""
    patch.setattr(impl_torch.models, "make_backbone", _torch)
    patch.setattr(impl_keras.models, "_resnet50_of", lambda model, recipe: model)
    for name in load_backbones():
        patch.setitem(impl_keras.models.BACKBONES, name, _keras(name))
        layers = lambda model: [("conv", model.conv), ("bn", model.bn)]  # noqa: E731
        patch.setitem(impl_torch.bridge.BACKBONES, name, layers)
    for precision in parity.SIZES:
        patch.setitem(parity.SIZES, precision, SIZE)


def add(patch: pytest.MonkeyPatch, *variants: Variant) -> None:
    """Adds variants to those of variants.toml."""
    rows = papers.rows

    def more(file, into, key):
        found = rows(file, into, key)
        return found | {v.name: v for v in variants} if file == FILE else found

    patch.setattr(papers, "rows", more)


def pool_of(size=SIZE):
    pixels = np.random.default_rng(0).integers(0, 256, (8, *size, 3), dtype=np.uint8)
    n = np.arange(8)
    return Pool(pixels, n, list("abcdefgh"), n % 4, [twin_pair.TRAIN], [twin_pair.TEST])
