"""The tables and the figure of the speed page; times are shown beside the claims, never judged."""

from dataclasses import replace
from typing import Any

from protocols.papers.claims import Claim, load_claims
from protocols.papers.papers import load_papers
from protocols.papers.variants import load_variants
from protocols.spec import FRAMEWORKS, PROTOCOLS
from reports.cells.cell import Cell, Group, differences
from reports.cells.planned_run import Slot
from reports.cells.settings import Setting
from reports.data.numbers import Numbers, Recorded
from reports.figures import kinds
from reports.figures.svg import Drawing
from reports.judging.verdicts import phase_seconds
from reports.pages.content import PageRecord, Results
from reports.pages.speed import benchmarks
from reports.tables.builder import Line, numbers, table, texts
from reports.tables.cell_text import NOT_ASKED, marked_twin, twin_name
from reports.tables.formats import MISSING, NAMES, marked, seconds_text, title
from reports.tables.table import Table, Td, label, words

PARTS = (("single", "One image"), ("batch32", "Batch of 32"), ("jpeg", "From JPEG"))
BATCH = 32
TIMED = {
    "phase2_seconds": "Phase 2, training and evaluation",
    "cold_seconds": "One image, cold",
}

Latency = dict[tuple[str, str], Slot]


def latency_table(setting: Setting, slots: Latency, known: Numbers) -> Table:
    """Return the table of the seconds of an answer, per variant and twin.
    It has the median, and the 5th to 95th percentile."""
    return table(
        f"latency-{setting.slug}",
        "Time to an answer: median, with the 5th to 95th percentile below. One image and batch: "
        "warm, from an array; from JPEG: warm, from a file; cold: from the start of the process "
        f"to the first probabilities. Freshly made networks. {_caption(setting, slots)}",
        [*texts("Network", "Twin"),
         *numbers(*(text for _, text in PARTS), "Images/s, batch of 32", "Cold"),
         *texts("Engine"), *numbers("Threads", "Repeats")],
        [
            [
                title(variant),
                twin_name(framework),
                *_latency_cells(slots[framework, variant], known),
            ]
            for variant in load_variants()
            for framework in FRAMEWORKS
            if (framework, variant) in slots
        ],
        spans=[[0]],
    )  # fmt: skip


def _caption(setting: Setting, slots: Latency) -> str:
    first = next(iter(slots.values())).spec
    size = f"{first.data.get('height', '?')}×{first.data.get('width', '?')} pixels"
    named = setting.title[:1].upper() + setting.title[1:]
    return f"{named}; {size} (height × width).{differences(list(slots.values()))}"


def _latency_cells(slot: Slot, known: Numbers) -> list[Td]:
    if not slot.usable:
        return [Td(MISSING, slot.state)] + [Td(MISSING)] * 4 + [words("–"), Td("–"), Td("–")]
    found, stale = known[slot.spec.id]["timings"], slot.state == "stale"
    times, parts = found.value, [found[p] for p in (*(p for p, _ in PARTS), "cold")]
    cells = [
        Td(marked(seconds_text(one.value["median"]), stale), _range(one.value),
           key=one["median"].key)
        for one in parts
    ]  # fmt: skip
    cells.insert(-1, Td(marked(f"{BATCH / times['batch32']['median']:,.1f}", stale)))
    repeats = "/".join(dict.fromkeys(str(times[p]["repeats"]) for p in ("single", "cold")))
    threads = slot.stored.env.get("threads", slot.spec.threads)
    cells += [_engine(times), Td(str(threads)), Td(repeats)]
    return [replace(td, href=_place(slot)) for td in cells]


def _place(slot: Slot) -> str:
    """Return where a latency run is shown, with its files and the command."""
    return f"environment.html#{slot.spec.id}"


def _engine(times: dict[str, Any]) -> Td:
    """Return the engine of one image, and that of the batch if it is another.
    Old runs have one name for both."""
    one, many = (times[p].get("engine", times.get("engine", "")) for p in ("single", "batch32"))
    return words(str(one), f"batch of {BATCH}: {many}" if many != one else "")


def _range(times: dict[str, float]) -> str:
    if times["repeats"] == 1:
        return "once"
    return f"{seconds_text(times['p5'])} – {seconds_text(times['p95'])}"


def timing_claims(suites: set[str]) -> list[Claim]:
    """Return the claims on time of the papers among `suites`."""
    return [c for c in load_claims().values() if c.kind == "timing" and c.paper in suites]


def latency_figure(setting: Setting, slots: Latency, claims: list[Claim]) -> Drawing | None:
    """Return the figure of warm (filled) and cold (hollow) answers of every network on one scale.
    The claim on it among `claims` is a line; None if no run is usable."""
    names = [v for v in load_variants() if any((f, v) in slots for f in FRAMEWORKS)]
    series = []
    for part, text, hollow in (("single", "warm", False), ("cold", "cold", True)):
        for framework in FRAMEWORKS:
            points = []
            for row, variant in enumerate(names):
                slot = slots.get((framework, variant))
                if slot and slot.usable:
                    t = slot.stored.timings[part]
                    points.append((row, t["median"], t["p5"], t["p95"]))
            label_text = f"{NAMES[framework]}, {text}"
            entry = {"framework": framework, "label": label_text, "points": points}
            series.append(entry | {"hollow": hollow})
    if not any(entry["points"] for entry in series):
        return None
    claim = next((c for c in claims if c.metric == "cold_seconds"), None)
    return kinds.dots(
        f"fig-{setting.slug}",
        "Seconds from one image to an answer, warm and cold, by network and twin",
        [title(v) for v in names],
        series,
        "seconds for one image (logarithmic)",
        log=True,
        whiskers="Whiskers: 5th to 95th percentile.",
        line=(claim.number, f"claimed, {claim.printed}") if claim else None,
    )


def training_table(group: Group, known: Numbers) -> Table:
    """Return the table of the seconds and the images per second of each phase.
    They are means over a whole set of runs."""
    return table(
        f"training-{group.setting.slug}-{group.protocol}",
        f"Time to train, mean over the runs of a set; X where one is missing. {group.caption}",
        [*texts("Network", "Twin", "Phase"),
         *numbers("Epochs", "Training", "Evaluation", "Images/s", "Runs", "Whole run",
                  "Building, calibration, features", "Peak memory")],
        [
            [title(cell.variant), marked_twin(cell), *line]
            for cell in group.in_order
            for line in _training_lines(cell, known)
        ],
        spans=[[0], [1, 8, 9, 10]],
    )  # fmt: skip


def _training_lines(cell: Cell, known: Numbers) -> list[Line]:
    """Return a line for each phase; the cells on the whole run are the same in each line."""
    if cell.lack:
        return [["–", *[Td(MISSING)] * 4, Td(cell.lack), *[Td(MISSING)] * 3]]
    runs, found = [s.stored.timings for s in cell.slots], known[cell.key]["times"]
    lines: list[Line] = []
    for index, phase in enumerate(runs[0]["phases"]):
        mean, frozen = found["phases"][index], "frozen" if phase["frozen"] else "all layers"
        times = [_seconds(mean[name]) for name in ("train_seconds", "eval_seconds")]
        lines.append([f"{phase['phase']} ({frozen})", Td(str(phase["epochs"])), *times,
                      _speed(mean), len(runs), *_whole(found, runs)])  # fmt: skip
    return lines


def _seconds(found: Recorded) -> Td:
    return Td(seconds_text(found.value), key=found.key)


def _speed(mean: Recorded) -> Td:
    speed, train = mean["images_per_second"], mean["train_seconds"].value
    if speed.value is None:
        return Td("–")
    waiting = (mean["waiting_seconds"].value or 0.0) / train if train else 0.0
    return Td(f"{speed.value:,.1f}", f"{waiting:.1%} waiting for images", key=speed.key)


def _whole(found: Recorded, runs: list[dict[str, float]]) -> list[Td]:
    def mean(key: str) -> float:
        return sum(r.get(key) or 0.0 for r in runs) / len(runs)

    parts = [mean(f"{k}_seconds") for k in ("build", "calibration", "features")]
    texts = " + ".join(seconds_text(p) if p else "0" for p in parts)
    return [_seconds(found["total_seconds"]), Td(texts), Td(_memory(runs))]


def _memory(runs: list[dict[str, float]]) -> str:
    """Return the most memory that any of the runs held: the host's, and the device's if there is
    one."""
    parts = []
    for place in ("host", "device"):
        peak, taken = (_most(runs, f"{place}_{what}_bytes") for what in ("peak", "reserved"))
        if peak:
            more = f" ({taken} taken from it)" if taken else ""
            parts.append(f"{place} {peak} GiB{more}")
    return ", ".join(parts) or "–"


def _most(runs: list[dict[str, float]], key: str) -> str:
    """Return the most GiB that any of the runs recorded; "" if none did."""
    most = max(r.get(key) or 0 for r in runs)
    return f"{most / 2**30:.1f}" if most else ""


def claims_table(
    setting: Setting, group: Group | None, slots: Latency, claims: list[Claim], known: Numbers
) -> Table:
    """Return the table of the claims on time, with the measured seconds beside them."""
    lines: list[Line] = []
    for claim in claims:
        address = f"{load_papers()[claim.paper].name}, {claim.where}: {title(claim.variant)}"
        keys = [(f, claim.variant) for f in FRAMEWORKS]
        if claim.metric == "cold_seconds":
            cells = [_cold_cell(slots.get(key), known) for key in keys]
        else:
            cells = [_phase_cell(group.cells.get(key) if group else None) for key in keys]
        first = label(TIMED[claim.metric], f"{address}, {claim.column}")
        lines.append([first, Td(claim.printed), *cells])
    return table(
        f"speed-claims-{setting.slug}",
        "The times that the papers print, beside the runs here. Never judged: another device. "
        f"{setting.title[:1].upper() + setting.title[1:]}; training under protocol fixed.",
        [*texts("Claim"), *numbers("Printed", *NAMES.values())],
        lines,
    )


def _cold_cell(slot: Slot | None, known: Numbers) -> Td:
    if slot is None:
        return NOT_ASKED
    if not slot.usable:
        return Td(MISSING, slot.state, href=_place(slot))
    cell = _seconds(known[slot.spec.id]["timings"]["cold"]["median"])
    return replace(cell, text=marked(cell.text, slot.state == "stale"), href=_place(slot))


def _phase_cell(cell: Cell | None) -> Td:
    if cell is None:
        return NOT_ASKED
    epochs = cell.slots[0].spec.recipe.get("phase2_epochs", "?")
    text = marked(seconds_text(phase_seconds(cell, 2)), cell.stale)
    return Td(text, cell.lack or f"{epochs} epochs", href=cell.href)


def sections(results: Results) -> list[dict[str, Any]]:
    """Return the sections by setting; claims stand only where a paper's network ran by the
    published protocol, since smaller images and fewer epochs take other times."""
    collected, known, found = results.collected, results.numbers, []
    for setting in collected.settings:
        slots = collected.latency.get(setting, {})
        groups = [g for p in PROTOCOLS if (g := collected.group(setting, p))]
        claims = [] if setting.objections else timing_claims(collected.suites(setting))
        dashed = "".join(
            f" Dashed: {load_papers()[claim.paper].author}'s {claim.printed}, on another device."
            for claim in claims
            if claim.metric == "cold_seconds"
        )
        tables = []
        if claims:
            group = collected.group(setting, "fixed")
            tables.append(claims_table(setting, group, slots, claims, known))
        tables += [latency_table(setting, slots, known)] if slots else []
        tables += [training_table(g, known) for g in groups]
        found.append(
            {
                "planned": setting.planned,
                "setting": setting.title,
                "tables": tables,
                "figure": latency_figure(setting, slots, claims) if slots else None,
                "caption": "One image: filled, warm, from an array; open, cold, from the start "
                f"of the process.{dashed}",
            }
        )
    return found


PAGE = PageRecord(
    "speed.html", "Speed", "Speed",
    lambda results: {
        "sections": sections(results), "measured": benchmarks.read(results.out),
    },
    place=14,
)  # fmt: skip
