"""Pictures for the report: photographs, overlapping ones (both shared parts, aligned, and mixed),
and the images that networks were seen to look at."""

from __future__ import annotations

import base64
import io
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.store import Run, Store
from protocols import dataset, provenance
from protocols.errors import RequestError
from protocols.files import default_cache, in_order, write_whole
from protocols.images import open_set
from protocols.provenance import Overlap

NAME = "overlap-pictures.json"
LONGEST = 176  # pixels of a shared part's longer side
SQUARES = 6  # of the chequered mix, along the longer side
GAP = 4
PHOTOGRAPHS = "photograph-pictures.json"
SMALL = 112  # pixels of a photograph
SEEN = "activation-pictures.json"
WIDEST = 160  # pixels of an image that a network looked at


def strip(first: np.ndarray, second: np.ndarray) -> Image.Image:
    """Two aligned uint8 RGB parts of one shape, side by side, and squares of both in turn."""
    height, width = second.shape[:2]
    scale = LONGEST / max(height, width)
    size = max(8, round(width * scale)), max(8, round(height * scale))
    parts = [
        np.asarray(Image.fromarray(part).resize(size, Image.Resampling.LANCZOS))
        for part in (first, second)
    ]
    side = max(size) // SQUARES
    rows, columns = np.indices((size[1], size[0])) // side
    mixed = np.where(((rows + columns) % 2 == 0)[..., None], *parts)
    gap = np.full((size[1], GAP, 3), 255, np.uint8)
    return Image.fromarray(np.concatenate([parts[0], gap, parts[1], gap, mixed], axis=1))


def _cut(pair: Overlap, images: dict[str, np.ndarray]) -> Image.Image:
    first, second = images[pair.first], images[pair.second]
    part = provenance.shared(second.shape, pair.dx, pair.dy)
    return strip(first[provenance.moved(part, pair.dx, pair.dy)], second[part])


def _names() -> set[str]:
    return {name for pair in provenance.overlaps() for name in pair[:2]}


def _read(path: Path) -> np.ndarray | None:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except OSError:
        return None


def at_hand(data: str, cache: Path | None) -> dataset.Source | None:
    """Where the images are, if they are there; looks, makes nothing. `data` as --data; raises
    RequestError if it names a folder without them."""
    try:
        found = dataset.locate(data, True, cache or default_cache(), dry=True)
    except RequestError as error:
        if data != "auto":
            raise
        print(f"no pictures of images: {error}")  # WBC_DATA is wrong; a report needs no images
        return None
    return found if found.root else None


def write(source: dataset.Source | None, store: Store, cache: Path | None, out: Path) -> None:
    """Photographs, and pairs that overlap, if `source` has them, and the images that networks
    looked at, if `cache` (default: the user's) has them."""
    if source:
        write_overlaps(source, out)
        write_photographs(source, out)
    write_seen(store.runs(), cache or default_cache(), out)


def write_overlaps(source: dataset.Source, out: Path) -> None:
    """Writes `out/overlap-pictures.json`: "first second" -> a JPEG as a data address.

    About a second; nothing where it is there, or where the images are a phantom's. Left out: pairs
    of photographs that aren't at hand (a download has the labelled ones only).
    """
    if source.kind != "real" or (out / NAME).is_file():
        return
    place = {name: source.path(dataset.ORIGINALS + name) for name in _names()}
    there = sorted(name for name, path in place.items() if path.is_file())
    images = dict(zip(there, in_order(lambda name: _read(place[name]), there), strict=True))
    pictures = {}
    for pair in provenance.overlaps():
        if images.get(pair.first) is None or images.get(pair.second) is None:
            continue
        pictures[f"{pair.first} {pair.second}"] = _address(_cut(pair, images))
    write_whole(out / NAME, json.dumps(pictures).encode())


def write_photographs(source: dataset.Source, out: Path) -> None:
    """Writes `out/photograph-pictures.json`: photograph -> a small JPEG as a data address.

    Some seconds; nothing where it is there, or where the images are a phantom's. Left out:
    photographs in neither part, and those that aren't at hand.
    """
    if source.kind != "real" or (out / PHOTOGRAPHS).is_file():
        return
    names = [o.file for o in provenance.originals() if o.split]
    read = in_order(lambda name: _read(source.path(dataset.ORIGINALS + name)), names)
    pictures = {}
    for name, pixels in zip(names, read, strict=True):
        if pixels is not None:
            image = Image.fromarray(pixels)
            image.thumbnail((SMALL, SMALL), Image.Resampling.LANCZOS)
            pictures[name] = _address(image)
    write_whole(out / PHOTOGRAPHS, json.dumps(pictures).encode())


def _address(image: Image.Image) -> str:
    data = io.BytesIO()
    image.save(data, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"


def write_seen(runs: Iterable[Run], cache: Path, out: Path) -> None:
    """Writes `out/activation-pictures.json`: data digest -> image id -> a JPEG as a data address.

    Of the images in the runs' activations.npz, and of some that show the first one's photograph;
    from the decoded sets in `cache`. What is there stays; a set that is not in the cache is left
    out.
    """
    wanted: dict[str, dict[str, None]] = defaultdict(dict)
    for run in runs:
        wanted[run.spec.data["digest"]] |= dict.fromkeys(run.pictured_ids)
    path = out / SEEN
    pictures = json.loads(path.read_text()) if path.is_file() else {}
    before = json.dumps(pictures)
    for digest, ids in wanted.items():
        if ids.keys() - pictures.get(digest, {}).keys():
            pictures.setdefault(digest, {}).update(_images(cache, digest, list(ids)))
    if json.dumps(pictures) != before:
        write_whole(path, json.dumps(pictures).encode())


def _images(cache: Path, digest: str, ids: list[str]) -> dict[str, str]:
    try:
        there = open_set(cache / "arrays" / digest[:16])
    except RequestError:
        return {}
    place = {name: i for i, name in enumerate(there.ids)} if there.digest == digest else {}
    found = {}
    for name in (name for name in ids if name in place):
        image = Image.fromarray(there.pixels[place[name]])
        image.thumbnail((WIDEST, WIDEST), Image.Resampling.LANCZOS)
        found[name] = _address(image)
    return found
