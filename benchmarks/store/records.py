"""Reads the JSON and CSV files of a run folder, and plan.json, and trusts none of them, for nobody
knows who wrote them. protocols.runs.record says what each file holds.

Every function raises `Damaged`, with the file's name and the fault, for what doesn't fit.
"""

import csv
import io
import math
from pathlib import Path
from typing import Any

from benchmarks.store.run_schema import TIMINGS, Env, Failure, PlainPlan, Plan, Record
from protocols.boundary import Damaged, contents, decoded, read_json
from protocols.runs.activations import FILE
from protocols.runs.record import HISTORY, LATENCY_FILES, TRAIN_FILES
from protocols.spec import RunSpec
from protocols.spec_schema import Spec

NEEDED = {"train": tuple(n for n in TRAIN_FILES if n != FILE), "latency": LATENCY_FILES}
MOST_ROWS = 10**6  # one row for each epoch
LARGEST_LOSS = 1e40  # the range of float32 ends at 3.4e38


def spec(path: Path) -> RunSpec:
    """Returns the specification in spec.json."""
    return RunSpec(**read_json(path, Spec))


def plan(path: Path) -> list[RunSpec]:
    """Returns the runs of plan.json."""
    return [RunSpec(**content) for content in read_json(path, Plan, PlainPlan).runs]


def record(path: Path, run: RunSpec) -> dict[str, Any]:
    """Returns run.json of a run. Raises Damaged unless it has the run's id and every file that the
    run needs."""
    found = {"results_version": 0, "commit": ""} | read_json(path, Record)
    if found["id"] != run.id:
        raise Damaged(f"{path.name} belongs to no run of this specification")
    if lacking := [name for name in NEEDED[run.stage] if name not in found["files"]]:
        raise Damaged(f"{path.name} doesn't list {', '.join(lacking)}")
    return found


def reason(path: Path) -> str:
    """Returns the reason in failed.json for which a run failed."""
    return decoded(contents(path), Failure, path.name).reason


def env(path: Path) -> dict[str, Any]:
    """Returns the content of env.json."""
    return read_json(path, Env)


def timings(path: Path, stage: str) -> dict[str, Any]:
    """Returns the content of timings.json of a run of this stage."""
    return read_json(path, TIMINGS[stage])


def history(path: Path) -> list[dict[str, float]]:
    """Returns history.csv: one dictionary for each epoch, with the keys of HISTORY. Losses may be
    infinite or NaN."""
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
    """Returns the first column whose value is impossible, or "" if there is none."""
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
