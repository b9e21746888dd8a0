"""Training times and latencies of two joined sets of runs: ratios, with the devices, no word."""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from reports.comparison.join import CellPair, Joined
from reports.comparison.run_pairs import RunPair
from reports.comparison.tables import RUNS, devices, first_cells, run_cells, shared
from reports.tables.formats import seconds_text
from reports.tables.table import Table, Td, head, words

PARTS = (
    ("single", "One image"),
    ("batch32", "Batch of 32"),
    ("jpeg", "From JPEG"),
    ("cold", "Cold"),
)


def ratio(a: float, b: float, key: str, href: str) -> Td:
    """B / A, with both times below; `key`: its place in compare.json."""
    text = f"{seconds_text(a)} → {seconds_text(b)}"
    return Td(f"{b / a:.2f}" if a else "–", text, key=f"{key}.ratio", href=href)


def seconds(both: CellPair) -> dict[str, tuple[float, float]]:
    """Seconds of the common runs, on A and on B: "training", "evaluation", "whole run"."""
    found = {}
    for key, name in (("training", "train_seconds"), ("evaluation", "eval_seconds")):
        found[key] = tuple(
            sum(p[name] for pair in both.common for p in getattr(pair, s).stored.timings["phases"])
            for s in ("a", "b")
        )
    found["whole run"] = tuple(
        sum(getattr(pair, s).stored.timings["total_seconds"] for pair in both.common)
        for s in ("a", "b")
    )
    return found


def training_table(joined: Joined) -> Table | None:
    """Ratios of training times; no word."""
    bodies: dict[str, list[list[Td]]] = defaultdict(list)
    for both in (both for both in joined.training if both.common):
        href = f"#{both.key}"
        cells = [
            ratio(*pair, f"{both.key}:seconds.{name}", href) for name, pair in seconds(both).items()
        ]
        count = Td(str(len(both.common)), href=href)
        bodies[shared(both.spec)].append(
            [*first_cells(both.spec), count, *cells, _devices(both.common)]
        )
    if not bodies:
        return None
    return Table(
        "training",
        "Training, seconds of the common runs: B / A, with A → B below.",
        [[head("Network", kind="headtext"), head("Twin", kind="headtext"), head("Runs"),
          head("Training"), head("Evaluation"), head("Whole run"),
          head("Devices", kind="headtext")]],
        list(bodies.items()),
    )  # fmt: skip


def latency_table(joined: Joined, out: Path) -> Table | None:
    """Ratios of times to an answer; no word. The runs stand in the row, as seen from `out`."""
    places = [side.beside(out) for side in (joined.a, joined.b)]
    bodies: dict[str, list[list[Td]]] = defaultdict(list)
    for pair in joined.latency:
        spec, a, b = pair.a.spec, pair.a.stored.timings, pair.b.stored.timings
        names, own = first_cells(spec), f"latency-{spec.id}"
        cells = [
            ratio(a[part]["median"], b[part]["median"], f"{pair.key}:{part}", f"#{own}")
            for part, _ in PARTS
        ]
        cells += [_devices([pair]), *run_cells(pair, places)]
        size = f"{spec.data.get('height', '?')}×{spec.data.get('width', '?')}"
        bodies[f"Profile {spec.profile}, {size}"].append(
            [replace(names[0], id=own), *names[1:], *cells]
        )
    if not bodies:
        return None
    return Table(
        "latency",
        "Time to an answer, median: B / A, with A → B below.",
        [[head("Network", kind="headtext"), head("Twin", kind="headtext"),
          *(head(text) for _, text in PARTS),
          *(head(text, kind="headtext") for text in ("Devices", *RUNS))]],
        list(bodies.items()),
    )  # fmt: skip


def _devices(pairs: list[RunPair]) -> Td:
    sides = [pair.a for pair in pairs], [pair.b for pair in pairs]
    return words(" → ".join("; ".join(devices(slots)) for slots in sides))
