"""Gives and takes this twin's weights by the names of protocols/weights/start.py.
These are the names that the layers have in a fresh process."""

from collections.abc import Iterable, Iterator

import keras
import numpy as np
from keras import layers

from impl_keras.models import Network
from protocols.spec import RunSpec
from protocols.weights.names import canonical_names
from protocols.weights.start import HEAD, Arrays, Start, check_same, shapes_of

Variables = dict[str, keras.Variable]
Head = tuple[keras.Model, layers.Dense]  # the body and the classifier


def backbone_variables(name: str, model: keras.Model) -> Variables:
    """Gives the variables of one backbone, by "name of the backbone/layer/weight"."""
    with_weights = [layer for layer in model.layers if layer.weights]
    names = canonical_names(layer.name for layer in with_weights)
    return {f"{name}/{names[x.name]}/{v.name}": v for x in with_weights for v in x.weights}


def head_variables(body: keras.Model, classify: keras.Layer) -> Variables:
    """Gives the variables of a variant's head, by "head/layer/weight"."""
    return {f"{HEAD}/{k}/{v.name}": v for k, x in head_layers(body, classify) for v in x.weights}


def head_layers(body: keras.Model, classify: keras.Layer) -> Iterator[tuple[str, keras.Layer]]:
    """Gives a head's layers with weights, by name; the two directions of a bidirectional layer are
    apart."""
    for layer in [x for x in body.layers if x.weights] + [classify]:
        if isinstance(layer, layers.Bidirectional):
            yield f"{layer.name}/forward", layer.forward_layer
            yield f"{layer.name}/backward", layer.backward_layer
        else:
            yield layer.name, layer


def variables(network: Network) -> Variables:
    """Gives the variables of the whole network.
    Raises ValueError if a variable has no name, or if two have the same name."""
    found: Variables = {}
    for name, model in zip(network.variant.backbones, network.backbones, strict=True):
        found |= backbone_variables(name, model)
    found |= head_variables(network.body, network.classify)
    here = {id(v) for part in network.parts for v in part.weights}  # without random states
    if {id(v) for v in found.values()} != here:
        raise ValueError(f"{network.variant.name}: the bridge is no bijection on its variables")
    return found


def read(found: Variables) -> Arrays:
    """Gives the arrays by their keys."""
    return {key: np.array(variable) for key, variable in found.items()}


def write(found: Variables, arrays: Arrays) -> None:
    """Writes all the arrays into the variables. Raises ValueError if keys or shapes differ."""
    check_same(shapes_of(found), shapes_of(arrays), "the arrays given")
    for key, variable in found.items():
        variable.assign(arrays[key])


def begin(network: Network, spec: RunSpec, start: Start) -> None:
    """Gives the network what a run starts from, where this isn't the twin's own random weights.
    Raises ValueError if a backbone's layers stand in another order in their file."""
    for name, model in zip(network.variant.backbones, network.backbones, strict=True):
        found = backbone_variables(name, model)
        if arrays := start.backbone(spec, name, shapes_of(found)):
            if _layers(arrays) != _layers(found):  # Keras itself pairs layers by their order
                raise ValueError(f"the layers of {name} stand in another order in its file")
            write(found, arrays)
    begin_head((network.body, network.classify), spec, start)


def _layers(keys: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(key.rsplit("/", 1)[0] for key in keys))


def begin_head(head: Head, spec: RunSpec, start: Start) -> None:
    """Gives a head what a run starts from, where this isn't the twin's own random weights."""
    found = head_variables(*head)
    if arrays := start.head(spec, shapes_of(found)):
        write(found, arrays)
