"""Writes what stands in a table for a cell (a network's runs in a twin), a claim or a verdict."""

from dataclasses import replace

from protocols.classes import CLASSES, LETTERS
from protocols.metrics import metric_of
from protocols.papers.claims import Claim
from reports.cells.cell import Cell
from reports.cells.planned_run import Slot
from reports.judging import verdicts
from reports.judging.contrasts import Contrast
from reports.judging.verdicts import Verdict
from reports.tables.formats import (
    FIRM,
    NAMES,
    STALE,
    THIN,
    gap_text,
    marked,
    minus,
    number_text,
    plural,
    title,
)
from reports.tables.table import Td, words

NOT_ASKED = Td("–", verdicts.NOT_ASKED)
WRITTEN = {"%": (100, 2), "fraction": (1, 4), "nat": (1, 4)}  # by unit the scale and the digits


def claim_name(claim: Claim) -> str:
    """Returns a claim's name: its network or row, and its column."""
    if claim.row == "text":
        return claim.column
    return f"{title(claim.row)}: {class_word(claim)}"


def class_word(claim: Claim) -> str:
    """Returns a claim's column; the name of the class where that is a count's letter."""
    if claim.kind == "count" and claim.column in LETTERS:
        return CLASSES[LETTERS.index(claim.column)].lower()
    return claim.column


def claim_text(claim: Claim) -> str:
    """Returns the claim as printed, with its % sign if it has one; words stand in quotes."""
    if not claim.printed:
        return "–"
    if claim.kind == "words":
        return f"“{claim.printed}”"
    return claim.printed + (f"{THIN}%" if claim.unit == "%" else "")


def difference_text(claim: Claim, value: float | None) -> str:
    """Writes measured less claimed, in points, fractions, nats or epochs, as the claim is printed;
    "" where either is no number."""
    if value is None or value != value or claim.value is None:
        return ""
    gap = value - claim.value
    scale, digits = WRITTEN.get(claim.unit) or (1, 0 if gap == int(gap) else 1)
    return minus(f"{scale * gap:+.{digits}f}")


def contrast_cell(one: Contrast | None, note: str = "", href: str = "") -> Td:
    """Returns the difference of two cells, linked to `href` or the first one's runs; it is X where
    there is none, and a dash where a cell was not asked for."""
    if one is None:
        return NOT_ASKED
    return Td(
        marked(gap_text(one.metric, one.value), one.stale), note, href=href or one.a.href,
        key=one.address, scale=metric_of(one.metric).scale,
    )  # fmt: skip


def runs_behind(cell: Cell) -> str:
    """Says what a cell's numbers rest on: its seeds, folds and images; or what is missing."""
    if cell.lack:
        return cell.lack
    parts = [plural(len(cell.seeds), "seed")]
    if cell.slots[0].spec.fold is not None:
        parts.append(plural(cell.folds, "fold"))
    parts.append(f"n{FIRM}={FIRM}{cell.n:,}")
    return ", ".join(parts)


def number(metric: str, value: float | None, key: str, note: str = "", href: str = "") -> Td:
    """Returns a metric's value as a cell; `key` is its place in results.json."""
    return Td(number_text(metric, value), note, href=href, key=key, scale=metric_of(metric).scale)


def measured(
    cell: Cell | None, metric: str, at: str = "selected", note: str = "", printed: str = ""
) -> Td:
    """Returns a number of a cell as it is written; it is X, with what is missing, where there is
    none, "diverged" where a run diverged, and a dash where the cell was not asked for. `printed` is
    the unit of the claim that it stands beside, if it does."""
    if cell is None:
        return NOT_ASKED
    found = cell.number(metric, at)
    missing = found.value is None
    text = number_text(metric, found.value, printed) + f" {STALE}" * found.stale
    return Td(
        "diverged" if missing and found.diverged else text, note or (found.lack if missing else ""),
        href=cell.href if cell.page else "",
        key=cell.address(metric, at), scale=1 if printed == "fraction" else metric_of(metric).scale,
    )  # fmt: skip


def interval_text(claim: Claim, verdict: Verdict) -> str:
    """Writes mean ± half-width of the prediction interval, and the seeds; "" where no interval was
    held against the claim."""
    if verdict.half_width is None or verdict.value is None:
        return ""
    scale, digits = WRITTEN.get(claim.unit, (1, 1))
    mean, half = (f"{scale * v:.{digits}f}" for v in (verdict.value, verdict.half_width))
    unit = f"{THIN}%" if claim.unit == "%" else ""
    return f"{mean} ± {half}{unit}, {plural(verdict.seeds, 'seed')}"


def verdict_cell(claim: Claim, verdict: Verdict) -> Td:
    """Returns the verdict's word with its interval as small print, or else its reason; the reason
    is a footnote where the claim was not judged."""
    if verdict.judged:
        return words(verdict.word, interval_text(claim, verdict) or verdict.reason)
    return words(verdict.word, reason=verdict.reason)


def twin_name(framework: str) -> Td:
    """Returns a row's twin, with its mark."""
    return Td(NAMES[framework], kind="text", colour=framework)


def twin(cell: Cell, stale: bool = False) -> Td:
    """Returns a row's twin, linked to the runs behind the row, and marked if they are `stale`: for
    rows whose numbers are too narrow for a mark of their own."""
    found = twin_name(cell.framework)
    return replace(found, text=marked(found.text, stale), href=cell.href if cell.page else "")


def finished(slot: Slot) -> str:
    """Returns the minute in which a run ended; a dash where it has no numbers."""
    return slot.stored.record["finished"][:16].replace("T", " ") if slot.usable else "–"


def file_link(slot: Slot, name: str) -> Td:
    """Returns a link to a file of a run, as it lies beside the page; a dash if it is not there."""
    there = slot.run is not None and (slot.run.folder / name).is_file()
    text = name.partition(".")[0] if there else "–"
    return words(text, href=f"runs/{slot.stored.folder.name}/{name}" if there else "")
