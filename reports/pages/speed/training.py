"""The speed page's times of training: a table with the twins side by side."""

from collections.abc import Callable
from functools import partial

from reports.cells.cell import Cell, Group
from reports.cells.times import at_once
from reports.data.numbers import Numbers, Recorded
from reports.tables.builder import Line, table, texts, twins
from reports.tables.formats import (
    MISSING,
    NAMES,
    in_unit_of,
    marked,
    percent,
    plural,
    seconds_text,
    title,
)
from reports.tables.table import Table, Td

FROZEN = {True: "CNN frozen", False: "all layers"}
Sides = list[Cell | None]  # a network's runs, Keras's first


def training_table(group: Group, known: Numbers) -> Table:
    """Return the table of the seconds of each phase and of whole runs, a row for each of them."""
    networks = map(group.twins, group.variants)
    lines = {_network(cells): _lines(cells, known) for cells in networks}
    counted = at_once(group.slots)
    return table(
        f"training-{group.setting.slug}-{group.protocol}",
        "Time to train: of an epoch the median, with the 5th to 95th percentile of all epochs of "
        "all runs; otherwise the mean over the runs. Waiting: the share of training that waited "
        f"for images. Protocol {group.protocol}. Runs computed at a time: {counted or 'none'}.",
        [*texts("What"), *twins()],
        lines,
        tight=True,
        setting=group.caption,
    )


def _network(cells: Sides) -> str:
    """Return the title of a network's rows, with the number of its runs."""
    there = [cell for cell in cells if cell]
    runs = [f"{NAMES[cell.framework]}: {plural(len(cell.slots), 'run')}" for cell in there]
    return f"{title(there[0].variant)} ({', '.join(runs)})"


def _lines(cells: Sides, known: Numbers) -> list[Line]:
    """Return the rows of one network; only one where no twin is whole."""
    whole = [cell for cell in cells if cell and not cell.lack]
    if not whole:
        return [["Whole run", *_each(cells, _memory)]]
    lines: list[Line] = []
    for index, phase in enumerate(whole[0].slots[0].stored.timings["phases"]):
        name = f"Phase {phase['phase']} ({FROZEN[phase['frozen']]})"
        steps = ("times", "phases", index)
        length = plural(phase["epochs"], "epoch")
        lines += [
            [f"{name}, one epoch", *_seconds(cells, known, *steps, "epoch", "median")],
            [f"{name}, training, {length}", *_seconds(cells, known, *steps, "train_seconds")],
            [f"{name}, evaluation, {length}", *_seconds(cells, known, *steps, "eval_seconds")],
            [f"{name}, images a second", *_each(cells, partial(_speed, index, known))],
        ]
    lines.append(["Before the first epoch", *_prepared(cells)])
    lines.append(["Whole run", *_seconds(cells, known, "times", "total_seconds")])
    return [*lines, ["Peak memory", *_each(cells, _memory)]]


def _each(cells: Sides, make: Callable[[Cell], Td]) -> list[Td]:
    """Return what `make` makes of each whole cell; X, with what is missing, for the others."""
    return [
        Td("–") if cell is None
        else Td(MISSING, cell.lack, href=cell.href) if cell.lack
        else make(cell)
        for cell in cells
    ]  # fmt: skip


def _seconds(cells: Sides, known: Numbers, *steps: str | int) -> list[Td]:
    """Return both twins' seconds, which stand in results.json behind `steps` from the cell's
    record, in the unit of the longest; below a median the percentiles beside it."""
    found = {c: _recorded(known[c.key], *steps) for c in cells if c and not c.lack}
    longest = max(one.value for one in found.values())

    def made(cell: Cell) -> Td:
        one, ends = found[cell], ""
        if steps[-1] == "median":
            record = _recorded(known[cell.key], *steps[:-1]).value
            ends = " – ".join(in_unit_of(longest, record[end]) for end in ("low", "high"))
        text = marked(seconds_text(one.value, longest), cell.stale)
        return Td(text, ends, href=cell.href, key=one.key)

    return _each(cells, made)


def _recorded(record: Recorded, *steps: str | int) -> Recorded:
    for step in steps:
        record = record[step]
    return record


def _speed(index: int, known: Numbers, cell: Cell) -> Td:
    mean = known[cell.key]["times"]["phases"][index]
    speed, train = mean["images_per_second"], mean["train_seconds"].value
    if speed.value is None:
        return Td("–")
    waiting = (mean["waiting_seconds"].value or 0.0) / train if train else 0.0
    digits = 1 if speed.value < 100 else 0
    return Td(f"{speed.value:,.{digits}f}", f"{percent(waiting, 1)} waiting", href=cell.href,
              key=speed.key)  # fmt: skip


def _prepared(cells: Sides) -> list[Td]:
    """Return the mean seconds of building a network, of its statistics and of its features."""
    sums = {cell: _sum(cell) for cell in cells if cell and not cell.lack}
    longest = max(sums.values())
    return _each(cells, lambda cell: Td(seconds_text(sums[cell], longest), href=cell.href))


def _sum(cell: Cell) -> float:
    parts = ("build", "calibration", "features")
    runs = [slot.stored.timings for slot in cell.slots]
    return sum(run.get(f"{part}_seconds") or 0.0 for run in runs for part in parts) / len(runs)


def _memory(cell: Cell) -> Td:
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
