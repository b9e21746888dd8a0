"""Defines what run.json, failed.json, env.json, timings.json and plan.json may hold (msgspec)."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from protocols.boundary import Amount, Content, Count, Digest, FileName, Hex, Key, Line, Positive
from protocols.spec_schema import Spec

Seconds = Annotated[float, Meta(ge=0, le=1e10)]


class Entry(Struct):
    """The size and digest of one file of a run folder."""

    size: Count
    sha256: Hex


class Record(Struct):
    """The content of run.json. One from before results versions existed has version 0, so its run
    is stale; where a record has been given another version, `carried` says why."""

    id: Key
    finished: Annotated[str, Meta(max_length=40, pattern=r"^\d{4}-\d\d-\d\dT[0-9:.+Z-]+\Z")]
    files: Annotated[dict[FileName, Entry], Meta(max_length=100)]
    results_version: Annotated[int, Meta(ge=0, le=10**6)] = 0
    commit: Line = ""
    carried: Line = ""


class Failure(Struct):
    """The content of failed.json."""

    reason: Annotated[str, Meta(max_length=1_000_000)]


class WeightFile(Struct):
    """The file from which a backbone's weights were loaded."""

    file: Line
    hash: Digest


class Place(Struct):
    """The node on which a run was computed, and the GPU, where it ran on a cluster."""

    node: Line
    gpu: Line | None = None


class Env(Struct):
    """The content of env.json; a key that isn't named here is kept."""

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
    recurrent: Line | None = None
    repeatable: Line | None = None
    threads: Annotated[int, Meta(ge=1, le=10**5)] | UnsetType = UNSET
    versions: Annotated[dict[Key, Line], Meta(max_length=1000)] | UnsetType = UNSET
    weights: Annotated[dict[Key, WeightFile], Meta(max_length=10)] | UnsetType = UNSET
    layouts: Annotated[dict[Key, Key], Meta(max_length=10)] | UnsetType = UNSET
    ran_on: Place | UnsetType = UNSET


Jobs = Annotated[int, Meta(ge=1, le=10**6)]


class Phase(Struct):
    """The part of timings.json that is about one phase."""

    phase: Annotated[int, Meta(ge=1, le=2)]
    epochs: Count
    frozen: bool
    train_seconds: Seconds
    eval_seconds: Seconds
    images: Count
    images_per_second: Amount | None = None
    waiting_seconds: Seconds | None = None


class TrainTimings(Struct):
    """The content of timings.json of a training run."""

    total_seconds: Seconds
    phases: Annotated[list[Phase], Meta(min_length=1, max_length=2)]
    build_seconds: Seconds | None = None
    calibration_seconds: Seconds | None = None
    features_seconds: Seconds | None = None
    activations_seconds: Seconds | None = None
    features_stored: bool | UnsetType = UNSET
    resumed: Count | UnsetType = UNSET
    together: Annotated[int, Meta(ge=1, le=10**6)] | UnsetType = UNSET
    # several where a killed run's processes differ; earlier runs lack it
    jobs: Jobs | Annotated[list[Jobs], Meta(max_length=1000)] | UnsetType = UNSET
    parameters: Count | UnsetType = UNSET
    state_bytes: Count | UnsetType = UNSET
    host_peak_bytes: Count | None = None
    device_peak_bytes: Count | None = None
    device_reserved_bytes: Count | None = None


class Answers(Struct):
    """The seconds that one kind of answer takes."""

    repeats: Annotated[int, Meta(ge=1, le=10**9)]
    median: Positive
    p5: Positive
    p95: Positive
    engine: Line | UnsetType = UNSET


class Load(Struct):
    """The processor cores that other processes kept busy, on average; null where the system doesn't
    tell."""

    before: Amount | None = None
    during: Amount | None = None


class LatencyTimings(Struct):
    """The content of timings.json of a latency run."""

    total_seconds: Seconds
    cold: Answers
    single: Answers
    batch32: Answers
    jpeg: Answers
    cold_cached: Answers | UnsetType = UNSET  # JAX alone has a cache of compiled programs
    load: Load | UnsetType = UNSET  # earlier runs lack it
    engine: Line | UnsetType = UNSET
    engines: Annotated[dict[Key, dict[Key, Amount]], Meta(max_length=100)] | UnsetType = UNSET
    host_peak_bytes: Count | None = None
    device_peak_bytes: Count | None = None
    device_reserved_bytes: Count | None = None


class Plan(Struct):
    """The content of plan.json."""

    runs: Annotated[list[Spec], Meta(max_length=100_000)]


class PlainPlan(Struct):
    """The content of plan.json, with its runs as plain dictionaries."""

    runs: list[Content]


TIMINGS = {"train": TrainTimings, "latency": LatencyTimings}
