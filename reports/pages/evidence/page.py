"""The page on how certain the numbers are: intervals on new photographs, comparisons, selection.

The measured coverage of the intervals decided which of them stands first, not taste
(`reports.simulations.coverage`, recorded in reports/published/coverage.json).
"""

import math
from dataclasses import replace
from statistics import fmean
from typing import Any

from protocols.metrics import Metric
from protocols.papers.claims import Claim, load_claims
from protocols.spec import FRAMEWORKS
from reports.cells.cell import Cell, Group
from reports.data.numbers import Numbers, Recorded, interval_of
from reports.judging.contrasts import Contrast
from reports.judging.pairings import on_the_same_images
from reports.judging.uncertainty import fold_accuracies, interval_text, interval_words, wide_note
from reports.judging.verdicts import claimed_contrasts, contests, why_not_judged
from reports.pages.content import PageRecord, Results, Section, worth_showing
from reports.pages.evidence.coverage_table import METHODS, coverage_table, study_table
from reports.simulations.equivalence import margin, rarely
from reports.statistics.comparisons import MARGIN, POWER, equivalence, ordering
from reports.statistics.intervals import DRAWS, Estimate
from reports.tables.builder import numbers, table, texts, twins
from reports.tables.cell_text import twin
from reports.tables.formats import (
    MACRO,
    MISSING,
    NAMES,
    marked,
    other_metrics,
    percent,
    plain_text,
    plural,
    points,
    title,
)
from reports.tables.table import Table, Td, label, words


def accuracy_table(group: Group, known: Numbers) -> Table:
    """Return the table of accuracies, with the interval that respects photographs and the naive
    one."""
    heads = ["Accuracy", "On new photographs", "Naive", "Images", "Clusters", "As good as"]
    heads += ["Over the folds"] * any(cell.folds > 1 for cell in group.in_order)
    return table(
        f"intervals-{group.setting.slug}-{group.protocol}",
        "Accuracy at the selected epoch, its 95% interval on new photographs, and the naive one, "
        "as if images were independent. As good as: the number of independent images whose "
        "interval would be as wide as that on new photographs.",
        [*texts("Network", "Framework"), *numbers(*heads)],
        [[title(cell.variant), twin(cell), *_accuracy(cell, known[cell.key])]
         for cell in group.in_order],
        [
            "A cluster: photographs of one class that overlap, taken as one. The intervals on new "
            "photographs are by Wilson's method, moderated; a footnote names another method.",
            *filter(None, [wide_note(group.in_order)]),
        ],
        spans=[[0]],
        setting=group.caption,
    )  # fmt: skip


def _accuracy(cell: Cell, record: Recorded) -> list[Td]:
    more = [Td("")] if cell.folds > 1 else []
    if "naive" not in record:  # the cell isn't whole
        return [Td(MISSING, cell.lack), *[Td("–")] * 5, *more]
    found, seeds = record["intervals"]["selected"]["accuracy"], len(cell.seeds)
    value, method = found["value"], found["method"].value
    text = percent(value.value) if math.isfinite(value.value) else "diverged"
    reason = "" if method == "moderated" else f"method: {METHODS[method]}"
    row = [
        Td(marked(text, cell.stale), key=value.key, scale=100),
        replace(_interval(found), reason=found["reason"].value or reason),
        _interval(record["naive"]),
        _count(record["n"], plural(seeds, "seed") if seeds > 1 else ""),
        _count(record["clusters"]),
        _count(record["as_good_as"]),
    ]
    if not more:
        return row
    folds, mean = record["over_folds"], fmean(fold_accuracies(cell))
    other = "" if math.isclose(mean, value.value) else (
        f"of the mean over the first seed's folds, {percent(mean)}")  # fmt: skip
    return [*row, replace(_interval(folds), reason=folds["reason"].value or other)]


def _count(found: Recorded, note: str = "") -> Td:
    return Td(f"{found.value:,.0f}" if found.value else "–", note, key=found.key)


def _interval(found: Recorded) -> Td:
    ends = interval_of(found.value)
    return Td("–" if ends.reason else interval_words(ends), key=found.key, scale=100)


def measures_table(group: Group, known: Numbers) -> Table:
    """Return the table of the other metrics, each with its interval."""
    more = other_metrics()
    return table(
        f"interval-measures-{group.setting.slug}-{group.protocol}",
        "Other measures at the selected epoch over all test images together (macro averages, "
        "points), with their 95% intervals on new photographs.",
        [*texts("Network", "Framework"), *numbers(*(m.heading.removesuffix(MACRO) for m in more))],
        [
            [
                title(cell.variant),
                twin(cell, cell.stale),
                *(_measure(known[cell.key]["intervals"]["selected"][m.name], m) for m in more),
            ]
            for cell in group.in_order
            if cell.estimates
        ],
        spans=[[0]],
        setting=group.caption,
    )


def _measure(found: Recorded, metric: Metric) -> Td:
    value, note = found["value"], interval_text(metric.name, interval_of(found.value))
    return Td(plain_text(metric.name, value.value), note,
              key=value.key, near=found.key, scale=metric.scale)  # fmt: skip


def _p(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}" if value >= 0.001 else "<0.001"


def comparison_table(group: Group, known: Numbers) -> Table | None:
    """Return the table that compares networks within a twin, and the twins within a network.
    The comparison is image by image; None if there is nothing to compare."""
    found = on_the_same_images(group)
    if not found:
        return None
    wide = margin(group.protocol, max(cell.n for cell in group.cells.values()))
    return table(
        f"compared-{group.setting.slug}-{group.protocol}",
        "Differences of accuracy on the same images, in points, with 95% intervals on new "
        "photographs.",
        [*texts("Comparison"),
         *numbers("Difference", "Interval", "Bootstrap-t", "p", "p, Holm", "McNemar, naive",
                  "Smallest to be found"),
         *texts(*(f"Equal within {_points(m)}?" for m in (MARGIN, wide) if m))],
        {name: [_difference(one, known[one.key], images.estimate, wide) for one in found
                if _of_twins(one) == both and (images := one.on_images)]
         for name, both in (("Networks", False), ("Keras and PyTorch", True))},
        [
            "Interval and p: by the linearised variance, so they agree; bootstrap-t: of the same "
            f"resampled photographs for both sides, {DRAWS:,} draws; Holm: "
            f"adjusted for the {len(found)} of this table; McNemar: of the first seed, as if "
            "images were independent; smallest: the true difference found with 80% power; equal: "
            "two one-sided tests at 5%.",
            *([_can_show(group, wide)] if wide else []),
        ],
        setting=group.caption,
    )  # fmt: skip


def _points(margin: float) -> str:
    return plural(round(100 * margin), "point")


def _can_show(group: Group, wide: float) -> str:
    """Return a note on what margins these test images can show, as simulated."""
    share = percent(max(rarely(group.protocol), 0.001), 1)
    return (
        f"Equal within {_points(MARGIN)} can hardly be shown on these photographs: of pairs "
        f"that are truly equal, as far apart on single photographs as the recorded ones, at most "
        f"{share} are shown so; within {_points(wide)}, the "
        f"smallest whole margin for it, at least {percent(POWER, 0)} (simulated)."
    )


def _difference(
    one: Contrast, record: Recorded, found: Estimate, wide: float | None
) -> list[Td | str]:
    value, least = record["value"], record["detectable"]
    same = found.value == 0 and found.se is None
    cells = [
        Td(marked(points(value.value), one.stale), key=value.key, scale=100),
        *(_interval(record[method]) for method in ("linearised", "bootstrap_t")),
        *(Td(_p(record[p].value), key=record[p].key) for p in ("p", "p_holm", "mcnemar")),
        Td("–" if least.value is None else f"{100 * least.value:.2f}", key=least.key, scale=100),
    ]
    answers = [_equal(found, m, same, one.stale) for m in (MARGIN, wide) if m]
    return [_sides(one), *(replace(td, href=one.a.href) for td in cells), *answers]


def _equal(found: Estimate, margin: float, same: bool, stale: bool) -> Td:
    if stale:
        return words("not judged", "stale")
    verdict = equivalence(found, margin)
    word = "no difference seen" if same else verdict.verdict
    return words(word, "" if verdict.p is None else f"p {_p(verdict.p)}")


def _of_twins(one: Contrast) -> bool:
    return one.a.variant == one.b.variant


def _sides(one: Contrast) -> str:
    if _of_twins(one):
        return f"{title(one.a.variant)}: Keras minus PyTorch"
    return f"{title(one.a.variant)} minus {title(one.b.variant)}, {NAMES[one.a.framework]}"


def ranking_table(group: Group) -> Table | None:
    """Return the table of the papers' orderings as they are on new photographs.
    Each is tested under the protocol that its claim names; None if no claim's networks are in the
    group."""
    rows = [
        [label(claim.column, claim.where), *(_ranked(group, claim, f) for f in FRAMEWORKS)]
        for claim in load_claims().values()
        if (claim.kind, claim.protocol) == ("ordering", group.protocol)
        and {v for pair in contests(claim) for v in pair} <= set(group.variants)
    ]
    if not rows:
        return None
    return table(
        f"ranking-{group.setting.slug}-{group.protocol}",
        "Claims of an order, on new photographs: every contest of a claim together, Holm-adjusted "
        "at 5%.",
        [*texts("Claim"), *twins("headtext")],
        rows,
        setting=group.caption,
    )


def _ranked(group: Group, claim: Claim, framework: str) -> Td:
    """Return the answer to an ordering, from the runs that may judge the claim itself."""
    asked = claimed_contrasts(claim, group, framework)
    for variant in (v for pair in asked for v in pair):
        cell = group.cells.get((framework, variant))
        number = cell.number(claim.metric, claim.at) if cell else None
        if reason := why_not_judged(group.setting, cell, number):
            return words("not tested", reason)
    found = [one for both in asked.values() if both and (one := both.on_images)]
    if len(found) < len(asked):
        return words("not tested", "the two sides tested other images, or in other seeds")
    return words(ordering(found))


def selection_table(group: Group, known: Numbers) -> Table | None:
    """Return the table of what choosing the epoch on the test part adds; None if nothing was
    chosen."""
    records = {cell: known[cell.key] for cell in group.in_order}
    chosen = {cell: one["selection"] for cell, one in records.items() if one.value.get("selection")}
    if not chosen:
        return None
    return table(
        f"selection-{group.setting.slug}-{group.protocol}",
        "What it adds to choose the epoch by the images that it is then scored on. Honest: chosen "
        "on a random half of the photographs, scored on the other, mean of 1,000 halvings.",
        [*texts("Network", "Framework"),
         *numbers("Selected", "Last", "Honest", "Optimism, points")],
        [[title(cell.variant), twin(cell, cell.stale), *_selection(found)]
         for cell, found in chosen.items()],
        ["Selected and last: of the run's own choice. Honest and optimism: from the stored numbers "
         "of every epoch (half precision), which choose and score on both sides; where they choose "
         "another epoch than the run did, small print has its accuracy. Mean over seeds "
         "and folds. A choice on half of the photographs is a worse choice, which makes the honest "
         "figure a little low."],
        spans=[[0]],
        setting=group.caption,
    )  # fmt: skip


def _selection(found: Recorded) -> list[Td]:
    *parts, optimism = (found[part] for part in ("selected", "last", "honest", "optimism"))
    stored = parts[-1].value + optimism.value  # at the epochs that these numbers choose
    note = f"of {percent(stored)}" if abs(stored - parts[0].value) > 5e-5 else ""
    cells = [Td(percent(part.value), key=part.key, scale=100) for part in parts]
    return [*cells, Td(points(optimism.value), note, key=optimism.key, scale=100)]


def page(results: Results) -> dict[str, Any]:
    """Return the content of the page: the groups with a whole cell, then the simulated coverage."""
    some = [g for g in results.collected.groups if any(not c.lack for c in g.cells.values())]
    shown, left = worth_showing(some)
    return {
        "sections": [_section(group, results.numbers) for group in shown],
        "study": study_table(),
        "coverage": coverage_table(),
        "left_out": [_section(group, results.numbers) for group in left],
    }


def _section(group: Group, known: Numbers) -> Section:
    tables = (accuracy_table(group, known), comparison_table(group, known), ranking_table(group),
              selection_table(group, known), measures_table(group, known))  # fmt: skip
    return Section(group.caption, [table for table in tables if table is not None])


PAGE = PageRecord(
    "evidence.html", "How certain are the numbers?", "Evidence", page, place=4, group="Evidence"
)
