"""Reads predictions.npz and activations.npz of a run folder, and trusts neither.

Both readers raise `Damaged`, with the file's name and the fault, for what doesn't fit.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from protocols.boundary import Damaged, Head, arrays, fits
from protocols.classes import CLASSES
from protocols.papers.backbones import load_backbones
from protocols.papers.variants import load_variants

LARGEST_MAP = 5000  # the most rows or columns, and also the most maps or images
NEAR_ONE = 0.01  # how far the sum of four float16 probabilities may be from 1
IMAGE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_./ -]*(#[0-9]{1,6})?")  # an image's id
ANSWERS: dict[str, tuple[str, tuple]] = {  # predictions.npz
    "ids": ("text", ("n",)),
    "labels": ("int64", ("n",)),
    "classes": ("text", (4,)),
    "selected": ("float32", ("n", 4)),
    "last": ("float32", ("n", 4)),
    "selected_index": ("int64", ()),
    "milestone_epochs": ("int64", ("milestones",)),
}
MILESTONES: dict[str, tuple[str, tuple]] = {"milestones": ("float32", ("milestones", "n", 4))}
NO_MILESTONES: dict[str, tuple[str, tuple]] = {"milestones": ("float32", (0,))}  # none is printed
VALIDATION: dict[str, tuple[str, tuple]] = {  # where a part beside the test selects the epoch
    "validation_ids": ("text", ("v",)),
    "validation_labels": ("int64", ("v",)),
}
# The arrays of every epoch: log-probabilities, or, in earlier runs, probabilities.
EVERY_EPOCH = {"": "n", "validation_": "v"}  # prefix of the part -> its number of images
LOG = "log_epochs"


def predictions(path: Path) -> dict[str, np.ndarray]:
    """Returns the arrays of predictions.npz, whose ids, labels and probabilities are in range."""

    def check(found: dict[str, Head]) -> None:
        none = found.get("milestone_epochs", Head(np.dtype(int), (0,))).shape == (0,)
        wanted = ANSWERS | (NO_MILESTONES if none else MILESTONES)
        parts = dict(EVERY_EPOCH)
        if any(name in found for name in VALIDATION):
            wanted |= VALIDATION
        else:
            del parts["validation_"]
        every = LOG if LOG in found else "epochs"
        wanted |= {f"{p}{every}": ("float16", ("epochs", n, 4)) for p, n in parts.items()}
        fits(found, wanted, path.name)

    found = arrays(path, check)
    n, epochs = len(found["ids"]), epochs_of(found)
    if not n or not epochs:
        raise Damaged(f"{path.name} has no image, or no epoch")
    if tuple(found["classes"]) != CLASSES:
        raise Damaged(f"{path.name} has other classes than {', '.join(CLASSES)}")
    if not 0 <= int(found["selected_index"]) < epochs:
        raise Damaged(f"{path.name}: the selected epoch is none of its {epochs}")
    for name in ("ids", "validation_ids"):
        _images(found.get(name, ()), path.name)
    for name in ("labels", "validation_labels"):
        _labels(found.get(name), name, path.name)
    for name in ("selected", "last", "milestones", *(f"{p}epochs" for p in EVERY_EPOCH)):
        if name in found and found[name].size:
            _probabilities(found[name], name, path.name, whole=name == "selected")
    for name in (f"{part}{LOG}" for part in EVERY_EPOCH):
        if name in found and found[name].size:
            values = np.exp(found[name].astype(np.float32))
            _probabilities(values, name, path.name, whole=False)
    return found


def epochs_of(found: Mapping[str, np.ndarray]) -> int:
    """Returns how many epochs the arrays of predictions.npz are of."""
    return len(found[LOG if LOG in found else "epochs"])


def _images(ids: Any, name: str) -> None:
    for one in map(str, ids):
        if len(one) > 200 or not IMAGE.fullmatch(one) or ".." in one:
            raise Damaged(f"{name}: {one[:100]!a} is no image's id")


def _labels(labels: np.ndarray | None, key: str, name: str) -> None:
    if labels is not None and labels.size and not 0 <= labels.min() <= labels.max() < len(CLASSES):
        raise Damaged(f"{name}: {key} names a class that there isn't")


def _probabilities(values: np.ndarray, key: str, name: str, whole: bool) -> None:
    """Raises Damaged unless each four values are at least 0 and sum to 1. Unless `whole`, they may
    be NaN, where a network diverged."""
    for part in values if values.ndim == 3 else values[None]:
        with np.errstate(all="ignore"):
            sums = part.sum(axis=-1, dtype=np.float32)
        right = (part.min(axis=-1) >= 0) & (np.abs(sums - 1) <= NEAR_ONE)
        if not (right if whole else right | np.isnan(sums)).all():
            raise Damaged(f"{name}: {key} holds what are no probabilities")


def activations(path: Path, variant: str) -> dict[str, np.ndarray]:
    """Returns the arrays of activations.npz of a network; see protocols.runs.activations."""
    known = load_variants()

    def check(found: dict[str, Head]) -> None:
        wanted: dict[str, tuple[str, tuple]] = {
            "ids": ("text", ("n",)),
            "labels": ("int64", ("n",)),
            "probabilities": ("float32", ("n", 4)),
        }
        for backbone in known[variant].backbones if variant in known else ():
            wanted[f"cam/{backbone}"] = ("float32", ("n", f"{backbone} h", f"{backbone} w"))
            for layer in load_backbones()[backbone].layers:
                key = f"{backbone}/{layer.name}"
                wanted[f"layer/{key}"] = ("uint8", (f"{key} maps", f"{key} h", f"{key} w"))
                wanted[f"range/{key}"] = ("float64", (2,))
        lengths = fits(found, wanted, path.name)
        if not all(0 < length <= LARGEST_MAP for length in lengths.values()):
            raise Damaged(f"{path.name} has an array that is empty or too large")

    found = arrays(path, check)
    _images(found["ids"], path.name)
    _labels(found["labels"], "labels", path.name)
    _probabilities(found["probabilities"], "probabilities", path.name, whole=False)
    return found
