"""Scores from stored probabilities, by scikit-learn: the only place where metrics are made."""

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
    from sklearn import config_context  # noqa: PLC0415 (slow import)

    if not np.isfinite(probabilities).all():
        return dict.fromkeys(METRICS, float("nan"))
    with config_context(assume_finite=True, skip_parameter_validation=True):
        return _score(labels, probabilities)


def _score(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    from sklearn import metrics  # noqa: PLC0415 (slow import)

    probabilities = probabilities.astype(np.float64)
    probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
    predicted = probabilities.argmax(axis=1)
    order = list(range(len(CLASSES)))
    accuracy = float(metrics.accuracy_score(labels, predicted))
    result = {
        "accuracy": accuracy,
        "log_loss": float(metrics.log_loss(labels, probabilities, labels=order)),
    }
    *values, support = metrics.precision_recall_fscore_support(
        labels, predicted, labels=order, average=None, zero_division=0
    )
    for name, value in zip(("precision", "recall", "f1"), values, strict=True):
        result |= {f"{name}_{c}": float(v) for c, v in zip(LETTERS, value, strict=True)}
        result[f"{name}_macro"] = float(value.mean())
        result[f"{name}_weighted"] = float(np.average(value, weights=support))
        result[f"{name}_micro"] = accuracy  # one class an image, all classes counted
    return {name: result[name] for name in METRICS}


def confusion(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Confusion matrix int64 (4, 4): rows are true classes, columns predicted ones."""
    from sklearn import metrics  # noqa: PLC0415 (slow import)

    order = list(range(len(CLASSES)))
    return metrics.confusion_matrix(labels, probabilities.argmax(axis=1), labels=order)
