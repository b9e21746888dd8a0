"""Gives the network a pool's images, labels and stored features."""

from typing import Any

import numpy as np
from keras import ops

from protocols.images.pool import Pool
from protocols.stops import running_seconds


class Batches:
    """The source of a run's batches; a position is an index into the pool.

    On a GPU stored features lie in its memory, and so do the images, as uint8, if `resident`;
    batches are gathered there. Otherwise each batch is gathered in the host's memory.
    """

    def __init__(self, pool: Pool, on_gpu: bool, resident: bool) -> None:
        self.pool, self.keep_there = pool, on_gpu
        self.labels = pool.labels.astype(np.int32)
        self.pixels: Any = None
        if resident:
            self.pixels = ops.convert_to_tensor(pool.images(np.arange(len(pool))))
        self.features: list[Any] | None = None
        self.waited = 0.0

    def keep_features(self, stored: list[np.ndarray] | None) -> None:
        """Takes the phase's stored features, one array per backbone; None if the phase reads
        none."""
        self.features = None
        if stored is not None:
            there = ops.convert_to_tensor if self.keep_there else np.asarray
            self.features = [there(np.array(array)) for array in stored]

    def evict(self) -> bool:
        """Gives memory of the device back: first that of the images, then that of the features.
        Returns whether there was any to give back."""
        if self.pixels is not None:
            self.pixels = None
        elif self.keep_there:
            self.features, self.keep_there = None, False
        else:
            return False
        return True

    def images(self, positions: np.ndarray) -> Any:
        """Gives images as uint8 (n, h, w, 3)."""
        there = self.pixels is not None
        return _take(self.pixels, positions) if there else self.pool.images(positions)

    def inputs(self, positions: np.ndarray, read_images: bool) -> list[Any]:
        """Gives the images at the positions, if they are read, and the stored features, if there
        are any."""
        start = running_seconds()
        found = [self.images(positions)] if read_images else []
        found += [_take(f, positions) for f in self.features or []]
        self.waited += running_seconds() - start
        return found


def _take(array: Any, positions: np.ndarray) -> Any:
    there = not isinstance(array, np.ndarray)
    return ops.take(array, positions, axis=0) if there else array[positions]
