"""The page of Jane 2022."""

from typing import Any

from reports.pages.content import PageRecord, Results
from reports.pages.papers.sections import groups_of, sections
from reports.pages.papers.tables import cited_table


def page(results: Results) -> dict[str, Any]:
    """What the page shows."""
    return {
        "lead": "CNN-LSTM and CNN-GRU by ten-fold cross-validation on 500 images a class. The "
        "epoch is selected on the held-out fold, for the paper names no other set.",
        "figures": "",
        "fixed_tables": [cited_table("jane")],
        "sections": sections(results.collected, "jane"),
    }


PAGE = PageRecord(
    "jane.html", "Jane 2022", "Jane 2022", page, place=3, template="paper.html.j2",
    settings=lambda results: [g.setting for g in groups_of(results.collected, "jane")],
)  # fmt: skip
