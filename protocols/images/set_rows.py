"""Says which images make a set, in which order, and makes the pixels that `decoded` stores."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from protocols.classes import CLASSES
from protocols.files import Progress, in_order, throttled
from protocols.images import augment, integrity
from protocols.images.dataset import IMAGES, LABELS, ORIGINALS, Entry, Source
from protocols.images.sets import SetRequest
from protocols.images.splits import grouped_folds
from protocols.photographs import provenance


class Row(NamedTuple):
    """One image of a set: `path` names its file in the manifest; a `copy` > 0 is augmented."""

    id: str
    label: int
    part: str
    group: str
    path: str
    copy: int = 0


def write_pixels(path: Path, shape: tuple[int, ...], arrays: Iterator[np.ndarray]) -> str:
    """Streams the images to a .npy file, and returns the SHA-256 hex of the pixels alone. Raises
    ValueError for an image of another shape or dtype."""
    sha256 = hashlib.sha256()
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with open(path.with_suffix(".part"), "wb") as out:
        np.lib.format.write_array_header_1_0(out, header)
        for array in arrays:
            pixels = np.ascontiguousarray(array)
            if pixels.shape != shape[1:] or pixels.dtype != np.uint8:
                raise ValueError(f"an image of {pixels.dtype} {pixels.shape}, not {shape[1:]}")
            sha256.update(pixels.data)
            out.write(pixels.data)
    path.with_suffix(".part").replace(path)
    return sha256.hexdigest()


def rows_of(source: Source, request: SetRequest) -> list[Row]:
    """Gives the rows of a set, in order. Raises RequestError where the labels can't be read."""
    if request.protocol == "fixed":
        return fixed_rows(source)
    names = _originals(source, request)
    if request.fold is None:
        return filled(names, request, "pool")
    known = provenance.groups() if source.kind == "real" else {}
    return _fold_rows(names, [known.get(name, name) for name, _ in names], request)


def _entries(source: Source, request: SetRequest) -> dict[str, Entry]:
    return {entry.path: entry for entry in source.entries(request.protocol)}


def fixed_rows(source: Source) -> list[Row]:
    """Gives the row of every TRAIN and TEST image, sorted by id."""
    rows = []
    for path in sorted(entry.path for entry in source.entries("fixed")):
        name = path.removeprefix(IMAGES)
        part, class_name, _ = name.split("/")
        rows.append(Row(name, CLASSES.index(class_name), part.lower(), name, path))
    return rows


def fixed_arrays(
    source: Source, request: SetRequest, rows: list[Row], progress: Progress | None
) -> Iterator[np.ndarray]:
    """Gives the images of `rows`, in order, and checks each file. Raises RequestError for the
    problems of all files, once all files are read."""
    entries = _entries(source, request)

    def work(row: Row) -> tuple[np.ndarray | None, str]:
        image, problem = integrity.inspect(source, entries[row.path])
        return (None if image is None else _resized(image, request)), problem

    report, problems = throttled(progress), {}
    for done, (row, (array, problem)) in enumerate(
        zip(rows, in_order(work, rows), strict=True), start=1
    ):
        if problem:
            problems[row.path] = problem
        if array is not None:
            yield array
        report("checking and decoding the images", done, len(rows))
    integrity.refuse(source, problems, request.protocol)


def _resized(image: Image.Image, request: SetRequest) -> np.ndarray:
    size = (request.width, request.height)
    if image.size != size:
        image = image.resize(size, Image.Resampling.BILINEAR)
    return np.asarray(image)


def _originals(source: Source, request: SetRequest) -> list[tuple[str, int]]:
    """Gives (file name, class index) of every original that counts, sorted by name."""
    entries = _entries(source, request)
    _, problem = integrity.read_checked(source, entries[LABELS])
    integrity.refuse(source, {LABELS: problem} if problem else {}, request.protocol)
    names = {p.removeprefix(ORIGINALS) for p in entries if p.startswith(ORIGINALS)}
    labels = augment.read_labels(source.path(LABELS), existing=names)
    return [(name, CLASSES.index(labels[name])) for name in sorted(labels)]


def filled(names: list[tuple[str, int]], request: SetRequest, part: str) -> list[Row]:
    """Gives rows of `per_class` images of each class, class by class, originals first."""
    rows = []
    for label, class_name in enumerate(CLASSES):
        own = [name for name, its in names if its == label]
        plan = augment.plan_class(len(own), request.per_class, request.seed, class_name)
        rows += [_original_row(own[index], label, part, copy) for index, copy in plan]
    return rows


def _original_row(name: str, label: int, part: str, copy: int = 0) -> Row:
    return Row(f"{name}#{copy}", label, part, name, ORIGINALS + name, copy)


def _fold_rows(names: list[tuple[str, int]], groups: list[str], request: SetRequest) -> list[Row]:
    """Gives training rows made of the originals outside the fold, then the fold's originals
    unaugmented."""
    labels = np.array([label for _, label in names])
    folds = grouped_folds(labels, np.array(groups), request.n_folds, request.seed)
    inside = [pair for pair, fold in zip(names, folds, strict=True) if fold != request.fold]
    held_out = [pair for pair, fold in zip(names, folds, strict=True) if fold == request.fold]
    rows = filled(inside, request, "train")
    return rows + [_original_row(name, label, "test") for name, label in held_out]


def augmented_arrays(
    source: Source, request: SetRequest, rows: list[Row], progress: Progress | None
) -> Iterator[np.ndarray]:
    """Gives the images of `rows`, in order, from originals that are hashed and decoded once each.
    Raises RequestError."""
    report, entries = throttled(progress), _entries(source, request)
    paths = sorted({row.path for row in rows})

    def load(path: str) -> tuple[np.ndarray | None, str]:
        _, problem = integrity.read_checked(source, entries[path])
        return (None if problem else augment.load_original(source.path(path))), problem

    loaded = list(in_order(load, paths))
    found = list(zip(paths, loaded, strict=True))
    problems = {path: problem for path, (_, problem) in found if problem}
    integrity.refuse(source, problems, request.protocol)
    originals = {path: image for path, (image, _) in found if image is not None}

    def work(row: Row) -> np.ndarray:
        image = augment.augmented(originals[row.path], row.group, row.copy, request.seed)
        return _resized(Image.fromarray(image), request)

    for done, array in enumerate(in_order(work, rows), start=1):
        yield array
        report("augmenting the originals", done, len(rows))
