"""The page of Liang 2018."""

from typing import Any

from reports.pages.content import PageRecord, Results
from reports.pages.papers.sections import groups_of, sections
from reports.pages.papers.tables import cited_table, counts_table


def page(results: Results) -> dict[str, Any]:
    """What the page shows."""
    return {
        "lead": "Combining convolutional with recurrent networks for blood cell images: seven "
        "networks on 2,487 test images. The epoch is selected on the test images, as the paper's "
        "own numbers imply; the last epoch's accuracy stands beside the selected one's.",
        "figures": "Figs. 3, 4, 7 and 8",
        "fixed_tables": [counts_table(), cited_table("liang")],
        "sections": sections(results.collected, "liang"),
    }


PAGE = PageRecord(
    "liang.html", "Liang 2018", "Liang 2018", page, place=2, template="paper.html.j2",
    settings=lambda results: [g.setting for g in groups_of(results.collected, "liang")],
)  # fmt: skip
