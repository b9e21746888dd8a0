"""The page of every claim, and of what departs from the papers in the runs that are shown."""

from typing import Any

from protocols.papers.papers import load_papers
from reports.cells.settings import Setting
from reports.judging.verdicts import MIN_SEEDS, WIDEST
from reports.pages.content import PageRecord, Results, Section, worth_showing
from reports.pages.overview import tables
from reports.pages.overview.summary import answer, judging
from reports.pages.overview.tested import tested, verdicts_of
from reports.simulations import error_rates


def page(results: Results) -> dict[str, Any]:
    """Return the content of the page."""
    collected, known = results.collected, results.numbers
    shown, left = worth_showing(judging(collected))
    first = shown[0] if shown else None

    def section(setting: Setting) -> Section:
        found = tables.verdict_table(collected, known, setting, setting == first)
        return Section(f"{setting.sentence}.", [found])

    verdicts = verdicts_of(collected, first)
    return {
        "answer": answer(verdicts, tested(collected, first, verdicts), first),
        "sections": [section(setting) for setting in shown],
        "left_out": [section(setting) for setting in left],
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
