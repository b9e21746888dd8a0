"""Metrics as smooth functions of totals, with their derivatives: for intervals of many draws."""

import numpy as np

from protocols.classes import CLASSES, LETTERS
from protocols.metrics import METRICS

K = len(CLASSES)
CELLS = np.eye(K * K + 1)[: K * K].reshape(K, K, K * K + 1)  # of the confusion matrix, as columns
HITS = np.diagonal(CELLS).copy()  # (columns, K): which columns add up to each number
SUPPORT, PREDICTED = CELLS.sum(axis=1).T, CELLS.sum(axis=0).T
COUNT, LOSS = CELLS.sum(axis=(0, 1)), np.eye(K * K + 1)[-1]  # (columns,)


def quotient(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b, and 0 where b is 0."""
    return np.divide(a, b, out=np.zeros(a.shape, np.result_type(a, b)), where=b != 0)


class Scores:
    """Metrics (..., len(names)) as protocols.metrics.score defines them, of totals (..., 17):
    confusion matrix (row = true), summed log loss in nats."""

    def __init__(self, names: tuple[str, ...] = METRICS) -> None:
        self.names = names
        self._families = {name.rpartition("_")[0] for name in names}

    def __call__(self, totals: np.ndarray) -> np.ndarray:
        """See the class."""
        hits, support, predicted = totals @ HITS, totals @ SUPPORT, totals @ PREDICTED
        count = totals @ COUNT
        accuracy = hits.sum(axis=-1) / count
        values = {"accuracy": accuracy, "log_loss": totals @ LOSS / count}
        for name, (above, below) in _ratios(hits, support, predicted).items():
            if name in self._families:
                value = quotient(above, below)
                values[f"{name}_macro"] = value.mean(axis=-1)
                values[f"{name}_weighted"] = (value * support).sum(axis=-1) / count
                values[f"{name}_micro"] = accuracy
                values |= {f"{name}_{letter}": value[..., i] for i, letter in enumerate(LETTERS)}
        return np.stack([values[name] for name in self.names], axis=-1)

    def slopes(self, totals: np.ndarray) -> np.ndarray:
        """Derivatives (..., 17, len(names)); 0 where a class has none, as its value is 0 there."""
        hits, support, predicted = totals @ HITS, totals @ SUPPORT, totals @ PREDICTED
        count = (totals @ COUNT)[..., None]
        accuracy = _slope(HITS.sum(axis=1), COUNT, hits.sum(axis=-1)[..., None], count)
        slopes = {
            "accuracy": accuracy,
            "log_loss": _slope(LOSS, COUNT, (totals @ LOSS)[..., None], count),
        }
        moves = _ratios(HITS, SUPPORT, PREDICTED)
        for name, (above, below) in _ratios(hits, support, predicted).items():
            if name not in self._families:
                continue
            value = quotient(above, below)
            by_class = _slope(*moves[name], above[..., None, :], below[..., None, :])
            weighted = (value * support).sum(axis=-1)[..., None]
            change = (by_class * support[..., None, :] + value[..., None, :] * SUPPORT).sum(axis=-1)
            slopes[f"{name}_macro"] = by_class.mean(axis=-1)
            slopes[f"{name}_weighted"] = _slope(change, COUNT, weighted, count)
            slopes[f"{name}_micro"] = accuracy
            slopes |= {f"{name}_{letter}": by_class[..., i] for i, letter in enumerate(LETTERS)}
        return np.stack([slopes[name] for name in self.names], axis=-1)


class Gap:
    """The metrics of the first totals less those of the second, of both side by side (..., 34)."""

    def __init__(self, names: tuple[str, ...] = METRICS) -> None:
        self._scores = Scores(names)

    def __call__(self, totals: np.ndarray) -> np.ndarray:
        """Differences (..., len(names))."""
        one, two = np.split(totals, 2, axis=-1)
        return self._scores(one) - self._scores(two)

    def slopes(self, totals: np.ndarray) -> np.ndarray:
        """Derivatives (..., 34, len(names))."""
        one, two = (self._scores.slopes(part) for part in np.split(totals, 2, axis=-1))
        return np.concatenate([one, -two], axis=-2)


def _ratios(
    hits: np.ndarray, support: np.ndarray, predicted: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What is divided by what."""
    return {
        "precision": (hits, predicted),
        "recall": (hits, support),
        "f1": (2 * hits, support + predicted),
    }


def _slope(da: np.ndarray, db: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of a / b: (da - a / b db) / b, and 0 where b is 0."""
    return quotient(da - quotient(a, b) * db, np.broadcast_to(b, np.broadcast(da, b).shape))
