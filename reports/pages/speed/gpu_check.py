"""The section of the speed page on a GPU's first ten minutes, from the JSON of `make gpu-check`.

The file is `<out>/gpu-check.json`, else `reports/published/gpu-check.json`; where there is none,
the page has no such section.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from protocols.boundary import Amount, Count, Damaged, Key, Line, Scalar
from protocols.load import BUSY
from protocols.spec import FRAMEWORKS
from reports.cells.times import WIDE
from reports.pages.measured_file import Measured, place_of, read_measured, read_texts
from reports.tables.builder import Line as Row
from reports.tables.builder import numbers, over_twins, table, texts
from reports.tables.formats import MISSING, in_unit_of, marked, plural, seconds_text, title
from reports.tables.table import Table, Td

NAME = "gpu-check.json"
COMMAND = "make gpu-check"
HOUR = 3600
STEPS = {"phase 1, step": "Phase 1", "phase 2, step": "Phase 2"}
ANSWERS = {"single": "One image", "batch32": "32 images", "cold": "Cold start"}


class _Number(Struct):
    unit: Line
    median: Amount
    low: Amount
    high: Amount
    count: Count


class _Part(Struct):
    part: Key
    framework: Literal["", "keras", "torch"]
    variant: Key
    state: Literal["done", "failed"]
    reason: Line = ""
    together: Count = 1
    numbers: dict[Key, _Number] = {}
    failures: list[Scalar] = []


class _Row(Struct):
    variant: Key
    framework: Literal["keras", "torch"]
    stage: Key
    runs: Count
    phases: list[Amount]
    seconds: Amount | None


class _Projection(Struct):
    profile: Line
    rows: list[_Row]


class _About(Struct):
    device: Line
    commit: Line
    profile: Line
    images: Count
    versions: dict[Key, Line]


class Stored(Struct):
    """What is shown of the file's content."""

    schema: Literal[1]
    about: _About
    written: Line
    parts: list[_Part]
    projection: _Projection


Found = dict[tuple[str, str, str], dict[str, Any]]  # (part, framework, variant) -> the part


@dataclass(frozen=True)
class GpuCheck(Measured):
    """The parts of the file that the section shows."""

    where: str = ""
    faults: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)


def read(out: Path) -> GpuCheck | None:
    """Return what the file of the report in `out` says, or a sentence on why it can't be read;
    None where there is no file."""
    return read_measured(out, NAME, COMMAND, GpuCheck, _read) if place_of(out, NAME) else None


def _read(path: Path) -> GpuCheck:
    content = read_texts(path, Stored)
    about = content["about"]
    parts = {(p["part"], p["framework"], p["variant"]): p for p in content["parts"]}
    versions = ", ".join(f"{k} {v}" for k, v in about["versions"].items())
    where = (
        f"{about['device']}; networks and sizes of the profile {about['profile']}; {versions}; "
        f"commit {about['commit'][:12] or 'not known'}; {content['written'][:10]}."
    )
    rows = content["projection"]["rows"]
    tables = [
        *_measured("steps", f"A step of training, {about['images']} images an epoch", parts, STEPS),
        *_measured("folds", "A step of folds and seeds that train together", parts, STEPS),
        *_measured("answers", "An answer", parts, ANSWERS),
        *([_projected(content["projection"]["profile"], rows)] if rows else []),
    ]
    if not tables:
        raise Damaged("it holds no measurement of this suite")
    return GpuCheck(where=where, faults=_faults(parts), tables=tables)


def _faults(parts: Found) -> list[str]:
    """Return a sentence on the tests, and one on each part that failed."""
    found = []
    for (part, framework, variant), one in parts.items():
        counts = one["numbers"]
        if part == "tests" and counts:
            said = ", ".join(f"{n['median']:.0f} {name}" for name, n in counts.items())
            names = [str(text).partition(":")[0] for text in one["failures"]]
            found.append(f"Tests on the GPU: {'; '.join([said, *names])}.")
        if one["state"] == "failed":
            name = " ".join(filter(None, (part, framework, variant)))
            found.append(f"Failed: {name}: {one['reason']}")
    return found


def _measured(part: str, caption: str, parts: Found, what: dict[str, str]) -> list[Table]:
    """Return the table of the numbers `what` of one stage, a network a row, if any was begun."""
    names = list(dict.fromkeys(variant for stage, _, variant in parts if stage == part))
    there = {key for one in parts.values() if one["part"] == part for key in one["numbers"]}
    shown = {key: text for key, text in what.items() if key in there}
    if not shown:
        return []
    lines: list[Row] = [
        [title(name), *(_cell(parts.get((part, f, name)), k) for f in FRAMEWORKS for k in shown)]
        for name in names
    ]
    ends = "5th to 95th percentile" if part == "answers" else "the least to the most"
    made = table(
        f"gpu-check-{part}",
        f"{caption}: the median, and below it {ends}.",
        [*texts("Network"), *over_twins(numbers(*shown.values()))],
        lines,
    )
    return [made]


def _cell(one: dict[str, Any] | None, key: str) -> Td:
    if one is None:
        return Td("–", "not measured")
    if one["state"] == "failed":
        return Td(MISSING, "failed")
    found = one["numbers"].get(key)
    if found is None:
        return Td("–")
    low, median, high = (found[end] for end in ("low", "median", "high"))
    busy = one["numbers"].get("other work", {"median": 0.0})["median"]
    beside = key in ANSWERS and (busy > BUSY or high > WIDE * low)
    ends = f"{in_unit_of(median, low)} – {in_unit_of(median, high)}"
    together = f", {one['together']} together" if one["together"] > 1 else ""
    text = marked(seconds_text(median), False, beside)
    return Td(text, (ends if found["count"] > 1 else "once") + together)


def _projected(profile: str, rows: list[dict[str, Any]]) -> Table:
    """Return the table of the hours of a whole request, a network a row and the sum below."""
    train = [row for row in rows if row["stage"] == "train"]
    by_name = {(row["variant"], row["framework"]): row for row in train}
    names = list(dict.fromkeys(row["variant"] for row in train))
    heads = numbers("Runs", "Phase 1", "Phase 2", "All")
    lines: list[Row] = [
        [title(name), *(td for f in FRAMEWORKS for td in _hours(by_name.get((name, f))))]
        for name in names
    ]
    last: list[Td | str | int | None] = ["Sum"]
    for framework in FRAMEWORKS:
        own = [row for row in train if row["framework"] == framework]
        known = [row["seconds"] for row in own if row["seconds"] is not None]
        lack = len(own) - len(known)
        note = f"without {plural(lack, 'network')}" if lack else ""
        last += [sum(row["runs"] for row in own), None, None]
        last += [Td(f"{sum(known) / HOUR:.2f}", note) if known else Td(MISSING, note)]
    return table(
        "gpu-check-projection",
        f"Hours of training of the whole profile {profile}, projected from these times; "
        "where runs train together, their share.",
        [*texts("Network"), *over_twins(heads)],
        [*lines, last],
    )


def _hours(row: dict[str, Any] | None) -> list[Td | str | int | None]:
    if row is None:
        return [None] * 4
    if row["seconds"] is None:
        return [row["runs"], None, None, Td(MISSING, "not measured")]
    phases = [Td(f"{seconds / HOUR:.2f}") for seconds in row["phases"]]
    rest: list[Td | None] = [None] * (2 - len(phases))
    return [row["runs"], *phases, *rest, Td(f"{row['seconds'] / HOUR:.2f}")]
