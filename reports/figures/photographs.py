"""Pictures of photographs, and of overlapping ones: both shared parts, aligned, and mixed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from protocols.errors import RequestError
from protocols.files import in_order, write_whole
from protocols.images import dataset
from protocols.photographs import provenance
from protocols.photographs.provenance import Overlap
from reports.figures.pictures import address

OVERLAPS = "overlap-pictures.json"
LONGEST = 176  # pixels of a shared part's longer side
SQUARES = 6  # of the chequered mix, along the longer side
GAP = 4
PHOTOGRAPHS = "photograph-pictures.json"
SMALL = 112  # pixels of a photograph


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
    except Exception:  # Pillow raises many kinds for broken files
        return None


def at_hand(data: str, cache: Path) -> dataset.Source | None:
    """Where the images are, if they are there; looks, makes nothing. `data` as --data; raises
    RequestError if it names a folder without them."""
    try:
        found = dataset.locate(data, True, cache, dry=True)
    except RequestError as error:
        if data != "auto":
            raise
        print(f"no pictures of images: {error}")  # WBC_DATA is wrong; a report needs no images
        return None
    return found if found.root else None


def write(source: dataset.Source, out: Path) -> None:
    """Photographs, and pairs that overlap; some seconds, once."""
    write_overlaps(source, out)
    write_photographs(source, out)


def write_overlaps(source: dataset.Source, out: Path) -> None:
    """Writes `out/overlap-pictures.json`: "first second" -> a JPEG as a data address.

    Nothing where it is there, or where the images are a phantom's. Left out: pairs
    of photographs that aren't at hand (a download has the labelled ones only).
    """
    if source.kind != "real" or (out / OVERLAPS).is_file():
        return
    place = {name: source.path(dataset.ORIGINALS + name) for name in _names()}
    read = zip(place, in_order(_read, place.values()), strict=True)
    images = {name: image for name, image in read if image is not None}
    pictures = {
        f"{pair.first} {pair.second}": address(_cut(pair, images))
        for pair in provenance.overlaps()
        if pair.first in images and pair.second in images
    }
    write_whole(out / OVERLAPS, json.dumps(pictures).encode())


def write_photographs(source: dataset.Source, out: Path) -> None:
    """Writes `out/photograph-pictures.json`: photograph -> a small JPEG as a data address.

    Nothing where it is there, or where the images are a phantom's. Left out:
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
            pictures[name] = address(image)
    write_whole(out / PHOTOGRAPHS, json.dumps(pictures).encode())
