"""--calibrate: short runs by the ordinary launcher, learned from like any, and thrown away."""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import plan
from benchmarks.console import Console, duration
from benchmarks.estimates import WITH_ROWS, WITHOUT_ROWS, Estimates
from benchmarks.launch import Launcher, weights_of
from benchmarks.plan import Device, Selection, together
from benchmarks.store import Store
from protocols.dataset import Source
from protocols.spec import RunSpec
from protocols.variants import Variant, load_variants

FIXED = {"train_per_class": 16, "test_per_class": 8}  # whole batches
FOLDS = {"per_class": 20}
EPOCHS = {"phase1_epochs": 2, "phase2_epochs": 2, "epochs": 2}  # of each, the first one apart
LATENCY = {"latency_repeats": 3, "latency_warmup": 1, "cold_repeats": 1}


def needed(variants: list[Variant]) -> list[str]:
    """The networks to run for estimates of `variants`: their parts, where those tell enough."""
    wanted = set()
    for variant in variants:
        by_parts = variant.sequence == "rows" and variant.suite == "liang"
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
    """
    names = tuple(needed(plan.chosen_variants(selection)))
    chosen = replace(selection, suite="", variants=names)
    specs = [_short(spec, kind) for spec in plan.make_plan(chosen, kind, devices, cores)]
    one = {}
    for group in together(specs):
        one.setdefault((group[0].framework, group[0].variant, group[0].stage), group)
    return [spec for group in one.values() for spec in group]


def _short(spec: RunSpec, kind: str) -> RunSpec:
    def cut(values: dict[str, Any], shorter: dict[str, int]) -> dict[str, Any]:
        return values | {key: shorter[key] for key in shorter if key in values}

    recipe = cut(spec.recipe, EPOCHS | LATENCY)
    data = cut(spec.data, FIXED | FOLDS)
    if spec.stage == "train" and "images_per_class" in recipe:
        recipe["images_per_class"] = FOLDS["per_class"]
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
    console.say(
        f"calibrated in {duration(time.monotonic() - start)}; --plan now tells what a request of "
        f"these networks takes here. The estimates are in {estimates.folder}"
    )
    return 1 if any(run.status == "failed" for run in results) else 0
