"""Reads the layers of a Keras file without Keras.

It reads the old HDF5 layout (Keras 1 and 2, still that of the official files), the `.weights.h5` of
Keras 3, and the `.keras` of Keras 3, a zip of a configuration and such an HDF5 file.
"""

import io
import json
import re
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np

Layers = list[tuple[str, list[np.ndarray]]]
UNNAMED = "layers/"  # begins the name of a layer in a file that has no names, only kinds and places


def read_layers(path: Path) -> Layers:
    """Gives (name, arrays) of each layer that has weights, in its dtypes.

    In the old layout, and in a `.keras` file, a layer has the name that it had in its model; those
    of a model inside another are told like the others. In a `.weights.h5` a layer has none: it is
    called by its kind and its place among the model's layers of this kind ("layers/conv2d_1").
    Raises ValueError if the file is damaged or of another kind, OSError if it can't be opened.
    """
    with path.open("rb") as stream:  # h5py doesn't tell apart a missing and a damaged file
        try:
            layers = _zipped(stream) if zipfile.is_zipfile(stream) else _plain(stream)
        except (OSError, AttributeError, KeyError, RuntimeError, TypeError, ValueError,
                zipfile.BadZipFile) as error:  # fmt: skip
            raise ValueError(f"{path} is damaged, or no weights file of Keras ({error})") from error
    if not layers:
        raise ValueError(f"{path} is no weights file of Keras: it lists no layer_names")
    return [(name, arrays) for name, arrays in layers if arrays]


def _plain(stream: BinaryIO) -> Layers:
    with h5py.File(stream, "r") as file:
        root = file.get("model_weights", file)
        if names := _listed(root, "layer_names"):
            return [
                (name, [root[name][w][()] for w in _listed(root[name], "weight_names")])
                for name in names
            ]
        return _unnamed(file)


def _listed(group: h5py.Group, name: str) -> list[str]:
    """Gives the list of texts in the attribute `name`, or, where the list was too long for one
    attribute, in name0, name1, ..."""
    if name in group.attrs:
        parts = [group.attrs[name]]
    else:
        parts = []
        while f"{name}{len(parts)}" in group.attrs:
            parts.append(group.attrs[f"{name}{len(parts)}"])
    texts = [text for part in parts for text in part]
    return [text.decode() if isinstance(text, bytes) else str(text) for text in texts]


def _unnamed(file: h5py.File) -> Layers:
    """Gives the layers of the model with the most layers in a `.weights.h5`: that is the CNN, where
    one stands inside another model."""
    models: dict[str, list[str]] = defaultdict(list)

    def look(place: str, group: Any) -> None:
        if place.endswith("/vars") and len(group):
            model, layer = place.removesuffix("/vars").rpartition("/")[::2]
            if re.search(r"(^|/)layers$", model):
                models[model].append(layer)

    file.visititems(look)
    if not models:
        return []
    place = max(models, key=lambda model: len(models[model]))
    return [(UNNAMED + layer, _variables(file[place][layer])) for layer in models[place]]


def _variables(layer: h5py.Group) -> list[np.ndarray]:
    group = layer.get("vars", {})
    return [group[number][()] for number in sorted(group, key=int)]


def _zipped(stream: BinaryIO) -> Layers:
    with zipfile.ZipFile(stream) as pack:
        model = json.loads(pack.read("config.json"))
        with h5py.File(io.BytesIO(pack.read("model.weights.h5")), "r") as file:
            return _configured(model, file)


def _configured(model: dict[str, Any], group: h5py.Group) -> Layers:
    """Gives the layers of a model by its configuration, in which a layer's place in the file is its
    kind and its number among the layers of this kind."""
    found: Layers = []
    counted: dict[str, int] = defaultdict(int)
    for layer in model["config"]["layers"]:
        kind = _snake_case(layer["class_name"])
        place = f"layers/{kind}" + (f"_{counted[kind]}" if counted[kind] else "")
        counted[kind] += 1
        if "layers" in layer["config"]:
            found += _configured(layer, group[place])
        elif place in group:
            found.append((layer["config"]["name"], _variables(group[place])))
    return found


def _snake_case(name: str) -> str:
    """Gives a class's name as Keras writes it into a file: "batch_normalization"."""
    parts = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub("([a-z])([A-Z])", r"\1_\2", parts).lower()
