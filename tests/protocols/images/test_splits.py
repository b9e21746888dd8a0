"""Parts and folds: stratified, seeded, and no group of photographs on two sides."""

from dataclasses import replace

import numpy as np
import pytest

from protocols.classes import CLASSES
from protocols.images import set_rows, splits
from protocols.images.sets import SetRequest
from protocols.photographs import provenance


def test_folds_are_stratified_disjoint_and_complete():
    labels = np.repeat(np.arange(4), 50)
    folds = splits.stratified_folds(labels, 10)
    assert sorted(np.unique(folds)) == list(range(10))
    for fold in range(10):
        assert np.bincount(labels[folds == fold]).tolist() == [5] * 4


def test_grouped_folds_keep_groups_whole(rng):
    labels = np.repeat(np.arange(4), 40)
    groups = np.array([f"{label}-{i // 4}" for i, label in enumerate(labels)])
    folds = splits.grouped_folds(labels, groups, 10)
    for group in np.unique(groups):
        assert len(set(folds[groups == group])) == 1


def test_a_group_with_a_test_image_leaves_training_and_validation_takes_whole_groups(rng):
    labels = np.repeat(np.arange(4), 60)
    groups = np.array([f"{label}-{i % 12}" for i, label in enumerate(labels)])
    shuffled = rng.permutation(len(labels))
    test, train = np.sort(shuffled[:6]), np.sort(shuffled[6:])
    left, validation = splits.ungrouped(labels, groups, train, test)
    in_test = set(groups[test])
    assert not in_test & {*groups[left], *groups[validation]}
    assert not set(groups[left]) & set(groups[validation])
    dropped = sum(group in in_test for group in groups[train])
    assert dropped > 0 and len(left) + len(validation) == len(train) - dropped
    for label in range(4):
        mine = {g for g in groups[train] if g.startswith(f"{label}-")} - in_test
        held = {g for g in groups[validation] if g.startswith(f"{label}-")}
        assert len(held) == round(0.2 * len(mine))


def test_a_group_of_two_classes_is_never_cut():
    labels = np.repeat([0, 1, 2, 3], 10)
    groups = np.array(["a"] * 8 + ["mixed"] * 5 + ["b"] * 7 + ["c", "d"] * 5 + ["e", "f"] * 5)
    train = np.arange(40)
    left, validation = splits.ungrouped(labels, groups, train, train[:0])
    assert not set(groups[left]) & set(groups[validation])
    assert len(left) + len(validation) == 40


def test_the_public_set_keeps_no_group_on_two_sides():
    rows = [row for row in provenance.shown() if row.split != "TEST_SIMPLE"]
    labels = np.array([CLASSES.index(row.class_name) for row in rows])
    groups = np.array([provenance.groups()[row.original] for row in rows])
    test = np.flatnonzero([row.split == "TEST" for row in rows])
    train = np.flatnonzero([row.split == "TRAIN" for row in rows])
    left, validation = splits.ungrouped(labels, groups, train, test)
    parts = [set(groups[part]) for part in (left, validation, test)]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    near = [row for row in provenance.overlaps() if {row.first, row.second} & set(groups)]
    assert near  # the check has something to find
    assert 0 < len(train) - len(left) - len(validation) < len(train) // 10
    assert np.bincount(labels[left]).min() > 0 and np.bincount(labels[validation]).min() > 0


def test_grouped_folds_of_the_public_set_keep_overlapping_photographs_together():
    names = [(o.file, CLASSES.index(o.label)) for o in provenance.originals() if o.label in CLASSES]
    groups = [provenance.groups()[name] for name, _ in names]
    request = SetRequest("cv10-grouped", 84, 112, per_class=9, fold=0)
    fold_of = {}
    for fold in range(10):
        rows = set_rows._fold_rows(names, groups, replace(request, fold=fold))
        fold_of |= {row.group: fold for row in rows if row.part == "test"}
    assert len(fold_of) == len(names) == 348
    pairs = [p for p in provenance.overlaps() if p.first in fold_of and p.second in fold_of]
    assert len(pairs) > 10
    assert all(fold_of[pair.first] == fold_of[pair.second] for pair in pairs)


def test_a_draw_is_seeded_and_balanced():
    labels = np.repeat(np.arange(4), [9, 30, 12, 20])
    drawn = splits.draw_per_class(labels, 8, "train")
    assert np.bincount(labels[drawn]).tolist() == [8] * 4
    assert (drawn == splits.draw_per_class(labels, 8, "train")).all()
    assert (drawn != splits.draw_per_class(labels, 8, "test")).any()
    with pytest.raises(ValueError, match="9 images of EOSINOPHIL, 10 wanted"):
        splits.draw_per_class(labels, 10)


def test_calibration_takes_full_batches_of_mixed_rows():
    batches = splits.calibration_rows(1000, 256, 32)
    assert [len(b) for b in batches] == [32] * 8
    assert len(np.unique(np.concatenate(batches))) == 256
    assert [len(b) for b in splits.calibration_rows(70, 256, 32)] == [32, 32]
