"""Writes results.json and results.csv: what the runs measured, unrounded (see docs/files.md)."""

import dataclasses
import json
from typing import Any

from protocols.metrics import COURSE, METRICS
from protocols.papers.claims import load_claims
from protocols.papers.papers import load_papers
from protocols.papers.variants import load_variants
from protocols.spec import FRAMEWORKS
from reports.cells.cell import Cell, Group, Number
from reports.cells.collect import Collected
from reports.cells.commands import command
from reports.cells.planned_run import Slot
from reports.cells.settings import scrub
from reports.data import cell_records, contrast_records
from reports.data.numbers import verdict_key
from reports.judging.uncertainty import preferred_interval
from reports.judging.verdicts import MIN_SEEDS, WIDEST, judge
from reports.statistics.between_seeds import LEVEL
from reports.statistics.intervals import Estimate
from reports.tables import spreadsheet

SCHEMA_VERSION = 1
AT = ("selected", "last", *(f"epoch {e}" for p in load_papers().values() for e in p.milestones))
COLUMNS = (
    "suite",
    *("scope", "profile", "data", "weights", "device", "precision", "planned", "extra"),
    *("protocol", "framework", "variant", "seed", "fold", "run", "state", "at", "metric"),
    *("value", "n", "seeds", "folds", "lack"),
)


def clean(value: Any) -> Any:
    """Returns `value` for strict JSON: keys become text, tuples lists, NaN and infinities None, and
    texts lose the folders of absolute paths."""
    if isinstance(value, dict):
        return {str(k): clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [clean(v) for v in value]
    if isinstance(value, float):
        return value if value - value == 0 else None
    return scrub(value) if isinstance(value, str) else value


def suite_of(variant: str) -> str:
    """Returns the suite of a network; "" if today's tables don't know the network."""
    known = load_variants()
    return known[variant].suite if variant in known else ""


def run_record(slot: Slot) -> dict[str, Any]:
    """Returns the record of a run: its spec, its state, and whatever it measured."""
    record: dict[str, Any] = {
        "id": slot.spec.id,
        "suite": suite_of(slot.spec.variant),
        **{name: getattr(slot, name) for name in ("planned", "state", "reason")},
        "spec": slot.spec.to_dict(),
        "command": command([slot.spec]) if slot.spec.variant in load_variants() else "",
    }
    if slot.usable:
        record |= {"env": slot.stored.env, "timings": slot.stored.timings}
        record |= {k: slot.stored.record[k] for k in ("finished", "results_version", "commit")}
    if slot.usable and slot.measured:
        m = slot.measured
        record |= {"n": m.n, "phase": m.phase, "scores": m.scores}
        record["confusion"] = m.confusion.tolist()
    return record


def cell_record(group: Group, cell: Cell) -> dict[str, Any]:
    """Returns the record of a cell: means over folds and seeds, each seed's numbers, the numbers
    over the images of all folds together, and intervals."""
    numbers = {}
    for at in AT:
        found = {metric: cell.number(metric, at) for metric in (*METRICS, *COURSE)}
        numbers[at] = {m: _number(n) for m, n in found.items() if n.lack != "not recorded"}
    names = ("protocol", "framework", "variant", "seeds", "folds", "n", "lack", "stale")
    return cell_records.of_cell(cell) | {
        "id": cell.key,
        "setting": group.setting.slug,
        "suite": suite_of(cell.variant),
        **{name: getattr(cell, name) for name in names},
        "runs": [s.spec.id for s in cell.slots],
        "numbers": {at: found for at, found in numbers.items() if found},
        "pooled": {
            str(seed): cell.pooled(seed)
            for seed in cell.seeds
            if cell.slots[0].spec.fold is not None
        },
        "intervals": {
            at: {metric: interval_record(one) for metric, one in found.items()}
            for at, found in cell.estimates.items()
        },
    }


def interval_record(estimate: Estimate) -> dict[str, Any]:
    """Returns the record of an estimate: the interval to show first, its method, and the value."""
    interval, method = preferred_interval(estimate)
    return dataclasses.asdict(interval) | {"method": method, "value": estimate.value,
                                           "se": estimate.se, "df": estimate.df}  # fmt: skip


def _number(number: Number) -> dict[str, Any]:
    return {name: getattr(number, name) for name in ("value", "lack", "diverged", "by_seed")}


def claim_record(collected: Collected, claim_id: str) -> dict[str, Any]:
    """Returns the record of a claim: what is printed, and the verdict of each setting and twin."""
    claim = load_claims()[claim_id]
    record = dataclasses.asdict(claim) | {"value": claim.value}
    record["verdicts"] = [
        {
            "id": verdict_key(claim, setting, framework),
            "setting": setting.slug,
            "framework": framework,
        }
        | dataclasses.asdict(judge(claim, collected, setting, framework))
        for setting in collected.papers
        for framework in FRAMEWORKS
    ]
    return record


def document(collected: Collected) -> dict[str, Any]:
    """Returns results.json as a dictionary, in which numbers that aren't finite are still NaN."""
    return {
        "schema_version": SCHEMA_VERSION,
        "rules": {"level": LEVEL, "min_seeds": MIN_SEEDS, "widest_half_width": WIDEST},
        "settings": [
            {"slug": s.slug, "objections": s.objections, "backends": collected.backends(s)}
            | {k: v for k, v in dataclasses.asdict(s).items() if k != "shadowed"}
            for s in collected.settings
        ],
        "claims": [claim_record(collected, key) for key in load_claims()],
        "cells": [cell_record(g, c) for g in collected.groups for c in g.cells.values()],
        "comparisons": [r for g in collected.groups for r in contrast_records.comparisons(g)],
        "both_wrong": [r for g in collected.groups for r in contrast_records.both_wrong(g)],
        "leak_free": contrast_records.leak_free_records(collected),
        "sensitivity": contrast_records.sensitivity(collected),
        "shared_starts": contrast_records.shared_starts(collected),
        "speed": [r for s in collected.settings for r in contrast_records.speed(collected, s)],
        "runs": [run_record(slot) for slot in collected.slots],
    }


def as_json(content: dict[str, Any]) -> str:
    """Returns the text of results.json, which has null for NaN."""
    content = clean(content)
    return json.dumps(content, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"


def as_csv(content: dict[str, Any]) -> str:
    """Returns the text of results.csv, which has one number a line: of cells (means, and folds
    together), of runs and of timings."""
    content = clean(content)
    settings = {s["slug"]: s for s in content["settings"]}
    extras = {run: settings[c["setting"]]["extra"] for c in content["cells"] for run in c["runs"]}
    rows = [r for cell in content["cells"] for r in _cell_rows(cell, settings[cell["setting"]])]
    rows += [r for run in content["runs"] for r in _run_rows(run, extras.get(run["id"], ""))]
    return spreadsheet.as_csv([COLUMNS, *([row.get(c, "") for c in COLUMNS] for row in rows)])


def _cell_rows(cell: dict[str, Any], setting: dict[str, Any]) -> list[dict[str, Any]]:
    names = ("profile", "data", "weights", "device", "precision", "planned", "extra")
    common = {name: setting[name] for name in names}
    common |= {k: cell[k] for k in ("protocol", "framework", "variant", "n", "suite", "folds")}
    common["seeds"] = len(cell["seeds"])
    rows = []
    for at, numbers in cell["numbers"].items():
        for metric, number in numbers.items():
            row = common | {"scope": "cell", "at": at, "metric": metric}
            state = "diverged" if number["diverged"] else "stale" if cell["stale"] else "done"
            state = "incomplete" if number["lack"] and not number["diverged"] else state
            rows.append(row | {"value": number["value"], "lack": number["lack"], "state": state})
    for seed, numbers in cell["pooled"].items():
        for metric, value in (numbers or {}).items():
            row = common | {"scope": "pooled", "seed": seed, "at": "selected", "metric": metric}
            rows.append(row | {"value": value, "state": "stale" if cell["stale"] else "done"})
    return rows


def _run_rows(run: dict[str, Any], extra: str) -> list[dict[str, Any]]:
    spec = run["spec"]
    names = ("protocol", "framework", "variant", "seed", "fold", "profile", "device", "precision")
    common = {name: spec[name] for name in names}
    common |= {"data": spec["data"]["kind"], "weights": spec["weights"]["source"], "extra": extra}
    common |= {name: run[name] for name in ("suite", "planned", "state")}
    common |= {"scope": "run", "run": run["id"], "n": run.get("n")}
    rows = [
        common | {"at": at, "metric": metric, "value": value}
        for at, scores in run.get("scores", {}).items()
        for metric, value in scores.items()
    ]
    for key, value in _flat(run.get("timings", {})):
        rows.append(common | {"scope": "timing", "at": key, "metric": "timing", "value": value})
    return rows or [common]


def _flat(timings: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found = []
    for key, value in timings.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            found += _flat(value, f"{name}.")
        elif isinstance(value, list):
            for entry in value:
                phase = isinstance(entry, dict)  # else it is the number of jobs of a process
                found += _flat(entry, f"phase {entry['phase']}.") if phase else [(name, entry)]
        elif not isinstance(value, str | bool | None):
            found.append((name, value))
    return found
