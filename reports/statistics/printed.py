"""Gives what a printed number allows: exact bounds, from its digits and nothing else."""

import math
from decimal import Decimal
from fractions import Fraction

from protocols.papers.claims import Claim

Interval = tuple[Fraction, Fraction]


def printed(claim: Claim) -> Interval:
    """Returns the interval of all values that round to the printed digits, as fractions for
    percentages.

    Raises ValueError where the claim is no finite number.
    """
    number = Decimal(claim.printed.replace(",", ""))
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int):  # NaN and infinities have a letter
        raise ValueError(f"{claim.printed} has no digits")
    half = Decimal(5).scaleb(exponent - 1)
    scale = 100 if claim.unit == "%" else 1
    return Fraction(number - half) / scale, Fraction(number + half) / scale


def attainable_counts(interval: Interval, n: int) -> list[int]:
    """Returns the numbers of right answers among n images whose share lies in the interval."""
    low, high = interval
    return list(range(math.ceil(low * n), math.floor(high * n) + 1))


def harmonic(precision: Interval, recall: Interval) -> Interval:
    """Returns F of every precision and recall in their intervals; F grows with both."""
    low, high = ((2 * p * r / (p + r)) for p, r in zip(precision, recall, strict=True))
    return low, high


def meet(a: Interval, b: Interval) -> bool:
    """Says whether two intervals have a value in common."""
    return a[0] <= b[1] and b[0] <= a[1]


def smoothed_loss(accuracy: float, smoothing: float, classes: int = 4) -> float:
    """Returns the lowest mean cross-entropy, in nats, against smoothed targets at this accuracy.

    A right answer costs least where the probabilities are the targets; a wrong one where the true
    class ties with one other.
    """
    from scipy.special import entr  # noqa: PLC0415 (slow import)

    rest = smoothing / classes
    top = 1 - smoothing + rest
    right = entr(top) + (classes - 1) * entr(rest)
    wrong = 2 * entr((top + rest) / 2) + (classes - 2) * entr(rest)
    return float(accuracy * right + (1 - accuracy) * wrong)


def most_smoothing(loss: float, accuracy: float, classes: int = 4) -> float:
    """Returns the largest label smoothing whose lowest mean loss at this accuracy is not above
    `loss`.

    The answer is 0 where no smoothing is small enough.
    """
    from scipy.optimize import brentq  # noqa: PLC0415 (slow import)

    if smoothed_loss(accuracy, 1.0, classes) <= loss:
        return 1.0
    if smoothed_loss(accuracy, 0.0, classes) >= loss:
        return 0.0
    return brentq(lambda s: smoothed_loss(accuracy, s, classes) - loss, 0.0, 1.0)


def most_allowed(loss: Interval, accuracy: Interval) -> Interval:
    """Returns `most_smoothing` of the lowest and of the highest loss and accuracy; it grows with
    both."""
    low, high = (most_smoothing(float(x), float(a)) for x, a in zip(loss, accuracy, strict=True))
    return Fraction(low), Fraction(high)


def chance_of_equal(accuracy: float, n: int, step: Fraction) -> float:
    """Returns the chance that two independent test sets of n images print one accuracy, rounded to
    `step`.

    The chance is found by counting: the number of right answers in each set is binomial, every
    image is right with the chance `accuracy`, independent of the others.
    """
    from scipy.stats import binom  # noqa: PLC0415 (slow import)

    chances: dict[int, float] = {}
    for right, chance in enumerate(binom.pmf(range(n + 1), n, accuracy)):
        digits = math.floor(Fraction(right, n) / step + Fraction(1, 2))
        chances[digits] = chances.get(digits, 0.0) + float(chance)
    return sum(chance**2 for chance in chances.values())
