"""Makes the tables of training times and latencies: ratios beside the devices, without a word."""

from collections import defaultdict
from pathlib import Path

from reports.cells.planned_run import Slot
from reports.cells.times import at_once, disturbed
from reports.comparison.join import CellPair, Joined
from reports.comparison.run_pairs import RunPair
from reports.comparison.tables import NETWORK, RUNS, devices, first_cells, run_cells, shared
from reports.tables.builder import Line, numbers, table, texts
from reports.tables.formats import image_size, marked, seconds_text
from reports.tables.table import Table, Td

PARTS = (
    ("single", "One image"),
    ("batch32", "Batch of 32"),
    ("jpeg", "From JPEG"),
    ("cold", "Cold"),
)


def ratio(a: float, b: float, key: str, href: str, beside: bool = False) -> Td:
    """Returns the cell of B / A, with both times below; `key` is their place in compare.json.
    `beside` says whether one of them was measured beside other work."""
    text = f"{seconds_text(a, max(a, b))} → {seconds_text(b, max(a, b))}"
    quotient = marked(f"{b / a:.2f}" if a else "–", stale=False, beside=beside)
    return Td(quotient, text, key=f"{key}.ratio", href=href)


def seconds(both: CellPair) -> dict[str, tuple[float, float]]:
    """Returns the seconds of the common runs, on A and on B, for "training", "evaluation" and
    "whole run"."""
    timings = [[slot.stored.timings for slot in slots] for slots in _sides(both.common)]

    def phases(name: str) -> tuple[float, float]:
        a, b = (sum(p[name] for one in own for p in one["phases"]) for own in timings)
        return a, b

    a, b = (sum(one["total_seconds"] for one in own) for own in timings)
    return {
        "training": phases("train_seconds"),
        "evaluation": phases("eval_seconds"),
        "whole run": (a, b),
    }


def training_table(joined: Joined) -> Table:
    """Makes the table of the ratios of training times."""
    lines: dict[str, list[Line]] = defaultdict(list)
    for both in (both for both in joined.training if both.common):
        href = f"#{both.key}"
        cells = [
            ratio(*pair, f"{both.key}:seconds.{name}", href) for name, pair in seconds(both).items()
        ]
        count = Td(str(len(both.common)), href=href)
        lines[shared(both.spec)].append(
            [*first_cells(both.spec), count, *cells, _counts(both.common), _devices(both.common)]
        )
    return table(
        "training",
        "Training, seconds of the common runs: B / A, with A → B below.",
        [*NETWORK, *numbers("Runs", "Training", "Evaluation", "Whole run"),
         *texts("Computed at a time", "Devices")],
        lines,
    )  # fmt: skip


def latency_table(joined: Joined, out: Path) -> Table:
    """Makes the table of the ratios of times to an answer, with links to the runs from `out`."""
    places = [side.beside(out) for side in (joined.a, joined.b)]
    lines: dict[str, list[Line]] = defaultdict(list)
    for pair in joined.latency:
        spec, a, b = pair.a.spec, pair.a.stored.timings, pair.b.stored.timings
        own = f"latency-{spec.id}"
        cells = [
            ratio(
                a[part]["median"], b[part]["median"], f"{pair.key}:{part}", f"#{own}",
                disturbed(a, part) or disturbed(b, part),
            )
            for part, _ in PARTS
        ]  # fmt: skip
        lines[f"Profile {spec.profile}, {image_size(spec.data)}"].append(
            [*first_cells(spec, own), *cells, _devices([pair]), *run_cells(pair, places)]
        )
    return table(
        "latency",
        "Time to an answer, median: B / A, with A → B below.",
        [*NETWORK, *numbers(*(text for _, text in PARTS)), *texts("Devices", *RUNS)],
        lines,
        tight=True,
    )


def _counts(pairs: list[RunPair]) -> str:
    """Says how many runs each side computed at a time: two slow each other."""
    a, b = (at_once(slots) for slots in _sides(pairs))
    return a if a == b else f"{a} → {b}"


def _sides(pairs: list[RunPair]) -> tuple[list[Slot], list[Slot]]:
    return [pair.a for pair in pairs], [pair.b for pair in pairs]


def _devices(pairs: list[RunPair]) -> str:
    return " → ".join("; ".join(devices(slots)) for slots in _sides(pairs))
