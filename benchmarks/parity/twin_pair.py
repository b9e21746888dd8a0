"""Puts both twins of one network into one process, at the same weights, for the parity ladder."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.planning.plan import Device, Selection, make_plan
from protocols.images.pool import Pool
from protocols.papers.recipes import load_profiles
from protocols.papers.variants import load_variants
from protocols.runs import parity
from protocols.runs.parity import BATCH, SIZES, STEPS, GivenSide, Side
from protocols.seeds import generator
from protocols.spec import RunSpec
from protocols.weights.reading import read
from protocols.weights.start import Arrays, drawn, shapes_of

Files = Mapping[str, Path]  # the files of loaded weights, by backbone
SEED = 3  # for drawing the weights
SPREAD = 0.1  # standard deviation of what is added to gammas, betas and biases
THREADS = 1
TRAIN, TEST = np.arange(BATCH), np.arange(BATCH, 2 * BATCH)  # positions in the ladder's pool


def spec_of(
    framework: str, variant: str, precision: str, backend: str, changes: tuple[str, ...] = ()
) -> RunSpec:
    """Returns a run of the ladder's size on the CPU, with one thread: two frameworks' threads in
    one process stand in each other's way, and one thread sums in a fixed order. Controls read rows
    as in the laptop profile. `changes` are the "key=value" words of --set."""
    wish = Selection(
        frameworks=(framework,), variants=(variant,), weights="random", changes=changes
    )
    run = make_plan(wish, "phantom", {framework: Device(backend, "cpu")}, THREADS)[0]
    height, width = SIZES[precision]
    data = run.data | {"height": height, "width": width}
    recipe = parity.recipe(run.recipe)
    if "grey_pooling" in recipe and not load_variants()[variant].published:
        recipe["grey_pooling"] = load_profiles()["laptop"].grey_pooling
    return replace(run, data=data, recipe=recipe, precision=precision, threads=THREADS)


def side(framework: str, spec: RunSpec, pool: Pool) -> Any:
    """Returns one twin: a Side, which for Keras is a GivenSide.

    The framework is imported here; PyTorch must come before TensorFlow.
    """
    module = importlib.import_module(f"impl_{framework}.parity")
    return getattr(module, f"{framework.title()}Side")(spec, pool)


@dataclass
class Pair:
    """Both twins of one network in one precision, at the same weights."""

    variant: str
    torch: Side
    keras: GivenSide
    recipe: dict
    start: Arrays

    def reset(self) -> None:
        """Puts both twins back to the start."""
        self.torch.take(self.start)
        self.keras.take(self.start)

    def begin(self, optimizer: str, frozen: bool = False) -> None:
        """Puts both twins at the start, in a new phase, whose batches take the pool's halves in
        turn. A frozen CNN's features are stored, as in training, and both twins get Keras's."""
        self.reset()
        images = np.concatenate([TRAIN, TEST])
        stored = self.keras.features(images) if frozen else None
        for twin in (self.torch, self.keras):
            order = np.tile(images, STEPS // 2)
            twin.begin(parity.phase(optimizer, self.recipe, frozen), order, stored)


def disturbed(arrays: Arrays) -> Arrays:
    """Returns the arrays with noise on what every network draws as zeros or ones: a bridge that
    left one of these where it was would go unseen."""
    return {
        key: array
        if key.endswith("kernel") or "/moving_" in key
        else array + SPREAD * generator(SEED, "disturbed", key).standard_normal(array.shape)
        for key, array in arrays.items()
    }


def loaded(variant: str, files: Files) -> Arrays:
    """Returns the weights of a network's CNNs as `files` have them, by "part/layer/weight"."""
    return {
        f"{name}/{key}": array
        for name in load_variants()[variant].backbones
        for key, array in read(name, files[name]).items()
    }


def make_pair(
    variant: str,
    precision: str,
    pool: Pool,
    changes: tuple[str, ...] = (),
    files: Files | None = None,
) -> Pair:
    """Returns twins at weights that are drawn once, where PyTorch can take them; Keras calibrates
    the statistics for both. With `files`, by backbone, the CNNs have those files' weights instead,
    and their own statistics."""
    runs = {
        framework: spec_of(framework, variant, precision, backend, changes)
        for framework, backend in (("torch", "torch"), ("keras", "tensorflow"))
    }
    torch: Side = side("torch", runs["torch"], pool)
    keras: GivenSide = side("keras", runs["keras"], pool)
    keras.take(disturbed(drawn(SEED, shapes_of(keras.weights()))))
    if files:
        keras.take(loaded(variant, files))
    else:
        keras.calibrate(np.concatenate([TRAIN, TEST]))
    pair = Pair(variant, torch, keras, runs["keras"].recipe, keras.weights())
    if shapes_of(torch.weights()) == shapes_of(pair.start):  # else the first rungs are broken
        torch.take(pair.start)
    return pair
