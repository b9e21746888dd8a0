"""The files of a run folder, and plan.json, as they may be read: by whom they were written, nobody
knows. protocols.runs.record says what each of them holds.

Everything here raises `Damaged` for what doesn't fit, with the file's name and the fault.
"""

import csv
import io
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from msgspec import UNSET, Meta, Struct, UnsetType

from protocols.boundary import (
    Amount,
    Content,
    Count,
    Damaged,
    FileName,
    Head,
    Hex,
    Key,
    Line,
    Positive,
    arrays,
    contents,
    decoded,
    fits,
    read_json,
)
from protocols.classes import CLASSES
from protocols.papers.backbones import load_backbones
from protocols.papers.variants import load_variants
from protocols.runs.activations import FILE
from protocols.runs.record import HISTORY, LATENCY_FILES, TRAIN_FILES
from protocols.spec import RunSpec
from protocols.spec_schema import Spec

NEEDED = {"train": tuple(n for n in TRAIN_FILES if n != FILE), "latency": LATENCY_FILES}
MOST_ROWS = 10**6  # epochs
Seconds = Annotated[float, Meta(ge=0, le=1e10)]
LARGEST_LOSS = 1e40  # float32 ends at 3.4e38
LARGEST_MAP = 5000  # rows or columns; nor are there more maps, or images, than that
NEAR_ONE = 0.01  # how far a sum of four probabilities of half precision may be from 1
IMAGE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_./ -]*(#[0-9]{1,6})?")  # an image's id
ANSWERS: dict[str, tuple[str, tuple]] = {  # predictions.npz
    "ids": ("text", ("n",)),
    "labels": ("int64", ("n",)),
    "classes": ("text", (4,)),
    "selected": ("float32", ("n", 4)),
    "last": ("float32", ("n", 4)),
    "selected_index": ("int64", ()),
    "milestone_epochs": ("int64", ("milestones",)),
}
MILESTONES: dict[str, tuple[str, tuple]] = {"milestones": ("float32", ("milestones", "n", 4))}
NO_MILESTONES: dict[str, tuple[str, tuple]] = {"milestones": ("float32", (0,))}  # none is printed
VALIDATION: dict[str, tuple[str, tuple]] = {  # where another part than the test selects
    "validation_ids": ("text", ("v",)),
    "validation_labels": ("int64", ("v",)),
}
# Of every epoch: log-probabilities, or the probabilities of earlier runs.
EVERY_EPOCH = {"": "n", "validation_": "v"}  # of which part, so many images
LOG = "log_epochs"


class Entry(Struct):
    """One file of a run folder."""

    size: Count
    sha256: Hex


class Record(Struct):
    """run.json. From before there were results versions: version 0, so a stale run; where it
    has another, `carried` says why."""

    id: Key
    finished: Annotated[str, Meta(max_length=40, pattern=r"^\d{4}-\d\d-\d\dT[0-9:.+Z-]+\Z")]
    files: Annotated[dict[FileName, Entry], Meta(max_length=100)]
    results_version: Annotated[int, Meta(ge=0, le=10**6)] = 0
    commit: Line = ""
    carried: Line = ""


class Failure(Struct):
    """failed.json."""

    reason: Annotated[str, Meta(max_length=1_000_000)]


class Env(Struct):
    """env.json; what else it says is kept."""

    framework: Line | UnsetType = UNSET
    backend: Line | None = None
    device: Line | None = None
    device_detail: Line | None = None
    engine: Line | None = None
    platform: Line | None = None
    python: Line | None = None
    results_version: Annotated[int, Meta(ge=1, le=10**6)] | UnsetType = UNSET
    instruction_set: Line | None = None
    variables: Annotated[dict[Key, Line], Meta(max_length=1000)] | UnsetType = UNSET
    repeatable: Line | None = None
    threads: Annotated[int, Meta(ge=1, le=10**5)] | UnsetType = UNSET
    versions: Annotated[dict[Key, Line], Meta(max_length=1000)] | UnsetType = UNSET


class Phase(Struct):
    """What timings.json says of a phase."""

    phase: Annotated[int, Meta(ge=1, le=2)]
    epochs: Count
    frozen: bool
    train_seconds: Seconds
    eval_seconds: Seconds
    images: Count
    images_per_second: Amount | None = None
    waiting_seconds: Seconds | None = None


class TrainTimings(Struct):
    """timings.json of a training run."""

    total_seconds: Seconds
    phases: Annotated[list[Phase], Meta(min_length=1, max_length=2)]
    build_seconds: Seconds | None = None
    calibration_seconds: Seconds | None = None
    features_seconds: Seconds | None = None
    activations_seconds: Seconds | None = None
    features_stored: bool | UnsetType = UNSET
    resumed: Count | UnsetType = UNSET
    together: Annotated[int, Meta(ge=1, le=10**6)] | UnsetType = UNSET
    parameters: Count | UnsetType = UNSET
    state_bytes: Count | UnsetType = UNSET
    host_peak_bytes: Count | None = None
    device_peak_bytes: Count | None = None
    device_reserved_bytes: Count | None = None


class Answers(Struct):
    """Seconds of one kind of answer."""

    repeats: Annotated[int, Meta(ge=1, le=10**9)]
    median: Positive
    p5: Positive
    p95: Positive
    engine: Line | UnsetType = UNSET


class LatencyTimings(Struct):
    """timings.json of a latency run."""

    total_seconds: Seconds
    cold: Answers
    single: Answers
    batch32: Answers
    jpeg: Answers
    engine: Line | UnsetType = UNSET
    engines: Annotated[dict[Key, dict[Key, Amount]], Meta(max_length=100)] | UnsetType = UNSET
    host_peak_bytes: Count | None = None
    device_peak_bytes: Count | None = None
    device_reserved_bytes: Count | None = None


class Plan(Struct):
    """plan.json."""

    runs: Annotated[list[Spec], Meta(max_length=100_000)]


class _Plan(Struct):
    runs: list[Content]


TIMINGS = {"train": TrainTimings, "latency": LatencyTimings}


def spec(path: Path) -> RunSpec:
    """spec.json."""
    return RunSpec(**read_json(path, Spec))


def plan(path: Path) -> list[RunSpec]:
    """The runs of plan.json."""
    data = contents(path)
    decoded(data, Plan, path.name)
    return [RunSpec(**content) for content in decoded(data, _Plan, path.name).runs]


def record(path: Path, run: RunSpec) -> dict[str, Any]:
    """run.json of a run: its id, and every file it needs."""
    found = {"results_version": 0, "commit": ""} | read_json(path, Record)
    if found["id"] != run.id:
        raise Damaged(f"{path.name} belongs to no run of this specification")
    if lacking := [name for name in NEEDED[run.stage] if name not in found["files"]]:
        raise Damaged(f"{path.name} doesn't list {', '.join(lacking)}")
    return found


def reason(path: Path) -> str:
    """Why a run failed, of failed.json."""
    return decoded(contents(path), Failure, path.name).reason


def env(path: Path) -> dict[str, Any]:
    """env.json."""
    return read_json(path, Env)


def timings(path: Path, stage: str) -> dict[str, Any]:
    """timings.json of a stage."""
    return read_json(path, TIMINGS[stage])


def history(path: Path) -> list[dict[str, float]]:
    """history.csv: a row an epoch, keys of contract.HISTORY. Losses may be infinite or NaN."""
    try:
        text = contents(path).decode("ascii")
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        values = [[float(value) for value in row] for row in rows[1:]]
    except (csv.Error, ValueError, RecursionError) as error:
        raise Damaged(f"{path.name}: {str(error)[:200]}") from None
    if not rows or tuple(rows[0]) != HISTORY:
        raise Damaged(f"{path.name} has other columns than {', '.join(HISTORY)}")
    if not 0 < len(values) <= MOST_ROWS or any(len(row) != len(HISTORY) for row in values):
        raise Damaged(f"{path.name} has rows that are too short or too long, or none")
    found = [dict(zip(HISTORY, row, strict=True)) for row in values]
    for number, row in enumerate(found, start=1):
        if wrong := _wrong_row(row):
            raise Damaged(f"{path.name}, row {number}: {wrong} is {row[wrong]}")
    return found


def _wrong_row(row: dict[str, float]) -> str:
    """The first column whose value can't be; empty if there is none."""
    for name, value in row.items():
        if name == "phase":
            right = value in (1, 2)
        elif name == "epoch":
            right = 1 <= value <= MOST_ROWS and value == int(value)
        elif name.endswith("accuracy"):
            right = 0 <= value <= 1
        elif name.endswith("seconds"):
            right = 0 <= value <= 1e10
        else:  # losses
            right = 0 <= value <= LARGEST_LOSS or value == math.inf or value != value
        if not right:
            return name
    return ""


def predictions(path: Path) -> dict[str, np.ndarray]:
    """predictions.npz, its ids, labels and probabilities in range."""

    def check(found: dict[str, Head]) -> None:
        none = found.get("milestone_epochs", Head(np.dtype(int), (0,))).shape == (0,)
        wanted = ANSWERS | (NO_MILESTONES if none else MILESTONES)
        parts = dict(EVERY_EPOCH)
        if any(name in found for name in VALIDATION):
            wanted |= VALIDATION
        else:
            del parts["validation_"]
        every = LOG if LOG in found else "epochs"
        wanted |= {f"{p}{every}": ("float16", ("epochs", n, 4)) for p, n in parts.items()}
        fits(found, wanted, path.name)

    found = arrays(path, check)
    n, epochs = len(found["ids"]), epochs_of(found)
    if not n or not epochs:
        raise Damaged(f"{path.name} has no image, or no epoch")
    if tuple(found["classes"]) != CLASSES:
        raise Damaged(f"{path.name} has other classes than {', '.join(CLASSES)}")
    if not 0 <= int(found["selected_index"]) < epochs:
        raise Damaged(f"{path.name}: the selected epoch is none of its {epochs}")
    for name in ("ids", "validation_ids"):
        _images(found.get(name, ()), path.name)
    for name in ("labels", "validation_labels"):
        _labels(found.get(name), name, path.name)
    for name in ("selected", "last", "milestones", *(f"{p}epochs" for p in EVERY_EPOCH)):
        if name in found and found[name].size:
            _probabilities(found[name], name, path.name, whole=name == "selected")
    for name in (f"{part}{LOG}" for part in EVERY_EPOCH):
        if name in found and found[name].size:
            values = np.exp(found[name].astype(np.float32))
            _probabilities(values, name, path.name, whole=False)
    return found


def epochs_of(found: Mapping[str, np.ndarray]) -> int:
    """How many epochs the arrays of predictions.npz are of."""
    return len(found[LOG if LOG in found else "epochs"])


def _images(ids: Any, name: str) -> None:
    for one in map(str, ids):
        if len(one) > 200 or not IMAGE.fullmatch(one) or ".." in one:
            raise Damaged(f"{name}: {one[:100]!a} is no image's id")


def _labels(labels: np.ndarray | None, key: str, name: str) -> None:
    if labels is not None and labels.size and not 0 <= labels.min() <= labels.max() < len(CLASSES):
        raise Damaged(f"{name}: {key} names a class that there isn't")


def _probabilities(values: np.ndarray, key: str, name: str, whole: bool) -> None:
    """Of four each, none below 0, together 1; NaN where a network diverged, unless `whole`."""
    for part in values if values.ndim == 3 else values[None]:
        with np.errstate(all="ignore"):
            sums = part.sum(axis=-1, dtype=np.float32)
        right = (part.min(axis=-1) >= 0) & (np.abs(sums - 1) <= NEAR_ONE)
        if not (right if whole else right | np.isnan(sums)).all():
            raise Damaged(f"{name}: {key} holds what are no probabilities")


def activations(path: Path, variant: str) -> dict[str, np.ndarray]:
    """activations.npz of a network; see protocols.runs.activations."""
    known = load_variants()

    def check(found: dict[str, Head]) -> None:
        wanted: dict[str, tuple[str, tuple]] = {
            "ids": ("text", ("n",)),
            "labels": ("int64", ("n",)),
            "probabilities": ("float32", ("n", 4)),
        }
        for backbone in known[variant].backbones if variant in known else ():
            wanted[f"cam/{backbone}"] = ("float32", ("n", f"{backbone} h", f"{backbone} w"))
            for layer in load_backbones()[backbone].layers:
                key = f"{backbone}/{layer.name}"
                wanted[f"layer/{key}"] = ("uint8", (f"{key} maps", f"{key} h", f"{key} w"))
                wanted[f"range/{key}"] = ("float64", (2,))
        lengths = fits(found, wanted, path.name)
        if not all(0 < length <= LARGEST_MAP for length in lengths.values()):
            raise Damaged(f"{path.name} has an array that is empty or too large")

    found = arrays(path, check)
    _images(found["ids"], path.name)
    _labels(found["labels"], "labels", path.name)
    _probabilities(found["probabilities"], "probabilities", path.name, whole=False)
    return found
