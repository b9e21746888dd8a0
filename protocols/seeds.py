"""Makes every random number of a run from (run seed, purpose), the same numbers in both twins."""

import hashlib

import numpy as np


def derive(seed: int, *purpose: str | int) -> int:
    """Gives a 32-bit seed for one purpose of a run: from the SHA-256 of the run seed and the words
    of the purpose."""
    text = "/".join(["wbc", str(seed), *map(str, purpose)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """Gives a NumPy generator for one purpose of a run."""
    return np.random.default_rng(derive(seed, *purpose))


def epoch_order(seed: int, phase: int, epoch: int, n: int) -> np.ndarray:
    """Gives the order in which an epoch reads its n training images, int64 (n,), in both twins."""
    return generator(seed, "order", phase, epoch).permutation(n)


def dropout_keep(
    seed: int, fold: int | None, phase: int, epoch: int, shape: tuple[int, int], rate: float
) -> np.ndarray:
    """Draws which units stay in an epoch, bool of `shape` (images in the epoch's order, units).

    Each fold has a draw of its own, which is the same in both twins, whatever ran before.
    """
    draws = generator(seed, "dropout", str(fold), phase, epoch)
    return draws.random(shape, dtype=np.float32) >= rate
