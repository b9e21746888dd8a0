"""Gives the device a pool's images, labels and stored features."""

import numpy as np
import torch

from protocols.images.pool import Pool
from protocols.stops import running_seconds


class Batches:
    """The source of a run's batches; a position is an index into the pool.

    On a GPU the images lie in its memory as uint8 if `resident`; else each batch is copied from the
    memory map while the device computes the last one. Stored features lie in the device's memory.
    """

    def __init__(self, pool: Pool, device: torch.device, resident: bool) -> None:
        self.pool, self.device = pool, device
        self.labels = torch.from_numpy(pool.labels).to(device)
        self.pixels: torch.Tensor | None = None
        if resident:
            self.pixels = torch.from_numpy(pool.images(np.arange(len(pool)))).to(device)
        self.features: tuple[torch.Tensor, ...] = ()
        self.waited = 0.0

    def keep_features(self, stored: list[np.ndarray] | None, dtype: torch.dtype) -> None:
        """Takes the phase's stored features, one array per backbone; None if the phase reads
        none."""
        arrays = [torch.from_numpy(np.array(array)) for array in stored or ()]
        self.features = tuple(array.to(self.device, dtype) for array in arrays)

    def to_device(self, positions: np.ndarray) -> torch.Tensor:
        """Gives the positions as int64 on the device."""
        return torch.from_numpy(positions).to(self.device)

    def images(self, positions: np.ndarray, there: torch.Tensor | None = None) -> torch.Tensor:
        """Gives images as uint8 (n, h, w, 3) on the device; `there` holds the positions on the
        device. From the host they come by pinned memory: the copy waits on the GPU for the steps
        before it, and the host waits for neither the copy nor the steps."""
        start = running_seconds()
        if self.pixels is not None:
            found = self.pixels[self.to_device(positions) if there is None else there]
        else:
            found = torch.from_numpy(self.pool.images(positions))
            if self.device.type != "cpu":
                found = found.pin_memory().to(self.device, non_blocking=True)
        self.waited += running_seconds() - start
        return found

    def chosen_features(self, there: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Gives the stored features at positions that are on the device."""
        start = running_seconds()
        found = tuple(f[there] for f in self.features)
        self.waited += running_seconds() - start
        return found
