"""Tells how many images a run reads, and how much disk a run needs."""

import contextlib
import json
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from protocols.classes import CLASSES
from protocols.images import dataset
from protocols.images.splits import ungrouped
from protocols.papers.backbones import load_backbones
from protocols.papers.recipes import milestones
from protocols.papers.variants import load_variants
from protocols.photographs import provenance
from protocols.runs import activations, features
from protocols.runs.checkpoint import AT_EPOCH, INSIDE_EPOCH
from protocols.spec import FIXED, RunSpec

# The bytes of a run's files, as the published runs have them (a test allows a factor of 1.5)
TEXT = 3_600  # specification, environment, timings, run.json
LOG = 1_000  # what TensorFlow prints in a process
HISTORY, ROW = 110, 120  # history.csv: its head, and the row of an epoch
ARRAYS = 1_500  # the heads of the arrays in predictions.npz
ID, OTHER = 5, 32  # of each tested image: its name; its class and two float32 answers
PACKED = 0.9  # the share of the answers' bytes that compression leaves
PARTS = {"train": "images/TRAIN/", "test": "images/TEST/", "originals": dataset.ORIGINALS}
NO_ROWS = np.array([], np.int64)


@cache
def _all_images(kind: str) -> dict[str, int]:
    """Returns the number of images in each part of the data: "train", "test", "originals"."""
    if kind == "phantom":
        counts = dataset.PHANTOM_TRAIN, dataset.PHANTOM_TEST, dataset.PHANTOM_ORIGINALS
        return {name: len(CLASSES) * n for name, n in zip(PARTS, counts, strict=True)}
    paths = [entry.path for entry in dataset.Source("real", None).entries()]
    return {name: sum(p.startswith(start) for p in paths) for name, start in PARTS.items()}


def counts(spec: RunSpec) -> tuple[int, int]:
    """Returns the number of images that the run trains on, and the number that it evaluates."""
    return counts_of(spec.protocol, spec.data)


def counts_of(protocol: str, data: dict[str, Any]) -> tuple[int, int]:
    """Returns `counts` of every run under a protocol; a grouped fold tests a tenth of originals."""
    if protocol == "fixed-grouped":
        if data["kind"] == "real" and not data["train_per_class"]:
            return public_grouped()
        return len(CLASSES) * data["train_per_class"], 2 * len(CLASSES) * data["test_per_class"]
    if protocol == "fixed":
        train, test = (
            len(CLASSES) * data[f"{part}_per_class"] or _all_images(data["kind"])[part]
            for part in ("train", "test")
        )
        return train, test
    images = len(CLASSES) * data["per_class"]
    if protocol == "cv10":
        return images - round(images / data["n_folds"]), round(images / data["n_folds"])
    return images, round(_all_images(data["kind"])["originals"] / data["n_folds"])


@cache
def public_grouped() -> tuple[int, int]:
    """Returns `counts` of `fixed-grouped` over all public images, from the recorded tables."""
    rows = [row for row in provenance.shown() if row.split in ("TRAIN", "TEST")]
    labels = np.array([CLASSES.index(row.class_name) for row in rows])
    groups = np.array([provenance.groups()[row.original] for row in rows])
    train, test = (
        np.flatnonzero([row.split == part for row in rows]) for part in ("TRAIN", "TEST")
    )
    left, validation = ungrouped(labels, groups, train, test)
    return len(left), len(validation) + len(test)


def stored(spec: RunSpec) -> int:
    """Returns the bytes of the run's folder: the float16 log-probabilities of every epoch, the
    recorded activations, and the short files."""
    log = LOG if spec.backend == "tensorflow" else 0
    if spec.stage == "latency":
        return TEXT + log * spec.recipe["cold_repeats"]
    epochs, images = sum(phase["epochs"] for phase in spec.phases), counts(spec)[1]
    row = 4 * len(CLASSES)  # float32
    answers = images * (epochs * row // 2 + len(milestones(spec)) * row + OTHER)
    short = TEXT + HISTORY + ROW * epochs + ARRAYS + images * ID
    return round(PACKED * answers) + activations.about_bytes(spec) + short


def checkpoints(spec: RunSpec, state: float, begins: list[float]) -> int:
    """Returns the most bytes that the checkpoints of a training run take; 0 if the run writes none.

    A checkpoint holds the run's `state` and the answers so far. A new one is written beside the
    old, so that both take disk at once. `begins`: seconds from the run's start to each epoch's
    beginning, and to the end of the last epoch.
    """
    written, last = 0, 0.0
    for begin, end in pairwise(begins):
        if begin - last >= AT_EPOCH:
            written, last = written + 1, begin
        inside = int((end - last) // INSIDE_EPOCH)
        written, last = written + inside, last + inside * INSIDE_EPOCH
    epochs = len(begins) - 1
    size = state + epochs * counts(spec)[1] * 4 * len(CLASSES)
    return round(min(written, 2) * size)


def shared(specs: list[RunSpec], root: Path) -> dict[str, int]:
    """Returns the bytes of the decoded sets and stored features that `specs` need and the cache at
    `root` lacks. Each set has its name as its key, and is counted once."""
    found, there = {}, _stored_features(root)
    for spec in specs:
        name = f"arrays/{spec.data['digest'][:16]}"
        if not (root / name).is_dir():
            # of FIXED the whole set is decoded, whatever a run draws from it
            whole = [_all_images(spec.data["kind"])[part] for part in ("train", "test")]
            images = sum(whole if spec.protocol in FIXED else counts(spec))
            found[name] = images * spec.data["height"] * spec.data["width"] * 3
        if spec.stores_features:
            n = sum(counts(spec))
            for backbone in load_variants()[spec.variant].backbones:
                name = _named(features.subject(spec, backbone, NO_ROWS, NO_ROWS), n)
                if name not in there:
                    found[name] = n * load_backbones()[backbone].channels * 4 * _positions(spec)
    return found


def _positions(spec: RunSpec) -> int:
    """Returns how many positions a stored map has: one where the head reads its mean, else all."""
    if load_variants()[spec.variant].pooled:
        return 1
    return -(-spec.data["height"] // activations.LAST) * -(-spec.data["width"] // activations.LAST)


def _named(subject: dict, n: int) -> str:
    """Returns a name for stored features that tells how many images they are of, but not which."""
    words = {k: v for k, v in subject.items() if k not in ("rows", "train")}
    return json.dumps(words | {"n": n}, sort_keys=True)


def _stored_features(root: Path) -> set[str]:
    found = set()
    for path in root.glob(f"features/*-*/{features.INDEX}"):
        with contextlib.suppress(OSError, ValueError, KeyError):  # damaged features are made again
            index = json.loads(path.read_text(encoding="utf-8"))
            found.add(_named(index["subject"], index["n"]))
    return found
