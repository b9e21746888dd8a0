"""Which images train and which test, by protocol, fold and profile. Same in both twins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from protocols.classes import CLASSES
from protocols.seeds import generator

if TYPE_CHECKING:
    from protocols.images import ImageSet
    from protocols.spec import RunSpec

FOLD_SEED = 0  # one division into folds for all variants, twins and run seeds


def stratified_folds(labels: np.ndarray, n_folds: int, seed: int = FOLD_SEED) -> np.ndarray:
    """Fold number of every sample, int64 (n,): scikit-learn's StratifiedKFold, shuffled."""
    from sklearn.model_selection import StratifiedKFold  # noqa: PLC0415 (slow import)

    splitter = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    return _fold_numbers(splitter.split(labels, labels), len(labels))


def grouped_folds(
    labels: np.ndarray, groups: np.ndarray, n_folds: int, seed: int = FOLD_SEED
) -> np.ndarray:
    """Fold number of every sample, int64 (n,), no group in two folds (StratifiedGroupKFold)."""
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415 (slow import)

    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    return _fold_numbers(splitter.split(labels, labels, groups), len(labels))


def _fold_numbers(pairs: object, n: int) -> np.ndarray:
    folds = np.full(n, -1, dtype=np.int64)
    for number, (_, held_out) in enumerate(pairs):
        folds[held_out] = number
    return folds


def draw_per_class(labels: np.ndarray, per_class: int, *purpose: str | int) -> np.ndarray:
    """Sorted indices of a seeded draw of `per_class` samples of each class.

    Raises ValueError if a class has fewer.
    """
    picked = []
    for index, name in enumerate(CLASSES):
        members = np.flatnonzero(labels == index)
        if len(members) < per_class:
            raise ValueError(f"{len(members)} images of {name}, {per_class} wanted")
        picked.append(generator(0, "draw", *purpose, name).permutation(members)[:per_class])
    return np.sort(np.concatenate(picked))


def split(images: ImageSet, spec: RunSpec) -> tuple[np.ndarray, np.ndarray]:
    """Indices into `images` that the run trains on and tests on, each sorted.

    `fixed`: TRAIN and TEST, or the profile's draw of each; `cv10`: all folds but one, and that
    one; `cv10-grouped`: the set is built for the fold, its parts are marked.
    """
    if spec.protocol == "cv10":
        folds = stratified_folds(images.labels, spec.data["n_folds"])
        return np.flatnonzero(folds != spec.fold), np.flatnonzero(folds == spec.fold)
    parts = []
    for part, per_class in (("train", "train_per_class"), ("test", "test_per_class")):
        members = np.flatnonzero(images.part == part)
        wanted = spec.data.get(per_class)
        if wanted:
            members = members[draw_per_class(images.labels[members], wanted, part)]
        parts.append(members)
    return parts[0], parts[1]


def calibration_rows(n: int, wanted: int, size: int) -> list[np.ndarray]:
    """Rows of the training part, in full batches and a fixed order, that calibrate a random
    backbone's moving statistics: at most `wanted` of n."""
    rows = generator(0, "calibration").permutation(n)[: min(n, wanted)]
    return [rows[i : i + size] for i in range(0, len(rows) - size + 1, size)]
