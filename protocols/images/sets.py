"""Defines the request for a set of images, and the set that is made for the request."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class SetRequest:
    """The request for a set: which images, and their height and width in pixels.

    `per_class` and `seed` (of augmentation and folds) count for cross-validation only. `per_class`
    is the number of images per class in `cv10`, of training images in `cv10-grouped`. `n_folds` and
    `fold` count for `cv10-grouped` only, where each fold has a set of its own. Wrong values raise
    ValueError.
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
        """Gives the values that change the set; values that don't count are left out."""
        unused = {
            "fixed": ("per_class", "seed", "n_folds", "fold"),
            "cv10": ("n_folds", "fold"),
            "cv10-grouped": (),
        }[self.protocol]
        return {key: value for key, value in asdict(self).items() if key not in unused}


@dataclass(frozen=True)
class ImageSet:
    """A set of n images, and what is known of each image.

    `pixels` is uint8 (n, height, width, 3) RGB, read-only; `labels` is int64 (n,), an index into
    CLASSES; `part` is "train", "test" or "pool"; `groups` is the original's file name (the id for
    `fixed`); `files` names the JPEG that each image comes from, and is empty where the set was
    opened without its source. Nothing but `files` and `folder` depends on where the images lie.
    """

    pixels: np.memmap
    ids: list[str]
    labels: np.ndarray
    part: np.ndarray
    groups: np.ndarray
    files: list[str]
    digest: str
    pixels_sha256: str
    phantom: bool
    folder: Path


SETS = ("fixed", "cv10", "cv10-grouped")  # `fixed-grouped` divides the images of `fixed`
