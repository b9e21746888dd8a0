"""Decoded images: one memory-mapped uint8 array a protocol and size, which both twins read.

Pillow decodes every JPEG once, in RGB; augmentation, if any, happens at 320x240; then Pillow's
bilinear filter makes the profile's size. The arrays lie in `cache/arrays/<digest>/`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL

from protocols.errors import RequestError
from protocols.files import Progress, aside, cache_error, check_cache, throttled, write_whole
from protocols.images import augment, dataset, integrity, set_rows
from protocols.images.dataset import Source
from protocols.images.sets import ImageSet, SetRequest
from protocols.photographs import provenance

ARRAY_VERSION = 1  # raised whenever the same request would give other pixels, ids or order
PIXELS, INDEX = "pixels.npy", "index.json"


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
    source: Source,
    request: SetRequest,
    cache: Path,
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
) -> ImageSet:
    """The set asked for, from the cache or built there.

    Every file that it is made from is hashed and decoded before the source is first used in this
    cache, and again when a name, size or time of change differs. A set that is there is compared
    with the SHA-256 of its pixels and the rows that it should have: an altered one is decoded anew,
    since the files it comes from are the proof, and `say` gets a sentence. Raises RequestError; a
    cache that can't be written is told before any image is read.
    """
    folder = cache / "arrays" / set_digest(source.kind, request)[:16]
    state = integrity.quick_check(source, request.protocol)
    rows = set_rows.rows_of(source, request)
    try:
        mark = _mark(source, request.protocol, cache)
        known = mark.is_file() and mark.read_bytes() == state.encode()
        if not known:
            check_cache(cache)
        wrong = wrong_set(folder, source.kind, request, rows, progress)
        if wrong:
            check_cache(cache)
            if os.path.lexists(folder) and say:
                say(f"the decoded images in {folder} {wrong}: they are decoded anew")
        if not known and not (wrong and request.protocol == "fixed"):
            integrity.verify(source, progress, request.protocol)
        if wrong:
            _build(source, request, folder, rows, progress)
        if not known:
            write_whole(mark, state.encode())
    except OSError as error:
        raise cache_error(cache, error.strerror or str(error)) from error
    images = open_set(folder)
    return replace(images, files=[str(source.path(row.path)) for row in rows])


def wrong_set(
    folder: Path,
    kind: dataset.Kind,
    request: SetRequest,
    rows: list[set_rows.Row] | None,
    progress: Progress | None = None,
) -> str:
    """What is wrong with a set of the cache, read whole, or "". `rows`: those that it should have,
    where they are known."""
    try:
        images = open_set(folder)
        pixels_sha256 = pixels_digest(images, progress)
    except (RequestError, OSError):
        return "are missing or cut off"
    columns = (images.ids, images.labels.tolist(), images.part.tolist(), images.groups.tolist())
    same = (
        images.pixels.shape[1:] == (request.height, request.width, 3),
        images.pixels.flags.c_contiguous,
        images.digest == set_digest(kind, request),
        images.pixels_sha256 == pixels_sha256,
        rows is None or [row[:4] for row in rows] == list(zip(*columns, strict=True)),
    )
    return "" if all(same) else "were altered since they were made"


def pixels_digest(images: ImageSet, progress: Progress | None = None) -> str:
    """SHA-256 hex of a set's pixels as they lie in its file; 2.9 GB take some seconds. Raises
    OSError."""
    report, sha256 = throttled(progress), hashlib.sha256()
    with open(images.folder / PIXELS, "rb") as file:
        done = file.seek(images.pixels.offset)
        while block := file.read(1 << 20):
            sha256.update(block)
            done += len(block)
            report("checking the decoded images", done, images.pixels.offset + images.pixels.nbytes)
    return sha256.hexdigest()


def wrong_sets(
    source: Source, cache: Path, progress: Progress | None = None
) -> tuple[int, list[str]]:
    """How many decoded sets the cache holds, but for those of other versions, which nothing opens,
    and a sentence for each that is wrong. The rows of those made from `source` are looked at too.
    """
    count, wrong = 0, []
    for folder in sorted((cache / "arrays").glob("*")):
        if ".tmp-" in folder.name:  # not finished
            continue
        found, rows = "are missing or cut off", None
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
            kind, request = index["kind"], SetRequest(**index["request"])
            if set_digest(kind, request)[:16] != folder.name:
                continue
            if kind == source.kind:
                with contextlib.suppress(RequestError):  # of the files, which is told elsewhere
                    rows = set_rows.rows_of(source, request)
            found = wrong_set(folder, kind, request, rows, progress)
        count += 1
        if found:
            wrong.append(
                f"{folder}: the decoded images {found}; the next run on them makes them anew"
            )
    return count, wrong


def open_set(folder: Path) -> ImageSet:
    """Open a set that is built. Raises RequestError if it is not there or its array is cut; whether
    a bit of it has changed is for `wrong_set` to say."""
    try:
        return _opened(folder)
    except Exception as error:  # a damaged file can make NumPy and json raise many kinds
        raise RequestError(
            f"The images in {folder} are missing or cut off: delete that folder and start again."
        ) from error


def _opened(folder: Path) -> ImageSet:
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    pixels = np.load(folder / PIXELS, mmap_mode="r")
    lengths = {len(pixels), *(len(index[name]) for name in ("ids", "labels", "part", "groups"))}
    whole = (folder / PIXELS).stat().st_size == index["bytes"] and pixels.dtype == np.uint8
    if not whole or len(lengths) != 1:
        raise ValueError("the array and its index don't fit together")
    return ImageSet(
        pixels=pixels,
        ids=index["ids"],
        labels=np.array(index["labels"], dtype=np.int64),
        part=np.array(index["part"]),
        groups=np.array(index["groups"]),
        files=[],
        digest=index["digest"],
        pixels_sha256=index["pixels_sha256"],
        phantom=index["kind"] == "phantom",
        folder=folder,
    )


def _mark(source: Source, protocol: str, cache: Path) -> Path:
    """The file that holds the state in which what a source has for a protocol was last verified."""
    part = "images" if protocol == "fixed" else "photographs"
    words = os.fsencode(f"{source.kind} {part} {source.folder.resolve()}")
    return cache / "verified" / hashlib.sha256(words).hexdigest()[:16]


def _build(
    source: Source,
    request: SetRequest,
    folder: Path,
    rows: list[set_rows.Row],
    progress: Progress | None,
) -> None:
    """Build a set aside and give it its name.

    Two processes may build the same set: the slower one throws its own away.
    """
    digest = set_digest(source.kind, request)
    entries = {entry.path: entry for entry in source.entries(request.protocol)}
    decode = set_rows.fixed_arrays if request.protocol == "fixed" else set_rows.augmented_arrays
    pixels = decode(source, request, entries, rows, progress)
    shape = (len(rows), request.height, request.width, 3)
    needed = int(np.prod(shape))
    folder.parent.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder.parent).free < needed * 1.02:
        raise RequestError(
            f"The decoded images need {needed / 1e9:.1f} GB in {folder.parent}, more than is free: "
            "make room there, or choose another cache with --cache DIR."
        )
    with aside(folder, lambda made: not wrong_set(made, source.kind, request, rows)) as work:
        sha256 = set_rows.write_pixels(work / PIXELS, shape, pixels)
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
