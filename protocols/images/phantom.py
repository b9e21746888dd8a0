"""Writes the phantom: a set of drawn stand-ins, for places where the real images can't be had.

The phantom has the layout, the sizes and the classes of the real set, and nothing else of that set:
a number measured on the phantom says that the code runs, never how good a network is.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
from PIL import Image

from protocols.classes import CLASSES
from protocols.files import Progress
from protocols.images.phantom_cells import draw_cell

PHANTOM_VERSION: int = 1
"""Raised whenever the same seed would give other images."""

# Labels in labels.csv beyond those of the drawn images; none has a file, as in the real set's gaps.
_EXTRA_LABELS = (
    "NEUTROPHIL, EOSINOPHIL",
    "LYMPHOCYTE, LYMPHOCYTE",
    "NEUTROPHIL,BASOPHIL",
    "BASOPHIL",
    "",
    "MONOCYTE",
)


def _seeded(seed: int, split: str, class_name: str, index: int) -> tuple[np.random.Generator, int]:
    """Gives the generator of one image, and a number below 10,000 for the image's file name."""
    key = f"phantom|{PHANTOM_VERSION}|{seed}|{split}|{class_name}|{index}"
    digest = hashlib.sha256(key.encode()).digest()
    number = int.from_bytes(digest[:16], "big")
    return np.random.default_rng(number), int.from_bytes(digest[16:20], "big") % 10_000


def _labels(originals: int) -> str:
    """Gives the text of labels.csv, in the form of the real file (CRLF, no line end at the end)."""
    labels = list(CLASSES) * originals + list(_EXTRA_LABELS)
    rows = [",Image,Category"]
    for number, label in enumerate(labels):
        rows.append(f',{number},"{label}"' if "," in label else f",{number},{label}")
    return "\r\n".join(rows)


def write_phantom(
    folder: Path,
    train: int,
    test: int,
    originals: int,
    seed: int = 0,
    progress: Progress | None = None,
) -> None:
    """Writes a phantom into `folder`, in the layout of the public set; the counts are per class.

    `images/TRAIN/<CLASS>/_k_NNN.jpeg` and `images/TEST/...` are 320x240,
    `Original_Images/BloodImage_NNNNN.jpg` 640x480. labels.csv has a row for each original (number
    4 * index + class) and six more without a file: labels of two names, a basophil, an empty label,
    and a monocyte. PHANTOM (JSON) holds the version, the seed and the counts. An image depends on
    the seed and on its split, class and index, and not on the counts.

    `progress(what, done, total)` is called after each image; `what` names the part. A caller that
    needs the whole set or nothing writes the set aside (`files.aside`).
    """
    plan = (("TRAIN", train), ("TEST", test), ("ORIGINAL", originals))
    for split, count in plan:
        done, total = 0, count * len(CLASSES)
        for class_index, class_name in enumerate(CLASSES):
            where = folder / "Original_Images"
            if split != "ORIGINAL":
                where = folder / "images" / split / class_name
            where.mkdir(parents=True, exist_ok=True)
            for index in range(count):
                rng, tail = _seeded(seed, split, class_name, index)
                if split == "ORIGINAL":
                    image = draw_cell(class_index, rng, 480, 640)
                    number = index * len(CLASSES) + class_index
                    name, quality = f"BloodImage_{number:05d}.jpg", 90
                else:
                    image = draw_cell(class_index, rng)
                    name, quality = f"_{index}_{tail}.jpeg", 75
                Image.fromarray(image).save(where / name, "JPEG", quality=quality)
                done += 1
                if progress is not None:
                    progress(f"drawing the phantom: {split}", done, total)
    (folder / "labels.csv").write_bytes(_labels(originals).encode())
    about = {
        "version": PHANTOM_VERSION,
        "seed": seed,
        "train": train,
        "test": test,
        "originals": originals,
    }
    (folder / "PHANTOM").write_text(json.dumps(about) + "\n", encoding="utf-8")
