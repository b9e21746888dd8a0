"""Finds the limits of an axis, and round numbers on it."""

import math

ROUND = (1, 2, 5, 10)  # what a step between two numbers may be, times a power of ten
MOST = 5  # the most numbers on a vertical axis
EPOCHS = 6  # the most numbers on an axis of epochs
LEAST = 0.05  # the least span of an axis, as a share of its largest value
MARGIN = 0.06  # the share of the span that is left free at each end
DECADES = 4  # the most decades that are all named
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def limits(values: list[float], *, log: bool = False) -> tuple[float, float]:
    """Returns the ends of an axis for finite values, with some room at each end. An axis that
    isn't logarithmic spans at least LEAST of the largest value: what is smaller is no change."""
    if not values:
        return (0.1, 1.0) if log else (0.0, 1.0)
    low, high = min(values), max(values)
    if log:
        below, above = math.floor(math.log10(low)), math.ceil(math.log10(high))
        return 10.0**below, 10.0 ** max(above, below + 1)
    lacking = LEAST * max(abs(low), abs(high)) - (high - low)
    if lacking > 0 or high == low:
        half = max(lacking, 0) / 2 or 0.5
        low, high = low - half, high + half
    room = MARGIN * (high - low)
    return low - room, high + room


def step(span: float, most: int) -> float:
    """Returns the smallest round step of which at most `most` fit into the span."""
    power = 10.0 ** math.floor(math.log10(span / most))
    return next(power * factor for factor in ROUND if power * factor * most >= span * (1 - 1e-9))


def linear(low: float, high: float, most: int = MOST) -> tuple[list[float], list[str]]:
    """Returns round numbers between the limits, and how they are written."""
    by = step(high - low, most)
    digits = max(0, -math.floor(math.log10(by) + 1e-9))
    places = range(math.ceil(low / by - 1e-9), math.floor(high / by + 1e-9) + 1)
    found = [place * by for place in places]
    return found, [f"{value:.{digits}f}".replace("-", "−") for value in found]


def epochs(last: int) -> list[int]:
    """Returns round epochs from 1 to the last one."""
    by = max(1, round(step(last, EPOCHS)))
    return list(range(by, last + 1, by))


def decades(low: float, high: float) -> tuple[list[float], list[str]]:
    """Returns powers of ten between the limits, every second one where there are many, and how
    they are written."""
    first, last = round(math.log10(low)), round(math.log10(high))
    powers = list(range(first, last + 1, -(-(last - first) // DECADES) or 1))
    names = ["10" + str(power).translate(RAISED) for power in powers]
    return [10.0**power for power in powers], names
