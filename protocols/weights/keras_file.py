"""Reads the layers of a weights file in Keras's old HDF5 layout, without Keras."""

from pathlib import Path

import h5py
import numpy as np

Layers = list[tuple[str, list[np.ndarray]]]


def read_layers(path: Path) -> Layers:
    """Gives (name, arrays) of each layer that has weights, in the file's order and its dtypes.

    The layers' names stand in attributes of the file's root, or of its group "model_weights"; each
    layer is a group. Raises ValueError if the file is damaged or of another kind, OSError if it
    can't be opened.
    """
    with path.open("rb"):  # h5py doesn't tell apart a missing and a damaged file
        pass
    try:
        with h5py.File(path, "r") as file:
            root = file.get("model_weights", file)
            names = _listed(root, "layer_names")
            layers = [
                (name, [root[name][w][()] for w in _listed(root[name], "weight_names")])
                for name in names
            ]
    except (OSError, AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged, or no weights file of Keras ({error})") from error
    if not names:
        raise ValueError(f"{path} is no weights file of Keras: it lists no layer_names")
    return [(name, arrays) for name, arrays in layers if arrays]


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
