"""Reads what a trained network makes of images: the outputs of its inner layers and the gradients
of Grad-CAM."""

import contextlib
from typing import Any

import keras
import numpy as np
from keras import ops

from impl_keras.models import Network, at_least_float32, policy, preprocess
from impl_keras.step import backend
from protocols.papers.backbones import load_backbones
from protocols.runs.activations import Seen
from protocols.spec import RunSpec
from protocols.weights.names import canonical_names


def look(
    network: Network, spec: RunSpec, images: Any, scope: keras.StatelessScope | None = None
) -> Seen:
    """Gives what the network sees in `images`, uint8 (n, h, w, 3).
    In `scope`, where one is given, the head's variables have the wanted values."""
    names, inner, maps = network.variant.backbones, {}, []
    images = ops.convert_to_tensor(images)
    for name, backbone in zip(names, network.backbones, strict=True):
        shown = load_backbones()[name].layers
        canonical = canonical_names(layer.name for layer in backbone.layers)
        by_name = {canonical[layer.name]: layer.output for layer in backbone.layers}
        outputs = [by_name[layer.name] for layer in shown]
        with policy(spec):
            model = keras.Model(backbone.inputs, [*outputs, backbone.output])
        *layers, last = model(preprocess(name, images, network.dtype), training=False)
        for layer, output in zip(shown, layers, strict=True):
            inner[f"{name}/{layer.name}"] = _array(output[0, ..., : layer.maps])
        maps.append(last)

    def predicted(*maps: Any) -> tuple[Any, Any]:
        """Gives the summed logits of the predicted classes, and all logits."""
        logits = network.head([network.reduce(x) for x in maps], images)
        best = ops.one_hot(ops.argmax(logits, axis=1), logits.shape[1], dtype=logits.dtype)
        return ops.sum(logits * best), logits

    with scope or contextlib.nullcontext():
        logits, gradients = backend.gradient(predicted, maps)
    return Seen(
        logits=_array(logits),
        layers=inner,
        maps={name: _array(x) for name, x in zip(names, maps, strict=True)},
        gradients={name: _array(x) for name, x in zip(names, gradients, strict=True)},
    )


def _array(x: Any) -> np.ndarray:
    """Gives `x` on the host; bfloat16 becomes float32."""
    return ops.convert_to_numpy(at_least_float32(x))
