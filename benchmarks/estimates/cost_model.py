"""Splits the time of a run into parts, and predicts from such parts how long another run takes."""

import math
from itertools import combinations
from statistics import median
from typing import Any

from benchmarks.estimates.progress import Work
from benchmarks.planning import disk
from benchmarks.store.run import Run
from protocols.papers.variants import load_variants
from protocols.spec import RunSpec

WITH_ROWS, WITHOUT_ROWS = "xception_lstm", "xception"  # only the recurrent branch differs
ONCE_A_PROCESS = ("cold", "rest")  # parts of a latency run that two backbones don't double
SIZES_APART = 2  # passes show the cost of an image if one has this many times the other's images
Parts = dict[str, float]
Observation = float | list[float]  # a pass is [images, seconds]; all else is a number


def calibration_images(spec: RunSpec, n_train: int) -> int:
    """Returns how many images, in full batches, set the statistics of random backbones."""
    if not spec.calibrated:
        return 0
    size = spec.recipe["batch_size"]
    return min(n_train, spec.recipe["calibration_images"]) // size * size


def kind_of(phase: dict[str, Any]) -> str:
    """Returns the kind of a phase, by which its time is stored: "frozen" runs on stored features,
    "by_batch" runs through a frozen CNN, "thawed" trains the CNN."""
    if phase["stored"]:
        return "frozen"
    return "by_batch" if phase["frozen"] else "thawed"


def train_parts(run: Run) -> dict[str, Observation]:
    """Returns the parts of a training run: seconds for each epoch, for each image, or once for the
    run, and the bytes of the state.

    The first epoch of a phase also traces, compiles and warms up: the time beyond that of the other
    epochs is a part of its own. So is the time that a pass over all images takes beyond the thawed
    network's evaluation. A run that went on from a checkpoint shows its steady epochs only.
    """
    timings = run.timings
    parts: dict[str, Observation] = {"state": timings["state_bytes"]}
    arrays = run.predictions
    answered = (arrays.get(part, ()) for part in ("labels", "validation_labels"))
    n_test, spent, forward = sum(map(len, answered)), 0.0, math.inf
    kinds = {phase["phase"]: kind_of(phase) for phase in run.spec.phases}
    for phase in timings["phases"]:
        kind = kinds[phase["phase"]]
        rows = [row for row in run.history if row["phase"] == phase["phase"]]
        train, evaluation = ([row[f"{w}_seconds"] for row in rows] for w in ("train", "eval"))
        each = median(train[1:] or train), median(evaluation[1:] or evaluation)
        n_train = phase["images"] / phase["epochs"]
        parts |= {f"{kind}_train": [n_train, each[0]], f"{kind}_eval": [n_test, each[1]]}
        parts[f"{kind}_first"] = max(0.0, train[0] + evaluation[0] - sum(each))
        spent += sum(train) + sum(evaluation)
        if kind != "frozen":
            forward = each[1] / n_test
    if timings["resumed"]:
        return {name: value for name, value in parts.items() if not name.endswith("_first")}
    passes = {"calibration": calibration_images(run.spec, round(n_train))}
    if run.spec.stores_features and not timings["features_stored"]:
        passes["features"] = round(n_train) + n_test
    for name, images in passes.items():
        if images:
            seconds = timings[f"{name}_seconds"]
            rate = min(seconds / images, forward)
            parts |= {f"{name}_image": rate, f"{name}_first": max(0.0, seconds - images * rate)}
            parts[f"{name}_pass"] = [images, seconds]
    once = sum(timings[f"{name}_seconds"] for name in ("build", "calibration", "features"))
    looking = timings.get("activations_seconds", 0.0)  # earlier runs recorded no activations
    rest = max(0.0, timings["total_seconds"] - once - looking - spent)
    return parts | {"build": timings["build_seconds"], "activations": looking, "rest": rest}


def expected(seen: dict[str, list[Observation]]) -> Parts:
    """Returns one number for each part: the median of its observations. Of a part that is a pass it
    gives two: the seconds of each pass, NAME_each, and of each image, NAME."""
    found = {}
    for name, observations in seen.items():
        if passes := [o for o in observations if isinstance(o, list)]:
            found[f"{name}_each"], found[name] = fitted(passes)
        else:
            found[name] = median(o for o in observations if not isinstance(o, list))
    return found


def fitted(passes: list[list[float]]) -> tuple[float, float]:
    """Returns the seconds of each pass and the seconds of each image, of passes [images, seconds].

    The seconds of an image are the median of the slopes between passes of sizes far enough apart
    (Theil and Sen). Where there are none, or they make no sense, all is counted by the image.
    """
    pairs = [sorted(pair) for pair in combinations(passes, 2)]
    slopes = [(t - s) / (m - n) for (n, s), (m, t) in pairs if m >= SIZES_APART * n]
    if slopes and (rate := median(slopes)) > 0:
        each = median(seconds - rate * images for images, seconds in passes)
        if each > 0:
            return each, rate
    return 0.0, median(seconds / images for images, seconds in passes)


def train_course(spec: RunSpec, parts: Parts) -> Work:
    """Returns the seconds of a training run as its work. Raises KeyError if a part is not known.

    Features that were always found stored are taken at the rate of the thawed network's evaluation:
    the same forward pass.
    """
    n_train, n_test = disk.counts(spec)
    if "features_image" not in parts and "thawed_eval" in parts:
        parts = parts | {"features_image": parts["thawed_eval"], "features_first": 0.0}
    passes = {"calibration": calibration_images(spec, n_train)}
    if spec.stores_features:
        passes["features"] = n_train + n_test
    before, epochs = parts["build"], []
    for name, images in passes.items():
        if images:
            by_sizes = parts.get(f"{name}_pass_each", 0.0) > 0
            first, image = ("pass_each", "pass") if by_sizes else ("first", "image")
            before += parts[f"{name}_{first}"] + images * parts[f"{name}_{image}"]
    for phase in spec.phases:
        kind = kind_of(phase)
        epoch = sum(
            parts[f"{kind}_{work}_each"] + images * parts[f"{kind}_{work}"]
            for work, images in (("train", n_train), ("eval", n_test))
        )
        epochs += [epoch + parts[f"{kind}_first"], *[epoch] * (phase["epochs"] - 1)]
    return Work(before, tuple(epochs), parts.get("activations", 0.0) + parts["rest"])


def latency_parts(run: Run) -> Parts:
    """Returns the parts of a latency run's time: the median of each figure, and all the rest."""
    parts = {name: run.timings[name]["median"] for name in ("cold", "single", "batch32", "jpeg")}
    measured = latency_seconds(run.spec, parts | {"rest": 0.0})
    return parts | {"rest": max(0.0, run.timings["total_seconds"] - measured)}


def latency_seconds(spec: RunSpec, parts: Parts) -> float:
    """Returns the seconds of a whole latency run. Raises KeyError if a part is not known."""
    calls = spec.recipe["latency_warmup"] + spec.recipe["latency_repeats"]
    warm = parts["single"] + parts["batch32"] + parts["jpeg"]
    return spec.recipe["cold_repeats"] * parts["cold"] + calls * warm + parts["rest"]


def features_of(variant: str, known: dict[str, Parts]) -> Parts:
    """Returns the parts of computing features from a network that stores the same ones: a run finds
    them stored where the other network's run was first."""
    variants = load_variants()
    own = variants[variant]
    alike = (
        parts
        for name, parts in known.items()
        if (other := variants.get(name))
        and (other.backbones, other.pooled) == (own.backbones, own.pooled)
    )
    found = ({k: v for k, v in parts.items() if k.startswith("features")} for parts in alike)
    return next(filter(None, found), {})


def composed(variant: str, known: dict[str, Parts]) -> Parts:
    """Returns a network's parts, whether it was run or not, from those of what it is made of. Gives
    {} if these were not run, and for a network that isn't pooled or isn't published.

    Its backbones cost what the bare CNNs do, the branch that reads rows what it adds to Xception.
    """
    made_of = load_variants()[variant]
    bare = [known.get(name, {}) for name in made_of.backbones]
    alone = not made_of.pooled or not made_of.published
    if alone or not all(bare):
        return {}
    more = dict.fromkeys(set.intersection(*map(set, bare)), 0.0)
    if made_of.sequence == "rows":
        whole, cnn = known.get(WITH_ROWS), known.get(WITHOUT_ROWS)
        if not whole or not cnn:
            return {}
        more |= {n: max(0.0, whole[n] - cnn[n]) for n in more if n in whole and n in cnn}
    return {
        name: (max if name in ONCE_A_PROCESS else sum)(parts[name] for parts in bare) + added
        for name, added in more.items()
    }
