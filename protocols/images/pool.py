"""Holds the images that the runs of one job read, and which run trains and tests on which."""

from dataclasses import dataclass

import numpy as np

from protocols.images.sets import ImageSet
from protocols.images.splits import split
from protocols.spec import RunSpec


@dataclass(frozen=True)
class Pool:
    """The n images of a decoded set that runs read. A position counts within the pool, from 0.

    `pixels` is uint8 (all of the set, h, w, 3), memory-mapped; image p of the pool is
    pixels[rows[p]]. `labels` is int64 (n,). `train` and `evaluated` hold positions, one array per
    run. The first `selecting` images of `evaluated` select the epoch and the rest test it; if
    `selecting` is 0, all images do both.
    """

    pixels: np.ndarray
    rows: np.ndarray
    ids: list[str]
    labels: np.ndarray
    train: list[np.ndarray]
    evaluated: list[np.ndarray]
    selecting: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    def fits(self, free: int) -> bool:
        """Tells whether the images may lie where `free` bytes are: they may take half of those."""
        return 2 * len(self) * self.pixels[0].nbytes < free

    def images(self, positions: np.ndarray) -> np.ndarray:
        """Gives the images at `positions`, uint8 (*positions.shape, h, w, 3)."""
        return self.pixels[self.rows[positions]]


def make_pool(images: ImageSet, specs: list[RunSpec]) -> Pool:
    """Makes the pool of runs over one decoded set. Raises ValueError unless all runs train on
    equally many images."""
    parts = [split(images, spec) for spec in specs]
    rows = np.unique(np.concatenate([part for three in parts for part in three]))
    train = [np.searchsorted(rows, three.train) for three in parts]
    if len({len(part) for part in train}) != 1:
        raise ValueError("runs that train together need training parts of one size")
    return Pool(
        pixels=images.pixels,
        rows=rows,
        ids=[images.ids[i] for i in rows],
        labels=images.labels[rows],
        train=train,
        evaluated=[
            np.searchsorted(rows, np.concatenate([three.validation, three.test])) for three in parts
        ],
        selecting=len(parts[0].validation),
    )


def in_batches(positions: np.ndarray, size: int) -> list[np.ndarray]:
    """Divides `positions`, in order, into batches of `size`; a smaller last batch is kept."""
    return [positions[i : i + size] for i in range(0, len(positions), size)]
