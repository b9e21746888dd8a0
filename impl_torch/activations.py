"""Reads what a trained network makes of images: the outputs of its inner layers and the gradients
of Grad-CAM."""

import contextlib
from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.func import functional_call

from impl_torch.device import at_least_float32, autocast
from impl_torch.models import MapHead, PooledHead
from protocols.papers.backbones import Layer, load_backbones
from protocols.papers.variants import load_variants
from protocols.runs.activations import Seen
from protocols.spec import RunSpec


def look(
    spec: RunSpec,
    backbones: nn.ModuleList,
    head: PooledHead | MapHead,
    images: torch.Tensor,
    weights: dict[str, torch.Tensor] | None = None,
) -> Seen:
    """Gives what the network sees in `images`, uint8 (n, h, w, 3); all modules are in inference
    mode. `weights` are the head's, by name, where the head itself doesn't hold the wanted ones."""
    names = load_variants()[spec.variant].backbones
    inner: dict[str, np.ndarray] = {}
    with torch.no_grad(), autocast(spec):
        maps = []
        for name, backbone in zip(names, backbones, strict=True):
            with _kept(name, backbone.get_submodule("1"), inner):
                maps.append(backbone(images))
    for module in head.modules():
        if isinstance(module, nn.RNNBase):
            module.train()  # cuDNN's layers give gradients only then; they have no dropout
    for feature_map in maps:
        feature_map.requires_grad_()
    with autocast(spec):
        features = tuple(head.reduce(feature_map) for feature_map in maps)
        logits = functional_call(head, weights or {}, (features, images))
    predicted = logits.argmax(1, keepdim=True)
    gradients = torch.autograd.grad(logits.gather(1, predicted).sum(), maps)
    return Seen(
        logits=_array(logits),
        layers=inner,
        maps={name: _channels_last(x) for name, x in zip(names, maps, strict=True)},
        gradients={name: _channels_last(x) for name, x in zip(names, gradients, strict=True)},
    )


@contextlib.contextmanager
def _kept(backbone: str, model: nn.Module, found: dict[str, np.ndarray]) -> Iterator[None]:
    """Adds each layer's output for the first image to `found` at once.
    Later would be too late: a residual block adds to the output of its pooling in place."""

    def keep(layer: Layer, module: nn.Module, given: tuple, output: torch.Tensor) -> None:
        found[f"{backbone}/{layer.name}"] = _channels_last(output[:1, : layer.maps])[0]

    hooks = [
        model.get_submodule(layer.timm).register_forward_hook(partial(keep, layer))
        for layer in load_backbones()[backbone].layers
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _array(x: torch.Tensor) -> np.ndarray:
    """Gives a copy of `x` on the host; bfloat16 becomes float32."""
    return at_least_float32(x.detach()).cpu().numpy().copy()


def _channels_last(x: torch.Tensor) -> np.ndarray:
    return _array(x).transpose(0, 2, 3, 1)
