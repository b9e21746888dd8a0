"""Reads a file of weights learned from ImageNet, and tells what is wrong with it.

A file is taken for what it contains: where the digest of a backbone's tensors is known, a copy that
was saved again is as good as the original; where it isn't, only the official file is taken, by its
size and hash. Every backbone's weights are given in Keras's layouts, without any deep-learning
framework.
"""

import hashlib
import os
from pathlib import Path

import numpy as np

from protocols.errors import one_line
from protocols.weights.content import difference
from protocols.weights.keras_file import read_layers
from protocols.weights.names import of_keras, of_lite0
from protocols.weights.table import Pretrained, WeightFile, load_pretrained, spelled
from protocols.weights.torch_file import read_tensors

Arrays = dict[str, np.ndarray]
CLASSIFIER = "classifier/"  # begins the names of a classifier's weights


def read(backbone: str, path: Path, top: bool = False) -> Arrays:
    """Gives a file's weights, float32, by "layer/weight", in Keras's layouts and the file's order.

    Layers have the names that Keras gives in a fresh process; those of EfficientNet-Lite0 have
    timm's ("blocks.1.0.conv_pwl"). Kernels are (h, w, in, out), depthwise kernels (h, w, channels,
    1), dense kernels (in, out). With `top` the classifier is included, which is known of
    EfficientNet-Lite0 only. Raises ValueError if the file is damaged or another file, or lacks a
    wanted classifier; OSError if it can't be read.
    """
    if load_pretrained()[backbone].layout == "torch":
        found = of_lite0(read_tensors(path))
    else:
        found = of_keras(backbone, read_layers(path))
    classifier = {key for key in found if key.startswith(CLASSIFIER)}
    if top and not classifier:
        raise ValueError(f"{path} has no classifier")
    kept = {k: v for k, v in found.items() if top or k not in classifier}
    return {k: np.ascontiguousarray(v, np.float32) for k, v in kept.items()}


def verified(backbone: str, path: Path, digest: str) -> Arrays:
    """Gives `read`'s weights of the file at `path`. Raises ValueError unless the file can be read
    and holds what a run names as `digest`."""
    known = load_pretrained()[backbone]
    what = f"the weights of {backbone}, {path},"
    if digest != known.digest:
        raise ValueError(f"{what} are not those of this run: the run names {digest}")
    wrong, found = _examined(known, known.official, path)
    if wrong:
        raise ValueError(f"{what} are not those of this run: the file {wrong}")
    return read(backbone, path) if found is None else found


def described(backbone: str, path: Path) -> dict[str, str]:
    """Gives the name of a backbone's file ("file") and its hash ("hash"), which is of the kind that
    the table has for a file of this size, else SHA-256. Raises OSError."""
    size, sources = path.stat().st_size, load_pretrained()[backbone].sources
    like = next((source.hash for source in sources if source.size == size), "sha256:")
    name = one_line(os.fsencode(path.name).decode("utf-8", "replace"))
    return {"file": name, "hash": hash_of(path, like)}


def problem(known: Pretrained, source: WeightFile, path: Path) -> str:
    """Tells in words what is wrong with a file that should be that of the source, or gives "".

    Where the digest of the contents is known, the contents decide; a file with the hash of `source`
    and other contents is refused too, for then the table contradicts itself.
    """
    return _examined(known, source, path)[0]


def _examined(known: Pretrained, source: WeightFile, path: Path) -> tuple[str, Arrays | None]:
    """Gives what `problem` gives, and the weights where they had to be read for it."""
    try:
        other = other_bytes(source, path)
        if not known.content:
            return other, None
        found = read(known.backbone, path)
    except FileNotFoundError:
        return "is missing", None
    except OSError as error:
        return f"can't be read ({error.strerror or error})", None
    except ValueError as error:
        nothing = f"holds no weights of {known.backbone} ({error})"
        return f"{other} and {nothing}" if other else nothing, None
    differs = difference(found, known.content, known.shapes)
    if not differs or other:
        return differs, found
    packages = " and ".join(s.package for s in known.sources if s.package and s is not source)
    learned = f"those learned from {packages}" if packages else "backbones.toml says"
    return f"has the right hash ({spelled(source.hash)}), but other contents than {learned}", found


def other_bytes(source: WeightFile, path: Path) -> str:
    """Tells in words how a file differs from that of the source by its size and hash, or gives "".
    Raises OSError."""
    size = path.stat().st_size
    if size != source.size:
        return f"has {size} bytes"
    found = hash_of(path, source.hash)
    return "" if found == source.hash else f"is altered ({spelled(found)})"


def hash_of(path: Path, like: str) -> str:
    """Gives a file's hash by the algorithm of the hash `like`, in the same form. Raises OSError."""
    algorithm = like.partition(":")[0]
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False))
    return f"{algorithm}:{found.hexdigest()}"
