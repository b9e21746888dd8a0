"""Carries out --calibrate: short runs by the ordinary launcher, which teach the estimates and are
then thrown away. On a GPU, PyTorch times the memory layouts of its backbones before."""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.estimates.cost_model import WITH_ROWS, WITHOUT_ROWS
from benchmarks.estimates.estimates import Estimates
from benchmarks.launch.launcher import Launcher
from benchmarks.launch.layouts import time_layouts
from benchmarks.launch.pending import check_images, weights_of
from benchmarks.planning import plan
from benchmarks.planning.plan import Device, Selection, trained_together
from benchmarks.planning.request import Request, without_weights
from benchmarks.store.store import Store
from benchmarks.terminal.console import Console, counted, duration
from protocols.images.dataset import Kind, Source
from protocols.papers.variants import Variant, load_variants
from protocols.spec import RunSpec
from protocols.weights.files import AT_HAND

# Images per class, in two sizes, which tell apart the cost of an epoch and that of an image
FIXED = {"real": ((16, 8), (48, 24)), "phantom": ((8, 4), (24, 12))}  # train, test; whole batches
FOLDS = (20, 80)
FROZEN, THAWED = 6, 2  # epochs; on stored features an epoch is short, and its time varies
LATENCY = {"latency_repeats": 3, "latency_warmup": 1, "cold_repeats": 1}


def needed(variants: list[Variant], *, by_parts: bool = True) -> list[str]:
    """Returns the networks that must run for estimates of `variants`: their parts, if these do.
    Not `by_parts`, each network runs itself."""
    wanted = set()
    for variant in variants:
        parted = by_parts and variant.sequence == "rows" and variant.published
        if parted and variant.name != WITH_ROWS:
            wanted |= {*variant.backbones, WITH_ROWS, WITHOUT_ROWS}
        else:
            wanted.add(variant.name)
    return [name for name in load_variants() if name in wanted]


def short_specs(
    selection: Selection,
    kind: Kind,
    devices: dict[str, Device],
    cores: int,
    *,
    by_parts: bool = True,
) -> list[RunSpec]:
    """Returns the short runs, planned as the request is and then cut: no id is that of a result.

    Runs that train together stay as many as they are; of the others one seed and fold is enough.
    Training is run with few images and with more. Not `by_parts`, no network runs in another's
    place.
    """
    names = tuple(needed(plan.chosen_variants(selection), by_parts=by_parts))
    chosen = replace(selection, suite="", variants=names)
    planned = plan.make_plan(chosen, kind, devices, cores)
    one: dict[tuple[str, str, str, int], list[RunSpec]] = {}
    for size in range(len(FOLDS)):
        for group in trained_together([_short(spec, kind, size) for spec in planned]):
            first = group[0]
            number = size if first.stage == "train" else 0
            one.setdefault((first.framework, first.variant, first.stage, number), group)
    return [spec for group in one.values() for spec in group]


def _short(spec: RunSpec, kind: Kind, size: int) -> RunSpec:
    train, test = FIXED[kind][size if spec.stage == "train" else 0]
    whole = FROZEN if spec.phases[0]["stored"] else THAWED
    epochs = {"phase1_epochs": FROZEN, "phase2_epochs": THAWED, "epochs": whole}
    images = {"train_per_class": train, "test_per_class": test, "per_class": FOLDS[size]}
    return shortened(spec, kind, images, epochs | LATENCY)


def shortened(
    spec: RunSpec, kind: Kind, images: dict[str, int], numbers: dict[str, int]
) -> RunSpec:
    """Returns a run on images of this kind, with other numbers of images a class, by the names that
    its data have, and other numbers in its recipe, as far as it has them."""

    def cut(values: dict[str, Any], shorter: dict[str, int]) -> dict[str, Any]:
        return values | {key: shorter[key] for key in shorter if key in values}

    recipe, data = cut(spec.recipe, numbers), cut(spec.data, images) | {"kind": kind}
    if spec.stage == "train" and "images_per_class" in recipe:
        recipe["images_per_class"] = images["per_class"]
    request = plan.set_request(spec.protocol, spec.fold, data)
    return replace(spec, recipe=recipe, data=data | {"digest": plan.set_digest(kind, request)})


def calibrate(
    request: Request, devices: dict[str, Device], source: Source, console: Console
) -> int:
    """Makes the short runs and keeps only what was learned from them. Returns an exit code: 1 if
    one of the runs failed, else 0."""
    pair = [load_variants()[name] for name in (WITH_ROWS, WITHOUT_ROWS)]
    lacking = without_weights(pair, request.cache) if request.weights == AT_HAND else {}
    todo = short_specs(request.possible, source.kind, devices, request.cores, by_parts=not lacking)
    check_images(todo, source)
    estimates = Estimates(request.cache, request.jobs, console.say)
    weights = weights_of(todo, request.weights, request.cache, console.progress)
    names = ", ".join(dict.fromkeys(spec.variant for spec in todo))
    console.say(f"calibrating: {counted(len(todo), 'short run')} of {names}; none of them is kept")
    start = time.monotonic()
    time_layouts(todo, devices, estimates.cache, console.say)  # first: the short runs take them
    with tempfile.TemporaryDirectory(prefix="wbc-calibrate-") as folder:
        store = Store(Path(folder))
        launcher = Launcher(
            store, source, devices, estimates.cache, console, estimates.jobs, weights,
            estimates=estimates,
        )  # fmt: skip
        launcher.prepare(todo)
        results = launcher.run(todo)
    failed = [run.spec.variant for run in results if run.status == "failed"]
    took = duration(time.monotonic() - start)
    if failed:
        console.say(
            f"{len(failed)} of the {len(todo)} short runs failed after {took}: --plan may not know "
            f"{', '.join(dict.fromkeys(failed))}"
        )
        return 1
    console.say(
        f"calibrated in {took}; --plan now tells what a request of these networks takes here. The "
        f"estimates are in {estimates.folder}"
    )
    return 0
