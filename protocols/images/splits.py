"""Says which images train and which test, by protocol, fold and profile, alike in both twins."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from protocols.classes import CLASSES
from protocols.images.sets import ImageSet
from protocols.photographs import provenance
from protocols.seeds import generator
from protocols.spec import RunSpec

VALIDATION_SHARE = 0.2  # the share of the groups of a class, in `fixed-grouped`
FOLD_SEED = 0  # one division into folds is used for all variants, twins and run seeds


def stratified_folds(labels: np.ndarray, n_folds: int) -> np.ndarray:
    """Gives the fold number of every sample, int64 (n,), by scikit-learn's StratifiedKFold,
    shuffled."""
    from sklearn.model_selection import StratifiedKFold  # noqa: PLC0415 (slow import)

    splitter = StratifiedKFold(n_folds, shuffle=True, random_state=FOLD_SEED)
    return _fold_numbers(splitter.split(labels, labels), len(labels))


def grouped_folds(
    labels: np.ndarray, groups: np.ndarray, n_folds: int, seed: int = FOLD_SEED
) -> np.ndarray:
    """Gives the fold number of every sample, int64 (n,), with no group in two folds, by
    scikit-learn's StratifiedGroupKFold, shuffled."""
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415 (slow import)

    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    return _fold_numbers(splitter.split(labels, labels, groups), len(labels))


def _fold_numbers(pairs: Iterable[tuple[np.ndarray, np.ndarray]], n: int) -> np.ndarray:
    folds = np.full(n, -1, dtype=np.int64)
    for number, (_, held_out) in enumerate(pairs):
        folds[held_out] = number
    return folds


def draw_per_class(labels: np.ndarray, per_class: int, *purpose: str | int) -> np.ndarray:
    """Gives the sorted indices of a seeded draw of `per_class` samples of each class.

    Raises ValueError if a class has fewer samples.
    """
    picked = []
    for index, name in enumerate(CLASSES):
        members = np.flatnonzero(labels == index)
        if len(members) < per_class:
            raise ValueError(f"{len(members)} images of {name}, {per_class} wanted")
        picked.append(generator(0, "draw", *purpose, name).permutation(members)[:per_class])
    return np.sort(np.concatenate(picked))


class Parts(NamedTuple):
    """The indices of the parts of a set, each sorted. The epoch is selected on `validation`, or,
    where that is empty, on `test`, as in the papers."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split(images: ImageSet, spec: RunSpec) -> Parts:
    """Gives the images of the set on which the run trains, selects the epoch, and tests.

    `fixed`: TRAIN and TEST, or the profile's draw of each; `fixed-grouped`: the test part of
    `fixed`, and the other parts from `ungrouped`; `cv10`: all folds but one, and that one;
    `cv10-grouped`: the set is built for the fold, and its parts are marked.
    """
    none = np.array([], dtype=np.int64)
    if spec.protocol == "cv10":
        folds = stratified_folds(images.labels, spec.data["n_folds"])
        return Parts(np.flatnonzero(folds != spec.fold), none, np.flatnonzero(folds == spec.fold))
    train, test = (np.flatnonzero(images.part == part) for part in ("train", "test"))
    validation = none
    if spec.protocol == "fixed-grouped":
        groups = np.array(provenance.groups_of_ids(images.ids, images.phantom))
        train, validation = ungrouped(images.labels, groups, train, test)

    def drawn(members: np.ndarray, key: str, purpose: str) -> np.ndarray:
        wanted = spec.data.get(key)
        if not wanted or not len(members):
            return members
        return members[draw_per_class(images.labels[members], wanted, purpose)]

    return Parts(
        drawn(train, "train_per_class", "train"),
        drawn(validation, "test_per_class", "validation"),
        drawn(test, "test_per_class", "test"),
    )


def ungrouped(
    labels: np.ndarray, groups: np.ndarray, train: np.ndarray, test: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Gives the training and validation parts of `fixed-grouped`, from the part TRAIN.

    Images whose group has a test image are dropped. Of the groups that are left of each class, a
    share of VALIDATION_SHARE (at least one group), drawn with a fixed seed, is the validation part.
    A group counts to the class of most of its images.
    """
    free = train[~np.isin(groups[train], np.unique(groups[test]))]
    names, place = np.unique(groups[free], return_inverse=True)
    held = np.zeros((len(names), len(CLASSES)), dtype=np.int64)
    np.add.at(held, (place, labels[free]), 1)
    chosen = []
    for index, name in enumerate(CLASSES):
        own = np.flatnonzero(held.argmax(axis=1) == index)
        wanted = max(1, round(VALIDATION_SHARE * len(own)))
        chosen.append(generator(0, "validation", name).permutation(own)[:wanted])
    validates = np.isin(place, np.concatenate(chosen))
    return free[~validates], free[validates]


def calibration_rows(n: int, wanted: int, size: int) -> list[np.ndarray]:
    """Gives the rows of the training part, in full batches and a fixed order, on which a random
    backbone's moving statistics are calibrated: at most `wanted` of n."""
    rows = generator(0, "calibration").permutation(n)[: min(n, wanted)]
    return [rows[i : i + size] for i in range(0, len(rows) - size + 1, size)]
