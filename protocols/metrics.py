"""Scores from stored probabilities: the only place where metrics are made.

Each metric is one record in METRICS. It is a function of counts, so that the same function scores a
run and the thousands of draws behind an interval. The tests hold accuracy, log loss, precision,
recall and F1 to scikit-learn's, bit by bit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from protocols.classes import CLASSES, LETTERS

K = len(CLASSES)


def quotient(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b, and 0 where b is 0."""
    return np.divide(a, b, out=np.zeros(a.shape, np.result_type(a, b)), where=b != 0)


@dataclass(frozen=True)
class Counts:
    """What the metrics are functions of: how a network answered some images, or of many sets of
    images at once (...)."""

    matrix: np.ndarray  # the confusion matrix (..., K, K): rows are true classes, columns predicted
    log_loss: np.ndarray  # the mean over the images in nats (...)

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
        """By class (..., K); 0 for a class that was never predicted."""
        return quotient(self.hits, self.predicted)

    @cached_property
    def recall(self) -> np.ndarray:
        """By class (..., K); 0 for a class without images."""
        return quotient(self.hits, self.support)

    @cached_property
    def f1(self) -> np.ndarray:
        """By class (..., K); 0 for a class that is neither there nor predicted."""
        return quotient(2 * self.hits, self.support + self.predicted)


def _not_of_answers(_: Counts) -> np.ndarray:
    raise TypeError("a number of the course is no function of answers")


@dataclass(frozen=True)
class Metric:
    """One number that is reported of a network."""

    name: str  # in claims.toml and in results.json
    title: str  # as a table's heading says it
    of: Callable[[Counts], np.ndarray] = _not_of_answers
    unit: str = "%"  # "%" (a fraction, written in %), "nat" or "epoch"
    digits: int = 2  # after the point, as it is written
    limits: tuple[float, float] = (0.0, 1.0)
    shown: bool = False  # whether it stands in the reports' tables of several measures

    @property
    def heading(self) -> str:
        """The title, with the unit where no number carries it."""
        return f"{self.title}, nat" if self.unit == "nat" else self.title

    @property
    def scale(self) -> int:
        """What the number is multiplied by to be written."""
        return 100 if self.unit == "%" else 1


def _of(family: str, number: int) -> Callable[[Counts], np.ndarray]:
    return lambda counts: getattr(counts, family)[..., number]


def _averages(family: str, title: str) -> list[Metric]:
    """Three means over the classes; one class an image makes the micro average the accuracy."""

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
# Numbers of a run's course, which stand beside the metrics of its answers.
COURSE = {
    "validation_loss": Metric("validation_loss", "Validation loss", unit="nat", digits=4),
    "selected_epoch": Metric("selected_epoch", "Selected epoch", unit="epoch", digits=1),
}


def metric_of(name: str) -> Metric:
    """The record of a metric, or of a number of the course. Raises KeyError."""
    return METRICS[name] if name in METRICS else COURSE[name]


def score(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Every metric of METRICS as fractions (log_loss in nats), unrounded.

    labels (n,) int; probabilities (n, 4). Rows are rescaled to sum to 1 in float64. All are NaN
    where a probability isn't finite.
    """
    if not np.isfinite(probabilities).all():
        return dict.fromkeys(METRICS, float("nan"))
    p = summing_to_one(probabilities)
    counts = Counts(confusion(labels, p).astype(np.float64), log_losses(labels, p).mean())
    return {name: float(metric.of(counts)) for name, metric in METRICS.items()}


def summing_to_one(probabilities: np.ndarray) -> np.ndarray:
    """float64 of the same shape (..., 4), rescaled."""
    p = probabilities.astype(np.float64)
    return p / p.sum(axis=-1, keepdims=True)


def log_losses(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Cross entropy of each image in nats, float64 (n,): -log of what its class was given, float64
    (n, 4) that sum to 1; one step of float64 away from 0 and 1, as scikit-learn has it."""
    eps = np.finfo(np.float64).eps
    return -np.log(np.clip(probabilities[np.arange(len(labels)), labels], eps, 1 - eps))


def confusion(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Confusion matrix int64 (4, 4): rows are true classes, columns predicted ones."""
    return np.bincount(labels * K + probabilities.argmax(axis=1), minlength=K * K).reshape(K, K)
