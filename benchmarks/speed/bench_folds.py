"""Measures the ten folds of a head on maps, trained together, against ten runs of a single fold.

The features are made up; they tell the classes apart.
"""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.speed.harness import Scale, Trained, device_of, spec_of
from benchmarks.speed.side_by_side import paired, timed
from protocols.classes import CLASSES
from protocols.images.pool import Pool
from protocols.papers.backbones import load_backbones
from protocols.papers.variants import load_variants
from protocols.spec import FRAMEWORKS, RunSpec
from protocols.weights.start import HeadsOnly

ON_A_GPU, ON_A_CPU = 0.25, 1.0  # the aim, as a share of the ten runs' time
ON_MAPS = [name for name, v in load_variants().items() if v.published and not v.pooled]
FOLDS, SEEDS, EPOCHS = (0, 1, 2), (0, 1, 2), 10  # for the comparison of final losses


def made_up(scale: Scale, folds: int) -> tuple[Pool, list[np.ndarray]]:
    """Returns a pool of equally large folds, and one backbone's maps, which hint at the class."""
    n = scale.frozen_images // (folds * len(CLASSES)) * folds * len(CLASSES)
    rng, fold = np.random.default_rng(0), np.arange(n) % folds
    pool = Pool(
        pixels=np.zeros((n, scale.height, scale.width, 3), np.uint8),
        rows=np.arange(n),
        ids=[str(i) for i in range(n)],
        labels=rng.integers(len(CLASSES), size=n),
        train=[np.flatnonzero(fold != k) for k in range(folds)],
        evaluated=[np.flatnonzero(fold == k) for k in range(folds)],
    )
    channels = load_backbones()["xception"].channels
    shape = n, channels, -(-scale.height // 32), -(-scale.width // 32)
    of_class = rng.random((len(CLASSES), channels, 1, 1), dtype=np.float32)
    return pool, [rng.random(shape, dtype=np.float32) + 0.2 * of_class[pool.labels]]


def alone(pool: Pool, fold: int) -> Pool:
    """Returns the same pool for one fold."""
    return replace(pool, train=[pool.train[fold]], evaluated=[pool.evaluated[fold]])


def held_out(trained: Trained) -> np.ndarray:
    """Returns the mean cross entropy of each member on its own fold."""
    pairs = zip(trained.twin.log_probabilities(), trained.pool.evaluated, strict=True)
    labels = trained.pool.labels
    return np.array([-logp[np.arange(len(t)), labels[t]].mean() for logp, t in pairs])


def final_difference(first: RunSpec, pool: Pool, maps: list[np.ndarray]) -> str:
    """Returns a sentence: what training together changes in float32, and what another seed does."""
    several = [(seed, fold) for seed in SEEDS for fold in FOLDS]
    specs = [replace(first, fold=fold, seed=seed) for seed, fold in several]
    members = replace(
        pool,
        train=[pool.train[fold] for _, fold in several],
        evaluated=[pool.evaluated[fold] for _, fold in several],
    )
    runs = [Trained(specs, members, HeadsOnly())]
    runs += [
        Trained([spec], alone(pool, fold), HeadsOnly())
        for spec, (_, fold) in zip(specs, several, strict=True)
    ]
    for run in runs:
        run.begin(0, maps)
        for _ in range(EPOCHS):
            run.epoch()
    losses = held_out(runs[0])
    apart = np.abs(losses - np.concatenate([held_out(run) for run in runs[1:]])).mean()
    by_seed = losses.reshape(len(SEEDS), -1)
    seeds = np.mean([np.abs(a - b).mean() for a, b in itertools.combinations(by_seed, 2)])
    return (
        f"after {EPOCHS} epochs in float32 the held-out losses (mean {losses.mean():.2g}) differ "
        f"from those of the runs alone by {apart:.2g} on average, those of two seeds by {seeds:.2g}"
    )


@pytest.mark.parametrize("variant", ON_MAPS)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_ten_folds(benchmark: Any, framework: str, variant: str, scale: Scale) -> None:
    """Measures an epoch of each fold."""
    if device_of(framework).backend == "tensorflow":
        pytest.skip("Keras trains folds together on JAX only: KERAS_BACKEND=jax")
    first = spec_of(framework, variant, scale)
    first = replace(first, weights={"source": "imagenet", "digest": None})  # so that it's frozen
    specs = [replace(first, fold=k) for k in range(first.recipe["folds"])]
    pool, maps = made_up(scale, len(specs))
    if framework == "keras":
        maps = [np.ascontiguousarray(m.transpose(0, 2, 3, 1)) for m in maps]  # channels last
    together = Trained(specs, pool, HeadsOnly()).begin(0, maps)
    single = Trained(specs[:1], alone(pool, 0), HeadsOnly()).begin(0, maps)
    ten = f"{len(specs)} single runs"
    paired(
        benchmark,
        together.epoch,
        {ten: timed(lambda: [single.epoch() for _ in specs])},
        scale.rounds,
        aims={ten: ON_A_CPU if first.device == "cpu" else ON_A_GPU},
        what=f"Ten folds together, {load_variants()[variant].title}",
        framework=framework,
        unit=f"an epoch of {len(pool.train[0])} images a fold",
        size=scale.size,
        data="made up",
        note=final_difference(first, pool, maps),
    )
