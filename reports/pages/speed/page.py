"""The speed page: PyTorch beside Keras, then all times; none of them is ever judged."""

from typing import Any

from protocols.papers.claims import Claim, load_claims
from protocols.papers.papers import load_papers
from protocols.spec import FRAMEWORKS, PROTOCOLS
from reports.cells.cell import Cell, Group
from reports.cells.planned_run import Slot
from reports.cells.times import disturbed
from reports.cells.twin_times import twin_times
from reports.data.numbers import Numbers
from reports.judging.verdicts import phase_seconds
from reports.pages.content import PageRecord, Results
from reports.pages.speed import benchmarks, gpu_check
from reports.pages.speed.latency import Latency, latency_figure, latency_table
from reports.pages.speed.ratios import compared, ratios_table, sentence
from reports.pages.speed.training import training_table
from reports.tables.builder import Line, numbers, table, texts
from reports.tables.cell_text import NOT_ASKED
from reports.tables.formats import MISSING, NAMES, marked, plural, seconds_text, title
from reports.tables.table import Table, Td, label

TIMED = {
    "phase2_seconds": "Phase 2, training and evaluation",
    "cold_seconds": "One image, cold",
}


def claims_table(group: Group, slots: Latency, claims: list[Claim], known: Numbers) -> Table:
    """Return the table of the claims on time, with the measured seconds beside them."""
    lines: list[Line] = []
    for claim in claims:
        address = f"{load_papers()[claim.paper].name}, {claim.where}: {title(claim.variant)}"
        keys = [(f, claim.variant) for f in FRAMEWORKS]
        if claim.metric == "cold_seconds":
            cells = [_cold_cell(slots.get(key), known) for key in keys]
        else:
            cells = [_phase_cell(group.cells.get(key)) for key in keys]
        first = label(TIMED[claim.metric], f"{address}, {claim.column}")
        lines.append([first, Td(claim.printed), *cells])
    return table(
        f"speed-claims-{group.setting.slug}",
        "The times that the papers print, beside runs of as many epochs here. Never judged: "
        "another device. Training under protocol fixed.",
        [*texts("Claim"), *numbers("Printed", *NAMES.values())],
        lines,
        setting=f"{group.setting.sentence}.",
    )


def _cold_cell(slot: Slot | None, known: Numbers) -> Td:
    if slot is None:
        return NOT_ASKED
    if not slot.usable:
        return Td(MISSING, slot.state, href=slot.href)
    found, beside = known[slot.spec.id]["timings"], disturbed(slot.stored.timings, "cold")
    seconds = found["cold"]["median"]
    text = marked(seconds_text(seconds.value), slot.state == "stale", beside)
    return Td(text, href=slot.href, key=seconds.key)


def _phase_cell(cell: Cell | None) -> Td:
    if cell is None:
        return NOT_ASKED
    epochs = plural(cell.slots[0].spec.phases[1]["epochs"], "epoch")
    text = marked(seconds_text(phase_seconds(cell, 2)), cell.stale)
    return Td(text, cell.lack or epochs, href=cell.href)


def sections(results: Results) -> list[dict[str, Any]]:
    """Return the sections by setting, first one with times of both twins, if any; claims stand only
    where a paper's network ran as published: smaller images and fewer epochs take other times."""
    collected, known, found = results.collected, results.numbers, []
    for setting in collected.settings:
        slots, times = collected.latency.get(setting, {}), twin_times(collected, setting)
        groups = [g for p in PROTOCOLS if (g := collected.group(setting, p)).cells]
        suites = set() if setting.objections else collected.suites(setting)
        claims = [c for c in load_claims().values() if c.kind == "timing" and c.paper in suites]
        dashed = "".join(
            f" Dashed: {load_papers()[claim.paper].author}'s {claim.printed}, on another device."
            for claim in claims
            if claim.metric == "cold_seconds"
        )
        fixed = collected.group(setting, "fixed")
        tables = [claims_table(fixed, slots, claims, known)] if claims else []
        tables += [latency_table(setting, slots, known)] if slots else []
        tables += [training_table(g, known) for g in groups]
        found.append(
            {
                "setting": setting,
                "sentence": sentence(times),
                "ratios": ratios_table(setting, times, known) if compared(times) else None,
                "tables": tables,
                "figure": latency_figure(setting, slots, claims) if slots else None,
                "caption": "One image: filled, warm, from an array; open, cold, from the start "
                f"of the process.{dashed}",
            }
        )
    return sorted(found, key=lambda section: section["ratios"] is None)


PAGE = PageRecord(
    "speed.html", "Speed", "Speed",
    lambda results: {
        "sections": sections(results), "measured": benchmarks.read(results.out),
        "gpu_check": gpu_check.read(results.out),
    },
    place=14,
)  # fmt: skip
