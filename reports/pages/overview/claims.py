"""The page of every claim, and of what departs from the papers in the runs that are shown."""

from typing import Any

from protocols.papers.papers import load_papers
from reports.judging.verdicts import MIN_SEEDS, WIDEST
from reports.pages.content import PageRecord, Results
from reports.pages.overview import tables
from reports.pages.overview.summary import judging
from reports.simulations import error_rates


def page(results: Results) -> dict[str, Any]:
    """Return the content of the page."""
    collected, shown = results.collected, judging(results.collected)
    return {
        "verdicts": [
            tables.verdict_table(collected, results.numbers, s, s == shown[0]) for s in shown
        ],
        "deviations": tables.deviations(collected),
        "profiles": tables.profile_table(collected.papers),
        "min_seeds": MIN_SEEDS,
        "widest": WIDEST,
        "error_rates": error_rates.summed_up(),
        "papers": list(load_papers().values()),
    }


PAGE = PageRecord(
    "claims.html", "Every claim, printed and measured", "Every claim", page, place=2, group="Claims"
)
