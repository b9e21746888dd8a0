"""--calibrate: short runs by the ordinary launcher, learned from like any, and thrown away."""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.estimates.cost_model import WITH_ROWS, WITHOUT_ROWS
from benchmarks.estimates.estimates import Estimates
from benchmarks.launch.launcher import Launcher
from benchmarks.launch.pending import weights_of
from benchmarks.planning import plan
from benchmarks.planning.plan import Device, Selection, together
from benchmarks.store.store import Store
from benchmarks.terminal.console import Console, duration
from protocols.images.dataset import Source
from protocols.papers.variants import Variant, load_variants
from protocols.spec import RunSpec

# Images a class, two sizes each: what an epoch costs, and what an image
FIXED = {"real": ((16, 8), (48, 24)), "phantom": ((8, 4), (24, 12))}  # train, test: whole batches
FOLDS = (20, 80)
FROZEN, THAWED = 6, 2  # epochs, the first one apart; those on stored features are short and vary
LATENCY = {"latency_repeats": 3, "latency_warmup": 1, "cold_repeats": 1}


def needed(variants: list[Variant]) -> list[str]:
    """The networks to run for estimates of `variants`: their parts, where those tell enough."""
    wanted = set()
    for variant in variants:
        by_parts = variant.sequence == "rows" and variant.published
        if by_parts and variant.name != WITH_ROWS:
            wanted |= {*variant.backbones, WITH_ROWS, WITHOUT_ROWS}
        else:
            wanted.add(variant.name)
    return [name for name in load_variants() if name in wanted]


def short_specs(
    selection: Selection, kind: str, devices: dict[str, Device], cores: int
) -> list[RunSpec]:
    """The short runs: planned as the request is, then cut, so that no id is one of a result.

    Those that train together stay as many as they are; of the others one seed and fold is enough.
    Training is run with few images and with more.
    """
    names = tuple(needed(plan.chosen_variants(selection)))
    chosen = replace(selection, suite="", variants=names)
    planned = plan.make_plan(chosen, kind, devices, cores)
    one: dict[tuple[str, str, str, int], list[RunSpec]] = {}
    for size in range(len(FOLDS)):
        for group in together([_short(spec, kind, size) for spec in planned]):
            first = group[0]
            number = size if first.stage == "train" else 0
            one.setdefault((first.framework, first.variant, first.stage, number), group)
    return [spec for group in one.values() for spec in group]


def _short(spec: RunSpec, kind: str, size: int) -> RunSpec:
    def cut(values: dict[str, Any], shorter: dict[str, int]) -> dict[str, Any]:
        return values | {key: shorter[key] for key in shorter if key in values}

    train, test = FIXED[kind][size if spec.stage == "train" else 0]
    whole = FROZEN if spec.phases[0]["stored"] else THAWED
    epochs = {"phase1_epochs": FROZEN, "phase2_epochs": THAWED, "epochs": whole}
    recipe = cut(spec.recipe, epochs | LATENCY)
    images = {"train_per_class": train, "test_per_class": test, "per_class": FOLDS[size]}
    data = cut(spec.data, images)
    if spec.stage == "train" and "images_per_class" in recipe:
        recipe["images_per_class"] = FOLDS[size]
    request = plan.set_request(spec.protocol, spec.fold, data)
    return replace(spec, recipe=recipe, data=data | {"digest": plan.set_digest(kind, request)})


def calibrate(
    selection: Selection,
    source: Source,
    devices: dict[str, Device],
    cores: int,
    console: Console,
    estimates: Estimates,
) -> int:
    """Runs them and keeps nothing but what they teach; 1 if one failed, as an exit code."""
    todo = short_specs(selection, source.kind, devices, cores)
    weights = weights_of(todo, selection.weights, estimates.cache, console.progress)
    names = ", ".join(dict.fromkeys(spec.variant for spec in todo))
    console.say(f"calibrating: {len(todo)} short runs of {names}; none of them is kept")
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="wbc-calibrate-") as folder:
        store = Store(Path(folder))
        launcher = Launcher(
            store, source, devices, estimates.cache, console, estimates.jobs, estimates=estimates
        )
        launcher.weights = weights
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
