"""The tables of the environment page: what the runs ran on, and what made them."""

import json
from collections import Counter, defaultdict

from protocols.papers.backbones import load_backbones
from protocols.papers.variants import load_variants
from protocols.spec import FRAMEWORKS
from protocols.weights.table import load_pretrained
from reports.cells.collect import Collected
from reports.cells.commands import command
from reports.cells.environment import (
    FACTS,
    INSTRUCTIONS,
    NONE,
    SHORT,
    Fact,
    as_text,
    packages,
    short,
    short_instructions,
)
from reports.cells.planned_run import Slot
from reports.cells.settings import WEIGHTS, scrub
from reports.pages.content import PageRecord
from reports.pages.ran import TITLES
from reports.tables.builder import Line, numbers, table, texts
from reports.tables.cell_text import file_link, finished
from reports.tables.formats import NAMES, STALE, image_size, plural, title
from reports.tables.table import Table, label, words

FAMILY_NOTE = "CPU instructions: every name stands in the env.json of a run."
# what env.json says that differs by network or by node
NOT_OF_ALL = ("layouts", "ran_on", "recurrent", "weights")


def environments(collected: Collected) -> list[Table]:
    """Return a table for each twin: every distinct environment, and how many runs it served."""
    tables = []
    for framework in FRAMEWORKS:
        found: dict[str, list[Slot]] = defaultdict(list)
        for slot in collected.slots:
            if slot.usable and slot.spec.framework == framework:
                env = {k: v for k, v in slot.stored.env.items() if k not in NOT_OF_ALL}
                found[json.dumps(env, sort_keys=True)].append(slot)
        if not found:
            continue
        runs = [found[text][0] for text in sorted(found)]  # one run of each environment
        lines = [
            [fact.name[0].upper() + fact.name[1:]] + [_written(fact, slot) for slot in runs]
            for fact in FACTS
            if fact.of_environment
        ]
        installed = [packages(slot.stored.env) for slot in runs]
        names = sorted({name for one in installed for name in one})
        versions = [[name, *(one.get(name, NONE) for one in installed)] for name in names]
        made = table(
            f"env-{framework}",
            f"{NAMES[framework]}: where its runs ran, one column an environment.",
            texts("", *(plural(len(found[t]), "run") for t in sorted(found))),
            {"": lines, "Packages": versions},
            [FAMILY_NOTE] if any("kinds)" in text for line in lines for text in line) else [],
        )
        tables.append(made)
    return tables


def _written(fact: Fact, slot: Slot) -> str:
    text = as_text(fact.read(slot.spec, slot.stored.env))
    return short_instructions(text) if fact.name == INSTRUCTIONS else text


def computed_by(collected: Collected) -> list[Table]:
    """Return the table of what computed the layers of each network, where runs recorded it: none
    where no run did."""
    found: Counter[tuple[str, str, str, str]] = Counter()
    for slot in collected.slots:
        if slot.usable and slot.stored.env.keys() & {"layouts", "recurrent"}:
            env, name = slot.stored.env, slot.spec.variant
            layouts = [
                f"{_called(cnn) if cnn in load_backbones() else scrub(cnn)}: {scrub(layout)}"
                for cnn, layout in sorted(env.get("layouts", {}).items())
            ]
            recurrent = as_text(env.get("recurrent"))
            laid = ", ".join(layouts).replace("_", " ") or NONE
            found[title(name), NAMES[slot.spec.framework], recurrent, laid] += 1
    if not found:
        return []
    lines: list[Line] = [[*words, count] for words, count in sorted(found.items())]
    made = table(
        "computed-by",
        "What computed the layers of a network, for the runs that recorded it. Recurrent layers: "
        "cudnn; scan, a loop over the steps; aten, PyTorch's own; none, there are no such layers. "
        "Memory layout: whether the channels of a CNN's maps lie last or first in memory, of runs "
        "that train in PyTorch.",
        [*texts("Network", "Framework", "Recurrent layers", "Memory layout"), *numbers("Runs")],
        lines,
    )
    return [made]


def sources(collected: Collected) -> Table:
    """Return the table of each results version and commit of this suite, with the number of its
    runs."""
    found: dict[tuple[int, str], list[Slot]] = defaultdict(list)
    for slot in collected.slots:
        if slot.usable:
            found[slot.stored.version, slot.stored.record["commit"]].append(slot)
    lines: list[Line] = []
    for (version, commit), slots in sorted(found.items()):
        stale = any(slot.state == "stale" for slot in slots)
        carried = {slot.stored.record.get("carried", "") for slot in slots} - {""}
        state = words(f"stale {STALE}" if stale else "as today's", " ".join(sorted(carried)))
        lines.append([f"{version}", commit[:SHORT] or "not recorded", state, len(slots)])
    return table(
        "sources",
        "The state of this suite that made the finished runs. The results version is raised "
        "whenever a change moves what a run computes; the commit is information only.",
        [*texts("Results version", "Commit", "State"), *numbers("Runs")],
        lines,
    )


def data_sets(collected: Collected) -> Table:
    """Return the table of every decoded set of images, every source of weights, and every file from
    which weights were loaded, by digest."""
    kinds: dict[tuple[str, str, str], int] = defaultdict(int)
    for slot in collected.slots:
        s = slot.spec
        name = f"{s.data['kind']} images, {image_size(s.data)}, protocol {s.protocol}"
        kinds["Images", name, short(str(s.data.get("digest")))] += 1
        source = scrub(str(s.weights["source"]))
        weights = f"{WEIGHTS.get(source, source)}, {NAMES[s.framework]}, {title(s.variant)}"
        if s.weights.get("digest"):
            kinds["Weights", weights, short(str(s.weights["digest"]))] += 1
        for name, file in _files(slot).items():
            said = f"{_called(name)}, {scrub(file['file'])}"
            kinds["Files of weights, where a run recorded them", said, short(file["hash"])] += 1
    lines: dict[str, list[Line]] = defaultdict(list)
    for (kind, name, digest), count in sorted(kinds.items()):
        lines[kind].append([name, digest, count])
    return table(
        "data",
        "Images and weights, by the first digits of their digests (SHA-256 where no other kind "
        "is named, for “contents” of all names, shapes and numbers; one a backbone, joined by +), "
        "and the runs that name them.",
        [*texts("What", "Digest"), *numbers("Runs")],
        lines,
        not_compared(collected),
    )


def _files(slot: Slot) -> dict[str, dict[str, str]]:
    """Return the file of each backbone that a run loaded, as its env.json has them."""
    found = slot.stored.env.get("weights", {}) if slot.usable else {}
    return {name: file for name, file in found.items() if name in load_backbones()}


def _called(backbone: str) -> str:
    known = load_backbones()[backbone]
    return known.keras or known.timm


def not_compared(collected: Collected) -> list[str]:
    """Return a sentence for each backbone of the runs whose contents are known from a package
    alone: as long as the official file was not compared with it, and no run used that file."""
    named = {
        digest
        for slot in collected.slots
        for digest in str(slot.spec.weights.get("digest")).split("+")
    }
    used = {(name, file["hash"]) for slot in collected.slots for name, file in _files(slot).items()}
    sentences = []
    for name, known in load_pretrained().items():
        official = known.official
        if known.digest in named and known.learned and (name, official.hash) not in used:
            sentences.append(
                f"{_called(name)}: the digest of the contents was learned from {known.learned}, "
                f"and the official file, {official.name}, has not been compared with it yet. The "
                "first run that reads the official file compares the two, and ends if they differ."
            )
    return sentences


def run_list(collected: Collected) -> Table:
    """Return the table of every run that was asked for or found.
    It has the run's id, its state, when it finished, and where it is shown or, for a latency run,
    the command that makes it again; then its specification, times and log."""
    lines: dict[str, list[Line]] = {title: [] for title in TITLES.values()}
    for slot in collected.slots:
        shown = collected.blocks.get(slot.spec.id, "")
        lines[TITLES[slot.planned]].append([
            label(slot.spec.id, _again(slot), anchor=slot.spec.id),
            words(slot.state, scrub(slot.reason)),
            finished(slot),
            words("curves, files" if shown else "–", href=shown),
            *(file_link(slot, name) for name in ("spec.json", "timings.json", "log.txt")),
        ])  # fmt: skip
    lines["Folders without a run that can be read"] = [
        [name, words("damaged", scrub(why)), *["–"] * 5]
        for name, why in collected.unreadable.items()
    ]
    heads = ("Run", "State", "Finished (UTC)", "Shown", "Specification", "Times", "Log")
    return table(
        "runs",
        "Every run: its id is a readable prefix and a digest of everything that decides it.",
        texts(*heads),
        lines,
    )


def _again(slot: Slot) -> str:
    """Return the command that makes a latency run again: no other page has this command."""
    known = slot.spec.stage == "latency" and slot.spec.variant in load_variants()
    return command([slot.spec]) if known else ""


def page(collected: Collected) -> dict[str, object]:
    """Return the content of the page."""
    tables = [*environments(collected), *computed_by(collected)]
    tables += [sources(collected), data_sets(collected)]
    done = Counter(slot.spec.device for slot in collected.slots if slot.usable)
    counted = " and ".join(f"{plural(n, 'run')} on {device}" for device, n in sorted(done.items()))
    return {
        "lead": f"Finished: {counted or 'no run'}. Here is what they ran on, which version of this "
        "suite made them, and every run's id.",
        "tables": tables,
        "runs": run_list(collected),
    }


PAGE = PageRecord(
    "environment.html", "Environment", "Environment", lambda results: page(results.collected),
    place=16, group="Runs",
)  # fmt: skip
