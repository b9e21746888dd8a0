"""Computes scores from stored probabilities: this is the only place where metrics are made.

Each metric is one record in METRICS. A metric is a function of counts, so that the same function
scores a run and the thousands of draws behind an interval. The tests hold accuracy, log loss,
precision, recall and F1 to scikit-learn's values, bit by bit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from protocols.classes import CLASSES, LETTERS

K = len(CLASSES)


def quotient(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Gives a / b, and 0 where b is 0."""
    return np.divide(a, b, out=np.zeros(a.shape, np.result_type(a, b)), where=b != 0)


@dataclass(frozen=True)
class Counts:
    """The numbers of which the metrics are functions: how a network answered the images of one set,
    or of many sets at once, along leading axes (...)."""

    matrix: np.ndarray  # the confusion matrix (..., K, K): rows are true classes, columns predicted
    log_loss: np.ndarray  # the mean over the images, in nats (...)

    @cached_property
    def hits(self) -> np.ndarray:
        """The images predicted right, by class (..., K)."""
        return np.diagonal(self.matrix, axis1=-2, axis2=-1)

    @cached_property
    def support(self) -> np.ndarray:
        """The images of each class (..., K)."""
        return self.matrix.sum(axis=-1)

    @cached_property
    def predicted(self) -> np.ndarray:
        """The images that are taken for each class (..., K)."""
        return self.matrix.sum(axis=-2)

    @cached_property
    def count(self) -> np.ndarray:
        """All images (...)."""
        return self.support.sum(axis=-1)

    @cached_property
    def accuracy(self) -> np.ndarray:
        """The share of images predicted right (...)."""
        return self.hits.sum(axis=-1) / self.count

    @cached_property
    def precision(self) -> np.ndarray:
        """The precision of each class (..., K); 0 for a class that was never predicted."""
        return quotient(self.hits, self.predicted)

    @cached_property
    def recall(self) -> np.ndarray:
        """The recall of each class (..., K); 0 for a class without images."""
        return quotient(self.hits, self.support)

    @cached_property
    def f1(self) -> np.ndarray:
        """The F1 of each class (..., K); 0 for a class that is neither there nor predicted."""
        return quotient(2 * self.hits, self.support + self.predicted)


def _not_of_answers(_: Counts) -> np.ndarray:
    raise TypeError("a number of the course is no function of answers")


@dataclass(frozen=True)
class Metric:
    """One number that is reported about a network."""

    name: str  # the name in claims.toml and in results.json
    title: str  # the words in a table's heading
    of: Callable[[Counts], np.ndarray] = _not_of_answers
    unit: str = "%"  # "%" (a fraction, written in %), "nat" or "epoch"
    digits: int = 2  # after the point, where the number is written
    limits: tuple[float, float] = (0.0, 1.0)
    shown: bool = False  # whether the number stands in the reports' tables of several measures

    @property
    def heading(self) -> str:
        """The title, with the unit where the numbers are written without their unit."""
        return f"{self.title}, nat" if self.unit == "nat" else self.title

    @property
    def scale(self) -> int:
        """The factor by which the number is multiplied before it is written."""
        return 100 if self.unit == "%" else 1


def _of(family: str, number: int) -> Callable[[Counts], np.ndarray]:
    return lambda counts: getattr(counts, family)[..., number]


def _averages(family: str, title: str) -> list[Metric]:
    """Makes the three means over the classes; since each image has one class, the micro average is
    the accuracy."""

    def macro(counts: Counts) -> np.ndarray:
        return getattr(counts, family).mean(axis=-1)

    def weighted(counts: Counts) -> np.ndarray:
        return (getattr(counts, family) * counts.support).sum(axis=-1) / counts.count

    return [
        Metric(f"{family}_macro", f"{title}, macro", macro, shown=True),
        Metric(f"{family}_weighted", f"{title}, weighted", weighted),
        Metric(f"{family}_micro", f"{title}, micro", lambda counts: counts.accuracy),
    ]


_FAMILIES = (("precision", "Precision"), ("recall", "Recall"), ("f1", "F1"))
_METRICS = (
    Metric("accuracy", "Accuracy", lambda counts: counts.accuracy, shown=True),
    Metric("log_loss", "Log loss", lambda counts: counts.log_loss, "nat", 4, (0.0, np.inf), True),
    *(metric for family, title in _FAMILIES for metric in _averages(family, title)),
    *(
        Metric(f"{family}_{letter}", f"{title}, {letter}", _of(family, number))
        for family, title in _FAMILIES
        for number, letter in enumerate(LETTERS)
    ),
)
METRICS = {metric.name: metric for metric in _METRICS}
# The numbers of a run's course, which stand beside the metrics of the run's answers.
COURSE = {
    "validation_loss": Metric("validation_loss", "Validation loss", unit="nat", digits=4),
    "selected_epoch": Metric("selected_epoch", "Selected epoch", unit="epoch", digits=1),
}


def metric_of(name: str) -> Metric:
    """Gives the record of a metric, or of a number of the course. Raises KeyError for others."""
    return METRICS[name] if name in METRICS else COURSE[name]


def score(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Gives every metric of METRICS by name, as fractions (log_loss in nats), unrounded.

    labels (n,) int; probabilities (n, 4), whose rows are rescaled to sum to 1 in float64. All
    metrics are NaN if a probability isn't finite.
    """
    if not np.isfinite(probabilities).all():
        return dict.fromkeys(METRICS, float("nan"))
    p = summing_to_one(probabilities)
    counts = Counts(confusion(labels, p).astype(np.float64), log_losses(labels, p).mean())
    return {name: float(metric.of(counts)) for name, metric in METRICS.items()}


def summing_to_one(probabilities: np.ndarray) -> np.ndarray:
    """Gives probabilities (..., 4) as float64 of the same shape, rescaled to sum to 1."""
    p = probabilities.astype(np.float64)
    return p / p.sum(axis=-1, keepdims=True)


def log_losses(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Gives the cross entropy of each image in nats, float64 (n,): -log of the probability of the
    image's class, from float64 (n, 4) whose rows sum to 1. Each probability is kept one step of
    float64 away from 0 and 1, as in scikit-learn."""
    eps = np.finfo(np.float64).eps
    return -np.log(np.clip(probabilities[np.arange(len(labels)), labels], eps, 1 - eps))


def confusion(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Gives the confusion matrix, int64 (4, 4): rows are true classes, columns predicted ones."""
    return np.bincount(labels * K + probabilities.argmax(axis=1), minlength=K * K).reshape(K, K)
