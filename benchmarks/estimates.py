"""How long a run takes on this device, learned from the runs that were finished here.

One file `<cache>/estimates/<digest of its key>.json` for all that changes a rate (`Estimates.key`).
Runs beside each other slow each other, so the number of jobs belongs to the key: what two at a
time took predicts two at a time. A latency run is alone whatever the jobs.
"""

import hashlib
import json
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import disk
from benchmarks.store import Run
from protocols.files import write_whole
from protocols.hardware import cpu_name
from protocols.spec import RunSpec
from protocols.variants import load_variants

VERSION = 1
KEPT = 5  # observations of each part; their median is what a run is expected to take
WITH_ROWS, WITHOUT_ROWS = "xception_lstm", "xception"  # they differ by the recurrent branch alone
ONCE_A_PROCESS = ("cold", "rest")  # of a latency run; two backbones don't double them
Parts = dict[str, float]


@dataclass(frozen=True)
class Estimate:
    """What one run needs: seconds, bytes in its folder, bytes of its checkpoint until it ends."""

    seconds: float
    stored_bytes: int
    checkpoint_bytes: int

    @property
    def disk_bytes(self) -> int:
        """The most it holds by itself; arrays that runs share are in `disk.shared`."""
        return self.stored_bytes + self.checkpoint_bytes


@dataclass
class Estimates:
    """What is known of this device for `jobs` runs at a time; `say` gets what is wrong."""

    cache: Path
    jobs: int
    say: Callable[[str], None] = print
    processor: str = field(default_factory=cpu_name)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._said: set[str] = set()

    @property
    def folder(self) -> Path:
        """Where the estimates lie."""
        return self.cache / "estimates"

    def key(self, spec: RunSpec, detail: str, together: int) -> dict[str, Any]:
        """All that the rates of one file have in common."""
        names = ("framework", "backend", "precision", "deterministic", "threads")
        return {
            **{name: getattr(spec, name) for name in names},
            "device": detail,
            "height": spec.data["height"],
            "width": spec.data["width"],
            "jobs": self.jobs if spec.stage == "train" else 1,
            "together": together,
        }

    def learn(self, run: Run) -> None:
        """Adds what a done run took. Where that can't be, it is said; the run stays done."""
        spec = run.spec
        try:
            parts = train_parts(run) if spec.stage == "train" else latency_parts(run)
            key = self.key(spec, run.env["device_detail"], run.timings.get("together", 1))
            with self._lock:
                known = self._read(key)
                of_variant = known.setdefault(spec.stage, {}).setdefault(spec.variant, {})
                for part, value in parts.items():
                    of_variant[part] = [*of_variant.get(part, []), value][-KEPT:]
                content = {"version": VERSION, "key": key, "known": known}
                write_whole(self._path(key), json.dumps(content, indent=1).encode())
        except (OSError, KeyError) as error:
            self.say(f"nothing was learned from {spec.id} for the estimates: {error!r}")

    def estimate(self, spec: RunSpec, together: int = 1) -> Estimate | None:
        """What a run will take beside the usual jobs; None where nothing like it was run here."""
        detail = self.processor if spec.device == "cpu" else spec.device
        known = self._read(self.key(spec, detail, together)).get(spec.stage, {})
        medians = {
            variant: {part: median(seen) for part, seen in parts.items()}
            for variant, parts in known.items()
        }
        parts = composed(spec.variant, medians) | medians.get(spec.variant, {})
        try:
            if spec.stage == "latency":
                return Estimate(latency_seconds(spec, parts), disk.stored(spec), 0)
            checkpoint = disk.checkpoint(round(parts["parameters"]))
            return Estimate(train_seconds(spec, parts), disk.stored(spec), checkpoint)
        except KeyError:  # a part that no run has shown
            return None

    def _path(self, key: dict[str, Any]) -> Path:
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        return self.folder / f"{digest[:16]}.json"

    def _read(self, key: dict[str, Any]) -> dict[str, Any]:
        """stage -> variant -> part -> observations, the oldest first; {} where there are none."""
        path = self._path(key)
        try:
            found = json.loads(path.read_text())
            problem = _problem(found, key)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            problem = f"can't be read ({error})"
        if not problem:
            return found["known"]
        if path.name not in self._said:
            self._said.add(path.name)
            self.say(f"the estimates in {path} {problem}: not used; the next run replaces them")
        return {}


def _problem(found: Any, key: dict[str, Any]) -> str:
    """Why a file's content can't be used, or ""."""
    if not isinstance(found, dict) or found.get("version") != VERSION:
        return "are of another version"
    if found.get("key") != key:
        return "are of another device or setting"
    try:
        seen = [
            observations
            for stage in found["known"].values()
            for parts in stage.values()
            for observations in parts.values()
        ]
        whole = all(o and all(math.isfinite(x) and x >= 0 for x in o) for o in seen)
    except (AttributeError, KeyError, TypeError):
        whole = False
    return "" if whole else "are damaged"


def calibration_images(spec: RunSpec, n_train: int) -> int:
    """How many images set the statistics of random backbones, in full batches."""
    if spec.weights["source"] != "random" or not spec.phases[0]["frozen"]:
        return 0
    size = spec.recipe["batch_size"]
    return min(n_train, spec.recipe["calibration_images"]) // size * size


def train_parts(run: Run) -> Parts:
    """The parts of a training run's time: seconds an image, an epoch's images, or once a run.

    A phase's first epoch also traces, compiles and warms up: what it took beyond the others is a
    part of its own, as is what a pass over all images took beyond the thawed network's evaluation.
    A run that went on from a checkpoint shows its steady rates only.
    """
    timings, parts = run.timings, {"parameters": run.timings["parameters"]}
    n_test, spent = len(run.predictions["labels"]), 0.0
    for phase in timings["phases"]:
        kind = "frozen" if phase["frozen"] else "thawed"
        rows = [row for row in run.history if row["phase"] == phase["phase"]]
        train, evaluation = ([row[f"{w}_seconds"] for row in rows] for w in ("train", "eval"))
        each = median(train[1:] or train), median(evaluation[1:] or evaluation)
        n_train = phase["images"] / phase["epochs"]
        parts |= {f"{kind}_train": each[0] / n_train, f"{kind}_eval": each[1] / n_test}
        parts[f"{kind}_first"] = max(0.0, train[0] + evaluation[0] - sum(each))
        spent += sum(train) + sum(evaluation)
    if timings["resumed"]:
        return {name: value for name, value in parts.items() if not name.endswith("_first")}
    passes = {"calibration": calibration_images(run.spec, round(n_train))}
    if any(phase["frozen"] for phase in timings["phases"]) and not timings["features_stored"]:
        passes["features"] = round(n_train) + n_test
    for name, images in passes.items():
        if images:
            seconds = timings[f"{name}_seconds"]
            rate = min(seconds / images, parts.get("thawed_eval", math.inf))
            parts |= {f"{name}_image": rate, f"{name}_first": max(0.0, seconds - images * rate)}
    once = sum(timings[f"{name}_seconds"] for name in ("build", "calibration", "features"))
    looking = timings.get("activations_seconds", 0.0)  # none in runs made before there were any
    rest = max(0.0, timings["total_seconds"] - once - looking - spent)
    return parts | {"build": timings["build_seconds"], "activations": looking, "rest": rest}


def train_seconds(spec: RunSpec, parts: Parts) -> float:
    """The whole of a training run from its parts. KeyError if one is not known.

    Features that were always found stored are taken at the rate of the thawed network's
    evaluation: the same forward pass.
    """
    n_train, n_test = disk.counts(spec)
    if "features_image" not in parts and "thawed_eval" in parts:
        parts = parts | {"features_image": parts["thawed_eval"], "features_first": 0.0}
    passes = {"calibration": calibration_images(spec, n_train)}
    if any(phase["frozen"] for phase in spec.phases):
        passes["features"] = n_train + n_test
    seconds = parts["build"] + parts.get("activations", 0.0) + parts["rest"]
    for name, images in passes.items():
        if images:
            seconds += parts[f"{name}_first"] + images * parts[f"{name}_image"]
    for phase in spec.phases:
        kind = "frozen" if phase["frozen"] else "thawed"
        epoch = n_train * parts[f"{kind}_train"] + n_test * parts[f"{kind}_eval"]
        seconds += parts[f"{kind}_first"] + phase["epochs"] * epoch
    return seconds


def latency_parts(run: Run) -> Parts:
    """The parts of a latency run's time: medians of each figure, and all the rest."""
    parts = {name: run.timings[name]["median"] for name in ("cold", "single", "batch32", "jpeg")}
    measured = latency_seconds(run.spec, parts | {"rest": 0.0})
    return parts | {"rest": max(0.0, run.timings["total_seconds"] - measured)}


def latency_seconds(spec: RunSpec, parts: Parts) -> float:
    """The whole of a latency run from its parts. KeyError if one is not known."""
    calls = spec.recipe["latency_warmup"] + spec.recipe["latency_repeats"]
    warm = parts["single"] + parts["batch32"] + parts["jpeg"]
    return spec.recipe["cold_repeats"] * parts["cold"] + calls * warm + parts["rest"]


def composed(variant: str, known: dict[str, Parts]) -> Parts:
    """A network from what it is made of, whether it was run or not; {} if that was not.

    Its backbones cost what the bare CNNs do, the branch that reads rows what it adds to Xception.
    """
    made_of = load_variants()[variant]
    bare = [known.get(name, {}) for name in made_of.backbones]
    alone = made_of.sequence == "feature_map" or made_of.suite == "control"
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
