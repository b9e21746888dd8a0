"""The images that the runs of one job read, and who trains and tests on which."""

from dataclasses import dataclass

import numpy as np

from protocols.images.sets import ImageSet
from protocols.images.splits import split
from protocols.spec import RunSpec


@dataclass(frozen=True)
class Pool:
    """n images of a decoded set. A position counts within the pool, from 0.

    `pixels` uint8 (all of the set, h, w, 3), memory-mapped; image p of the pool is
    pixels[rows[p]]. `labels` int64 (n,). `train` and `evaluated`: positions, one array a run; the
    first `selecting` of those evaluated select the epoch and the rest test it, or all do both (0).
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
        """Whether the images may lie where `free` bytes are: half of them is enough."""
        return 2 * len(self) * self.pixels[0].nbytes < free

    def images(self, positions: np.ndarray) -> np.ndarray:
        """uint8 (*positions.shape, h, w, 3)."""
        return self.pixels[self.rows[positions]]


def make_pool(images: ImageSet, specs: list[RunSpec]) -> Pool:
    """The pool of runs over one decoded set. ValueError unless all train on equally many."""
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
    """`positions` in order, `size` at a time; the last batch is kept, smaller."""
    return [positions[i : i + size] for i in range(0, len(positions), size)]
