"""Holds what the benchmarks share: their scale, their images, a twin ready to train."""

import importlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.planning.plan import Device, Selection, make_plan, set_request
from protocols import hardware, nvidia
from protocols.classes import CLASSES
from protocols.images import dataset
from protocols.images.decoded import image_set, set_digest
from protocols.images.pool import Pool, in_batches, make_pool
from protocols.images.sets import ImageSet
from protocols.images.splits import calibration_rows
from protocols.papers.variants import load_variants
from protocols.runs.twin import Twin, begin_epoch
from protocols.spec import FIXED, RunSpec
from protocols.weights.start import OWN, Start

MANIFEST = dataset.MANIFEST.name


@dataclass(frozen=True)
class Scale:
    """The size of the benchmarks: sizes in pixels, images per training epoch."""

    height: int = 120
    width: int = 160
    images: int = 64  # images through a network that is trained whole
    frozen_images: int = 128  # images through a frozen network
    rounds: int = 3  # rounds of whole epochs
    calls: int = 15  # rounds of single answers
    compile: bool = False  # torch.compile and XLA also on a CPU: takes minutes for each network

    @property
    def size(self) -> str:
        """The size of an image as the tables name it."""
        return f"{self.height}×{self.width}"


@dataclass(frozen=True)
class Sample:
    """Some of the images: `folder` has a folder for each class, `source` serves our twins."""

    folder: Path
    source: dataset.Source
    kind: str  # "real" or "phantom"
    count: int  # training images


def take_sample(source: dataset.Source, wanted: int, root: Path) -> Sample:
    """Links into `root` `wanted` training images, equally many of each class (fewer if there are
    fewer), and one test image of each class."""
    found: dict[str, list[str]] = {f"{part}/{c}": [] for part in ("TRAIN", "TEST") for c in CLASSES}
    for entry in source.entries():
        if entry.path.startswith("images/"):
            found[entry.path.removeprefix("images/").rsplit("/", 1)[0]].append(entry.path)
    per_class = min(wanted // len(CLASSES), *(len(v) for k, v in found.items() if "TRAIN" in k))
    for part, paths in found.items():
        (root / "images" / part).mkdir(parents=True)
        for path in sorted(paths)[: per_class if "TRAIN" in part else 1]:
            os.symlink(source.path(path), root / path)
    (root / dataset.LABELS).write_text("Image,Category\n", encoding="utf-8")
    (root / MANIFEST).write_bytes(dataset.make_manifest(root))
    small = dataset.Source("phantom", root, how="a sample")  # serves its own list of files
    return Sample(root / "images" / "TRAIN", small, source.kind, per_class * len(CLASSES))


def decoded(sample: Sample, spec: RunSpec, cache: Path) -> ImageSet:
    """Returns the decoded sample, from `cache` or built there: in a folder of its own, for a set is
    known by the request that made it, and samples of any size have the same request."""
    request = set_request("fixed", None, spec.data)
    return image_set(sample.source, request, cache / f"{sample.count}-images")


def device_of(framework: str) -> Device:
    """Returns the device and backend that the framework really has in this process. Raises
    RuntimeError where it doesn't see the GPU: a CPU number never stands in a GPU column."""
    seen = importlib.import_module(f"impl_{framework}.device").seen()
    if nvidia.names() and seen["gpu"] is None:
        raise RuntimeError(f"{framework} on {seen['backend']} doesn't see the GPU")
    index = None if seen["gpu"] is None else 0
    return Device(seen["backend"], seen["gpu"] or "cpu", index)


def spec_of(framework: str, variant: str, scale: Scale, stage: str = "train") -> RunSpec:
    """Returns a smoke run of the benchmarks' size, on every core, over a whole sample."""
    wish = Selection(frameworks=(framework,), variants=(variant,), profile="smoke")
    devices = {framework: device_of(framework)}
    run = next(s for s in make_plan(wish, "phantom", devices, hardware.cores()) if s.stage == stage)
    data = run.data | {"height": scale.height, "width": scale.width}
    if run.protocol in FIXED:
        data |= {"train_per_class": 0, "test_per_class": 0}  # all images
    data["digest"] = set_digest("phantom", set_request(run.protocol, run.fold, data))
    return replace(run, data=data, threads=hardware.cores())


class Trained:
    """A twin of one run or several, in a phase; `epoch` trains one epoch and waits for it."""

    def __init__(self, specs: list[RunSpec], pool: Pool, start: Start = OWN) -> None:
        self.specs, self.pool, self.played = specs, pool, 0
        self.size = specs[0].recipe["batch_size"]
        worker = importlib.import_module(f"impl_{specs[0].framework}.worker")
        self.twin: Twin = worker.make_twin(specs, pool, start)

    def calibrated(self, images: int = 0) -> "Trained":
        """Sets the statistics of random backbones, which else give hardly any signal.

        `images`: how many images they are from; 0: one batch, enough where only time counts.
        """
        train = self.pool.train[0]
        rows = calibration_rows(len(train), images or self.size, self.size)
        self.twin.calibrate([train[batch] for batch in rows])
        return self

    def features(self) -> list[np.ndarray]:
        """Returns the features of the whole pool, one array for each backbone."""
        batches = in_batches(np.arange(len(self.pool)), self.size)
        count = len(load_variants()[self.specs[0].variant].backbones)
        return [
            np.concatenate([self.twin.backbone_features(i, batch) for batch in batches])
            for i in range(count)
        ]

    def begin(self, phase: int, stored: list[np.ndarray] | None) -> "Trained":
        """Begins a phase, counted from 0."""
        self.phase = self.specs[0].phases[phase]
        self.twin.begin_phase(self.phase, stored)
        return self

    def epoch(self) -> np.ndarray:
        """Trains one epoch. Returns the figures of every step (steps, members, 2)."""
        self.played += 1
        n = begin_epoch(self.specs, self.pool, self.twin, self.phase["phase"], self.played)
        steps = range(0, n, self.size)
        return self.twin.read([self.twin.step(i, min(i + self.size, n)) for i in steps])


def pool_of(sample: Sample, spec: RunSpec, cache: Path) -> Pool:
    """Returns the sample's pool for one run."""
    return make_pool(decoded(sample, spec, cache), [spec])
