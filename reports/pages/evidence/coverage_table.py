"""The table of how often each interval held the truth, simulated by
reports.simulations.coverage."""

import json

from protocols.classes import LETTERS
from protocols.files import ROOT
from reports.tables.builder import numbers, table, texts
from reports.tables.formats import NAMES, percent, title
from reports.tables.table import Table, Td, label

COVERAGE = ROOT / "reports" / "published" / "coverage.json"
METHODS = {"bootstrap_t": "bootstrap-t", "linearised": "linearised t", "percentile": "percentile "
           "bootstrap", "wilson": "naive (Wilson)"}  # fmt: skip


def recorded() -> dict:
    """Return the recorded simulation."""
    return json.loads(COVERAGE.read_text(encoding="utf-8"))


def coverage_table() -> Table:
    """Return the table of how often each interval held the truth, in the recorded simulation."""
    found = recorded()
    layout = found["layout"]
    clusters = "/".join(map(str, layout["clusters"]))
    same = [[f"{one['spread']:g}", *_rates(one)] for one in found["spreads"]]
    own = [[label(_network(one), _classes(one)), *_rates(one)] for one in found["networks"]]
    return table(
        "coverage",
        f"How often a 95% interval of the accuracy held the truth: {found['sims']:,} simulated "
        f"test sets of {clusters} photographs and {sum(layout['images']):,} images, as the real "
        f"one. {_said(found)}",
        [*texts("Correlation within a photograph"), *numbers(*METHODS.values())],
        {"The same in all classes": same, "As the recorded networks have it": own},
        ["Photographs of a class are equally large there, and classes have fixed rates "
         f"({', '.join(f'{100 * r:.0f}%' for r in layout['rates'])}; for the recorded networks "
         "their own, and overlapping photographs count as one): a model, not the data."],
    )  # fmt: skip


def _said(found: dict) -> str:
    """Return what the rates say of the intervals on the page."""
    bootstrap, linearised = (
        [100 * one["coverage"][method] for one in found["networks"]]
        for method in ("bootstrap_t", "linearised")
    )
    return (
        "Bootstrap-t comes closest to 95% and stands first; at the correlations and rates of the "
        f"recorded networks it held the truth in {min(bootstrap):.1f} to {max(bootstrap):.1f}% of "
        f"cases, linearised t in {min(linearised):.1f} to {max(linearised):.1f}%, so both are "
        "somewhat too narrow there."
    )


def _rates(one: dict) -> list[Td]:
    return [Td(percent(one["coverage"][method], 1)) for method in METHODS]


def _network(one: dict) -> str:
    return f"{title(one['variant'])}, {NAMES[one['framework']]}"


def _classes(one: dict) -> str:
    """Return the correlation and the accuracy of each class as text."""
    parts = zip(LETTERS, one["spread"], one["rates"], strict=True)
    return ", ".join(f"{letter} {spread:.2f} ({100 * rate:.0f}%)" for letter, spread, rate in parts)
