"""Defines the rungs of the parity ladder: what each measures of two twins of one network."""

import gc
from collections.abc import Iterator, Set
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.parity.twin_pair import TRAIN, Files, Pair, make_pair, side, spec_of
from protocols.images.pool import Pool
from protocols.runs import parity
from protocols.runs.parity import BATCH, STEPS, Result, Side
from protocols.weights.start import Arrays, check_same, counts, shapes_of

Pools = dict[str, Pool]  # precision -> the images
MOMENTUM = 0.99  # of batch normalisation in both twins


def count_rung(pair: Pair) -> Result:
    """Compares the number of weights of each kind."""
    ours, theirs = (counts(shapes_of(s.weights())) for s in (pair.torch, pair.keras))
    kinds = ours.keys() | theirs.keys()
    value = sum(abs(ours.get(k, 0) - theirs.get(k, 0)) for k in kinds)
    said = ", ".join(f"{kind} {n:,}" for kind, n in theirs.items())
    return Result("counts", pair.variant, value, said)


def shape_rung(pair: Pair) -> Result:
    """Takes the weights from Keras to PyTorch and back, and compares their bytes."""
    before, ours = pair.keras.weights(), pair.torch.weights()
    try:
        check_same(shapes_of(ours), shapes_of(before), "Keras's arrays")
        pair.torch.take(before)
        pair.keras.take(pair.torch.weights())
    except ValueError as error:
        return Result("shapes", pair.variant, len(before), str(error))
    after = pair.keras.weights()
    wrong = [key for key in before if before[key].tobytes() != after[key].tobytes()]
    return Result("shapes", pair.variant, len(wrong), f"{len(before)} arrays")


def preprocessing_rung(pair: Pair) -> Result:
    """Compares the float32 inputs of the network, in roundings."""
    ours, theirs = (s.inputs(TRAIN) for s in (pair.torch, pair.keras))
    if found := shapes_apart(ours, theirs):
        return Result("preprocessing", pair.variant, np.inf, found)
    value, name = parity.largest({k: parity.roundings(ours[k], theirs[k]) for k in theirs})
    return Result("preprocessing", pair.variant, value, f"{', '.join(theirs)}; largest: {name}")


def answers(twin: Side, recipe: dict) -> Arrays:
    """Returns what a forward pass gives, by name: the features and the probabilities."""
    twin.begin(parity.phase("adam", recipe), TRAIN)
    return twin.features(TRAIN) | {"probabilities": twin.probabilities()}


def shapes_apart(a: Arrays, b: Arrays) -> str:
    """Returns in words what one twin lacks, or has in another shape; "" if there is nothing."""
    here, there = shapes_of(a), shapes_of(b)
    names = sorted(k for k in here.keys() | there.keys() if here.get(k) != there.get(k))
    said = [
        f"{k} {here.get(k, 'lacks')} in PyTorch, {there.get(k, 'lacks')} in Keras" for k in names
    ]
    return "; ".join(said)


def compared(rung: str, variant: str, a: Arrays, b: Arrays) -> Result:
    """Compares two forward passes by their largest relative difference."""
    if other := shapes_apart(a, b):
        return Result(rung, variant, np.inf, other)
    found = {name: parity.relative(a[name], b[name]) for name in b}
    said = ", ".join(f"{name} {value:.1e}" for name, value in found.items())
    return Result(rung, variant, parity.largest(found)[0], said)


def forward_rung(pair: Pair, rung: str = "forward") -> Result:
    """Compares the features and the probabilities."""
    pair.reset()
    found = [answers(s, pair.recipe) for s in (pair.torch, pair.keras)]
    return compared(rung, pair.variant, *found)


def step_rungs(pair: Pair) -> Iterator[Result]:
    """Compares one training step: its loss, its gradients and its running statistics."""
    pair.begin("adam")
    loss, penalty, ours = pair.torch.step_gradients(0, BATCH)
    loss_k, penalty_k, theirs = pair.keras.step_gradients(0, BATCH)
    value = max(abs(loss - loss_k) / loss_k, abs(penalty - penalty_k) / (penalty_k or 1.0))
    yield Result("loss", pair.variant, value, f"loss {loss_k:.6f}, penalty {penalty_k:.6f}")
    if ours.keys() != theirs.keys():
        found = sorted(ours.keys() ^ theirs.keys())
        yield Result("gradients", pair.variant, np.inf, f"trained by one twin: {found[:4]}")
    else:
        value, key = parity.apart(ours, theirs)
        said = f"largest at {key}; {len(parity.zeros(theirs))} of {len(theirs)} are zero in truth"
        yield Result("gradients", pair.variant, value, said)
    yield statistics_result(pair)


def statistics_result(pair: Pair) -> Result:
    """Compares both statistics after the step; n/(n-1) must explain how the variances differ."""
    sizes, sizes_k = pair.torch.values(), pair.keras.values()
    if sizes != sizes_k:
        return Result("statistics", pair.variant, np.inf, "normalise maps of other sizes")
    ours, theirs = pair.torch.weights(), pair.keras.weights()
    found, explained = {}, {}
    for key, positions in sizes.items():
        mean, n = key.replace("moving_variance", "moving_mean"), positions * BATCH
        change = theirs[key] - MOMENTUM * pair.start[key]  # 0.01 of the batch's biased variance
        expected = change / (n - 1)  # n/(n-1) - 1 of it
        explained[key] = parity.relative(ours[key] - theirs[key], expected)
        spread = 0.1 * float(np.sqrt(change.max()))  # 0.01 standard deviations of the batch
        found[mean] = float(np.abs(ours[mean] - theirs[mean]).max()) / spread
        found[key] = float(np.abs(ours[key] - theirs[key] - expected).max() / change.max())
    value, key = parity.largest(found | explained)
    said = f"unexplained of the variances' difference {parity.largest(explained)[0]:.1e}"
    return Result("statistics", pair.variant, value, f"{said}; {len(sizes)} layers, n from "
                  f"{min(sizes.values()) * BATCH} to {max(sizes.values()) * BATCH}")  # fmt: skip


def optimizer_rungs(pair: Pair, optimizer: str) -> Iterator[Result]:
    """Compares the weights' change in each of ten steps from equal weights; weights of zero
    gradient are kept apart. Then compares the change that each twin's optimiser makes from
    PyTorch's gradients.

    RMSProp trains over the frozen CNN, the only way in which it ever trains. Adam trains the whole
    network where `parity.trains_whole` says so, else over the frozen CNN too.
    """
    frozen = optimizer == "rmsprop" or not parity.trains_whole(pair.variant)
    pair.begin(optimizer, frozen)
    before = pair.start
    moved: Set[str] = set()
    without: set[str] = set()
    length, single, noise, given = ({0: 0.0} for _ in range(4))  # by step
    for number in range(1, STEPS + 1):
        batch = (number - 1) * BATCH, number * BATCH
        if number == 1:
            _, _, gradients = pair.keras.step_gradients(*batch)
            moved, without = gradients.keys(), parity.zeros(gradients)
        else:
            pair.torch.take(before)
            pair.keras.step(*batch)
        _, _, found = pair.torch.step_gradients(*batch)
        gradients = {key: found[key] for key in moved}  # an earlier phase may have left others
        ours, theirs = pair.torch.weights(moved), pair.keras.weights(moved)
        off = parity.Distance.between(ours, theirs, moved - without)
        change = parity.Distance.between(theirs, before, moved - without)
        noisy = parity.Distance.between(ours, theirs, without)
        length[number] = off.length / change.length
        single[number] = off.most / change.most
        noise[number] = noisy.length / change.length
        given[number] = off_given(pair, before, gradients, ours)
        pair.keras.take(theirs)
        before = theirs
    what = "the head, on stored features" if frozen else "the whole network"
    (value, step), (most, at) = parity.largest(length), parity.largest(single)
    said = f"{what}; largest at step {step}; of a single weight {most:.1e} of the largest change "
    said += f"(step {at})"
    if without:
        zeros = f"{len(without)} arrays of zero gradient"
        said += f"; apart, {zeros} {parity.largest(noise)[0]:.1e}"
    yield Result(optimizer, pair.variant, value, said)
    value, step = parity.largest(given)
    said = f"{what}, {len(moved)} arrays; largest at step {step}"
    yield Result(parity.given(optimizer), pair.variant, value, said)


def off_given(pair: Pair, before: Arrays, gradients: Arrays, ours: Arrays) -> float:
    """Returns how far a weight is from `ours` at most where Keras's optimiser has PyTorch's
    gradients, as a share of the largest change."""
    pair.keras.take({key: before[key] for key in gradients})
    pair.keras.apply(gradients)
    theirs = pair.keras.weights(gradients)
    off = parity.Distance.between(ours, theirs, gradients)
    return off.most / parity.Distance.between(theirs, before, gradients).most


def climb(
    variant: str,
    pools: Pools,
    folder: Path | None = None,
    changes: tuple[str, ...] = (),
    files: Files | None = None,
) -> Iterator[Result]:
    """Yields all rungs of one network but the backends, for which `folder` keeps Keras's answers.
    `changes` and `files` are those of `make_pair`.

    Where one of the first two rungs is broken, the twins can't be given the same weights, and there
    is nothing to compare further up.
    """
    pair = make_pair(variant, "float64", pools["float64"], changes, files)
    first = count_rung(pair), shape_rung(pair)
    yield from first
    if not all(result.ok for result in first):
        return
    yield forward_rung(pair)
    yield from step_rungs(pair)
    for optimizer in parity.optimizers(pair.recipe):
        yield from optimizer_rungs(pair, optimizer)
    del pair
    gc.collect()  # the frameworks hold a network in reference cycles
    single = make_pair(variant, "float32", pools["float32"], changes, files)
    yield preprocessing_rung(single)
    yield forward_rung(single, "forward32")
    if folder:
        kept: dict[str, dict[str, Any]] = {"weights": single.start}
        kept["answers"] = answers(single.keras, single.recipe)
        for name, arrays in kept.items():
            np.savez(folder / f"{variant}-{name}.npz", **arrays)


def backend_rung(
    variant: str, pools: Pools, folder: Path, changes: tuple[str, ...] = ()
) -> Result | None:
    """Compares Keras as it is in this process, on JAX, with what `climb` kept of Keras on
    TensorFlow. Returns None if nothing was kept."""
    if not (folder / f"{variant}-answers.npz").exists():
        return None
    spec = spec_of("keras", variant, "float32", "jax", changes)
    keras = side("keras", spec, pools["float32"])
    with np.load(folder / f"{variant}-weights.npz") as weights:
        keras.take(dict(weights))
    with np.load(folder / f"{variant}-answers.npz") as found:
        return compared("backends", variant, answers(keras, spec.recipe), dict(found))
