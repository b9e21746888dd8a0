"""What stands in a table of a cell, a claim or a verdict."""

from dataclasses import replace

from protocols.metrics import METRICS, Metric, metric_of
from protocols.papers.claims import Claim
from protocols.spec import FRAMEWORKS
from reports.cells.cell import Cell, Group, Number
from reports.judging.contrasts import Contrast
from reports.judging.verdicts import Verdict
from reports.tables.table import (
    FIRM,
    MISSING,
    NAMES,
    STALE,
    STALE_NOTE,
    THIN,
    Table,
    Td,
    head,
    minus,
    plural,
    words,
)

MACRO = ", macro"  # left out of headings where the caption says it


def other_metrics() -> list[Metric]:
    """What the tables of several measures show beside the accuracy."""
    return [one for one in METRICS.values() if one.shown and one.name != "accuracy"]


def plain_text(metric: str, value: float, digits: int | None = None) -> str:
    """A number of the metric without its unit, with as many digits as its record says, or with
    `digits`."""
    one = metric_of(metric)
    return f"{one.scale * value:.{one.digits if digits is None else digits}f}"


def number_text(metric: str, value: float | None) -> str:
    """A measured value as written, with % where it is a fraction; or X, or diverged."""
    if value is None:
        return MISSING
    if value != value:
        return "diverged"
    if (unit := metric_of(metric).unit) == "epoch" and value == int(value):
        return f"{value:g}"
    return plain_text(metric, value) + (f"{THIN}%" if unit == "%" else "")


def gap_text(metric: str, value: float | None) -> str:
    """A difference as written, with its sign: in points where the metric is a fraction; or X, or
    diverged."""
    if value is None:
        return MISSING
    if value != value:
        return "diverged"
    one = metric_of(metric)
    text = f"{one.scale * value:+.{one.digits}f}"
    return minus(text) if float(text) else text[1:]


def seconds_text(seconds: float | None) -> str:
    """A duration with a unit that fits."""
    if seconds is None:
        return MISSING
    for limit, scale, unit in ((1, 1000, "ms"), (120, 1, "s"), (7200, 1 / 60, "min")):
        if seconds < limit:
            return (
                f"{seconds * scale:.3g}{THIN}{unit}"
                if seconds * scale < 100
                else (f"{seconds * scale:.0f}{THIN}{unit}")
            )
    return f"{seconds / 3600:.1f}{THIN}h"


def claim_text(claim: Claim) -> str:
    """The string as printed, with its unit where the paper's column has one; words in quotes."""
    if not claim.printed:
        return "–"
    if claim.kind == "words":
        return f"“{claim.printed}”"
    return claim.printed + (f"{THIN}%" if claim.unit == "%" else "")


def difference_text(claim: Claim, value: float | None) -> str:
    """Measured minus claimed: points, nats or epochs; empty where there is no number."""
    if value is None or value != value or claim.value is None:
        return ""
    gap = value - claim.value
    if claim.unit in ("%", "fraction"):
        text = f"{100 * gap:+.2f}"
    else:
        text = f"{gap:+.4f}" if claim.unit == "nat" else f"{gap:+.1f}"
    return minus(text)


def contrast_cell(one: Contrast | None, note: str = "", href: str = "") -> Td:
    """The difference of two cells, linked to the first one's runs; X with what is missing; a dash
    if one of them is not asked for."""
    if one is None:
        return Td("–", "not asked for")
    old = f" {STALE}" if one.stale and one.value is not None else ""
    return Td(
        gap_text(one.metric, one.value) + old, note, href=href or one.a.href,
        key=one.address, scale=metric_of(one.metric).scale,
    )  # fmt: skip


def runs_behind(cell: Cell) -> str:
    """What a cell's numbers rest on: seeds, folds, images; or what is missing."""
    if cell.lack:
        return cell.lack
    parts = [plural(len(cell.seeds), "seed")]
    if cell.slots[0].spec.fold is not None:
        parts.append(plural(cell.folds, "fold"))
    parts.append(f"n{FIRM}={FIRM}{cell.n:,}")
    return ", ".join(parts)


def measured(cell: Cell | None, metric: str, at: str = "selected", note: str = "") -> Td:
    """The number of a cell as written; X with what is missing; a dash if not asked for."""
    if cell is None:
        return Td("–", "not asked for")
    number = cell.number(metric, at)
    small = note or (number.lack if number.value is None else "")
    return Td(
        _marked(number, metric), small, href=cell.href if cell.page else "",
        key=f"{cell.key}:numbers.{at}.{metric}.value",
        scale=metric_of(metric).scale,
    )  # fmt: skip


def _marked(number: Number, metric: str) -> str:
    if number.value is None and number.diverged:
        return "diverged"
    return number_text(metric, number.value) + (f" {STALE}" if number.stale else "")


def interval_text(claim: Claim, verdict: Verdict) -> str:
    """Mean +- half-width of the prediction interval, and the seeds, for a judged metric claim."""
    if verdict.half_width is None or verdict.value is None:
        return ""
    if claim.unit in ("%", "fraction"):
        text = f"{100 * verdict.value:.2f} ± {100 * verdict.half_width:.2f}{THIN}%"
    elif claim.unit == "nat":
        text = f"{verdict.value:.4f} ± {verdict.half_width:.4f}"
    else:
        text = f"{verdict.value:.1f} ± {verdict.half_width:.1f}"
    return f"{text}, {plural(verdict.seeds, 'seed')}"


def verdict_cell(table: Table, claim: Claim, verdict: Verdict) -> Td:
    """The word; its interval beside it, or its reason as a footnote."""
    if verdict.judged:
        return words(verdict.word, interval_text(claim, verdict) or verdict.reason)
    return words(verdict.word, ref=table.reason(verdict.reason))


def framework_heads(span: int = 1, rows: int = 1) -> list[Td]:
    """A column heading for each twin, with its mark."""
    return [head(NAMES[f], span, rows, colour=f) for f in FRAMEWORKS]


def pair(group: Group | None, variant: str) -> list[tuple[str, Cell | None]]:
    """(framework, cell) for both twins."""
    return [(f, group.cells.get((f, variant)) if group else None) for f in FRAMEWORKS]


def twin(cell: Cell) -> Td:
    """A row's twin, linked to the runs behind the row."""
    href = cell.href if cell.page else ""
    return Td(NAMES[cell.framework], kind="text", colour=cell.framework, href=href)


def marked_twin(cell: Cell) -> Td:
    """The same, marked where the row's numbers are stale and too narrow for a mark of their own."""
    found = twin(cell)
    return replace(found, text=f"{found.text} {STALE}") if cell.stale else found


def stale_notes(group: Group) -> list[str]:
    """The footnote on stale numbers, where a group has some."""
    return [STALE_NOTE] if any(c.stale for c in group.cells.values()) else []
