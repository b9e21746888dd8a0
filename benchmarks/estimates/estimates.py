"""Estimates how long a run takes on this device, from the runs that were finished here.

One file `<cache>/estimates/<digest of its key>.json` is for all that changes a rate
(`Estimates.key`). What `make gpu-check` learned is in its own file (GPU_CHECK), which may come from
another machine with the same device: it counts where nothing was learned here. Runs beside each
other slow each other, so the number of jobs belongs to the key: what two at a time took predicts
two at a time. A latency run is alone whatever the jobs.
"""

import contextlib
import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct, to_builtins

from benchmarks.estimates.cost_model import (
    composed,
    expected,
    features_of,
    latency_parts,
    latency_seconds,
    train_course,
    train_parts,
)
from benchmarks.estimates.progress import Work
from benchmarks.planning import disk
from benchmarks.store.run import Run
from protocols.boundary import Content, Damaged, Key, contents, decoded
from protocols.files import ROOT, digest_of, write_whole
from protocols.hardware import cpu_name
from protocols.spec import IMPLIED, RunSpec

VERSION = 2
SIZES = ("batch_size", "grey_pooling", "lstm_units", "projection_units", "map_channels")
GPU_CHECK = "gpu-check.json"
PUBLISHED = ROOT / "reports" / "published"
KEPT = 5  # observations of each part; their median is the estimate


Seconds = Annotated[float, Meta(ge=0, le=1e15)]
Pass = Annotated[list[Seconds], Meta(min_length=2, max_length=2)]  # images, seconds
Observations = Annotated[list[Seconds | Pass], Meta(min_length=1, max_length=1000)]


class Versioned(Struct):
    """The part of a file of estimates that every version has."""

    version: int | str | None = None


class Keyed(Versioned, kw_only=True):
    """The key of a file of estimates: what its rates have in common."""

    key: Content


class Known(Struct):
    """Stage -> variant -> part -> observations, which are either all numbers or all passes."""

    known: dict[Key, dict[Key, dict[Key, Observations]]]

    def __post_init__(self) -> None:
        for parts in (parts for stage in self.known.values() for parts in stage.values()):
            for seen in parts.values():
                passes = [o for o in seen if isinstance(o, list)]
                if len(passes) not in (0, len(seen)) or not all(images for images, _ in passes):
                    raise ValueError("a part has numbers beside passes, or a pass over no image")


class Learned(Known, kw_only=True):
    """The content of a file of estimates."""

    version: int
    key: Content


class Brought(Struct):
    """The part of a file of `make gpu-check` that is about estimates."""

    estimates: list[Learned] = []


@dataclass(frozen=True)
class Estimate:
    """The needs of one run: its work, in seconds; the bytes of its folder, and those of its
    checkpoint until the run ends."""

    work: Work
    stored_bytes: int
    checkpoint_bytes: int

    @property
    def seconds(self) -> float:
        """The seconds from the run's start to its end."""
        return self.work.total

    @property
    def disk_bytes(self) -> int:
        """The most bytes that the run holds by itself; `disk.shared` has the arrays of several."""
        return self.stored_bytes + self.checkpoint_bytes


def brought(path: Path) -> list[dict[str, Any]]:
    """Returns the estimates in a file of `make gpu-check`, as `Estimates.learned` has them. Raises
    Damaged."""
    return to_builtins(decoded(contents(path), Brought, path.name))["estimates"]


@dataclass
class Estimates:
    """The estimates for this device with `jobs` runs at a time; `say` is told what is wrong.
    `out`: the output folder, whose file of `make gpu-check` is read, else the published one."""

    cache: Path
    jobs: int
    say: Callable[[str], None] = print
    processor: str = field(default_factory=cpu_name)
    out: Path | None = None

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._said: set[str] = set()

    @property
    def folder(self) -> Path:
        """The folder of the estimates."""
        return self.cache / "estimates"

    def key(self, spec: RunSpec, detail: str, together: int) -> dict[str, Any]:
        """Returns all that the rates of one file have in common."""
        names = ("framework", "backend", "precision", "deterministic", "threads")
        return {
            **{name: getattr(spec, name) for name in names},
            **{name: spec.recipe[name] for name in SIZES if name in spec.recipe},
            **{name: spec.recipe[name] for name in IMPLIED if spec.recipe[name] != IMPLIED[name]},
            "device": detail,
            "height": spec.data["height"],
            "width": spec.data["width"],
            "jobs": self.jobs if spec.stage == "train" else 1,
            # whether the run begins on stored features
            "begins_frozen": spec.stage == "train" and spec.phases[0]["stored"],
            "together": together,
        }

    def learn(self, run: Run) -> None:
        """Adds what a done run took. A failure to do so is told, and the run stays done."""
        spec = run.spec
        if run.timings.get("stops"):
            self.say(f"nothing was learned from {spec.id} for the estimates: it was stopped")
            return
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
        except (OSError, KeyError, Damaged) as error:
            self.say(f"nothing was learned from {spec.id} for the estimates: {error!r}")

    def estimate(self, spec: RunSpec, together: int = 1) -> Estimate | None:
        """Returns what a run will take beside the usual jobs; None where no such run was made."""
        detail = self.processor if spec.device == "cpu" else spec.device
        key = self.key(spec, detail, together)
        known = self._of_gpu_check(key, spec.stage) | self._read(key).get(spec.stage, {})
        of_each = {variant: expected(seen) for variant, seen in known.items()}
        parts = features_of(spec.variant, of_each) | composed(spec.variant, of_each)
        parts |= of_each.get(spec.variant, {})
        try:
            if spec.stage == "latency":
                return Estimate(Work(latency_seconds(spec, parts)), disk.stored(spec), 0)
            work = train_course(spec, parts)
            ends = accumulate([work.before, *work.epochs])
            times = [together * t for t in ends]  # a part is one run's share of the time
            held = disk.checkpoints(spec, parts["state"], times)
            return Estimate(work, disk.stored(spec), held)
        except KeyError:  # no run has shown this part
            return None

    def by_run(self, groups: list[list[RunSpec]]) -> dict[str, Estimate | None]:
        """Returns run id -> what the run will take. `groups`: the runs that train together."""
        return {s.id: self.estimate(s, len(group)) for group in groups for s in group}

    def learned(self) -> list[dict[str, Any]]:
        """Returns the contents of all files of estimates, of this version, as JSON has them."""
        found = []
        for path in sorted(self.folder.glob("*.json")):
            with contextlib.suppress(Damaged):
                one = decoded(contents(path), Keyed, path.name)
                if one.version == VERSION and (known := self._read(one.key)):
                    found.append({"version": VERSION, "key": one.key, "known": known})
        return found

    def take(self, learned: list[dict[str, Any]]) -> None:
        """Writes what `learned` returned to the files of estimates. Raises OSError."""
        for one in learned:
            write_whole(self._path(one["key"]), json.dumps(one, indent=1).encode())

    def _of_gpu_check(self, key: dict[str, Any], stage: str) -> dict[str, Any]:
        """Returns what `make gpu-check` learned under this key: variant -> part -> observations."""
        found: dict[str, Any] = {}
        for one in self._brought:
            if one["version"] == VERSION and one["key"] == key:
                found |= one["known"].get(stage, {})
        return found

    @cached_property
    def _brought(self) -> list[dict[str, Any]]:
        paths = [folder / GPU_CHECK for folder in (self.out, PUBLISHED) if self.out and folder]
        path = next((path for path in paths if os.path.lexists(path)), None)
        try:
            return brought(path) if path else []
        except Damaged as error:
            self.say(f"the estimates of {path} are not used: they are damaged ({error})")
            return []

    def _path(self, key: dict[str, Any]) -> Path:
        return self.folder / f"{digest_of(key)[:16]}.json"

    def _read(self, key: dict[str, Any]) -> dict[str, Any]:
        """Returns stage -> variant -> part -> observations, the oldest first; {} where there are
        none."""
        path = self._path(key)
        if not os.path.lexists(path):
            return {}
        try:
            data = contents(path)
            if decoded(data, Versioned, path.name).version != VERSION:
                problem = "are of another version"
            elif decoded(data, Keyed, path.name).key != key:
                problem = "are of another device or setting"
            else:
                return decoded(data, Known, path.name).known
        except Damaged as error:
            problem = f"are damaged ({error})"
        if path.name not in self._said:
            self._said.add(path.name)
            self.say(f"the estimates in {path} {problem}: not used; the next run replaces them")
        return {}
