"""Makes the tables of compare.html: A, B, and B less A, for all but the times."""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

from protocols.metrics import metric_of
from protocols.papers.variants import load_variants
from protocols.spec import RunSpec
from reports.cells.commands import command
from reports.cells.environment import NONE
from reports.cells.planned_run import Slot
from reports.cells.settings import WEIGHTS, extra_of, scrub
from reports.comparison.join import Joined
from reports.comparison.judge import MEASURES, MORE, Change, Row
from reports.comparison.run_pairs import RunPair, apart_text
from reports.comparison.surroundings import KINDS, Field, surroundings
from reports.judging.uncertainty import interval_text, preferred_interval
from reports.tables.builder import Line, numbers, over, table, texts
from reports.tables.cell_text import twin_name
from reports.tables.formats import (
    FIRM,
    MISSING,
    NAMES,
    gap_text,
    number_text,
    plain_text,
    plural,
    points,
    title,
)
from reports.tables.table import Table, Td, label, words

NETWORK = texts("Network", "Framework")  # the headings of first_cells
RUNS = ("Run of A, and again", "Run of B, and again")


def shared(spec: RunSpec) -> str:
    """Says in words what both sides of a comparison share."""
    weights = scrub(str(spec.weights["source"]))
    parts = [f"Protocol {spec.protocol}", f"profile {spec.profile}", f"{spec.data['kind']} images",
             f"{WEIGHTS.get(weights, weights)} weights"]  # fmt: skip
    extra = extra_of(spec) if spec.variant in load_variants() else ""
    return ", ".join(parts + ([extra] if extra else []))


def sides_table(joined: Joined) -> Table:
    """Makes the table of the two folders: what each has, from when, and on which devices."""
    lines: list[Line] = []
    for side in (joined.a, joined.b):
        done = [s for s in side.slots if s.usable]
        times = sorted(s.stored.record["finished"] for s in done)
        states = [s.state for s in side.slots]
        others = [
            f"{states.count(w)} {w}" for w in ("failed", "diverged", "missing") if w in states
        ]
        others += [f"{len(side.unreadable)} unreadable"] if side.unreadable else []
        lines.append([f"{side.letter}: {side.name}", Td(str(len(done))), ", ".join(others) or "–",
                      *(t[:19].replace("T", " ") for t in (times[0], times[-1])),
                      "; ".join(devices(side.slots))])  # fmt: skip
    more = texts("Failed, diverged, missing", "First finished (UTC)", "Last", "Devices")
    heads = [*texts("Folder"), *numbers("Runs done"), *more]
    return table("sides", "The two folders.", heads, lines)


def devices(slots: list[Slot]) -> list[str]:
    """Lists the devices of finished runs, in detail."""
    names = ("device", "device, in detail", "CPU threads")
    found = (tuple(surroundings(s)["place", n] for n in names) for s in slots if s.usable)
    return [
        f"{d if detail in (d, NONE) else f'{d} ({detail})'}, {_threads(threads)}"
        for d, detail, threads in sorted({*found})
    ]


def _threads(count: str) -> str:
    return plural(int(count), "thread") if count.isdigit() else f"{count}{FIRM}threads"


def differs_table(framework: str, fields: list[Field], bits: str) -> Table:
    """Makes the table of all that isn't the same around a framework's pairs; a note names what is
    the same, and what isn't recorded. `bits` says how the probabilities differ, or is "": where
    they do, it is never nothing that differs, but nothing that is recorded."""
    lines: dict[str, list[Line]] = defaultdict(list)
    for one in (one for one in fields if one.differ):
        count = Td(f"{one.differ} of {one.pairs}")
        lines[KINDS[one.kind]].append([one.what, _values(one.a), _values(one.b), count])
    same = [one.what for one in fields if one.known and not one.differ]
    unknown = [one.what for one in fields if not one.known]
    if not lines:
        nothing = "nothing that is recorded" if unknown or bits else "nothing"
        lines[""].append([nothing, "–", "–", Td(f"0 of {fields[0].pairs}")])
    notes = ("The same on both sides", same), ("Not recorded on either side", unknown)
    return table(
        f"differs-{framework}",
        f"{NAMES[framework]}: what differs around the runs that both sides have.",
        [*texts("", "A", "B"), *numbers("Pairs of runs")],
        lines,
        [f"Probabilities: {bits}."] * bool(bits)
        + [f"{text}: {', '.join(names)}." for text, names in notes if names],
    )


def _values(found: dict[str, int]) -> str:
    if len(found) == 1:
        return next(iter(found))
    return ", ".join(f"{v} ({plural(n, 'run')})" for v, n in sorted(found.items()))


def first_cells(spec: RunSpec, anchor: str = "") -> list[Td]:
    """Returns the cells that begin a row: the network and the twin."""
    return [label(title(spec.variant), anchor=anchor), twin_name(spec.framework)]


def half_text(metric: str, change: Change) -> str:
    """Writes the half-width of the interval around no change; "" if there is none."""
    if change.half is None:
        return ""
    text = plain_text(metric, change.half)
    return f"{'beyond ' if change.word == MORE else ''}±{FIRM}{text}"


def changes_table(rows: list[Row]) -> Table:
    """Makes the table of the measures of each network on both sides, with the network's word."""
    lines: dict[str, list[Line]] = defaultdict(list)
    for row in rows:
        spec, accuracy = row.cells.spec, row.changes["accuracy"]
        seeds = f"{len(accuracy.a.by_seed)}, {len(accuracy.b.by_seed)}"
        lines[shared(spec)].append(
            [*first_cells(spec), *(td for m in MEASURES for td in _change_cells(row, m)),
             Td(seeds, href=f"#{row.cells.key}"), words(row.word, row.reason)]
        )  # fmt: skip
    judged = sum(c.p is not None for row in rows for c in row.changes.values())
    return table(
        "changes",
        "A, B, and B − A (points; losses: nats) at the selected epoch, mean over seeds; below the "
        "difference the half-width of the 95% interval around no change.",
        [*NETWORK, *(over(metric_of(m).heading, numbers("A", "B", "B − A")) for m in MEASURES),
         *numbers("Seeds, A and B"), *texts("Result")],
        lines,
        [f"Judged differences: {judged}, adjusted together (Holm)."],
        tight=True,
    )  # fmt: skip


def _change_cells(row: Row, metric: str) -> list[Td]:
    """Returns the cells of A, B and B − A, linked to the pairs of runs."""
    change, key = row.changes[metric], f"{row.cells.key}:changes.{metric}"
    more: dict[str, Any] = {"href": f"#{row.cells.key}", "scale": metric_of(metric).scale}
    found = [
        Td(number_text(metric, n.value), n.lack if n.value is None else "", key=f"{key}.{side}",
           **more)
        for side, n in (("a", change.a), ("b", change.b))
    ]  # fmt: skip
    gap, half = gap_text(metric, change.gap), half_text(metric, change)
    near = f"{key}.half_width" if half else ""
    return [*found, Td(gap, half, key=f"{key}.difference", near=near, **more)]


def images_table(rows: list[Row]) -> Table:
    """Makes the table of how far both sides agree image by image, and of what the difference is on
    new photographs."""
    lines: dict[str, list[Line]] = defaultdict(list)
    for row in rows:
        spec, pairs = row.cells.spec, row.cells.common
        same = Td(f"{sum(p.identical for p in pairs)} of {len(pairs)}")
        link = f"#{row.cells.key}" if pairs else ""
        cells = [replace(td, href=link) for td in (same, *_images(row, pairs))]
        lines[shared(spec)].append([*first_cells(spec), *cells])
    return table(
        "images",
        "Image by image, over the seeds that both sides have whole. Same class: test images to "
        "which both give one class. B − A with the 95% interval that resamples photographs, the "
        "same for both sides: of these trained networks on new cells, which says nothing of "
        "another training.",
        [*NETWORK, *numbers("Runs with the same bits", "Images", "Same class", *(
            f"{metric_of(m).heading.partition(',')[0]}, B − A" for m in MEASURES))],
        lines,
    )  # fmt: skip


def _images(row: Row, pairs: list[RunPair]) -> list[Td]:
    n = sum(p.n for p in pairs)
    if not row.differences:
        why = "not the same test images" if pairs else "no seed is whole on both sides"
        return [Td(f"{n:,}"), Td(MISSING, why), *[Td(MISSING)] * len(MEASURES)]
    agree = sum(p.agree * p.n for p in pairs if p.agree is not None) / n
    cells = [Td(f"{n:,}"), Td(number_text("accuracy", agree))]
    for metric in MEASURES:
        one = row.differences[metric].estimate
        text = interval_text(metric, preferred_interval(one)[0]) or "–"
        key = f"{row.cells.key}:images.{metric}"
        cells.append(Td(gap_text(metric, one.value), text, key=f"{key}.value", near=key,
                        scale=metric_of(metric).scale))  # fmt: skip
    return cells


def runs_table(joined: Joined, out: Path) -> Table:
    """Makes the table of pairs of runs: the accuracy on both sides, how far both agree, whether the
    bits are the same, and links to the runs, as seen from `out`."""
    places = [side.beside(out) for side in (joined.a, joined.b)]
    heads = [*texts("Run"), *numbers("Accuracy, A", "B", "B − A, points", "Same class"),
             *texts("Same bits", *RUNS)]  # fmt: skip
    made = table("pairs", "Every run that both sides have finished.", heads, {})
    for both in joined.training:  # a title stands twice where a network ran in two ways
        spec = both.spec
        heading = f"{title(spec.variant)}, {NAMES[spec.framework]}. {shared(spec)}"
        lines = [_run(pair, places, "" if i else both.key) for i, pair in enumerate(both.pairs)]
        made.bodies += table("", "", [], {heading: lines}).bodies
    return made


def _run(pair: RunPair, places: list[str], anchor: str) -> Line:
    spec, key = pair.a.spec, pair.key
    text = f"Seed {spec.seed}" + ("" if spec.fold is None else f", fold {spec.fold}")
    scores = [s.scored.scores["selected"]["accuracy"] for s in (pair.a, pair.b)]
    why = "" if pair.order is not None else "not the same test images"
    return [
        label(text, anchor=anchor),
        *(Td(number_text("accuracy", v), key=f"{key}:accuracy.{i}", scale=100)
          for i, v in enumerate(scores)),
        Td(points(scores[1] - scores[0])),
        Td(number_text("accuracy", pair.agree), why, key=f"{key}:agree", scale=100),
        words(*(("yes",) if pair.identical else ("no", apart_text([pair])))),
        *run_cells(pair, places),
    ]  # fmt: skip


def run_cells(pair: RunPair, places: list[str]) -> list[Td]:
    """Returns the cells of both runs, with the commands that make them again; they are linked to
    the runs' digests if these lie near the page."""
    cells = []
    for slot, place in zip((pair.a, pair.b), places, strict=True):
        known = slot.spec.variant in load_variants()
        href = f"{place}/{slot.stored.folder.name}/run.json" if place else ""
        cells.append(words(slot.spec.id, command([slot.spec]) if known else "", href=href))
    return cells


def lone_table(joined: Joined) -> Table:
    """Makes the table of the runs that aren't compared, with the reasons."""
    lines: dict[str, list[Line]] = {
        f"In {side.letter}": [
            *([one.slot.spec.id, one.slot.state, one.why]
              for one in joined.lone if one.letter == side.letter),
            *([name, "unreadable", scrub(why)] for name, why in side.unreadable.items()),
        ]
        for side in (joined.a, joined.b)
    }  # fmt: skip
    return table("lone", "Runs that are not in a pair.", texts("Run", "State", "Why"), lines)
