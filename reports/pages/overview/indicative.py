"""What the papers' own networks reached by a smaller protocol, for the first page."""

from protocols.papers.papers import load_papers
from reports.cells.collect import Collected
from reports.cells.settings import Setting
from reports.data.numbers import Numbers
from reports.judging.contrasts import Contrast, contrasts
from reports.judging.pairings import LEAK_FREE, leak_free, ordered_pairs
from reports.judging.uncertainty import interval_words
from reports.pages.leakage.leak_free import leak_free_table
from reports.pages.overview.tested import Tested
from reports.pages.papers.tables import claim_heads, claim_row, new_cells
from reports.tables.builder import Line, table, texts, twins
from reports.tables.cell_text import NOT_ASKED, claim_name, contrast_cell
from reports.tables.formats import title
from reports.tables.table import Table, Td


def indicative_tables(
    collected: Collected, known: Numbers, setting: Setting | None, beside: list[Tested]
) -> list[Table]:
    """Return what runs of a smaller protocol say of the papers' numbers and questions. `beside` are
    the accuracies beside which the runs of the setting may stand. The tables are: accuracies beside
    the printed ones; each network minus the one that the paper sets it against; the published
    protocol beside the leak-free one. There is none where the runs are indicative of no claim."""
    if setting is None or not (lines := _claims(collected, setting, beside)):
        return []
    made = table(
        f"indicative-{setting.slug}",
        f"Accuracies that the papers print, beside those of the same networks here. "
        f"{setting.sentence}.",
        claim_heads("Network", "points"),
        lines,
        [new_cells(group for group in collected.groups if group.setting == setting)],
    )
    leaks = [leak_free_table(one, known) for one in leak_free(collected)
             if one.published.setting == setting
             and any(one.published.of(paper).cells for paper in load_papers())]  # fmt: skip
    return [made, *_questions(collected, setting), *leaks]


def _claims(collected: Collected, setting: Setting, beside: list[Tested]) -> dict[str, list[Line]]:
    """Return the rows of the accuracies of which the runs are indicative, by the paper's table."""
    lines: dict[str, list[Line]] = {}
    for claim in (one.claim for one in beside if one.indicative):
        row = claim_row(claim, collected, setting, claim_name(claim))
        lines.setdefault(f"{load_papers()[claim.paper].name}, {claim.where}", []).append(row)
    return lines


def _questions(collected: Collected, setting: Setting) -> list[Table]:
    """Return the table of what a network gains over the one that its paper sets it against, under
    the published and the leak-free protocols; empty where no such pair was run."""
    lines: dict[str, list[Line]] = {}
    for protocol in (name for both in LEAK_FREE.items() for name in (both[0], both[1][0])):
        group = collected.group(setting, protocol)
        for paper in load_papers():
            own = group.of(paper)
            for first, second in ordered_pairs(own):
                line: Line = [protocol, *map(_difference, contrasts(own, first, second).values())]
                lines.setdefault(f"{title(first)} minus {title(second)}", []).append(line)
    if not lines:
        return []
    return [table(
        f"questions-{setting.slug}",
        "Does the one network beat the other? Accuracy of the first minus that of the second, in "
        "points; below it, the 95% interval on new photographs, paired by photograph.",
        [*texts("Protocol"), *twins()],
        lines,
        ["An interval that holds 0 shows no difference. It knows nothing of other seeds: one seed "
         "decides no order.",
         "Each accuracy is that of the selected epoch: under all protocols but fixed-grouped the "
         "tested images choose it."],
    )]  # fmt: skip


def _difference(one: Contrast | None) -> Td:
    """Return the difference of two networks, with its interval, or with what is missing."""
    if one is None:
        return NOT_ASKED
    on_images = one.on_images
    between = interval_words(on_images.estimate.linearised) if on_images else ""
    return contrast_cell(one, one.lack or between)
