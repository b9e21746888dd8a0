"""How many images a run reads, and how much disk it needs."""

import contextlib
import json
from functools import cache
from itertools import pairwise
from pathlib import Path

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

# Bytes of a run's files, as the published runs have them (a test holds it to a factor of 1.5)
TEXT = 3_600  # specification, environment, timings, run.json
LOG = 1_000  # what TensorFlow prints in a process
HISTORY, ROW = 110, 120  # history.csv: its head, an epoch
ARRAYS = 1_500  # the heads of the arrays in predictions.npz
ID, OTHER = 5, 32  # of an image tested: its name, its class and two float32 answers
PACKED = 0.9  # what compression leaves of answers
PARTS = {"train": "images/TRAIN/", "test": "images/TEST/", "originals": dataset.ORIGINALS}
NO_ROWS = np.array([], np.int64)


@cache
def _all_images(kind: str) -> dict[str, int]:
    """Images of each part of the data: "train", "test", "originals"."""
    if kind == "phantom":
        counts = dataset.PHANTOM_TRAIN, dataset.PHANTOM_TEST, dataset.PHANTOM_ORIGINALS
        return {name: len(CLASSES) * n for name, n in zip(PARTS, counts, strict=True)}
    paths = [entry.path for entry in dataset.Source("real", None).entries()]
    return {name: sum(p.startswith(start) for p in paths) for name, start in PARTS.items()}


def counts(spec: RunSpec) -> tuple[int, int]:
    """Images that the run trains on and evaluates; of a grouped fold, a tenth of the originals."""
    data = spec.data
    if spec.protocol == "fixed-grouped":
        if data["kind"] == "real" and not data["train_per_class"]:
            return public_grouped()
        return len(CLASSES) * data["train_per_class"], 2 * len(CLASSES) * data["test_per_class"]
    if spec.protocol == "fixed":
        train, test = (
            len(CLASSES) * data[f"{part}_per_class"] or _all_images(data["kind"])[part]
            for part in ("train", "test")
        )
        return train, test
    images = len(CLASSES) * data["per_class"]
    if spec.protocol == "cv10":
        return images - round(images / data["n_folds"]), round(images / data["n_folds"])
    return images, round(_all_images(data["kind"])["originals"] / data["n_folds"])


@cache
def public_grouped() -> tuple[int, int]:
    """`counts` of `fixed-grouped` over all public images, from the recorded tables."""
    rows = [row for row in provenance.shown() if row.split in ("TRAIN", "TEST")]
    labels = np.array([CLASSES.index(row.class_name) for row in rows])
    groups = np.array([provenance.groups()[row.original] for row in rows])
    train, test = (
        np.flatnonzero([row.split == part for row in rows]) for part in ("TRAIN", "TEST")
    )
    left, validation = ungrouped(labels, groups, train, test)
    return len(left), len(validation) + len(test)


def stored(spec: RunSpec) -> int:
    """Bytes of the run's folder: float16 log-probabilities of every epoch, what the network looks
    at, and what is short."""
    log = LOG if spec.backend == "tensorflow" else 0
    if spec.stage == "latency":
        return TEXT + log * spec.recipe["cold_repeats"]
    epochs, images = sum(phase["epochs"] for phase in spec.phases), counts(spec)[1]
    row = 4 * len(CLASSES)  # float32
    answers = images * (epochs * row // 2 + len(milestones(spec)) * row + OTHER)
    short = TEXT + HISTORY + ROW * epochs + ARRAYS + images * ID
    return round(PACKED * answers) + activations.about_bytes(spec) + short


def checkpoints(spec: RunSpec, state: float, begins: list[float]) -> int:
    """The most bytes of a training run's checkpoints: its `state` and the answers so far, and as
    much again while a new one is written beside the old; none if it ends before the first.

    `begins`: seconds from the run's start to the beginning of each epoch, and to the last's end.
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
    """Bytes of the decoded sets and stored features that `specs` need and cache `root` lacks.

    Each is named, and counted once.
    """
    found, there = {}, _stored_features(root)
    for spec in specs:
        name = f"arrays/{spec.data['digest'][:16]}"
        if not (root / name).is_dir():
            found[name] = _set_images(spec) * spec.data["height"] * spec.data["width"] * 3
        if spec.stores_features:
            n = sum(counts(spec))
            for backbone in load_variants()[spec.variant].backbones:
                name = _named(features.subject(spec, backbone, NO_ROWS, NO_ROWS), n)
                if name not in there:
                    found[name] = n * load_backbones()[backbone].channels * 4 * _positions(spec)
    return found


def _set_images(spec: RunSpec) -> int:
    if spec.protocol in FIXED:  # the whole set, whatever is drawn from it
        return sum(_all_images(spec.data["kind"])[part] for part in ("train", "test"))
    return sum(counts(spec))


def _positions(spec: RunSpec) -> int:
    """How many positions are kept of a map: one where the head reads its mean, else all."""
    if load_variants()[spec.variant].pooled:
        return 1
    return -(-spec.data["height"] // activations.LAST) * -(-spec.data["width"] // activations.LAST)


def _named(subject: dict, n: int) -> str:
    """A name for stored features, but for which images they are of: only how many."""
    words = {k: v for k, v in subject.items() if k not in ("rows", "train")}
    return json.dumps(words | {"n": n}, sort_keys=True)


def _stored_features(root: Path) -> set[str]:
    found = set()
    for path in root.glob(f"features/*-*/{features.INDEX}"):
        with contextlib.suppress(OSError, ValueError, KeyError):  # damaged ones are made again
            index = json.loads(path.read_text(encoding="utf-8"))
            found.add(_named(index["subject"], index["n"]))
    return found
