"""A pool's images, labels and stored features as the network reads them."""

from typing import Any

import numpy as np
from keras import ops

from protocols.images.pool import Pool
from protocols.stops import running_seconds


class Batches:
    """Fetches batches; a position counts in the pool.

    On a GPU stored features lie there, and if `resident` the images as uint8, and are gathered
    there; else each batch is gathered in the host's memory.
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
        """Takes the stored features of the phase, an array a backbone; None for none."""
        self.features = None
        if stored is not None:
            there = ops.convert_to_tensor if self.keep_there else np.asarray
            self.features = [there(np.array(array)) for array in stored]

    def evict(self) -> bool:
        """Gives memory of the device back: the images', then the features'; whether it could."""
        if self.pixels is not None:
            self.pixels = None
        elif self.keep_there:
            self.features, self.keep_there = None, False
        else:
            return False
        return True

    def images(self, positions: np.ndarray) -> Any:
        """uint8 (n, h, w, 3)."""
        there = self.pixels is not None
        return _take(self.pixels, positions) if there else self.pool.images(positions)

    def inputs(self, positions: np.ndarray, read_images: bool) -> list[Any]:
        """Images, if they are read, and stored features, if there are any, of the positions."""
        start = running_seconds()
        found = [self.images(positions)] if read_images else []
        found += [_take(f, positions) for f in self.features or []]
        self.waited += running_seconds() - start
        return found


def _take(array: Any, positions: np.ndarray) -> Any:
    there = not isinstance(array, np.ndarray)
    return ops.take(array, positions, axis=0) if there else array[positions]
