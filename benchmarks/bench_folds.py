"""The ten folds of a Jane head trained together, against the ten one after the other.

From made-up features: what they say changes no time.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.paired import paired, timed
from benchmarks.trial import Scale, Trained, device_of, spec_of
from protocols.classes import CLASSES
from protocols.pool import Pool
from protocols.spec import FRAMEWORKS, RunSpec
from protocols.variants import load_variants

ON_A_GPU, ON_A_CPU = 0.25, 1.0  # of the ten runs' time
JANE = [name for name, variant in load_variants().items() if variant.paper == "jane"]
CHANNELS = 2048


def made_up(scale: Scale, folds: int) -> tuple[Pool, list[np.ndarray]]:
    """A pool whose folds are equally large, and one backbone's maps of its images."""
    n = scale.frozen_images // (folds * len(CLASSES)) * folds * len(CLASSES)
    rng, fold = np.random.default_rng(0), np.arange(n) % folds
    pool = Pool(
        pixels=np.zeros((n, scale.height, scale.width, 3), np.uint8),
        rows=np.arange(n),
        ids=[str(i) for i in range(n)],
        labels=rng.integers(len(CLASSES), size=n),
        train=[np.flatnonzero(fold != k) for k in range(folds)],
        test=[np.flatnonzero(fold == k) for k in range(folds)],
    )
    shape = n, CHANNELS, -(-scale.height // 32), -(-scale.width // 32)
    return pool, [rng.random(shape, dtype=np.float32)]


def alone(pool: Pool, fold: int) -> Pool:
    """The same pool for one fold."""
    return replace(pool, train=[pool.train[fold]], test=[pool.test[fold]])


@pytest.mark.parametrize("variant", JANE)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_ten_folds(benchmark: Any, framework: str, variant: str, scale: Scale) -> None:
    """An epoch of each fold."""
    if device_of(framework).backend == "tensorflow":
        pytest.skip("Keras trains folds together on JAX only: KERAS_BACKEND=jax")
    first = spec_of(framework, variant, scale)
    first = replace(first, weights={"source": "imagenet", "digest": None})  # so that it is frozen
    specs: list[RunSpec] = [replace(first, fold=k) for k in range(first.recipe["folds"])]
    pool, maps = made_up(scale, len(specs))
    if framework == "keras":
        maps = [np.ascontiguousarray(m.transpose(0, 2, 3, 1)) for m in maps]  # channels last
    together = Trained(specs, pool).begin(0, maps)
    singles = [Trained([s], alone(pool, k)).begin(0, maps) for k, s in enumerate(specs)]
    paired(
        benchmark,
        together.epoch,
        {"the ten, one after the other": timed(lambda: [one.epoch() for one in singles])},
        scale.rounds,
        aims={
            "the ten, one after the other": ON_A_CPU if first.device == "cpu" else ON_A_GPU,
        },
        what=f"Ten folds together, {load_variants()[variant].title}",
        framework=framework,
        unit=f"an epoch of {len(pool.train[0])} images a fold",
        size=scale.size,
        data="made up",
    )
