"""The file of `make gpu-check`: what is in it, how it is read, and a run's numbers for it."""

import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from msgspec import Struct, to_builtins

from benchmarks.estimates.estimates import brought
from benchmarks.planning import disk
from benchmarks.store.run import Run
from protocols.boundary import Content, Damaged, Key, contents, decoded
from protocols.errors import one_line
from protocols.files import write_whole

SCHEMA = 1
HOST = ("processor", "cores")  # of the machine; another one with the same GPU goes on
SAID = ("engine", "recurrent", "layouts")  # of env.json
MEMORY = ("host_peak_bytes", "device_peak_bytes", "device_reserved_bytes")
WARM = ("single", "batch32", "jpeg", "cold", "cold_cached")
REASON = 2000  # characters of a failure's reason
LOG_LINES = 20  # of a failed run
Number = dict[str, Any]


class Part(NamedTuple):
    """The name of a part of the check; framework and variant are "" where it is of none."""

    part: str
    framework: str = ""
    variant: str = ""


class _Entry(Struct):
    """The fields of a part that are read again; all others are kept as they are."""

    part: Key
    framework: Key
    variant: Key
    state: Key


class _File(Struct):
    schema: int
    about: Content
    parts: list[_Entry]


class Record:
    """The record of one check, which is written anew after each part."""

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        """Goes on with the file at `path` where it is of the same check: of `about`, which says on
        what and how is measured, but for HOST. Else it begins anew."""
        self.path, self.about = path, about
        self.parts: dict[Part, dict[str, Any]] = {}
        self.estimates: list[dict[str, Any]] = []
        self.projection: dict[str, Any] = {}
        try:
            data = contents(path) if os.path.lexists(path) else b"{}"
            found = decoded(data, _File, path.name)
            if found.schema == SCHEMA and _compared(found.about) == _compared(about):
                for entry, whole in zip(found.parts, json.loads(data)["parts"], strict=True):
                    self.parts[Part(entry.part, entry.framework, entry.variant)] = whole
                self.estimates = brought(path)
        except Damaged:
            return

    def done(self, part: Part) -> bool:
        """Returns whether the part was measured."""
        return part in self.parts and self.parts[part]["state"] == "done"

    def add(self, part: Part, **words: Any) -> None:
        """Takes in what became of a part, and writes the file."""
        found = part._asdict() | {"state": "done", "reason": ""} | words
        self.parts[part] = found | {"reason": one_line(found["reason"])[:REASON]}
        self.write()

    def write(self) -> None:
        """Writes the file. Raises OSError."""
        content = {
            "schema": SCHEMA,
            "about": self.about,
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
            "parts": list(self.parts.values()),
            "projection": self.projection,
            "estimates": self.estimates,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.path, json.dumps(to_builtins(content), indent=1).encode())


def _compared(about: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in about.items() if name not in HOST}


def number(unit: str, values: Iterable[float]) -> Number:
    """Returns a measured number: its unit, the median of its values, the least and the most of
    them, and how many they are."""
    found = np.array(list(values), np.float64)
    ends = {"median": np.median(found), "low": found.min(), "high": found.max()}
    return {"unit": unit, **{k: float(v) for k, v in ends.items()}, "count": len(found)}


def of_run(run: Run) -> dict[str, Any]:
    """Returns what the record keeps of a finished run, or of a failed one its reason and the end of
    its log."""
    if not run.done:
        log = run.folder / "log.txt"
        text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
        return {"state": "failed", "reason": run.reason, "log": text.splitlines()[-LOG_LINES:]}
    said = {name: run.env[name] for name in SAID if run.env.get(name)}
    memory = {n: number("bytes", [run.timings[n]]) for n in MEMORY if run.timings.get(n)}
    measured = _trained(run) if run.spec.stage == "train" else _answered(run)
    whole = {"whole run": number("s", [run.timings["total_seconds"]])}
    together = run.timings.get("together", 1)
    return {"said": said, "together": together, "numbers": measured | whole | memory}


def _trained(run: Run) -> dict[str, Number]:
    """Returns a training run's numbers. A step, an epoch's evaluation and what the first epoch
    takes beyond the others are those of all runs that trained together; the rest is a share."""
    timings, together, found = run.timings, run.timings.get("together", 1), {}
    steps = ceil(disk.counts(run.spec)[0] / run.spec.recipe["batch_size"])
    for phase in run.spec.phases:
        name = f"phase {phase['phase']}"
        rows = [row for row in run.history if row["phase"] == phase["phase"]]
        train, evaluation = (
            [together * row[f"{what}_seconds"] for row in rows] for what in ("train", "eval")
        )
        later = [train[1:] or train, evaluation[1:] or evaluation]
        found[f"{name}, step"] = number("s", [seconds / steps for seconds in later[0]])
        found[f"{name}, evaluation"] = number("s", later[1])
        more = train[0] + evaluation[0] - sum(float(np.median(each)) for each in later)
        found[f"{name}, first epoch more"] = number("s", [max(0.0, more)])
    for what in ("build", "features", "activations"):
        found[what] = number("s", [timings.get(f"{what}_seconds") or 0.0])
    return found


def _answered(run: Run) -> dict[str, Number]:
    """Returns a latency run's numbers, of which least and most are the 5th and the 95th percentile;
    and the cores that other programs kept busy meanwhile, where that is known."""
    found: dict[str, Number] = {}
    if (busy := run.timings.get("load", {}).get("during")) is not None:
        found["other work"] = number("cores", [busy])
    for what in WARM:
        if seen := run.timings.get(what):
            ends = {"median": seen["median"], "low": seen["p5"], "high": seen["p95"]}
            found[what] = {"unit": "s", **ends, "count": seen["repeats"]}
    return found
