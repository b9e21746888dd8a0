"""This twin's weights by the names of protocols/weights/start.py: their own, in a fresh process."""

from collections.abc import Iterable, Iterator

import keras
import numpy as np
from keras import layers

from impl_keras.models import Network
from protocols.spec import RunSpec
from protocols.weights.files import canonical_names
from protocols.weights.start import HEAD, Arrays, Start, check_same, shapes_of

Variables = dict[str, keras.Variable]
Head = tuple[keras.Model, layers.Dense]  # body and classifier


def backbone_variables(name: str, model: keras.Model) -> Variables:
    """Of one backbone, by "its name/layer/weight"."""
    with_weights = [layer for layer in model.layers if layer.weights]
    names = canonical_names(layer.name for layer in with_weights)
    return {f"{name}/{names[x.name]}/{v.name}": v for x in with_weights for v in x.weights}


def head_variables(body: keras.Model, classify: keras.Layer) -> Variables:
    """Of a variant's head, by "head/layer/weight"."""
    return {f"{HEAD}/{k}/{v.name}": v for k, x in head_layers(body, classify) for v in x.weights}


def head_layers(body: keras.Model, classify: keras.Layer) -> Iterator[tuple[str, keras.Layer]]:
    """A head's layers with weights, by name; a bidirectional one's two directions apart."""
    for layer in [x for x in body.layers if x.weights] + [classify]:
        if isinstance(layer, layers.Bidirectional):
            yield f"{layer.name}/forward", layer.forward_layer
            yield f"{layer.name}/backward", layer.backward_layer
        else:
            yield layer.name, layer


def variables(network: Network) -> Variables:
    """Of the whole network. Raises ValueError if a variable has no name, or two have one."""
    found: Variables = {}
    for name, model in zip(network.variant.backbones, network.backbones, strict=True):
        found |= backbone_variables(name, model)
    found |= head_variables(network.body, network.classify)
    here = {id(v) for part in network.parts for v in part.weights}  # no random states
    if {id(v) for v in found.values()} != here:
        raise ValueError(f"{network.variant.name}: the bridge is no bijection on its variables")
    return found


def read(found: Variables) -> Arrays:
    """The arrays by their keys."""
    return {key: np.array(variable) for key, variable in found.items()}


def write(found: Variables, arrays: Arrays) -> None:
    """Takes all of them. Raises ValueError if keys or shapes differ."""
    check_same(shapes_of(found), shapes_of(arrays), "the arrays given")
    for key, variable in found.items():
        variable.assign(arrays[key])


def begin(network: Network, spec: RunSpec, start: Start) -> None:
    """Gives the network what a run starts from, where that isn't the twin's own random weights."""
    for name, model in zip(network.variant.backbones, network.backbones, strict=True):
        found = backbone_variables(name, model)
        if arrays := start.backbone(spec, name, shapes_of(found)):
            if _layers(arrays) != _layers(found):  # Keras itself pairs them by their order
                raise ValueError(f"the layers of {name} stand in another order in its file")
            write(found, arrays)
    begin_head((network.body, network.classify), spec, start)


def _layers(keys: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(key.rsplit("/", 1)[0] for key in keys))


def begin_head(head: Head, spec: RunSpec, start: Start) -> None:
    """The head's part of `begin`."""
    found = head_variables(*head)
    if arrays := start.head(spec, shapes_of(found)):
        write(found, arrays)
