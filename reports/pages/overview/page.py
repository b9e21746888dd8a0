"""The first page: what reproduces."""

from typing import Any

from protocols.papers.papers import load_papers
from reports.pages.audit import page as audit_page
from reports.pages.content import PageRecord, Results
from reports.pages.overview.findings import findings
from reports.pages.overview.indicative import indicative_tables
from reports.pages.overview.summary import judging, summary
from reports.pages.overview.tested import tested, verdicts_of


def page(results: Results) -> dict[str, Any]:
    """Return the content of the page."""
    collected, shown = results.collected, judging(results.collected)
    audit = [one for of_paper in audit_page.findings().values() for one in of_paper]
    setting = shown[0] if shown else None
    verdicts = verdicts_of(collected, setting)
    beside = tested(collected, setting, verdicts)
    return {
        "summary": summary(collected, shown, verdicts, beside, audit),
        "findings": findings(collected, setting, beside, audit),
        "indicative": indicative_tables(collected, results.numbers, setting, beside),
        "papers": list(load_papers().values()),
    }


PAGE = PageRecord(
    "index.html", "Do the published numbers reproduce?", "Overview",
    page, place=1,
)  # fmt: skip
