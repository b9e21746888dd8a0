"""Writes numbers as every page has them: they are rounded here and nowhere before."""

from fractions import Fraction
from typing import Any

from protocols.load import BUSY
from protocols.metrics import METRICS, Metric, metric_of
from protocols.papers.variants import load_variants
from reports.cells.settings import scrub
from reports.cells.times import WIDE

NAMES = {"keras": "Keras", "torch": "PyTorch"}
THIN = "\u202f"  # the narrow no-break space between a number and its unit
FIRM = "\u00a0"  # the no-break space
MISSING = "X"
FRACTION = 4  # the digits of a fraction that isn't written in %
STALE = "†"
BESIDE = "‡"
BESIDE_NOTE = (
    f"{BESIDE} measured beside other work: other programs kept over {BUSY:g} of a core busy, or "
    f"the 95th percentile is over {WIDE:g} times the 5th."
)
STALE_NOTE = f"{STALE} stale: of another results version of this suite; shown, never judged."
MACRO = ", macro"  # is left out of headings where the caption says it


def other_metrics() -> list[Metric]:
    """Returns the metrics that the tables of several measures show beside the accuracy."""
    return [one for one in METRICS.values() if one.shown and one.name != "accuracy"]


def plain_text(metric: str, value: float) -> str:
    """Writes a number of a metric without its unit."""
    one = metric_of(metric)
    return f"{one.scale * value:.{one.digits}f}"


def number_text(metric: str, value: float | None, printed: str = "") -> str:
    """Writes a measured value, with % where it is a fraction; None is X, and NaN is "diverged".
    Beside a claim it has the claim's unit, `printed`: a fraction stands beside a fraction."""
    if value is None:
        return MISSING
    if value != value:
        return "diverged"
    if printed == "fraction":
        return f"{value:.{FRACTION}f}"
    if (unit := metric_of(metric).unit) == "epoch" and value == int(value):
        return f"{value:g}"
    return plain_text(metric, value) + (f"{THIN}%" if unit == "%" else "")


def gap_text(metric: str, value: float | None) -> str:
    """Writes a difference with its sign, in points where the metric is a fraction; None is X, and
    NaN is "diverged"."""
    if value is None:
        return MISSING
    if value != value:
        return "diverged"
    one = metric_of(metric)
    text = f"{one.scale * value:+.{one.digits}f}"
    return minus(text) if float(text) else text[1:]


def seconds_text(seconds: float | None, like: float | None = None) -> str:
    """Writes a duration with a unit that fits it, or as `in_unit_of` with the unit; None is X."""
    if seconds is None:
        return MISSING
    if like is not None:
        return f"{in_unit_of(like, seconds)}{THIN}{_fitting(like)[1]}"
    factor, unit = _fitting(seconds)
    value = seconds * factor
    text = f"{value:.1f}" if unit == "h" else in_unit_of(seconds, seconds) if value else "0"
    return f"{text}{THIN}{unit}"


def in_unit_of(like: float, seconds: float) -> str:
    """Writes the number of a duration, with three digits or more, in the unit that fits `like`:
    numbers that stand side by side are read at a glance where unit and digits are the same."""
    value = seconds * _fitting(like)[0]
    return f"{value:.0f}" if value >= 99.95 else f"{value:#.3g}"


def _fitting(seconds: float) -> tuple[float, str]:
    """Returns the unit in which a duration is written, and how many of it a second has."""
    for limit, factor, unit in ((1, 1000, "ms"), (120, 1, "s"), (7200, 1 / 60, "min")):
        if seconds < limit:
            return factor, unit
    return 1 / 3600, "h"


def marked(text: str, stale: bool, beside: bool = False) -> str:
    """Returns a number's text, with marks where it is stale and where it was measured beside other
    work; X and a dash never get a mark."""
    if text in (MISSING, "–"):
        return text
    return text + f" {STALE}" * stale + f" {BESIDE}" * beside


def percent(share: float | Fraction, digits: int = 2) -> str:
    """Returns a fraction as it is written in %."""
    return f"{100 * float(share):.{digits}f}{THIN}%"


def title(variant: str) -> str:
    """Returns the network's name as the papers print it; that of an unknown one, which a file may
    hold, as it is there."""
    known = load_variants()
    return known[variant].title if variant in known else scrub(variant)


def image_size(data: dict[str, Any]) -> str:
    """Returns the size of a run's images, width × height; `data` is the part of its specification
    that names them."""
    return f"{data.get('width', '?')} × {data.get('height', '?')} pixels"


def minus(text: str) -> str:
    """Returns a number's text with a typographic minus."""
    return text.replace("-", "−")


def points(value: float) -> str:
    """Writes a difference of two fractions in points, with its sign."""
    return gap_text("accuracy", value)


def plural(count: int, noun: str) -> str:
    """Returns the count and the noun, with its s if there is not one: "1 seed", "2 seeds"."""
    return f"{count}{FIRM}{noun}" + ("" if count == 1 else "s")


def with_article(noun: str) -> str:
    """Returns the noun with its article: "a neutrophil", "an eosinophil"."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
