"""The tables of the environment page: what the runs ran on, and what made them."""

import json
from collections import defaultdict

from protocols.papers.variants import load_variants
from protocols.spec import FRAMEWORKS
from reports.cells.collect import Collected
from reports.cells.commands import command
from reports.cells.environment import FACTS, NONE, SHORT, as_text, packages, short
from reports.cells.planned_run import Slot
from reports.cells.settings import WEIGHTS, scrub
from reports.pages.content import PageRecord
from reports.tables.table import (
    NAMES,
    STALE,
    STALE_NOTE,
    Table,
    Td,
    head,
    label,
    plural,
    words,
)


def environments(collected: Collected) -> list[Table]:
    """A table for each twin: every distinct environment, and how many runs it served."""
    tables = []
    for framework in FRAMEWORKS:
        found: dict[str, list[Slot]] = defaultdict(list)
        for slot in collected.slots:
            if slot.usable and slot.spec.framework == framework:
                found[json.dumps(slot.stored.env, sort_keys=True)].append(slot)
        if not found:
            continue
        runs = [found[text][0] for text in sorted(found)]  # one of each environment
        heads = [head(plural(len(found[t]), "run"), kind="headtext") for t in sorted(found)]
        rows = [
            [label(fact.name[0].upper() + fact.name[1:])]
            + [words(as_text(fact.read(slot.spec, slot.stored.env))) for slot in runs]
            for fact in FACTS
            if fact.of_environment
        ]
        installed = [packages(slot.stored.env) for slot in runs]
        versions = [
            [label(name), *(words(one.get(name, NONE)) for one in installed)]
            for name in sorted({name for one in installed for name in one})
        ]
        tables.append(
            Table(
                f"env-{framework}",
                f"{NAMES[framework]}: where its runs ran, one column an environment.",
                [[head("", kind="headtext"), *heads]],
                [("", rows), ("Packages", versions)],
            )
        )
    return tables


def sources(collected: Collected) -> Table:
    """Each results version and commit of this suite that made runs, and how many runs it made."""
    found: dict[tuple[int, str], list[Slot]] = defaultdict(list)
    for slot in collected.slots:
        if slot.usable:
            found[slot.stored.version, slot.stored.record["commit"]].append(slot)
    rows = []
    for (version, commit), slots in sorted(found.items()):
        stale = any(slot.state == "stale" for slot in slots)
        carried = {slot.stored.record.get("carried", "") for slot in slots} - {""}
        state = f"stale {STALE}" if stale else "as today's"
        rows.append(
            [
                label(f"{version}"),
                words(commit[:SHORT] or "not recorded"),
                words(state, " ".join(sorted(carried))),
                Td(str(len(slots))),
            ]
        )
    heads = [head(text, kind="headtext") for text in ("Results version", "Commit", "State")]
    return Table(
        "sources",
        "The state of this suite that made the finished runs. The results version is raised "
        "whenever a change moves what a run computes; the commit is information only.",
        [[*heads, head("Runs")]],
        [("", rows)],
        [STALE_NOTE] if any(s.state == "stale" for s in collected.slots) else [],
    )


def data_sets(collected: Collected) -> Table:
    """Every decoded set and every source of weights, by digest."""
    kinds: dict[tuple[str, str, str], int] = defaultdict(int)
    for slot in collected.slots:
        s = slot.spec
        size = f"{s.data.get('height', '?')}×{s.data.get('width', '?')}"
        name = f"{s.data['kind']} images, {size}, protocol {s.protocol}"
        kinds["Images", name, short(str(s.data.get("digest")))] += 1
        source = scrub(str(s.weights["source"]))
        weights = f"{WEIGHTS.get(source, source)}, {NAMES[s.framework]} {s.variant}"
        if s.weights.get("digest"):
            kinds["Weights", weights, short(str(s.weights["digest"]))] += 1
    bodies: dict[str, list[list[Td]]] = defaultdict(list)
    for (kind, name, digest), count in sorted(kinds.items()):
        bodies[kind].append([label(name), words(digest), Td(str(count))])
    return Table(
        "data",
        "Images and weights, by the first digits of their digests (SHA-256 where no other kind "
        "is named; one a backbone, joined by +), and the runs that name them.",
        [[head("What", kind="headtext"), head("Digest", kind="headtext"), head("Runs")]],
        list(bodies.items()),
    )


def run_list(collected: Collected) -> Table:
    """Every run asked for or found: id, state, when it finished, and where it is shown or, of a
    latency run, the command that makes it again; its specification, times and log."""
    bodies: dict[str, list[list[Td]]] = {"The current request": [], "Beside it": []}
    for slot in collected.slots:
        finished = slot.stored.record["finished"] if slot.usable else "–"
        row = [
            label(slot.spec.id, _again(slot), anchor=slot.spec.id),
            words(slot.state, scrub(slot.reason)),
            words(finished),
        ]
        shown = collected.blocks.get(slot.spec.id, "")
        row.append(words("curves, files" if shown else "–", href=shown))
        row += [_file(slot, name) for name in ("spec.json", "timings.json", "log.txt")]
        bodies["The current request" if slot.planned else "Beside it"].append(row)
    bodies["Folders without a run that can be read"] = [
        [label(name), words("damaged", scrub(why)), *[words("–")] * 5]
        for name, why in collected.unreadable.items()
    ]
    heads = ("Run", "State", "Finished (UTC)", "Shown", "Specification", "Times", "Log")
    return Table(
        "runs",
        "Every run: its id is a readable prefix and a digest of everything that decides it.",
        [[head(t, kind="headtext") for t in heads]],
        [(name, rows) for name, rows in bodies.items() if rows],
    )


def _again(slot: Slot) -> str:
    """The command that makes a latency run again: no other page has it."""
    known = slot.spec.stage == "latency" and slot.spec.variant in load_variants()
    return command([slot.spec]) if known else ""


def _file(slot: Slot, name: str) -> Td:
    there = slot.run is not None and (slot.run.folder / name).is_file()
    text = name.partition(".")[0] if there else "–"
    return words(text, href=f"runs/{slot.stored.folder.name}/{name}" if there else "")


def page(collected: Collected) -> dict[str, object]:
    """What the page shows."""
    tables = [*environments(collected), sources(collected), data_sets(collected)]
    return {
        "lead": "What the runs ran on, by which version of this suite, and every run's id.",
        "tables": [*tables, run_list(collected)],
    }


PAGE = PageRecord(
    "environment.html", "Environment", "Environment", lambda results: page(results.collected),
    place=15, template="tables.html.j2",
)  # fmt: skip
