"""The first page: what reproduces."""

from typing import Any

from protocols.papers.papers import load_papers
from reports.pages.content import PageRecord, Results
from reports.pages.overview.indicative import indicative_tables
from reports.pages.overview.summary import judging, summary


def page(results: Results) -> dict[str, Any]:
    """Return the content of the page."""
    collected, shown = results.collected, judging(results.collected)
    return {
        "summary": summary(collected, shown),
        "indicative": indicative_tables(collected, results.numbers, shown[0]) if shown else [],
        "papers": list(load_papers().values()),
    }


PAGE = PageRecord(
    "index.html", "Do the published numbers reproduce?", "Overview",
    page, place=1,
)  # fmt: skip
