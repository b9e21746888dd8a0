"""The speed page's times of training: a table with the twins side by side."""

from protocols.spec import FRAMEWORKS
from reports.cells.cell import Cell, Group
from reports.cells.times import at_once, at_once_words
from reports.cells.twin_times import TwinTimes
from reports.data.numbers import Numbers, Recorded
from reports.tables.builder import Line, numbers, table, texts
from reports.tables.formats import MISSING, NAMES, in_unit_of, marked, plural, seconds_text, title
from reports.tables.table import Table, Td, label, words

FROZEN = {True: "CNN frozen", False: "all layers"}
Sides = list[Cell | None]  # a network's runs, Keras's first


def training_table(group: Group, times: list[TwinTimes], known: Numbers) -> Table:
    """Return the table of the seconds of each phase and of whole runs, a row for each of them."""
    lines = [
        [_network(cells), *line]
        for variant in group.variants
        for cells in [[group.cells.get((f, variant)) for f in FRAMEWORKS]]
        for line in _lines(cells, [one for one in times if one.variant == variant], known)
    ]
    counted = at_once_words(at_once(group.slots))
    return table(
        f"training-{group.setting.slug}-{group.protocol}",
        "Time to train: of an epoch the median, with the 5th to 95th percentile of all epochs of "
        f"all runs; otherwise the mean over the runs. {group.caption} "
        f"Runs computed at a time: {counted or 'none'}.",
        [*texts("Network", "What"), *numbers(*NAMES.values())],
        lines,
        spans=[[0]],
    )  # fmt: skip


def _network(cells: Sides) -> Td:
    there = [cell for cell in cells if cell]
    runs = [f"{NAMES[cell.framework]} {plural(len(cell.slots), 'run')}" for cell in there]
    return label(title(there[0].variant), ", ".join(runs))


def _lines(cells: Sides, times: list[TwinTimes], known: Numbers) -> list[Line]:
    """Return the rows of one network; only one where no twin is whole."""
    whole = [cell for cell in cells if cell and not cell.lack]
    if not whole:
        return [[words("Whole run"), *(_lacking(cell) for cell in cells)]]
    lines: list[Line] = []
    for index, phase in enumerate(whole[0].slots[0].stored.timings["phases"]):
        name = f"Phase {phase['phase']} ({FROZEN[phase['frozen']]})"
        what = "epoch_frozen" if phase["frozen"] else "epoch_all"
        steps = ("times", "phases", index)
        length = plural(phase["epochs"], "epoch")
        train, evaluation = (
            _seconds(cells, known, *steps, key) for key in ("train_seconds", "eval_seconds")
        )
        lines += [
            [words(f"{name}, one epoch"), *_epochs(cells, times, what, known)],
            [words(f"{name}, training, {length}"), *train],
            [words(f"{name}, evaluation, {length}"), *evaluation],
            [words(f"{name}, images a second"), *(_speed(cell, index, known) for cell in cells)],
        ]
    lines.append([words("Before the first epoch"), *_prepared(cells)])
    lines.append([words("Whole run"), *_seconds(cells, known, "times", "total_seconds")])
    return [*lines, [words("Peak memory"), *(_memory_cell(cell) for cell in cells)]]


def _lacking(cell: Cell | None) -> Td:
    return Td("–") if cell is None else Td(MISSING, cell.lack, href=cell.href)


def _seconds(cells: Sides, known: Numbers, *steps: str | int) -> list[Td]:
    """Return both twins' seconds, which stand in results.json behind `steps` from the cell's
    record, in the unit of the longest."""
    found: list[Recorded | None] = []
    for cell in cells:
        one = known[cell.key] if cell and not cell.lack else None
        for step in steps:
            one = one and one[step]
        found.append(one)
    longest = max(one.value for one in found if one)
    return [
        Td(marked(seconds_text(one.value, longest), cell.stale), href=cell.href, key=one.key)
        if one and cell else _lacking(cell)
        for cell, one in zip(cells, found, strict=True)
    ]  # fmt: skip


def _epochs(cells: Sides, times: list[TwinTimes], what: str, known: Numbers) -> list[Td]:
    pace = times[0].paces[what]
    spells = [pace.keras, pace.torch]
    longest = max(spell.median for spell in spells if spell)
    found = known[times[0].key]["times"][what]
    return [
        Td(marked(seconds_text(spell.median, longest), spell.stale),
           " – ".join(in_unit_of(longest, end) for end in (spell.low, spell.high)),
           href=spell.href, key=found[framework]["median"].key)
        if spell else _lacking(cell)
        for framework, cell, spell in zip(FRAMEWORKS, cells, spells, strict=True)
    ]  # fmt: skip


def _speed(cell: Cell | None, index: int, known: Numbers) -> Td:
    if cell is None or cell.lack:
        return _lacking(cell)
    mean = known[cell.key]["times"]["phases"][index]
    speed, train = mean["images_per_second"], mean["train_seconds"].value
    if speed.value is None:
        return Td("–")
    waiting = (mean["waiting_seconds"].value or 0.0) / train if train else 0.0
    digits = 1 if speed.value < 100 else 0
    return Td(f"{speed.value:,.{digits}f}", f"{waiting:.1%} waiting for images", href=cell.href,
              key=speed.key)  # fmt: skip


def _prepared(cells: Sides) -> list[Td]:
    """Return the mean seconds of building a network, of its statistics and of its features."""
    sums = [_sum(cell) if cell and not cell.lack else None for cell in cells]
    longest = max(seconds for seconds in sums if seconds is not None)
    return [
        Td(seconds_text(seconds, longest), href=cell.href)
        if cell and seconds is not None else _lacking(cell)
        for cell, seconds in zip(cells, sums, strict=True)
    ]  # fmt: skip


def _sum(cell: Cell) -> float:
    parts = ("build", "calibration", "features")
    runs = [slot.stored.timings for slot in cell.slots]
    return sum(run.get(f"{part}_seconds") or 0.0 for run in runs for part in parts) / len(runs)


def _memory_cell(cell: Cell | None) -> Td:
    if cell is None or cell.lack:
        return _lacking(cell)
    return Td(memory([slot.stored.timings for slot in cell.slots]), href=cell.href)


def memory(runs: list[dict[str, float]]) -> str:
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
