"""The speed page's times to an answer: a table with the twins side by side, and a figure."""

from collections.abc import Callable
from typing import Any

from protocols.papers.claims import Claim
from protocols.papers.variants import load_variants
from protocols.spec import FRAMEWORKS
from reports.cells.cell import differences
from reports.cells.planned_run import Slot
from reports.cells.settings import Setting
from reports.cells.times import disturbed
from reports.data.numbers import Numbers
from reports.figures import kinds
from reports.figures.drawing import Drawing
from reports.tables.builder import Line, table, texts, twins
from reports.tables.cell_text import NOT_ASKED
from reports.tables.formats import (
    MISSING,
    NAMES,
    image_size,
    in_unit_of,
    marked,
    plural,
    seconds_text,
    title,
)
from reports.tables.table import Table, Td

PARTS = {
    "single": "One image, from an array",
    "jpeg": "One image, from a JPEG file",
    "batch32": "32 images, from an array",
    "cold": "Cold start",
    "cold_cached": "Cold start, compiled programs kept",
}
BATCH = 32

Latency = dict[tuple[str, str], Slot]
Sides = list[Slot | None]  # a network's runs, Keras's first


def latency_table(setting: Setting, slots: Latency, known: Numbers) -> Table:
    """Return the table of the seconds of an answer, a row for each kind of answer of a network."""
    lines = {
        title(name): _lines([slots.get((f, name)) for f in FRAMEWORKS], known)
        for name in _networks(slots)
    }
    first = next(iter(slots.values())).spec
    calls = plural(first.recipe.get("latency_repeats", "?"), "call")
    starts = plural(first.recipe.get("cold_repeats", "?"), "cold start")
    return table(
        f"latency-{setting.slug}",
        "Time to an answer of freshly made networks: the median, and below it the 5th to 95th "
        f"percentile, of {calls} or {starts}; {image_size(first.data)}, "
        f"{plural(first.threads, 'CPU thread')}.{differences(list(slots.values()))}",
        [*texts("What"), *twins()],
        lines,
        tight=True,
        setting=f"{setting.sentence}.",
    )


def _networks(slots: Latency) -> list[str]:
    """Return the networks that were timed, in the papers' order."""
    return [v for v in load_variants() if any((f, v) in slots for f in FRAMEWORKS)]


def _lines(sides: Sides, known: Numbers) -> list[Line]:
    there = [side.stored.timings for side in sides if side and side.usable]
    lines: list[Line] = []
    for what, text in PARTS.items():
        longest = max((t[what]["median"] for t in there if what in t), default=None)
        if longest is not None or (not there and what == "single"):
            lines.append([text, *(_cell(side, what, longest, known) for side in sides)])
    if there:
        lines.append(["Images a second, 32 at once", *_each(sides, _throughput)])
        lines.append(["Computed by", *_each(sides, lambda slot: engine(slot.stored.timings))])
    if any(t.get("load", {}).get("during") is not None for t in there):
        lines.append(["Cores that other programs kept busy", *_each(sides, _load)])
    if any(side.stored.node for side in sides if side and side.usable):
        nodes = _each(sides, lambda slot: Td(slot.stored.node or "–"))
        lines.append(["Measured alone on the node", *nodes])
    return lines


def _each(sides: Sides, make: Callable[[Slot], Td]) -> list[Td]:
    """Return what `make` makes of each run; a dash where there is no run, or one without times."""
    return [make(slot) if slot and slot.usable else Td("–") for slot in sides]


def _cell(slot: Slot | None, what: str, longest: float | None, known: Numbers) -> Td:
    if slot is None:
        return NOT_ASKED
    if not slot.usable or longest is None:
        return Td(MISSING, slot.state, href=slot.href)
    found, times = known[slot.spec.id]["timings"], slot.stored.timings
    if what not in times:
        return Td("–", "has none")
    one, stale = times[what], slot.state == "stale"
    ends = " – ".join(in_unit_of(longest, one[end]) for end in ("p5", "p95"))
    return Td(
        marked(seconds_text(one["median"], longest), stale, disturbed(times, what)),
        "once" if one["repeats"] == 1 else ends, href=slot.href, key=found[what]["median"].key,
    )  # fmt: skip


def _throughput(slot: Slot) -> Td:
    times = slot.stored.timings
    text = f"{BATCH / times['batch32']['median']:,.0f}"
    return Td(marked(text, slot.state == "stale", disturbed(times, "batch32")), href=slot.href)


def engine(times: dict[str, Any]) -> Td:
    """Return the engine of one image, and that of the batch if it is another.
    Old runs have one name for both."""
    one, many = (times[p].get("engine", times.get("engine", "")) for p in ("single", "batch32"))
    return Td(str(one), f"batch of {BATCH}: {many}" if many != one else "", kind="word")


def _load(slot: Slot) -> Td:
    found = slot.stored.timings.get("load", {})
    during, before = found.get("during"), found.get("before")
    if during is None:
        return Td("–")
    return Td(f"{during:.2f}", "" if before is None else f"before: {before:.2f}", href=slot.href)


def latency_figure(setting: Setting, slots: Latency, claims: list[Claim]) -> Drawing | None:
    """Return the figure of warm (filled) and cold (hollow) answers of every network on one scale.
    The claim on it among `claims` is a line; None if no run is usable."""
    names, series = _networks(slots), []
    for part, text, hollow in (("single", "warm", False), ("cold", "cold", True)):
        for framework in FRAMEWORKS:
            points = []
            for row, variant in enumerate(names):
                slot = slots.get((framework, variant))
                if slot and slot.usable:
                    t = slot.stored.timings[part]
                    points.append((row, t["median"], t["p5"], t["p95"]))
            series.append({"framework": framework, "label": f"{NAMES[framework]}, {text}",
                           "points": points, "hollow": hollow})  # fmt: skip
    if not any(entry["points"] for entry in series):
        return None
    claim = next((c for c in claims if c.metric == "cold_seconds"), None)
    return kinds.dots(
        f"fig-{setting.slug}",
        "Seconds from one image to an answer, warm and cold, by network and framework",
        [title(v) for v in names],
        series,
        "seconds for one image (logarithmic)",
        log=True,
        whiskers="Whiskers: 5th to 95th percentile.",
        line=(claim.number, f"claimed, {claim.printed}") if claim else None,
    )
