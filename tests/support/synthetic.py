"""A store of made-up runs, without a framework: what the twins would give, by the contract."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import benchmarks.store.store
import benchmarks.terminal.plan_text
import protocols.runs.record
from benchmarks.store.run import Run
from benchmarks.store.store import Store
from protocols.classes import CLASSES
from protocols.images.pool import Pool
from protocols.papers import recipes
from protocols.papers.backbones import load_backbones
from protocols.papers.recipes import load_profiles
from protocols.papers.variants import load_variants
from protocols.photographs import provenance
from protocols.runs import activations
from protocols.runs.activations import Seen
from protocols.runs.record import Recorder, write_common
from protocols.spec import FIXED, RESULTS_VERSION, RunSpec
from tests.support import synthetic
from tests.support.devices import CPU

BACKENDS = {framework: device.backend for framework, device in CPU.items()}
REAL_TEST = (623, 620, 620, 624)


def spec(
    framework: str = "keras",
    variant: str = "xception",
    *,
    stage: str = "train",
    protocol: str | None = None,
    fold: int | None = None,
    seed: int = 0,
    profile: str = "smoke",
    kind: str = "phantom",
    weights: str = "random",
    recipe: dict[str, Any] | None = None,
    **rest: Any,
) -> RunSpec:
    """Makes a RunSpec as the planner would; `recipe` changes values of the paper's own recipe."""
    found, numbers = load_variants()[variant], load_profiles()[profile]
    values = recipes.values(found.paper)
    own = {key: numbers.number(name, found.suite) for key, name in recipes.OF_PROFILE.items()}
    values |= {key: value for key, value in own.items() if key in values}
    protocol = protocol or found.published_protocol
    data = {"kind": kind, "digest": "d" * 64, **numbers.of_images(protocol), "n_folds": 10}
    digests = "+".join("e" * 64 for _ in found.backbones)
    made = {
        "stage": stage,
        "framework": framework,
        "backend": BACKENDS[framework],
        "variant": variant,
        "protocol": protocol,
        "fold": fold,
        "seed": seed,
        "profile": profile,
        "recipe": json.loads(json.dumps(values | (recipe or {}))),
        "data": data,
        "weights": {"source": weights, "digest": None if weights == "random" else digests},
        "init": "own",
        "device": "cpu",
        "precision": "float32",
        "threads": 2,
        "deterministic": True,
    }
    return RunSpec(**(made | rest))


def log_probabilities(
    labels: np.ndarray, accuracy: float, generator: np.random.Generator, sure: float = 0.8
) -> np.ndarray:
    """Gives float32 (n, 4): exactly round(accuracy n) images are right, with probability near
    `sure`."""
    n = len(labels)
    right = np.zeros(n, bool)
    right[generator.permutation(n)[: round(accuracy * n)]] = True
    predicted = np.where(right, labels, (labels + generator.integers(1, 4, n)) % 4)
    top = np.clip(sure + 0.05 * generator.standard_normal(n), 0.5, 0.97)
    p = np.repeat(((1 - top) / 3)[:, None], 4, axis=1)
    p[np.arange(n), predicted] = top
    return np.log(p).astype(np.float32)


def labels_of(run: RunSpec) -> np.ndarray:
    """Gives the true classes of the test part, int64."""
    numbers = load_profiles()[run.profile]
    if run.protocol not in FIXED:
        return np.repeat(np.arange(4), max(1, numbers.cv_per_class // 10))
    if numbers.test_per_class:
        return np.repeat(np.arange(4), numbers.test_per_class)
    return np.repeat(np.arange(4), REAL_TEST)


def ids_of(run: RunSpec) -> list[str]:
    """Gives names of the test images: the public set's own where it is whole, made up otherwise."""
    labels = labels_of(run)
    if run.data["kind"] != "real" or load_profiles()[run.profile].test_per_class:
        return [f"image-{i}" for i in range(len(labels))]
    if run.protocol in FIXED:
        return [row.file for row in provenance.shown() if row.split == "TEST"]
    names = [[o.file for o in provenance.originals() if o.label == c] for c in CLASSES]
    return [
        f"{names[label][(i + 5 * (run.fold or 0)) % len(names[label])]}#{run.fold}"
        for i, label in enumerate(labels)
    ]


def env(run: RunSpec) -> dict[str, Any]:
    """Gives the content of env.json."""
    return {
        "framework": run.framework,
        "backend": run.backend,
        "versions": {run.framework: "3.0", "numpy": "2.0"},
        "device": run.device,
        "device_detail": "A made-up processor" if run.device == "cpu" else run.device,
        "threads": run.threads,
        "engine": "eager",
        "repeatable": "bit for bit, as measured on this number of threads",
        "python": "3.11",
        "platform": "Linux",
    }


def recorded(run: RunSpec, accuracy: float = 0.8, epochs: int | None = None) -> Recorder:
    """Makes a Recorder whose selected epoch has exactly the accuracy (rounded to whole images).

    `epochs` may be fewer than the schedule's, to save time; for Jane's networks it must be left
    out.
    """
    labels = labels_of(run)
    generator = np.random.default_rng(int(run.id[-12:], 16))
    recorder = Recorder(run, ids_of(run), labels)
    for phase in run.phases:
        count = min(epochs or phase["epochs"], phase["epochs"])
        for epoch in range(1, count + 1):
            best = phase["phase"] == len(run.phases) and epoch == max(1, count - 1)
            share = accuracy if best else accuracy * (0.6 + 0.3 * epoch / count)
            recorder.epoch(
                phase["phase"],
                epoch,
                log_probabilities(labels, share, generator, 0.9 if best else 0.7),
                train_loss=1.4 * 0.9 ** (10 * epoch / count) * (1.6 - accuracy),
                penalty=0.0,
                train_accuracy=min(1.0, share + 0.05),
                train_seconds=3.0,
                eval_seconds=0.5,
            )
    return recorder


def timings(run: RunSpec, cold: float = 4.2) -> dict[str, Any]:
    """Gives the content of timings.json for either stage."""
    if run.stage == "latency":

        def summary(seconds: float) -> dict[str, float]:
            return {"repeats": 10, "median": seconds, "p5": 0.9 * seconds, "p95": 1.3 * seconds}

        scale = (1 + len(run.variant) / 10) * (1.0 if run.framework == "keras" else 0.7)
        parts = {"single": 0.03, "batch32": 0.5, "jpeg": 0.035}
        found = {name: summary(seconds * scale) for name, seconds in parts.items()}
        return found | {"engine": "eager", "cold": summary(cold), "total_seconds": 60.0}
    phases = [
        {
            "phase": p["phase"],
            "epochs": p["epochs"],
            "frozen": p["frozen"],
            "train_seconds": 3.0 * p["epochs"],
            "eval_seconds": 0.5 * p["epochs"],
            "images": 64 * p["epochs"],
            "images_per_second": 64 / 3.0,
            "waiting_seconds": 0.003 * p["epochs"],
        }
        for p in run.phases
    ]
    seconds = {"build": 2.0, "calibration": 1.0, "features": 4.0, "activations": 0.5}
    parts = {f"{name}_seconds": value for name, value in seconds.items()}
    memory = {"host_peak_bytes": 2 << 30, "device_peak_bytes": None, "device_reserved_bytes": None}
    more = {"resumed": 0, "features_stored": False, "together": 1, "parameters": 21_912_620}
    more["state_bytes"] = 12 * more["parameters"]
    return {"total_seconds": 20.0, **parts, **memory, **more, "phases": phases}


def look(run: RunSpec, folder: Path) -> None:
    """Writes activations.npz of a made-up network, whose answers are unrelated to those of
    `recorded`."""
    labels, ids = labels_of(run), ids_of(run)
    everything = np.arange(len(labels))
    pool = Pool(np.zeros((1, 4, 4, 3), np.uint8), everything, ids, labels, [], [everything])
    positions, random = activations.chosen(pool, everything), np.random.default_rng(0)
    n, (height, width) = len(positions), (run.data["height"], run.data["width"])
    layers, maps, gradients = {}, {}, {}
    for name in load_variants()[run.variant].backbones:
        for step, layer in enumerate(load_backbones()[name].layers, start=1):
            shape = height >> step, width >> step, layer.maps
            layers[f"{name}/{layer.name}"] = random.standard_normal(shape)
        maps[name] = random.random(
            (n, -(-height // 32), -(-width // 32), load_backbones()[name].channels)
        )
        gradients[name] = random.standard_normal(maps[name].shape) / 1000
    logits = random.standard_normal((n, 4))
    activations.write(folder, pool, positions, Seen(logits, layers, maps, gradients))


def raise_version(patch: pytest.MonkeyPatch) -> None:
    """Gives this suite the next results version from now on."""
    for module in (benchmarks.store.store, benchmarks.terminal.plan_text, protocols.runs.record):
        patch.setattr(module, "RESULTS_VERSION", RESULTS_VERSION + 1)


def add(
    store: Store, run: RunSpec, accuracy: float = 0.8, epochs: int | None = None, **more: Any
) -> Run:
    """Stores a finished run of either stage."""
    if run.stage == "train":
        return keep(store, run, recorded(run, accuracy, epochs))
    folder = store.begin(run)
    write_common(folder, run, env(run), timings(run, **more))
    return _finish(store, run, folder)


def keep(store: Store, run: RunSpec, recorder: Recorder) -> Run:
    """Stores a finished training run of what was recorded."""
    folder = store.begin(run)
    recorder.write(folder, env(run), timings(run))
    look(run, folder)
    return _finish(store, run, folder)


def _finish(store: Store, run: RunSpec, folder: Path) -> Run:
    (folder / "log.txt").write_text("made up\n", encoding="utf-8")
    return store.finish(run, folder)


def add_failed(store: Store, run: RunSpec, reason: str) -> Run:
    """Stores a failed run."""
    return store.fail(run, store.begin(run), reason)


def suite(profile: str = "smoke", seeds: tuple[int, ...] = (0,), **rest: Any) -> list[RunSpec]:
    """Gives the plan of `--suite all`: both twins, nine networks, and a latency run of each."""
    names = [v.name for v in load_variants().values() if v.suite != "control"]
    return plan_of(names, profile, seeds, **rest)


def control(profile: str = "laptop", seeds: tuple[int, ...] = (0,), **rest: Any) -> list[RunSpec]:
    """Gives the plan of `--suite control`."""
    names = [v.name for v in load_variants().values() if v.suite == "control"]
    return plan_of(names, profile, seeds, **rest)


def plan_of(names: list[str], profile: str, seeds: tuple[int, ...], **rest: Any) -> list[RunSpec]:
    """Gives a plan: both twins of these networks, all folds, and a latency run of each."""
    plan = []
    for framework in BACKENDS:
        for name in names:
            folds = range(load_profiles()[profile].cv_folds_run)
            for seed in seeds:
                for fold in folds if load_variants()[name].paper == "jane" else (None,):
                    words = {"fold": fold, "seed": seed, "profile": profile}
                    plan.append(spec(framework, name, **words, **rest))
            plan.append(spec(framework, name, stage="latency", profile=profile, **rest))
    return plan


def fill(store: Store, plan: list[RunSpec], accuracy: float = 0.8) -> Store:
    """Stores every run of the plan."""
    for index, run in enumerate(plan):
        add(store, run, accuracy - 0.01 * (index % 7))
    return store


def make(out: Path) -> tuple[Store, list[RunSpec]]:
    """Makes a full smoke store under `out`; gives the store and its plan."""
    plan = suite()
    return fill(Store(out), plan), plan


def jane(variant="cnn_gru", **rest):
    spec = synthetic.spec("torch", variant, fold=0, **rest)
    return replace(spec, data=spec.data | {"per_class": 20})
