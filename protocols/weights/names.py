"""Translates the names in the files of pretrained weights to those in Keras today, or in timm.

The official file of Xception was written by Keras 1 from a network whose layers had no names; the
file of EfficientNet-Lite0 has the names of a PyTorch copy of TensorFlow's code.
"""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from protocols.weights.keras_file import UNNAMED

Arrays = dict[str, np.ndarray]

# The names that Keras gives to a layer without a name of its own, in Keras 1 or today -> today
AUTOMATIC = {
    "conv2d": "conv2d",
    "convolution2d": "conv2d",
    "separable_conv2d": "separable_conv2d",
    "separableconvolution2d": "separable_conv2d",
    "batch_normalization": "batch_normalization",
    "batchnormalization": "batch_normalization",
    "dense": "dense",
    "max_pooling2d": "max_pooling2d",
}
NORM = ("gamma", "beta", "moving_mean", "moving_variance")
# The names of a layer's weights, by the number of axes of each array: the names in the files
# changed from version to version
WEIGHTS = {
    (4,): ("kernel",),
    (4, 1): ("kernel", "bias"),
    (4, 4): ("depthwise_kernel", "pointwise_kernel"),
    (1, 1, 1): NORM[1:],
    (1, 1, 1, 1): NORM,
}

DENSE = 2  # the axes of a dense layer's kernel

LITE0_DEPTHS = (1, 2, 2, 3, 3, 4, 1)  # blocks of each stage; the file counts over all stages
LITE0_OUTER = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2",
               "_fc": "classifier"}  # fmt: skip
LITE0_FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw",
               "_bn2": "bn2"}  # fmt: skip
LITE0_LATER = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw",
               "_bn1": "bn2", "_project_conv": "conv_pwl", "_bn2": "bn3"}  # fmt: skip
TORCH_NORM = dict(zip(("weight", "bias", "running_mean", "running_var"), NORM, strict=True))


def canonical_names(names: Iterable[str]) -> dict[str, str]:
    """Gives each layer's name as a fresh Keras process would make it.

    Automatic names count on from earlier models, or from 1; here each kind is counted anew
    ("conv2d", "conv2d_1", ...) in the order of its numbers. Other names stay. `names` are those of
    all layers with weights of one model or file, in any order.
    """
    found: dict[str, str] = {}
    counted: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for name in names:
        found[name] = name
        kind, _, number = name.rpartition("_")
        if name in AUTOMATIC:
            counted[AUTOMATIC[name]].append((0, name))
        elif kind in AUTOMATIC and number.isdecimal():
            counted[AUTOMATIC[kind]].append((int(number), name))
    for kind, layers in counted.items():
        found |= {name: _automatic(kind, i) for i, (_, name) in enumerate(sorted(layers))}
    return found


def _automatic(kind: str, i: int) -> str:
    return f"{kind}_{i}" if i else kind


def of_keras(backbone: str, layers: Iterable[tuple[str, list[np.ndarray]]]) -> Arrays:
    """Gives the arrays of a Keras file (read by keras_file.read_layers) by "layer/weight", without
    the dense layers: those are a classifier on top of the CNN.

    Raises ValueError if a layer's weights are of an unknown kind, if a file without names is not
    Xception's, or if a layer in it is none of Xception's.
    """
    layers = [(name, arrays) for name, arrays in layers if arrays[0].ndim != DENSE]
    unnamed = any(name.startswith(UNNAMED) for name, _ in layers)
    if unnamed and backbone != "xception":
        raise ValueError(
            f"it names no layers, which can be told for Xception only; save {backbone} as .keras"
        )
    layers = [(name.removeprefix(UNNAMED), arrays) for name, arrays in layers]
    names = canonical_names(name for name, _ in layers)
    if backbone == "xception" and "separable_conv2d" in names.values():
        named = _xception_names(shortcuts_first=not unnamed)
        unknown = set(names.values()) - named.keys()
        if unknown:
            raise ValueError(f"layer {min(unknown)} is none of Xception's")
        names = {old: named[name] for old, name in names.items()}
    found: Arrays = {}
    for name, arrays in layers:
        weights = WEIGHTS.get(tuple(array.ndim for array in arrays))
        if weights is None:
            shapes = ", ".join(str(array.shape) for array in arrays)
            raise ValueError(f"layer {name} has weights of unknown kinds: {shapes}")
        found |= {f"{names[name]}/{w}": array for w, array in zip(weights, arrays, strict=True)}
    return found


def _xception_names(shortcuts_first: bool) -> dict[str, str]:
    """Gives the name in Keras today of each layer with weights, by the automatic name that it would
    have if no layer were given a name. The layers are counted as they were made, which begins a
    block with its shortcut, or as a model of today lists them, which ends the block with it."""
    convs, separable = ["block1_conv1", "block1_conv2"], []
    norms = [f"{name}_bn" for name in convs]
    shortcuts = 0
    for block in range(2, 15):
        own = [f"block{block}_sepconv{i}" for i in range(1, 4 if 5 <= block <= 12 else 3)]
        separable += own
        own_norms = [f"{name}_bn" for name in own]
        if block in (2, 3, 4, 13):  # shortcuts have no name, in Keras today too
            convs.append(_automatic("conv2d", shortcuts))
            place = 0 if shortcuts_first else len(own_norms)
            own_norms.insert(place, _automatic("batch_normalization", shortcuts))
            shortcuts += 1
        norms += own_norms
    kinds = {"conv2d": convs, "separable_conv2d": separable, "batch_normalization": norms}
    return {_automatic(k, i): name for k, named in kinds.items() for i, name in enumerate(named)}


def of_lite0(tensors: Arrays) -> Arrays:
    """Gives the tensors of EfficientNet-Lite0's file by "layer/weight", with timm's names of the
    layers, and Keras's names and layouts of the weights.

    Raises ValueError if a tensor is not that network's.
    """
    layers = _lite0_layers()
    found = {}
    for key, tensor in tensors.items():
        module, _, kind = key.rpartition(".")
        if kind == "num_batches_tracked":
            continue
        if module not in layers or kind not in TORCH_NORM:
            raise ValueError(f"{key} is no tensor of EfficientNet-Lite0's")
        layer = layers[module]
        if layer.rpartition(".")[2].startswith("bn"):
            found[f"{layer}/{TORCH_NORM[kind]}"] = tensor
        elif kind == "bias":
            found[f"{layer}/bias"] = tensor
        else:
            found[f"{layer}/kernel"] = _turned(layer, tensor)
    return found


def _lite0_layers() -> dict[str, str]:
    """Gives timm's name of each module in EfficientNet-Lite0's file, by the name there."""
    found, count = dict(LITE0_OUTER), 0
    for stage, depth in enumerate(LITE0_DEPTHS):
        for block in range(depth):
            for theirs, ours in (LITE0_LATER if stage else LITE0_FIRST).items():
                found[f"_blocks.{count}.{theirs}"] = f"blocks.{stage}.{block}.{ours}"
            count += 1
    return found


def _turned(layer: str, kernel: np.ndarray) -> np.ndarray:
    """Turns a kernel from PyTorch's layout, (out, in[, h, w]), to Keras's layout."""
    if kernel.ndim == 2:
        return kernel.T
    return kernel.transpose((2, 3, 0, 1) if layer.endswith("conv_dw") else (2, 3, 1, 0))
