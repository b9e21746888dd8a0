"""The leakage sheet: both papers' protocols by the taxonomy of Kapoor and Narayanan.

Leakage and the reproducibility crisis in machine-learning-based science, Patterns 4(9), 2023,
doi 10.1016/j.patter.2023.100804: eight kinds. Every figure is computed here, from the recorded
tables of provenance and overlap, the splits, and the claims; nothing is quoted from a run.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from protocols.classes import CLASSES
from protocols.images import set_rows
from protocols.images.sets import SetRequest
from protocols.images.splits import stratified_folds
from protocols.papers.claims import load_claims
from protocols.papers.recipes import load_profiles, load_recipe
from protocols.photographs import provenance
from protocols.seeds import generator
from reports.cells.collect import Collected
from reports.pages.content import PageRecord
from reports.pages.leakage import leak_free
from reports.statistics import printed
from reports.tables.builder import Line, over, table, texts
from reports.tables.cell_text import claim_text
from reports.tables.formats import THIN, percent
from reports.tables.table import Table, Td, label

FOUND, NOT_FOUND, OPEN = "found", "not found", "can’t be told"
OK = {FOUND: False, NOT_FOUND: True, OPEN: None}
SHUFFLES = 2000  # of the labels, for what chance would give


@dataclass(frozen=True)
class Kind:
    """One kind of leakage, and the evidence for each paper: (word, what was computed)."""

    name: str
    about: str
    liang: Callable[[], tuple[str, str]]
    jane: Callable[[], tuple[str, str]]


def _part(split: str) -> list[provenance.Shown]:
    return [row for row in provenance.shown() if row.split == split]


def _liang_selection() -> tuple[str, str]:
    claims = load_claims()
    best, fig6 = claims["liang.t1.xception_lstm"], claims["liang.fig6.val_acc"]
    said = (
        "The epoch is the one of lowest validation loss (III.D), and no set but training and test "
        f"images is named (III.A). Its validation accuracy ({fig6.printed}, Fig. 6) "
    )
    low, high = printed.printed(best)
    if printed.printed(fig6) != (low, high):
        return OPEN, said + f"isn’t Table 1’s test accuracy ({claim_text(best)})."
    chance = printed.chance_of_equal(best.number, best.n, high - low)
    return FOUND, (
        f"{said}is Table 1’s test accuracy ({claim_text(best)}), digit for digit; two separate "
        f"sets of {best.n:,} images would print the same digits in {100 * chance:.2f}{THIN}% of "
        "the cases (binomial counts; every image right with that chance, independent of the "
        "others). So the test images chose the epoch. What that adds stands on the page Evidence."
    )


def _jane_selection() -> tuple[str, str]:
    return FOUND, (
        "Lowest validation loss chooses the epoch and no set but the held-out fold is named, so "
        "the fold that chooses is the fold that is scored. What that adds stands on the page "
        "Evidence."
    )


def _liang_preprocessing() -> tuple[str, str]:
    train, test = ({row.original for row in _part(split)} for split in ("TRAIN", "TEST"))
    both = len(train & test)
    return (FOUND if both else NOT_FOUND), (
        f"The photographs were divided first and augmented afterwards: {len(train)} in TRAIN, "
        f"{len(test)} in TEST, {both} in both. Each image was rescaled by itself; the constants "
        "of the preprocessing are ImageNet’s."
    )


@cache
def cv_shares() -> tuple[float, float, int]:
    """Of `cv10`'s test images: the share whose photograph, and whose photograph or one that
    overlaps it, trains as well; n."""
    per_class = load_profiles()["paper"].cv_per_class
    names = [(o.file, CLASSES.index(o.label)) for o in provenance.originals() if o.label in CLASSES]
    rows = set_rows.filled(names, SetRequest("cv10", 240, 320, per_class=per_class), "pool")
    folds = stratified_folds(
        np.array([row.label for row in rows]), load_recipe("jane")["folds"].value
    )
    near, own, again = provenance.overlapping(), 0, 0
    for one in np.unique(folds):
        trained = {row.group for row, fold in zip(rows, folds, strict=True) if fold != one}
        tested = [row.group for row, fold in zip(rows, folds, strict=True) if fold == one]
        own += sum(name in trained for name in tested)
        again += sum(name in trained or bool(near[name] & trained) for name in tested)
    return own / len(rows), again / len(rows), len(rows)


def _jane_preprocessing() -> tuple[str, str]:
    own, _, n = cv_shares()
    return FOUND, (
        "The text turns and flips the photographs to 500 a class before it speaks of folds. Read "
        f"so, {percent(own, 1)} of the {n:,} images are tested by a network that trained on "
        "another copy of the same photograph."
    )


def _no_features() -> tuple[str, str]:
    return NOT_FOUND, "No feature is selected: the networks read pixels."


@cache
def photographed_again() -> tuple[set[str], set[str]]:
    """Photographs of TEST that overlap one of TRAIN themselves; and those that don't, but that
    overlaps connect with TRAIN by way of others."""
    train, test = ({row.original for row in _part(split)} for split in ("TRAIN", "TEST"))
    near = provenance.overlapping()
    of = provenance.groups()
    groups = {of[name] for name in train}
    direct = {name for name in test if near[name] & train}
    return direct, {name for name in test if of[name] in groups} - direct


def _liang_duplicates() -> tuple[str, str]:
    train, test = ({row.sha256 for row in _part(split)} for split in ("TRAIN", "TEST"))
    direct, by_way = photographed_again()
    near, further = (
        [row for row in _part("TEST") if row.original in some] for some in (direct, by_way)
    )
    share = len(near) / len(_part("TEST"))
    word = FOUND if near or train & test else NOT_FOUND
    return word, (
        f"No file is in both parts ({len(train & test)} by SHA-256). But {len(near):,} test images "
        f"({percent(share, 1)}) show {len(direct)} photographs whose field, or a part of it, was "
        f"photographed again for TRAIN. {len(further):,} more test images show {len(by_way)} "
        "photographs that are connected with TRAIN only through another test photograph (page "
        "Images, which counts both)."
    )


def _jane_duplicates() -> tuple[str, str]:
    _, again, n = cv_shares()
    counts = Counter(o.sha256 for o in provenance.originals())
    twice = sum(count > 1 for count in counts.values())
    return FOUND, (
        f"Turned copies, as above; with photographs that overlap the tested one counted too, "
        f"{percent(again, 1)} of {n:,} images have a relative in training. Files that are there "
        f"twice, byte for byte: {twice}."
    )


@cache
def neighbours() -> tuple[float, float, float]:
    """Share of consecutive labelled photographs with one label; by chance: mean, 99th percentile
    (labels shuffled)."""
    rows = [(int(o.file[11:16]), o.label) for o in provenance.originals() if o.label in CLASSES]
    numbers = np.array([number for number, _ in rows])
    labels = np.array([CLASSES.index(name) for _, name in rows])
    next_to = np.flatnonzero(np.diff(numbers) == 1)
    rng = generator(0, "neighbours")
    shuffled = [rng.permutation(labels) for _ in range(SHUFFLES)]
    by_chance = [np.mean(s[next_to] == s[next_to + 1]) for s in shuffled]
    share = np.mean(labels[next_to] == labels[next_to + 1])
    return float(share), float(np.mean(by_chance)), float(np.percentile(by_chance, 99))


def _batches() -> tuple[str, str]:
    share, chance, high = neighbours()
    said = (
        f"Photographs that follow each other share their class in {percent(share, 1)} of cases; by "
        f"chance {percent(chance, 1)}, in 99{THIN}% of shuffles at most {percent(high, 1)}. "
    )
    if share <= high:
        return NOT_FOUND, said + "So the order of taking tells little of the class."
    return OPEN, said + (
        "So a class comes in runs, and stain, light or focus of a session could tell it; the "
        "data don’t say which photographs were taken together, so how far is open."
    )


def _no_time() -> tuple[str, str]:
    return NOT_FOUND, "Nothing is forecast. That neighbours in time are divided stands above."


def _cut() -> tuple[int, int]:
    """Overlapping pairs with one photograph in TRAIN and one in TEST; all pairs in the two."""
    split = {o.file: o.split for o in provenance.originals()}
    sides = [{split[p.first], split[p.second]} for p in provenance.overlaps()]
    return sides.count({"TRAIN", "TEST"}), sum("" not in s for s in sides)


def _liang_dependence() -> tuple[str, str]:
    across, both = _cut()
    test = _part("TEST")
    return FOUND, (
        f"{across} of {both} overlapping pairs are divided by the split. Who gave the blood isn’t "
        "recorded, so one person may be on both sides. Within TEST, "
        f"{len(test):,} images show {len({row.original for row in test})} photographs: they are "
        "not that many independent cases (page Evidence)."
    )


def _jane_dependence() -> tuple[str, str]:
    own, _, _ = cv_shares()
    return FOUND, (
        f"Folds cut through photographs ({percent(own, 1)} of images, as above), overlapping "
        "photographs, and persons, who aren’t recorded."
    )


def _balance(balanced: str) -> tuple[str, str]:
    labels = Counter(o.label for o in provenance.originals())
    counts = [labels[name] for name in CLASSES]
    two = sum(n for name, n in labels.items() if "," in name)
    shares = " / ".join(f"{100 * n / sum(counts):.0f}" for n in counts)
    return FOUND, (
        f"The classes are tested {balanced}; among the photographs they are {shares}{THIN}% "
        f"(E/L/M/N). Left out: {two} photographs of two cells, {labels['BASOPHIL']} of basophils, "
        f"{labels['']} without a label. Laboratory, stain and microscope aren’t "
        "recorded."
    )


KINDS = (
    Kind("No test set", "the numbers are of images that took part in training or choosing",
         _liang_selection, _jane_selection),
    Kind("Preprocessing on training and test set", "augmentation or scaling that knows both",
         _liang_preprocessing, _jane_preprocessing),
    Kind("Feature selection on training and test set", "features chosen with the test set",
         _no_features, _no_features),
    Kind("Duplicates", "the same case on both sides", _liang_duplicates, _jane_duplicates),
    Kind("Illegitimate features", "something tells the class that a new case wouldn’t have",
         _batches, _batches),
    Kind("Temporal leakage", "training on what came after", _no_time, _no_time),
    Kind("Dependence between training and test", "cases of one source on both sides",
         _liang_dependence, _jane_dependence),
    Kind("Sampling bias in the test set", "the test set isn’t what the method is for",
         lambda: _balance("in equal numbers"), lambda: _balance("in equal numbers, 500 each")),
)  # fmt: skip


def sheet() -> Table:
    """Eight kinds, two papers."""
    lines: list[Line] = []
    for number, kind in enumerate(KINDS, start=1):
        line: list[Td | str] = [label(f"{number}. {kind.name}", kind.about)]
        for word, said in (kind.liang(), kind.jane()):
            line += [Td(word, kind="text", ok=OK[word]), said]
        lines.append(line)
    below = texts("So", "Evidence")
    papers = [over(name, below) for name in ("Liang 2018, fixed", "Jane 2022, cv10")]
    caption = "✗ found, ✓ looked for and not found."
    return table("leakage", caption, [*texts("Kind of leakage"), *papers], lines)


def page(collected: Collected) -> dict[str, Any]:
    """What the page shows."""
    return {"sheet": sheet(), "beside": leak_free.beside(collected)}


PAGE = PageRecord(
    "leakage.html", "What leaks?", "Leakage", lambda results: page(results.collected), place=7
)
