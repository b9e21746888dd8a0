"""Reads the layers of a Keras file without Keras.

It reads the old HDF5 layout (Keras 1 and 2, still that of the official files), the `.weights.h5` of
Keras 3, and the `.keras` of Keras 3, a zip of a configuration and such an HDF5 file. Where one
model stands inside another, the CNN is the model with the most layers that have weights; the others
are a classifier on top of it, and are left out.
"""

import io
import json
import re
import zipfile
from collections import defaultdict
from itertools import count, takewhile
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np

Layers = list[tuple[str, list[np.ndarray]]]
UNNAMED = "layers/"  # begins the name of a layer in a file that has no names, only kinds and places
MOST = 4  # weights of a layer; where the old layout lists more, they are those of a whole model
FAULTS = (OSError, AttributeError, KeyError, RuntimeError, TypeError, ValueError,
          zipfile.BadZipFile)  # fmt: skip


def read_layers(path: Path) -> Layers:
    """Gives (name, arrays) of each layer that has weights, in the file's order, and its dtypes.

    A layer has the name that it had in its model. Earlier files of the kind `.weights.h5` have no
    names: there a layer is called by its kind and its place among the model's layers of this kind
    ("layers/conv2d_1"). Raises ValueError if the file is damaged or of another kind, OSError if it
    can't be opened.
    """
    with path.open("rb") as stream:  # h5py doesn't tell apart a missing and a damaged file
        try:
            models = _zipped(stream) if zipfile.is_zipfile(stream) else _plain(stream)
        except FAULTS as error:
            raise ValueError(f"{path} is damaged, or no weights file of Keras ({error})") from error
    found = max(([layer for layer in model if layer[1]] for model in models), key=len, default=[])
    if not found:
        raise ValueError(f"{path} is no weights file of Keras: it has no layers with weights")
    return found


def _plain(stream: BinaryIO) -> list[Layers]:
    with h5py.File(stream, "r") as file:
        root = file.get("model_weights", file)
        names = _listed(root, "layer_names")
        return _old(root, names) if names else _by_place(file)


def _old(root: h5py.Group, names: list[str]) -> list[Layers]:
    """Gives the models of the old layout, in which a model inside another is listed as one layer,
    whose weights are called "layer/weight"."""
    outer: Layers = []
    models = [outer]
    for name in names:
        group = root[name]
        weights = [(weight, group[weight][()]) for weight in _listed(group, "weight_names")]
        if len(weights) <= MOST:
            outer.append((name, [array for _, array in weights]))
            continue
        inner: dict[str, list[np.ndarray]] = defaultdict(list)
        for weight, array in weights:
            inner[weight.rpartition("/")[0].rpartition("/")[2]].append(array)
        models.append(list(inner.items()))
    return models


def _listed(group: h5py.Group, name: str) -> list[str]:
    """Gives the list of texts in the attribute `name`, or, where the list was too long for one
    attribute, in name0, name1, ..."""
    numbered = takewhile(group.attrs.__contains__, (f"{name}{i}" for i in count()))
    parts = [name] if name in group.attrs else numbered
    texts = [text for part in parts for text in group.attrs[part]]
    return [text.decode() if isinstance(text, bytes) else str(text) for text in texts]


def _by_place(file: h5py.File) -> list[Layers]:
    """Gives the models of a `.weights.h5`: the weights of a layer are in the group "vars" at its
    place, which has the layer's name in files of today."""
    models: dict[str, Layers] = defaultdict(list)

    def look(place: str, group: Any) -> None:
        model, _, layer = place.removesuffix("/vars").rpartition("/")
        if place.endswith("/vars") and re.search(r"(^|/)layers$", model):
            name = str(group.attrs.get("name", UNNAMED + layer))
            models[model].append((name, _variables(group)))

    file.visititems(look)
    return list(models.values())


def _variables(group: h5py.Group) -> list[np.ndarray]:
    return [group[number][()] for number in sorted(group, key=int)]


def _zipped(stream: BinaryIO) -> list[Layers]:
    with zipfile.ZipFile(stream) as pack:
        model = json.loads(pack.read("config.json"))
        with h5py.File(io.BytesIO(pack.read("model.weights.h5")), "r") as file:
            return _configured(model, file)


def _configured(model: dict[str, Any], group: h5py.Group) -> list[Layers]:
    """Gives a model and those inside it by its configuration, in which a layer's place in the file
    is its kind and its number among the layers of this kind."""
    own: Layers = []
    models = [own]
    counted: dict[str, int] = defaultdict(int)
    for layer in model["config"]["layers"]:
        kind = _snake_case(layer["class_name"])
        place = f"layers/{kind}" + (f"_{counted[kind]}" if counted[kind] else "")
        counted[kind] += 1
        if "layers" in layer["config"]:
            models += _configured(layer, group[place])
        elif f"{place}/vars" in group:
            own.append((layer["config"]["name"], _variables(group[f"{place}/vars"])))
    return models


def _snake_case(name: str) -> str:
    """Gives a class's name as Keras writes it into a file: "batch_normalization"."""
    parts = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub("([a-z])([A-Z])", r"\1_\2", parts).lower()
