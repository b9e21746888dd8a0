"""Augments images before cross-validation: says which originals count, and makes the copies that
fill a class up.

The paper's text (3.1) says that 500 images per class were made by rotation and flips. The ranges
are those of the public set's own generator (rotation within 20 degrees, both flips, constant fill
0: the corners of its images are black). Nothing here depends on global random state or on a NumPy
version's order of draws, other than the three numbers that `augment` takes from its generator.
"""

import csv
import hashlib
from collections.abc import Collection
from pathlib import Path

import numpy as np
from PIL import Image

from protocols.classes import CLASSES
from protocols.errors import RequestError

AUGMENT_VERSION: int = 1
"""Raised whenever the same seed would give other images or another plan."""

MAX_DEGREES = 20.0
FILL = 0
HEIGHT, WIDTH = 240, 320


def read_labels(path: Path, existing: Collection[str] | None = None) -> dict[str, str]:
    """Gives the class of each image with exactly one class name, from labels.csv, in its order.

    Returns file name (`BloodImage_NNNNN.jpg`) -> class. Labels of two names, also of two equal
    names (two cells in one image), empty labels and BASOPHIL are left out. The real file names each
    of its numbers (0 to 410) once; a number in several rows is read as a label of several names and
    left out. `existing` holds the names of the files at hand, and other images are left out: one
    labelled number of the real file (116, a monocyte) has no image, so 349 labels are usable, and
    348 with the files. None keeps all.

    Raises RequestError if the file can't be read or lacks the column Image or Category.
    """
    wrong = f"{path} is not a labels.csv; it needs the columns Image and Category."
    found: dict[str, list[str]] = {}
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            if not {"Image", "Category"} <= set(reader.fieldnames or ()):
                raise RequestError(wrong)
            for row in reader:
                number, label = row["Image"], row["Category"]
                if number is None or label is None:
                    raise RequestError(wrong)
                found.setdefault(f"BloodImage_{int(number):05d}.jpg", []).append(label.strip())
    except OSError as error:
        raise RequestError(f"{path} can't be read; point to the set's labels.csv.") from error
    except (ValueError, csv.Error) as error:
        raise RequestError(wrong) from error
    return {
        name: labels[0]
        for name, labels in found.items()
        if len(labels) == 1 and labels[0] in CLASSES and (existing is None or name in existing)
    }


def load_original(path: Path) -> np.ndarray:
    """Reads an original (640x480 JPEG) and makes it 320x240 by Pillow's bilinear filter; returns
    RGB, uint8 (240, 320, 3).

    Raises RequestError if the file is missing, is no image or is cut short.
    """
    try:
        with Image.open(path) as image:
            small = image.convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)
    except Exception as error:  # Pillow raises errors of many kinds for broken files
        raise RequestError(
            f"{path} can't be read as an image; fetch the set again or restore that file."
        ) from error
    return np.asarray(small)


def augment(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Makes a turned and flipped copy of a uint8 (height, width, 3) image, of this shape and dtype.

    The rotation is about the centre, uniform within 20 degrees either way, bilinear, and black
    where no pixel is known; then come a flip left to right and a flip top to bottom, each with
    probability 1/2. Three numbers are always taken from `rng`. Raises ValueError for another dtype
    or shape.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"the image is {image.dtype} {image.shape}; it must be uint8 (h, w, 3)")
    turn, mirror, tip = rng.random(3)
    picture = Image.fromarray(image).rotate(
        (2 * turn - 1) * MAX_DEGREES,
        resample=Image.Resampling.BILINEAR,
        fillcolor=(FILL, FILL, FILL),
    )
    copy = np.asarray(picture)
    if mirror < 0.5:
        copy = copy[:, ::-1]
    if tip < 0.5:
        copy = copy[::-1]
    return np.ascontiguousarray(copy)


def _digest(*parts: object) -> bytes:
    """Gives 32 bytes that depend on `parts` alone, and are the same on every machine."""
    return hashlib.sha256("|".join(str(part) for part in parts).encode()).digest()


def plan_class(
    n_originals: int, n_wanted: int, seed: int, class_name: str
) -> list[tuple[int, int]]:
    """Plans which images fill a class: n_wanted pairs (original, copy). Copy 0 is the original.

    With enough originals the plan is a seeded draw of n_wanted of them, sorted, all copy 0. With
    too few, every original comes first, in order, then copies 1, 2, ... of all originals, each pass
    in a fresh seeded order and the last pass cut short. So each original appears equally often,
    give or take one. A longer plan begins with the shorter plan where both need copies.

    Raises RequestError for a class without originals, ValueError for a negative number.
    """
    if n_originals < 0 or n_wanted < 0:
        raise ValueError(f"{n_originals} originals and {n_wanted} wanted can't be negative")
    if n_originals == 0 and n_wanted > 0:
        raise RequestError(
            f"{class_name} has no originals here to fill a class from; use fewer folds or more "
            "images."
        )

    def order(turn: int) -> list[int]:
        key = ("plan", AUGMENT_VERSION, seed, class_name, turn)
        return sorted(range(n_originals), key=lambda index: _digest(*key, index))

    if n_originals >= n_wanted:
        return [(index, 0) for index in sorted(order(0)[:n_wanted])]
    plan = [(index, 0) for index in range(n_originals)]
    copy = 0
    while len(plan) < n_wanted:
        copy += 1
        plan += [(index, copy) for index in order(copy)]
    return plan[:n_wanted]


def augmented(image: np.ndarray, original_name: str, copy: int, seed: int) -> np.ndarray:
    """Makes copy number `copy` of an original, uint8 (height, width, 3); copy 0 is the original.

    The generator depends on AUGMENT_VERSION, the seed, the original's name and the copy, so an
    image is the same in every fold and whatever else is made. Raises ValueError if `copy` < 0.
    """
    if copy < 0:
        raise ValueError(f"copy is {copy}; it must be 0 or more")
    if copy == 0:
        return image
    key = _digest("augment", AUGMENT_VERSION, seed, original_name, copy)
    return augment(image, np.random.default_rng(int.from_bytes(key, "big")))
