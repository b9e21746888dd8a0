"""What a printed number allows: exact bounds, from the digits and nothing else."""

import math
from decimal import Decimal
from fractions import Fraction

from protocols.claims import Claim

Interval = tuple[Fraction, Fraction]


def printed(claim: Claim) -> Interval:
    """All values that round to the printed digits, as fractions for percentages."""
    number = Decimal(claim.printed.replace(",", ""))
    half = Decimal(5).scaleb(number.as_tuple().exponent - 1)
    scale = 100 if claim.unit == "%" else 1
    return Fraction(number - half) / scale, Fraction(number + half) / scale


def attainable_counts(interval: Interval, n: int) -> list[int]:
    """The numbers of right answers among n whose share lies in the interval."""
    low, high = interval
    return list(range(math.ceil(low * n), math.floor(high * n) + 1))


def harmonic(precision: Interval, recall: Interval) -> Interval:
    """F of every precision and recall in their intervals; it grows with both."""
    low, high = ((2 * p * r / (p + r)) for p, r in zip(precision, recall, strict=True))
    return low, high


def meet(a: Interval, b: Interval) -> bool:
    """Whether two intervals have a value in common."""
    return a[0] <= b[1] and b[0] <= a[1]


def smoothed_loss(accuracy: float, smoothing: float, classes: int = 4) -> float:
    """The lowest mean cross-entropy, in nats, against smoothed targets at this accuracy.

    A right answer costs least where the probabilities are the targets; a wrong one where the true
    class ties with one other.
    """
    rest = smoothing / classes
    top = 1 - smoothing + rest
    right = _entropy(top) + (classes - 1) * _entropy(rest)
    tie = (top + rest) / 2
    wrong = 2 * _entropy(tie) + (classes - 2) * _entropy(rest)
    return accuracy * right + (1 - accuracy) * wrong


def _entropy(p: float) -> float:
    return -p * math.log(p) if p else 0.0


def most_smoothing(loss: float, accuracy: float, classes: int = 4) -> float:
    """The largest label smoothing whose lowest mean loss at this accuracy is not above `loss`."""
    from scipy.optimize import brentq  # noqa: PLC0415 (slow import)

    if smoothed_loss(accuracy, 1.0, classes) <= loss:
        return 1.0
    return brentq(lambda s: smoothed_loss(accuracy, s, classes) - loss, 0.0, 1.0)


def chance_of_equal(accuracy: float, n: int, step: float) -> float:
    """The chance that two independent test sets of n give accuracies in one and the same step.

    By the normal distribution of the difference; each image counted as independent, which makes
    it, if anything, too large.
    """
    spread = math.sqrt(2 * accuracy * (1 - accuracy) / n)
    return step / (spread * math.sqrt(2 * math.pi))
