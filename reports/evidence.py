"""The page on how much the numbers can bear: intervals on new photographs, comparisons, selection.

Which interval stands first was decided by their measured coverage (`reports.coverage`, recorded in
reports/published/coverage.json), not by taste.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from protocols.claims import load_claims
from protocols.seeds import generator
from protocols.spec import FRAMEWORKS
from protocols.variants import load_variants
from reports.collect import Cell, Collected, Group
from reports.comparisons import (
    Difference,
    check_paired,
    compare,
    equivalence,
    holm,
    minimum_detectable_difference,
    naive_mcnemar,
    ordering,
)
from reports.groups import CONTROL
from reports.intervals import Estimate, Interval, corrected_t, design_effect, unless_few, wilson
from reports.tables import (
    MISSING,
    NAMES,
    THIN,
    Table,
    Td,
    head,
    label,
    pair,
    plural,
    points,
    stale_notes,
    title,
    twin,
    words,
)
from reports.verdicts import contests

COVERAGE = Path(__file__).with_name("published") / "coverage.json"
DRAWS = 2000  # of a comparison; its p-value needs none
METHODS = {"bootstrap_t": "bootstrap-t", "linearised": "linearised t", "percentile": "percentile "
           "bootstrap", "wilson": "naive (Wilson)"}  # fmt: skip
MEASURES = (
    ("log_loss", "Log loss, nat"),
    ("precision_macro", "Precision"),
    ("recall_macro", "Recall"),
    ("f1_macro", "F1"),
)


@dataclass(frozen=True)
class Section:
    """The tables of one group of runs."""

    caption: str
    planned: bool
    tables: list[Table]


def shown(estimate: Estimate) -> tuple[Interval, str]:
    """The interval to show first, and its method: bootstrap-t, else linearised."""
    if not estimate.bootstrap_t.reason:
        return estimate.bootstrap_t, "bootstrap_t"
    return estimate.linearised, "linearised"


def between(interval: Interval, scale: float = 100, digits: int = 2) -> str:
    """ "80.12 to 87.95", or why there is none."""
    if interval.reason:
        return interval.reason
    ends = (f"{scale * end:.{digits}f}".replace("-", "−") for end in (interval.low, interval.high))
    return " to ".join(ends)


def interval_text(metric: str, estimate: Estimate) -> str:
    """The interval as it is written beside a number; empty where there is none."""
    interval, _ = shown(estimate)
    if interval.reason:
        return ""
    return between(interval, 1, 3) if metric == "log_loss" else between(interval)


def beside(cell: Cell | None, metric: str, at: str) -> str:
    """Small print under a measured number: its interval on new photographs."""
    found = cell.estimates.get(at, {}).get(metric) if cell else None
    text = interval_text(metric, found) if found else ""
    return f"new cells: {text}" if text else ""


def accuracy_table(group: Group) -> Table:
    """Accuracy with the interval that respects photographs, and the naive one."""
    table = Table(
        f"intervals-{group.setting.slug}-{group.protocol}",
        "Accuracy at the selected epoch, and its 95% interval on new photographs; beside it the "
        "naive one, as if all images were independent, and how many independent images would say "
        f"as much. {group.caption}",
        [[head("Network", kind="headtext"), head("Twin", kind="headtext"), head("Accuracy"),
          head("On new photographs"), head("Naive"), head("Images"), head("Clusters"),
          head("As good as"), *([head("Over the folds")] if _folds(group) else [])]],
        [],
    )  # fmt: skip
    rows = []
    for variant in group.variants:
        cells = [c for _, c in pair(group, variant) if c]
        for index, cell in enumerate(cells):
            first = [label(title(variant), rows=len(cells))] if index == 0 else []
            rows.append([*first, twin(cell),
                         *_accuracy(table, cell)])  # fmt: skip
    table.bodies.append(("", rows))
    table.notes += [
        "A cluster is what overlapping photographs of one class show. Method: bootstrap-t; where "
        "too few clusters leave it undefined, linearised t, and a footnote says so.",
        *stale_notes(group),
    ]
    return table


def _folds(group: Group) -> bool:
    return any(cell.folds > 1 for cell in group.cells.values())


def _accuracy(table: Table, cell: Cell) -> list[Td]:
    more = [Td("")] if cell.folds > 1 else []
    sample = cell.sample()
    if sample is None:
        return [Td(MISSING, cell.lack), *[Td("–")] * 5, *more]
    found = cell.estimates["selected"]["accuracy"]
    interval, method = shown(found)
    n, seeds = len(sample.labels), len(cell.seeds)
    naive = wilson(sample.hits / seeds, n // seeds)
    effect = design_effect(found, n // seeds)
    reason = interval.reason or ("" if method == "bootstrap_t" else f"method: {METHODS[method]}")
    row = [
        Td(f"{100 * found.value:.2f}{THIN}%" if math.isfinite(found.value) else "diverged"),
        Td("–" if interval.reason else between(interval), ref=table.reason(reason)),
        Td("–" if naive.reason else between(naive)),
        Td(f"{n // seeds:,}", plural(seeds, "seed") if seeds > 1 else ""),
        Td(str(len(sample.strata))),
        Td(f"{effect[1]:,.0f}" if effect else "–"),
    ]
    return [*row, _over_folds(table, cell)] if more else row


def _over_folds(table: Table, cell: Cell) -> Td:
    """The corrected interval over the folds of the first seed."""
    slots = cell.of_seed(cell.seeds[0])
    values = [slot.measured.scores["selected"]["accuracy"] for slot in slots]
    share = 1 / slots[0].spec.data["n_folds"]
    found = corrected_t(values, share, (0.0, 1.0))
    return Td("–" if found.reason else between(found), ref=table.reason(found.reason))


def measures_table(group: Group) -> Table:
    """The other metrics, each with its interval."""
    table = Table(
        f"interval-measures-{group.setting.slug}-{group.protocol}",
        "Other measures at the selected epoch over all test images together (macro averages, "
        f"points), with their 95% intervals on new photographs. {group.caption}",
        [[head("Network", kind="headtext"), head("Twin", kind="headtext"),
          *(head(text) for _, text in MEASURES)]],
        [],
    )  # fmt: skip
    rows = []
    for variant in group.variants:
        cells = [c for _, c in pair(group, variant) if c and c.estimates]
        for index, cell in enumerate(cells):
            first = [label(title(variant), rows=len(cells))] if index == 0 else []
            row = [*first, twin(cell)]
            for metric, _ in MEASURES:
                found = cell.estimates["selected"][metric]
                value = f"{found.value:.4f}" if metric == "log_loss" else f"{100 * found.value:.2f}"
                row.append(Td(value, interval_text(metric, found)))
            rows.append(row)
    table.bodies.append(("", rows))
    return table


def _contests(group: Group) -> Iterator[tuple[str, str]]:
    """Pairs of networks whose order a claim, or the control's question, is about."""
    if any(load_variants()[v].suite == CONTROL for v in group.variants):
        from reports.control import QUESTIONS  # noqa: PLC0415 (the page, which imports this one)

        found = [(q.first, q.second) for q in QUESTIONS]
    else:
        claims = [c for c in load_claims().values() if c.kind == "ordering"]
        found = [pair for claim in claims for pair in contests(claim)]
    yield from dict.fromkeys(p for p in found if set(p) <= set(group.variants))


@lru_cache(maxsize=512)
def _compared(a: Cell | None, b: Cell | None) -> tuple[Difference, float | None] | None:
    """Accuracy of a less that of b; None where one isn't whole, or they tested other images."""
    one, other = (c.sample() if c else None for c in (a, b))
    if one is None or other is None:
        return None
    try:
        check_paired(one, other)
    except ValueError:
        return None
    rng = generator(0, "comparison")
    found = compare(one, other, rng, draws=DRAWS, names=("accuracy",))["accuracy"]
    estimate = unless_few(found.estimate, len(one.strata))
    p = found.p if estimate is found.estimate else None
    return Difference(estimate, p), naive_mcnemar(one, other)


def _p(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}" if value >= 0.001 else "<0.001"


def comparison_table(group: Group) -> Table | None:
    """Networks within a twin, and the twins within a network, image by image."""
    named: list[tuple[str, str, Cell | None, Cell | None]] = []
    for a, b in _contests(group):
        for f in FRAMEWORKS:
            cells = (group.cells.get((f, name)) for name in (a, b))
            named.append(("Networks", f"{title(a)} less {title(b)}, {NAMES[f]}", *cells))
    for variant in group.variants:
        sides = [group.cells.get((f, variant)) for f in FRAMEWORKS]
        named.append(("Twins", f"{title(variant)}: Keras less PyTorch", *sides))
    found = [(kind, text, _compared(a, b)) for kind, text, a, b in named]
    found = [(kind, text, both) for kind, text, both in found if both]
    if not found:
        return None
    adjusted = holm([both[0].p for _, _, both in found])
    table = Table(
        f"compared-{group.setting.slug}-{group.protocol}",
        "Differences of accuracy on the same images, in points, with 95% intervals on new "
        f"photographs. {group.caption}",
        [[head("Comparison", kind="headtext"), head("Difference"), head("Interval"),
          head("Bootstrap-t"), head("p"), head("p, Holm"), head("McNemar, naive"),
          head("Smallest to be found"),
          head("Equal within 1 point?", kind="headtext")]],
        [],
        [
            "Interval and p: by the linearised variance, so they agree; bootstrap-t: of the same "
            f"resampled photographs for both sides, {DRAWS:,} draws; Holm: "
            f"adjusted for the {len(found)} of this table; McNemar: as if images were independent; "
            "smallest: the true difference found with 80% power; equal: two one-sided tests at 5%.",
        ],
    )  # fmt: skip
    bodies: dict[str, list[list[Td]]] = {"Networks": [], "Twins": []}
    for (kind, text, (difference, naive)), p in zip(found, adjusted, strict=True):
        bodies[kind].append(_difference(text, difference, p, naive))
    table.bodies += [(name, rows) for name, rows in bodies.items() if rows]
    return table


def _difference(text: str, found: Difference, adjusted: float | None, naive: float | None) -> list:
    one = found.estimate
    least = minimum_detectable_difference(one.se, one.df) if one.se else None
    verdict = equivalence(one)
    same = one.value == 0 and one.se is None
    return [
        label(text),
        Td(points(one.value)),
        *(Td("–" if i.reason else between(i)) for i in (one.linearised, one.bootstrap_t)),
        Td(_p(found.p)), Td(_p(adjusted)), Td(_p(naive)),
        Td("–" if least is None else f"{100 * least:.2f}"),
        words("no difference seen" if same else verdict.verdict,
              "" if verdict.p is None else f"p {_p(verdict.p)}"),
    ]  # fmt: skip


def ranking_table(group: Group) -> Table | None:
    """What the papers' orderings would be on new photographs."""
    rows = []
    for claim in (c for c in load_claims().values() if c.kind == "ordering"):
        pairs = contests(claim)
        if not {v for p in pairs for v in p} <= set(group.variants):
            continue
        row = [label(claim.column, claim.where)]
        for f in FRAMEWORKS:
            both = [_compared(*(group.cells.get((f, v)) for v in p)) for p in pairs]
            row.append(_ranked(group, both))
        rows.append(row)
    if not rows:
        return None
    return Table(
        f"ranking-{group.setting.slug}-{group.protocol}",
        "Claims of an order, on new photographs: every contest of a claim together, Holm-adjusted "
        f"at 5%. {group.caption}",
        [[head("Claim", kind="headtext"), *(head(NAMES[f], colour=f, kind="headtext")
                                             for f in FRAMEWORKS)]],
        [("", rows)],
    )  # fmt: skip


def _ranked(group: Group, both: list[tuple[Difference, float | None] | None]) -> Td:
    if group.setting.objections:
        return words("not tested", "; ".join(group.setting.objections))
    if None in both:
        return words("not tested", "incomplete")
    return words(ordering([difference for difference, _ in both]))


def selection_table(group: Group) -> Table | None:
    """What choosing the epoch on the test part adds."""
    table = Table(
        f"selection-{group.setting.slug}-{group.protocol}",
        "What it adds to choose the epoch by the images that it is then scored on. Honest: chosen "
        "on a random half of the photographs, scored on the other, mean of 1,000 halvings. "
        f"{group.caption}",
        [[head("Network", kind="headtext"), head("Twin", kind="headtext"), head("Selected"),
          head("Last"), head("Honest"), head("Optimism, points")]],
        [],
        ["From the stored probabilities of every epoch (half precision). Mean over seeds and "
         "folds. A choice on half of the photographs is a worse choice, which makes the honest "
         "figure a little low."],
    )  # fmt: skip
    rows = []
    for variant in group.variants:
        cells = [c for _, c in pair(group, variant) if c and not c.lack]
        cells = [c for c in cells if all(s.measured.selection for s in c.slots)]
        for index, cell in enumerate(cells):
            found = [slot.measured.selection for slot in cell.slots]
            first = [label(title(variant), rows=len(cells))] if index == 0 else []
            means = [
                sum(getattr(s, part) for s in found) / len(found)
                for part in ("selected", "last", "honest", "optimism")
            ]
            row = [*first, twin(cell)]
            row += [Td(f"{100 * mean:.2f}{THIN}%") for mean in means[:3]]
            rows.append([*row, Td(points(means[3]))])
    if not rows:
        return None
    table.bodies.append(("", rows))
    return table


def coverage_table() -> Table:
    """How often each interval held the truth, in the recorded simulation."""
    found = json.loads(COVERAGE.read_text())
    layout = found["layout"]
    clusters = "/".join(map(str, layout["clusters"]))
    heads = ("Correlation within a photograph", *METHODS.values())
    rows = [
        [label(f"{one['spread']:g}"),
         *(Td(f"{100 * one['coverage'][m]:.1f}{THIN}%") for m in METHODS)]
        for one in found["spreads"]
    ]  # fmt: skip
    return Table(
        "coverage",
        f"How often a 95% interval of the accuracy held the truth: {found['sims']:,} simulated "
        f"test sets of {clusters} photographs and {sum(layout['images']):,} images, as the real "
        "one. Bootstrap-t covers best and stands first.",
        [[head(text, kind="headtext" if i == 0 else "head") for i, text in enumerate(heads)]],
        [("", rows)],
        ["Photographs of a class are equally large there, and classes have fixed rates "
         f"({', '.join(f'{100 * r:.0f}%' for r in layout['rates'])}): a model, not the data."],
    )  # fmt: skip


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
    return {"sections": sections, "coverage": coverage_table()}
