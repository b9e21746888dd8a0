"""Makes pictures of photographs and of overlaps: the shared part in both, and the two mixed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from protocols.errors import RequestError
from protocols.files import in_order
from protocols.images import dataset
from protocols.photographs import provenance
from protocols.photographs.provenance import Overlap
from reports.figures.pictures import address, complete

OVERLAPS = "overlap-pictures.json"
LONGEST = 176  # the pixels of a shared part's longer side
SQUARES = 6  # the squares of the chequered mix along its longer side
GAP = 4
PHOTOGRAPHS = "photograph-pictures.json"
SMALL = 112  # the pixels of a photograph's longer side


def strip(first: np.ndarray, second: np.ndarray) -> Image.Image:
    """Draws two aligned uint8 RGB parts of one shape side by side, and beside them a chequerboard
    whose squares are of the one and the other in turn."""
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


def _read(path: Path) -> np.ndarray | None:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except Exception:  # Pillow raises many kinds for broken files
        return None


def at_hand(data: str, cache: Path) -> dataset.Source | None:
    """Returns where the images are, or None where they are not; nothing is downloaded or drawn.
    `data` is what --data says; raises RequestError if it names a folder without the images."""
    try:
        found = dataset.locate(data, True, cache)
    except RequestError as error:
        if data != "auto":
            raise
        print(f"no pictures of images: {error}")  # WBC_DATA is wrong; a report needs no images
        return None
    return found if found.root else None


def write_overlaps(source: dataset.Source, out: Path) -> None:
    """Completes `out/overlap-pictures.json`, which maps "first second" to a JPEG as a data address.

    Nothing is written where the images are a phantom's. Left out are pairs of photographs that
    aren't at hand (a download has the labelled ones only).
    """
    known = {f"{pair.first} {pair.second}": pair for pair in provenance.overlaps()}

    def make(names: list[str]) -> dict[str, str]:
        pairs = {name: known[name] for name in names}
        files = {file for pair in pairs.values() for file in pair[:2]}
        place = {file: source.path(dataset.ORIGINALS + file) for file in files}
        images = dict(zip(place, in_order(_read, place.values()), strict=True))
        there = {file: image for file, image in images.items() if image is not None}
        return {
            name: address(_cut(pair, there))
            for name, pair in pairs.items()
            if set(pair[:2]) <= there.keys()
        }

    if source.kind == "real":
        complete(out / OVERLAPS, known, make)


def write_photographs(source: dataset.Source, out: Path) -> None:
    """Completes `out/photograph-pictures.json`, which maps a photograph to a small JPEG as a data
    address.

    Nothing is written where the images are a phantom's. Left out are photographs in neither part,
    and those that aren't at hand.
    """

    def make(names: list[str]) -> dict[str, str]:
        read = in_order(lambda name: _read(source.path(dataset.ORIGINALS + name)), names)
        pictures = {}
        for name, pixels in zip(names, read, strict=True):
            if pixels is not None:
                image = Image.fromarray(pixels)
                image.thumbnail((SMALL, SMALL), Image.Resampling.LANCZOS)
                pictures[name] = address(image)
        return pictures

    if source.kind == "real":
        complete(out / PHOTOGRAPHS, [one.file for one in provenance.originals() if one.split], make)
