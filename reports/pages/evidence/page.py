"""The page on how much the numbers can bear: intervals on new photographs, comparisons, selection.

Which interval stands first was decided by their measured coverage (`reports.simulations.coverage`,
recorded in reports/published/coverage.json), not by taste.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

from protocols.metrics import Metric
from protocols.papers.claims import Claim, load_claims
from protocols.spec import FRAMEWORKS
from reports.cells.cell import Cell, Group
from reports.cells.collect import Collected
from reports.judging.contrasts import Contrast
from reports.judging.pairings import on_the_same_images
from reports.judging.uncertainty import (
    as_good_as,
    interval_text,
    interval_words,
    naive,
    over_folds,
    preferred_interval,
    selection_means,
)
from reports.judging.verdicts import contests, why_not_judged
from reports.pages.content import PageRecord
from reports.pages.evidence.coverage_table import METHODS, coverage_table
from reports.simulations.equivalence import margin, rarely
from reports.statistics.comparisons import MARGIN, POWER, Difference, equivalence, ordering
from reports.statistics.intervals import DRAWS, Estimate, Interval
from reports.tables.builder import numbers, table, texts, twins
from reports.tables.cell_text import marked_twin, twin
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


@dataclass(frozen=True)
class Section:
    """The tables of one group of runs."""

    caption: str
    planned: bool
    tables: list[Table]


def accuracy_table(group: Group) -> Table:
    """Return the accuracy with the interval that respects photographs, and the naive one."""
    heads = ["Accuracy", "On new photographs", "Naive", "Images", "Clusters", "As good as"]
    return table(
        f"intervals-{group.setting.slug}-{group.protocol}",
        "Accuracy at the selected epoch, and its 95% interval on new photographs; beside it the "
        "naive one, as if all images were independent, and how many independent images would say "
        f"as much. {group.caption}",
        [*texts("Network", "Twin"), *numbers(*heads, *["Over the folds"] * _folds(group))],
        [[title(cell.variant), twin(cell), *_accuracy(cell)] for cell in group.in_order],
        ["A cluster is what overlapping photographs of one class show. Method: bootstrap-t; where "
         "too few clusters leave it undefined, linearised t, and a footnote says so."],
        spans=[[0]],
    )  # fmt: skip


def _folds(group: Group) -> bool:
    return any(cell.folds > 1 for cell in group.cells.values())


def _accuracy(cell: Cell) -> list[Td]:
    more = [Td("")] if cell.folds > 1 else []
    sample = cell.sample()
    if sample is None:
        return [Td(MISSING, cell.lack), *[Td("–")] * 5, *more]
    found = cell.estimates["selected"]["accuracy"]
    interval, method = preferred_interval(found)
    seeds, plain, worth = len(cell.seeds), naive(cell), as_good_as(cell)
    reason = interval.reason or ("" if method == "bootstrap_t" else f"method: {METHODS[method]}")
    value = percent(found.value) if math.isfinite(found.value) else "diverged"
    key = f"{cell.key}:intervals.selected.accuracy"
    row = [
        Td(marked(value, cell.stale), key=f"{key}.value", scale=100),
        replace(_interval(interval, key), reason=reason),
        _interval(plain, f"{cell.key}:naive"),
        Td(f"{cell.n:,}", plural(seeds, "seed") if seeds > 1 else "", key=f"{cell.key}:n"),
        Td(str(len(sample.strata)), key=f"{cell.key}:clusters"),
        Td(f"{worth:,.0f}" if worth else "–", key=f"{cell.key}:as_good_as"),
    ]  # fmt: skip
    if not more:
        return row
    folds = over_folds(cell)
    return [*row, replace(_interval(folds, f"{cell.key}:over_folds"), reason=folds.reason)]


def _interval(found: Interval, key: str) -> Td:
    text = "–" if found.reason else interval_words(found)
    return Td(text, key=key, scale=100)


def measures_table(group: Group) -> Table:
    """Return the other metrics, each with its interval."""
    more = other_metrics()
    return table(
        f"interval-measures-{group.setting.slug}-{group.protocol}",
        "Other measures at the selected epoch over all test images together (macro averages, "
        f"points), with their 95% intervals on new photographs. {group.caption}",
        [*texts("Network", "Twin"), *numbers(*(m.heading.removesuffix(MACRO) for m in more))],
        [
            [title(cell.variant), marked_twin(cell), *(_measure(cell, one) for one in more)]
            for cell in group.in_order
            if cell.estimates
        ],
        spans=[[0]],
    )


def _measure(cell: Cell, metric: Metric) -> Td:
    found = cell.estimates["selected"][metric.name]
    key = f"{cell.key}:intervals.selected.{metric.name}"
    return Td(plain_text(metric.name, found.value), interval_text(metric.name, found),
              key=f"{key}.value", near=key, scale=metric.scale)  # fmt: skip


def _p(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}" if value >= 0.001 else "<0.001"


def comparison_table(group: Group) -> Table | None:
    """Networks within a twin, and the twins within a network, image by image."""
    found = on_the_same_images(group)
    if not found:
        return None
    wide = margin(group.protocol, max(cell.n for cell in group.cells.values()))
    return table(
        f"compared-{group.setting.slug}-{group.protocol}",
        "Differences of accuracy on the same images, in points, with 95% intervals on new "
        f"photographs. {group.caption}",
        [*texts("Comparison"),
         *numbers("Difference", "Interval", "Bootstrap-t", "p", "p, Holm", "McNemar, naive",
                  "Smallest to be found"),
         *texts(*(f"Equal within {_points(m)}?" for m in (MARGIN, wide) if m))],
        {name: [_difference(one, images, wide) for one in found
                if _of_twins(one) == both and (images := one.on_images)]
         for name, both in (("Networks", False), ("Twins", True))},
        [
            "Interval and p: by the linearised variance, so they agree; bootstrap-t: of the same "
            f"resampled photographs for both sides, {DRAWS:,} draws; Holm: "
            f"adjusted for the {len(found)} of this table; McNemar: of the first seed, as if "
            "images were independent; smallest: the true difference found with 80% power; equal: "
            "two one-sided tests at 5%.",
            *([_can_show(group, wide)] if wide else []),
        ],
    )  # fmt: skip


def _points(margin: float) -> str:
    return plural(round(100 * margin), "point")


def _can_show(group: Group, wide: float) -> str:
    """What margins these test images can show, as simulated."""
    share = percent(max(rarely(group.protocol), 0.001), 1)
    return (
        f"Equal within {_points(MARGIN)} can hardly be shown on these photographs: of twins that "
        f"are truly equal, as far apart on single photographs as the recorded ones, at most "
        f"{share} are shown so; within {_points(wide)}, the "
        f"smallest whole margin for it, at least {percent(POWER, 0)} (simulated)."
    )


def _difference(one: Contrast, on_images: Difference, wide: float | None) -> list[Td | str]:
    found = on_images.estimate
    least = one.detectable
    same = found.value == 0 and found.se is None
    cells = [
        Td(marked(points(found.value), one.stale), key=f"{one.key}:value", scale=100),
        _interval(found.linearised, f"{one.key}:linearised"),
        _interval(found.bootstrap_t, f"{one.key}:bootstrap_t"),
        Td(_p(on_images.p), key=f"{one.key}:p"),
        Td(_p(one.p_holm), key=f"{one.key}:p_holm"),
        Td(_p(one.mcnemar), key=f"{one.key}:mcnemar"),
        Td("–" if least is None else f"{100 * least:.2f}", key=f"{one.key}:detectable", scale=100),
    ]
    answers = [_equal(found, m, same, one.stale) for m in (MARGIN, wide) if m]
    return [_sides(one), *(replace(td, href=one.a.href) for td in cells), *answers]


def _equal(found: Estimate, margin: float, same: bool, stale: bool) -> Td:
    """Whether the two are equal within a margin."""
    if stale:
        return words("not judged", "stale")
    verdict = equivalence(found, margin)
    word = "no difference seen" if same else verdict.verdict
    return words(word, "" if verdict.p is None else f"p {_p(verdict.p)}")


def _of_twins(one: Contrast) -> bool:
    return one.a.variant == one.b.variant


def _sides(one: Contrast) -> str:
    """The row's heading."""
    if _of_twins(one):
        return f"{title(one.a.variant)}: Keras less PyTorch"
    return f"{title(one.a.variant)} less {title(one.b.variant)}, {NAMES[one.a.framework]}"


def ranking_table(group: Group) -> Table | None:
    """What the papers' orderings would be on new photographs, under the protocol they claim."""
    rows = []
    claims = (c for c in load_claims().values() if c.kind == "ordering")
    for claim in (c for c in claims if c.protocol == group.protocol):
        pairs = contests(claim)
        if not {v for p in pairs for v in p} <= set(group.variants):
            continue
        cells = [[group.cells.get((f, v)) for p in pairs for v in p] for f in FRAMEWORKS]
        ranked = [_ranked(group, claim, own) for own in cells]
        rows.append([label(claim.column, claim.where), *ranked])
    if not rows:
        return None
    return table(
        f"ranking-{group.setting.slug}-{group.protocol}",
        "Claims of an order, on new photographs: every contest of a claim together, Holm-adjusted "
        f"at 5%. {group.caption}",
        [*texts("Claim"), *twins("headtext")],
        rows,
    )


def _ranked(group: Group, claim: Claim, cells: list[Cell | None]) -> Td:
    """Judged from the runs that may judge the claim itself; `cells`: two by two, the contests."""
    for cell in cells:
        number = cell.number(claim.metric, claim.at) if cell else None
        if reason := why_not_judged(group.setting, cell, number):
            return words("not tested", reason)
    pairs = list(zip(cells[::2], cells[1::2], strict=True))
    found = [one for a, b in pairs if a and b and (one := Contrast(a, b).on_images)]
    if len(found) < len(pairs):
        return words("not tested", "the two sides tested other images, or in other seeds")
    return words(ordering(found))


def selection_table(group: Group) -> Table | None:
    """What choosing the epoch on the test part adds."""
    cells = [cell for cell in group.in_order if selection_means(cell)]
    if not cells:
        return None
    return table(
        f"selection-{group.setting.slug}-{group.protocol}",
        "What it adds to choose the epoch by the images that it is then scored on. Honest: chosen "
        "on a random half of the photographs, scored on the other, mean of 1,000 halvings. "
        f"{group.caption}",
        [*texts("Network", "Twin"), *numbers("Selected", "Last", "Honest", "Optimism, points")],
        [[title(cell.variant), marked_twin(cell), *_selection(cell)] for cell in cells],
        ["Selected and last: of the run’s own choice. Honest and optimism: from the stored numbers "
         "of every epoch (half precision), which choose and score on both sides; where they choose "
         "another epoch than the run did, small print has its accuracy. Mean over seeds "
         "and folds. A choice on half of the photographs is a worse choice, which makes the honest "
         "figure a little low."],
        spans=[[0]],
    )  # fmt: skip


def _selection(cell: Cell) -> list[Td]:
    found = selection_means(cell)
    stored = found["honest"] + found["optimism"]  # of the epochs that these numbers choose
    other = abs(stored - found["selected"]) > 5e-5
    cells = [Td(percent(mean), key=f"{cell.key}:selection.{part}", scale=100)
             for part, mean in found.items() if part != "optimism"]  # fmt: skip
    note = f"of {percent(stored)}" if other else ""
    key = f"{cell.key}:selection.optimism"
    return [*cells, Td(points(found["optimism"]), note, key=key, scale=100)]


def page(collected: Collected) -> dict[str, Any]:
    """What the page shows."""
    sections = []
    for group in collected.groups:
        tables = [accuracy_table(group), comparison_table(group), ranking_table(group),
                  selection_table(group), measures_table(group)]  # fmt: skip
        whole = any(not cell.lack for cell in group.cells.values())
        if whole:
            kept = [table for table in tables if table is not None]
            sections.append(Section(group.caption, group.setting.planned, kept))
    return {"coverage": coverage_table(), "sections": sections}


PAGE = PageRecord(
    "evidence.html", "How much can the numbers bear?", "Evidence",
    lambda results: page(results.collected), place=4,
)  # fmt: skip
