"""A pool's images, labels and stored features as the network reads them."""

import time
from typing import Any

import numpy as np
from keras import ops

from protocols.pool import Pool


class Batches:
    """Fetches batches; a position counts in the pool.

    If `resident`, images (uint8) and stored features lie on the device and are gathered there;
    else each batch is gathered in the host's memory.
    """

    def __init__(self, pool: Pool, resident: bool) -> None:
        self.pool, self.resident = pool, resident
        self.labels = pool.labels.astype(np.int32)
        self.pixels = self._there(pool.images(np.arange(len(pool)))) if resident else None
        self.features: list[Any] | None = None
        self.waited = 0.0

    def _there(self, array: np.ndarray) -> Any:
        return ops.convert_to_tensor(array) if self.resident else array

    def keep_features(self, stored: list[np.ndarray] | None) -> None:
        """Takes the stored features of the phase, an array a backbone; None for none."""
        self.features = None
        if stored is not None:
            self.features = [self._there(np.array(array)) for array in stored]

    def evict(self) -> None:
        """Gives the device's memory back."""
        self.pixels, self.resident = None, False

    def _take(self, array: Any, positions: np.ndarray) -> Any:
        return ops.take(array, positions, axis=0) if self.resident else array[positions]

    def images(self, positions: np.ndarray) -> Any:
        """uint8 (n, h, w, 3)."""
        there = self.pixels is not None
        return self._take(self.pixels, positions) if there else self.pool.images(positions)

    def inputs(self, positions: np.ndarray, read_images: bool) -> list[Any]:
        """Images, if they are read, and stored features, if there are any, of the positions."""
        start = time.perf_counter()
        found = [self.images(positions)] if read_images else []
        found += [self._take(f, positions) for f in self.features or []]
        self.waited += time.perf_counter() - start
        return found
