"""Decoded images: one memory-mapped uint8 array a protocol and size, which both twins read.

Pillow decodes every JPEG once, in RGB; augmentation, if any, happens at 320x240; then Pillow's
bilinear filter makes the profile's size. The arrays lie in `cache/arrays/<digest>/`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import PIL

from protocols import arrays, augment, dataset, integrity, provenance
from protocols.dataset import Source
from protocols.errors import RequestError
from protocols.files import Progress, aside, write_whole

SETS = ("fixed", "cv10", "cv10-grouped")  # `fixed-grouped` divides the images of `fixed`
ARRAY_VERSION = 1  # raised whenever the same request would give other pixels, ids or order
PIXELS, INDEX = "pixels.npy", "index.json"


@dataclass(frozen=True)
class SetRequest:
    """Which images, in which size (pixels).

    `per_class` and `seed` (augmentation and folds) count for cross-validation only: images a
    class in `cv10`, training images a class in `cv10-grouped`. `n_folds` and `fold` count for
    `cv10-grouped` only, where each fold has a set of its own. Wrong values raise ValueError.
    """

    protocol: str
    height: int
    width: int
    per_class: int = 500
    seed: int = 0
    n_folds: int = 10
    fold: int | None = None

    def __post_init__(self) -> None:
        if self.protocol not in SETS:
            raise ValueError(f"protocol {self.protocol!r} is none of {SETS}")
        if self.height < 1 or self.width < 1 or self.per_class < 1:
            raise ValueError("height, width and per_class are at least 1")
        if (self.fold is not None) != (self.protocol == "cv10-grouped"):
            raise ValueError("a fold belongs to cv10-grouped, and only there")
        if self.fold is not None and not 0 <= self.fold < self.n_folds:
            raise ValueError(f"fold {self.fold} is not one of {self.n_folds}, counted from 0")

    def relevant(self) -> dict[str, str | int]:
        """The values that change an image: what does not count is left out."""
        unused = {
            "fixed": ("per_class", "seed", "n_folds", "fold"),
            "cv10": ("n_folds", "fold"),
            "cv10-grouped": (),
        }[self.protocol]
        return {key: value for key, value in asdict(self).items() if key not in unused}


@dataclass(frozen=True)
class ImageSet:
    """n images and what is known of each; nothing in it depends on where the images lie.

    `pixels` uint8 (n, height, width, 3) RGB, read-only; `labels` int64 (n,), index into CLASSES;
    `part` "train", "test" or "pool"; `groups` the original's file name (the id for `fixed`);
    `files` the JPEG each image comes from, None where the set was opened without its source.
    """

    pixels: np.memmap
    ids: list[str]
    labels: np.ndarray
    part: np.ndarray
    groups: np.ndarray
    files: list[str | None]
    digest: str
    pixels_sha256: str
    phantom: bool
    folder: Path


def set_digest(kind: dataset.Kind, request: SetRequest) -> str:
    """SHA-256 hex that names a set, computed without an image: the data digest of a run."""
    words = {
        "arrays": ARRAY_VERSION,
        "data": dataset.data_digest(kind),
        "request": request.relevant(),
    }
    if request.protocol != "fixed":
        words["augment"] = augment.AUGMENT_VERSION
    if request.protocol == "cv10-grouped" and kind == "real":
        words["groups"] = provenance.groups_digest()
    return hashlib.sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()


def image_set(
    source: Source, request: SetRequest, cache: Path, progress: Progress | None = None
) -> ImageSet:
    """The set asked for, from the cache or built there.

    Every required file is hashed and decoded before the source is first used in this cache, and
    again when a name, size or time of change differs. Raises RequestError.
    """
    digest = set_digest(source.kind, request)
    folder = cache / "arrays" / digest[:16]
    try:
        mark = _mark(source, cache)
        state = integrity.quick_check(source)
        known = mark.is_file() and mark.read_text(encoding="utf-8") == state
        build = not _finished(digest, folder)
        if not known and not (build and request.protocol == "fixed"):
            integrity.verify(source, progress)
        if build:
            _build(source, request, folder, digest, whole=not known, progress=progress)
        if not known:
            write_whole(mark, state.encode())
    except OSError as error:
        raise RequestError(
            f"The cache {cache} can't be used ({error.strerror or error}): make room there, or "
            "choose another with --cache DIR."
        ) from error
    images = open_set(folder)
    paths = json.loads((folder / INDEX).read_text(encoding="utf-8"))["paths"]
    return replace(images, files=[str(source.path(path)) for path in paths])


def open_set(folder: Path) -> ImageSet:
    """Open a set that is built. Raises RequestError if it is not there or its array is cut."""
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        size = (folder / PIXELS).stat().st_size
        pixels = np.load(folder / PIXELS, mmap_mode="r")
        n = len(index["ids"])
        whole = size == index["bytes"] and pixels.shape[0] == n and pixels.dtype == np.uint8
    except (OSError, ValueError, KeyError) as error:
        raise RequestError(_broken(folder)) from error
    if not whole:
        raise RequestError(_broken(folder))
    return ImageSet(
        pixels=pixels,
        ids=index["ids"],
        labels=np.array(index["labels"], dtype=np.int64),
        part=np.array(index["part"]),
        groups=np.array(index["groups"]),
        files=[None] * n,
        digest=index["digest"],
        pixels_sha256=index["pixels_sha256"],
        phantom=index["kind"] == "phantom",
        folder=folder,
    )


def _broken(folder: Path) -> str:
    return f"The images in {folder} are missing or cut off: delete that folder and start again."


def _mark(source: Source, cache: Path) -> Path:
    """The file that holds the state in which a source was last verified."""
    name = hashlib.sha256(f"{source.kind} {source.folder.resolve()}".encode()).hexdigest()
    return cache / "verified" / name[:16]


def _finished(digest: str, folder: Path) -> bool:
    try:
        return open_set(folder).digest == digest
    except RequestError:
        return False


def _build(
    source: Source,
    request: SetRequest,
    folder: Path,
    digest: str,
    whole: bool,
    progress: Progress | None,
) -> None:
    """Build a set aside and give it its name; `whole`: check every file of the source on the way.

    Two processes may build the same set: the slower one throws its own away.
    """
    entries = {entry.path: entry for entry in source.entries()}
    if request.protocol == "fixed":
        rows = arrays.fixed_rows(entries)
        pixels = arrays.fixed_arrays(source, request, list(entries.values()), rows, whole, progress)
    else:
        rows = arrays.cv_rows(source, entries, request)
        pixels = arrays.augmented_arrays(source, request, entries, rows, progress)
    shape = (len(rows), request.height, request.width, 3)
    needed = int(np.prod(shape))
    folder.parent.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder.parent).free < needed * 1.02:
        raise RequestError(
            f"The decoded images need {needed / 1e9:.1f} GB in {folder.parent}, more than is free: "
            "make room there, or choose another cache with --cache DIR."
        )
    with aside(folder, finished=partial(_finished, digest)) as work:
        sha256 = arrays.write_pixels(work / PIXELS, shape, pixels)
        index = {
            "version": ARRAY_VERSION,
            "kind": source.kind,
            "digest": digest,
            "request": request.relevant(),
            "pixels_sha256": sha256,
            "bytes": (work / PIXELS).stat().st_size,
            "pillow": PIL.__version__,
            "ids": [row.id for row in rows],
            "labels": [row.label for row in rows],
            "part": [row.part for row in rows],
            "groups": [row.group for row in rows],
            "paths": [row.path for row in rows],
        }
        write_whole(work / INDEX, json.dumps(index, separators=(",", ":")).encode())
