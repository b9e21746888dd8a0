"""The ladders of the page "Are these the same network?", from what `runner.py --parity` wrote.

The file is `<out>/parity.json`, else `reports/published/parity.json`; `parity-imagenet.json` is the
same from loaded weights. docs/files.md has their schema.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

from protocols.boundary import WHOLE, Amount, Count, Damaged, Key, Line
from protocols.papers.recipes import values
from protocols.papers.variants import load_variants
from protocols.runs.parity import given, optimizers
from reports.pages.measured_file import Measured, place_of, read_measured, read_texts
from reports.tables.builder import numbers, table, texts
from reports.tables.formats import MISSING, NAMES, THIN, plural, title
from reports.tables.table import Table, Td

RANDOM = "parity.json"
COMMANDS = {  # the files of the page, and what writes each
    RANDOM: "python runner.py --parity",
    "parity-imagenet.json": "python runner.py --parity --weights at-hand",
}
SCHEMA = 2
NONE = "not applicable"
Whole = Annotated[int, Meta(ge=-WHOLE, le=WHOLE)]
Measure = Whole | float | Line | bool | None  # numbers that are not finite are shown as such
OPTIMIZERS = {rung: name for name in ("rmsprop", "adam") for rung in (name, given(name))}  # rungs


class Versioned(Struct):
    """The number of a file's schema; the rest of the file may be anything."""

    schema: int | float | Line | None


class _Rung(Struct):
    name: Key
    title: Line
    what: Line
    bound: Measure
    unit: Line | None


class _Result(Struct):
    rung: Key
    variant: Key
    value: Measure
    bound: Measure
    ok: bool | None
    detail: Line | None = None


class _Difference(Struct):
    what: Line
    keras: Line
    torch: Line
    reason: Line


class Stored(Struct):
    """The content of parity.json."""

    device: Line
    versions: dict[Key, Line]
    images: Line
    sizes: dict[Key, tuple[Count, Count]]
    batch: Count
    seconds: Amount
    command: Line
    rungs: list[_Rung]
    results: list[_Result]
    differences: list[_Difference]
    weights: Line = "random"  # of the CNNs: "random" or "imagenet"


Result = dict[str, Any]  # one measurement, as `_Result` names it
Cells = dict[tuple[str, str], Result]  # by rung and network


@dataclass(frozen=True)
class Ladder(Measured):
    """The parts of a file that the page shows."""

    heading: str = "From random weights"
    summary: str = ""
    matrix: Table | None = None
    rungs: Table | None = None
    details: Table | None = None
    differences: Table | None = None
    command: str = ""
    where: str = ""


def read(out: Path) -> list[Ladder]:
    """Return the ladders of the report in `out`: that of random weights, with a sentence where it
    was not climbed, and that of loaded weights, if it was. The rungs are the same for both: the
    first that has them keeps their table."""
    found: list[Ladder] = []
    for name, command in COMMANDS.items():
        if name == RANDOM or place_of(out, name):
            made = read_measured(out, name, command, Ladder, _read)
            if any(one.rungs for one in found):
                made = replace(made, rungs=None)
            found.append(replace(made, command=made.command or command))
    return found


def _read(path: Path) -> Ladder:
    schema = read_texts(path, Versioned)["schema"]
    if schema != SCHEMA:
        raise Damaged(f"it has schema {schema}, and this version reads {SCHEMA}")
    return _ladder(read_texts(path, Stored))


def _ladder(content: dict[str, Any]) -> Ladder:
    rungs = {r["name"]: r for r in content["rungs"]}
    results = [r | {"ok": _kept(r)} for r in content["results"]]
    if unknown := {r["rung"] for r in results} - rungs.keys():
        raise Damaged(f"results of unknown rungs: {', '.join(sorted(unknown))}")
    # of two measurements of one rung and network, the broken one stands
    ordered = sorted(results, key=lambda r: r["ok"] is False)
    cells = {(r["rung"], r["variant"]): r for r in ordered}
    known, weights = load_variants(), content["weights"]
    loaded, climbed = weights != "random", {r["variant"] for r in results}
    names = [*(v for v in known if v in climbed or not loaded), *sorted(climbed - known.keys())]
    differences = content["differences"]
    return Ladder(
        heading="From ImageNet weights" if loaded else Ladder.heading,
        summary=_summary(rungs, names, cells),
        matrix=_matrix(rungs, names, cells, weights),
        rungs=_rungs(rungs),
        details=_details(rungs, names, cells, weights),
        differences=_differences(differences) if differences else None,
        command=content["command"],
        where=_where(content),
    )


def _kept(result: Result) -> bool | None:
    """Return whether a bound was kept: the numbers decide, whatever the file says."""
    value, bound, ok = (result[key] for key in ("value", "bound", "ok"))
    return value <= bound if ok and all(isinstance(x, int | float) for x in (value, bound)) else ok


def number(value: object, digits: int = 2) -> str:
    """Return a measurement with its significant digits; whole numbers and text stay as they are."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if not math.isfinite(value):
            return "not finite"
        if value == 0 or abs(value) >= 0.01:
            return f"{value:.{digits}g}"
        mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
        return f"{mantissa}e{int(exponent)}"
    return str(value)


def bound_text(value: object, unit: str = "") -> str:
    """Return a bound, the highest value allowed, as text."""
    if value is None:
        return "–"
    text = number(value).replace(".0e", "e")
    text = text if isinstance(value, str | bool) else f"≤{THIN}{text}"
    return f"{text} {unit}" if unit else text


def _summary(rungs: dict[str, Any], names: list[str], cells: Cells) -> str:
    broken = [r for r in cells.values() if r["ok"] is False]
    judged = sum(r["ok"] is not None for r in cells.values())
    lacking = sum((r, v) not in cells and lack(r, v) == MISSING for r in rungs for v in names)
    text = f"{judged - len(broken)} of {plural(judged, 'measurement')} keep their bound."
    if broken:
        said = (f"{rungs[r['rung']]['title']} ({title(r['variant'])})" for r in broken)
        text += f" Broken: {', '.join(said)}."
    return text + (f" Not measured: {lacking}." if lacking else "")


def _matrix(rungs: dict[str, Any], names: list[str], cells: Cells, weights: str) -> Table:
    return table(
        f"ladder-matrix-{weights}",
        "Largest difference of Keras and PyTorch on each rung, by network. ✓: the rung's bound is "
        f"kept; ✗: it is broken; {MISSING}: not measured; a dash: the rung has no meaning for the "
        "network.",
        [*texts("Network"), *numbers(*(r["title"] for r in rungs.values()))],
        [
            [title(variant), *(_cell(cells.get((r, variant)), lack(r, variant)) for r in rungs)]
            for variant in names
        ],
        ["The bounds stand in the table of the rungs."],
        tight=True,
    )


def lack(rung: str, variant: str) -> str:
    """Return why a rung was not measured: it has no meaning where the recipe lacks the
    optimiser."""
    known = load_variants()
    if rung in OPTIMIZERS and variant in known:
        used = optimizers(values(known[variant].paper))
        return MISSING if OPTIMIZERS[rung] in used else NONE
    return MISSING


def _cell(result: Result | None, lack: str) -> Td:
    if result is None or result["ok"] is None:
        return Td("–", NONE) if result or lack == NONE else Td(MISSING)
    if result["ok"]:
        return Td(number(result["value"]), ok=True)
    note = f"broken: not {bound_text(result['bound'])}"
    return Td(number(result["value"]), note, ok=False, reason=result["detail"] or "")


def _rungs(rungs: dict[str, Any]) -> Table:
    return table(
        "ladder-rungs",
        "The rungs, bottom first.",
        texts("Rung", "What is compared", "Bound"),
        [[r["title"], r["what"], bound_text(r["bound"], r["unit"] or "")] for r in rungs.values()],
    )


def _details(rungs: dict[str, Any], names: list[str], cells: Cells, weights: str) -> Table:
    lines = {
        entry["title"]: [[title(v), *_detail(cells.get((rung, v)), lack(rung, v))] for v in names]
        for rung, entry in rungs.items()
    }
    heads = [*texts("Network"), *numbers("Measured", "Bound"), *texts("In detail")]
    return table(f"ladder-details-{weights}", "Every measurement.", heads, lines)


def _detail(result: Result | None, lack: str) -> list[Td | str | None]:
    detail = (result["detail"] or "") if result else ""
    if result is not None and result["ok"] is not None:
        measured = Td(number(result["value"], 6), ok=result["ok"])
        return [measured, Td(bound_text(result["bound"])), detail]
    never = result or lack == NONE
    measured = Td("–", NONE) if never else Td(MISSING, "not measured")
    return [measured, None, detail]


def _differences(found: list[dict[str, Any]]) -> Table:
    return table(
        "ladder-differences",
        "Known differences of Keras and PyTorch, and why they are left as they are.",
        texts("What", *NAMES.values(), "Why"),
        [[d[k] for k in ("what", "keras", "torch", "reason")] for d in found],
    )


def _where(content: dict[str, Any]) -> str:
    sizes = ", ".join(f"{name} at {h}×{w}" for name, (h, w) in content["sizes"].items())
    versions = ", ".join(f"{k} {v}" for k, v in content["versions"].items())
    images = "PHANTOM images" if content["images"] == "phantom" else "the real images"
    return (
        f"Measured on {content['device']}, on {images}, {sizes} pixels (height × width), "
        f"{plural(content['batch'], 'image')} a batch, in {content['seconds']:.0f}{THIN}s; "
        f"{versions}."
    )
