"""Counts of the public set for the leakage sheet, and the evidence that is alike for all papers.

Evidence is a word (FOUND, NOT_FOUND or OPEN) and a text on what was computed.
"""

from collections import Counter
from collections.abc import Callable
from functools import cache

import numpy as np

from protocols.classes import CLASSES
from protocols.images import set_rows
from protocols.images.sets import SetRequest
from protocols.images.splits import stratified_folds
from protocols.papers.recipes import fold_count, load_profiles
from protocols.photographs import provenance
from protocols.seeds import generator
from reports.tables.formats import THIN, percent

FOUND, NOT_FOUND, OPEN = "found", "not found", "can't be told"
Evidence = Callable[[], tuple[str, str]]
SHUFFLES = 2000  # shuffles of the labels, to see what chance would give


def part(split: str) -> list[provenance.Shown]:
    """Return the images of one part of the public set."""
    return [row for row in provenance.shown() if row.split == split]


@cache
def cv_shares() -> tuple[float, float, int]:
    """Return two shares of the test images of `cv10`, and the images' number. Of the first share
    training has the photograph as well; of the second the photograph or one that overlaps it."""
    per_class = load_profiles()["paper"].cv_per_class
    names = [(o.file, CLASSES.index(o.label)) for o in provenance.originals() if o.label in CLASSES]
    rows = set_rows.filled(names, SetRequest("cv10", 240, 320, per_class=per_class), "pool")
    folds = stratified_folds(np.array([row.label for row in rows]), fold_count())
    near, own, again = provenance.overlapping(), 0, 0
    for one in np.unique(folds):
        trained = {row.group for row, fold in zip(rows, folds, strict=True) if fold != one}
        tested = [row.group for row, fold in zip(rows, folds, strict=True) if fold == one]
        own += sum(name in trained for name in tested)
        again += sum(name in trained or bool(near[name] & trained) for name in tested)
    return own / len(rows), again / len(rows), len(rows)


@cache
def photographed_again() -> tuple[set[str], set[str]]:
    """Return two sets of photographs of TEST that overlaps connect with TRAIN. The first overlap a
    photograph of TRAIN themselves; the second are connected with it by way of others."""
    train, test = ({row.original for row in part(split)} for split in ("TRAIN", "TEST"))
    near = provenance.overlapping()
    of = provenance.groups()
    groups = {of[name] for name in train}
    direct = {name for name in test if near[name] & train}
    return direct, {name for name in test if of[name] in groups} - direct


@cache
def neighbours() -> tuple[float, float, float]:
    """Return the share of consecutive labelled photographs that have one label.
    Beside it stand the mean and the 99th percentile of that share by chance, with labels
    shuffled."""
    rows = [(int(o.file[11:16]), o.label) for o in provenance.originals() if o.label in CLASSES]
    numbers = np.array([number for number, _ in rows])
    labels = np.array([CLASSES.index(name) for _, name in rows])
    next_to = np.flatnonzero(np.diff(numbers) == 1)
    rng = generator(0, "neighbours")
    shuffled = [rng.permutation(labels) for _ in range(SHUFFLES)]
    by_chance = [np.mean(s[next_to] == s[next_to + 1]) for s in shuffled]
    share = np.mean(labels[next_to] == labels[next_to + 1])
    return float(share), float(np.mean(by_chance)), float(np.percentile(by_chance, 99))


def batches() -> tuple[str, str]:
    """Return the evidence on photographs that were taken one after the other."""
    share, chance, high = neighbours()
    said = (
        f"Photographs that follow each other share their class in {percent(share, 1)} of cases; by "
        f"chance {percent(chance, 1)}, in 99{THIN}% of shuffles at most {percent(high, 1)}. "
    )
    if share <= high:
        return NOT_FOUND, said + "So the order of taking tells little of the class."
    return OPEN, said + (
        "So a class comes in runs, and stain, light or focus of a session could tell it; the "
        "data don't say which photographs were taken together, so how far is open."
    )


def cut() -> tuple[int, int]:
    """Return how many overlapping pairs have one photograph in TRAIN and one in TEST.
    The second number is that of all overlapping pairs within the two parts."""
    split = {o.file: o.split for o in provenance.originals()}
    sides = [{split[p.first], split[p.second]} for p in provenance.overlaps()]
    return sides.count({"TRAIN", "TEST"}), sum("" not in s for s in sides)


def balance(balanced: str) -> tuple[str, str]:
    """Return the evidence on the classes' shares; `balanced` says how the classes are tested."""
    labels = Counter(o.label for o in provenance.originals())
    counts = [labels[name] for name in CLASSES]
    two = sum(n for name, n in labels.items() if "," in name)
    shares = [
        f"{percent(n / sum(counts), 0)} {name.lower()}s"
        for n, name in zip(counts, CLASSES, strict=True)
    ]
    return FOUND, (
        f"The classes are tested {balanced}; among the photographs there are "
        f"{', '.join(shares[:-1])} and {shares[-1]}. Left out: {two} photographs of two cells, "
        f"{labels['BASOPHIL']} of basophils, {labels['']} without a label. Laboratory, stain and "
        "microscope aren't recorded."
    )


def of_kinds(
    selection: Evidence,
    preprocessing: Evidence,
    duplicates: Evidence,
    dependence: Evidence,
    balanced: str,
) -> list[Evidence]:
    """Return the evidence on a paper in the order of the kinds of leakage: what is the paper's own,
    with what is alike for all papers; `balanced` says how the classes are tested."""
    no_features = NOT_FOUND, "No feature is selected: the networks read pixels."
    no_time = NOT_FOUND, "Nothing is forecast. That neighbours in time are divided stands above."
    return [
        selection, preprocessing, lambda: no_features, duplicates, batches, lambda: no_time,
        dependence, lambda: balance(balanced),
    ]  # fmt: skip
