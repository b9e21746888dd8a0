"""Makes and opens decoded images: one memory-mapped uint8 array per protocol and size, which both
twins read.

Pillow decodes every JPEG once, in RGB; augmentation, if any, happens at 320x240; then Pillow's
bilinear filter makes the profile's size. The arrays lie in `cache/arrays/<digest>/`.
"""

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

ARRAY_VERSION = 1  # it is raised whenever the same request would give other pixels, ids or order
PIXELS, INDEX = "pixels.npy", "index.json"


def set_digest(kind: dataset.Kind, request: SetRequest) -> str:
    """Gives the SHA-256, as hex digits, that names a set: the data digest of a run. It is computed
    without an image."""
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
    """Gives the requested set, from the cache or built there.

    Every file of which the set is made is hashed and decoded before the source is first used in
    this cache, and again when a name, size or time of change differs. A set in the cache is
    compared with the SHA-256 of its pixels and the rows that it should have: an altered set is
    decoded anew, since the files it comes from are the proof, and `say` gets a sentence. Raises
    RequestError; for a cache that can't be written, before any image is read.
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
    """Reads a set of the cache whole, and tells what is wrong with it, or gives "". `rows` are the
    rows that the set should have, where they are known."""
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
    """Gives the SHA-256, as hex digits, of a set's pixels as they lie in its file; 2.9 GB take some
    seconds. Raises OSError."""
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
    """Counts the decoded sets in the cache, but for those of other versions, which nothing opens,
    and gives a sentence for each wrong set. Of sets of the kind of `source` the rows are checked
    too."""
    count, wrong = 0, []
    for folder in sorted((cache / "arrays").glob("*")):
        if ".tmp-" in folder.name:  # a folder that isn't finished
            continue
        found, rows = "are missing or cut off", None
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
            kind, request = index["kind"], SetRequest(**index["request"])
            if set_digest(kind, request)[:16] != folder.name:
                continue
            if kind == source.kind:
                with contextlib.suppress(RequestError):  # faults of the files are told elsewhere
                    rows = set_rows.rows_of(source, request)
            found = wrong_set(folder, kind, request, rows, progress)
        count += 1
        if found:
            wrong.append(
                f"{folder}: the decoded images {found}; the next run on them makes them anew"
            )
    return count, wrong


def open_set(folder: Path) -> ImageSet:
    """Opens a set that is built. Raises RequestError if the set is not there or its array is cut
    off; `wrong_set` says whether a bit of the set has changed."""
    try:
        return _opened(folder)
    except Exception as error:  # a damaged file makes NumPy and json raise many errors
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
    """Gives the file that holds the state in which a source's files for a protocol were last
    verified."""
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
    """Builds a set in a folder aside, which gets the set's name when the set is whole.

    Two processes may build the same set: the slower process throws its own away.
    """
    digest = set_digest(source.kind, request)
    decode = set_rows.fixed_arrays if request.protocol == "fixed" else set_rows.augmented_arrays
    pixels = decode(source, request, rows, progress)
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
