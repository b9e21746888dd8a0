"""Scores from stored probabilities: the only place where metrics are made. Precision, recall and F1
are scikit-learn's; accuracy and log loss are means over images, tested against scikit-learn's.
"""

import numpy as np

from protocols.classes import CLASSES, LETTERS

METRICS = (
    "accuracy",
    "log_loss",
    *(f"{m}_{a}" for m in ("precision", "recall", "f1") for a in ("macro", "weighted", "micro")),
    *(f"{m}_{letter}" for m in ("precision", "recall", "f1") for letter in LETTERS),
)


def score(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Every metric of METRICS as fractions (log_loss in nats), unrounded.

    labels (n,) int; probabilities (n, 4). A class that was never predicted has precision 0.
    Rows are rescaled to sum to 1 in float64. All are NaN where a probability isn't finite.
    """
    return scores(labels, [probabilities])[0]


def summing_to_one(probabilities: np.ndarray) -> np.ndarray:
    """float64 of the same shape (..., 4), rescaled."""
    p = probabilities.astype(np.float64)
    return p / p.sum(axis=-1, keepdims=True)


def log_losses(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Cross entropy of each image in nats, float64 (n,): -log of what its class was given, float64
    (n, 4) that sum to 1; one step of float64 away from 0 and 1, as scikit-learn has it."""
    eps = np.finfo(np.float64).eps
    return -np.log(np.clip(probabilities[np.arange(len(labels)), labels], eps, 1 - eps))


def scores(labels: np.ndarray, several: list[np.ndarray]) -> list[dict[str, float]]:
    """As `score`, of several answers to the same images: scikit-learn's checks cost more than the
    counting."""
    from sklearn import config_context  # noqa: PLC0415 (slow import)

    finite = {i: p for i, p in enumerate(several) if np.isfinite(p).all()}
    rows = [summing_to_one(p) for p in finite.values()]
    with config_context(assume_finite=True, skip_parameter_validation=True):
        made = dict(zip(finite, _scores(labels, rows), strict=True))
    return [made.get(i) or dict.fromkeys(METRICS, float("nan")) for i in range(len(several))]


def _scores(labels: np.ndarray, several: list[np.ndarray]) -> list[dict[str, float]]:
    """Of float64 rows that sum to 1. The classes of each answer have numbers of their own, so that
    one call counts them all."""
    from sklearn import metrics  # noqa: PLC0415 (slow import)

    if not several:
        return []
    k, predicted = len(CLASSES), [p.argmax(axis=1) for p in several]
    shifts = k * np.repeat(np.arange(len(several)), len(labels))
    found = metrics.precision_recall_fscore_support(
        np.tile(labels, len(several)) + shifts, np.concatenate(predicted) + shifts,
        labels=range(k * len(several)), average=None, zero_division=0,
    )  # fmt: skip
    by_class = np.stack(found, axis=-1).reshape(len(several), k, 4).transpose(0, 2, 1)
    losses = [log_losses(labels, p).mean() for p in several]
    right = [(labels == some).mean() for some in predicted]
    return [_named(*one) for one in zip(right, losses, by_class, strict=True)]


def _named(accuracy: float, log_loss: float, by_class: np.ndarray) -> dict[str, float]:
    """`by_class`: precision, recall, F1 and support, (4, classes)."""
    *values, support = by_class
    result = {"accuracy": float(accuracy), "log_loss": float(log_loss)}
    for name, value in zip(("precision", "recall", "f1"), values, strict=True):
        result |= {f"{name}_{c}": float(v) for c, v in zip(LETTERS, value, strict=True)}
        result[f"{name}_macro"] = float(value.mean())
        result[f"{name}_weighted"] = float(np.average(value, weights=support))
        result[f"{name}_micro"] = result["accuracy"]  # one class an image, all classes counted
    return {name: result[name] for name in METRICS}


def confusion(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Confusion matrix int64 (4, 4): rows are true classes, columns predicted ones."""
    from sklearn import metrics  # noqa: PLC0415 (slow import)

    order = list(range(len(CLASSES)))
    return metrics.confusion_matrix(labels, probabilities.argmax(axis=1), labels=order)
