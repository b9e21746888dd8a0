"""Gives metrics as smooth functions of totals, with derivatives, for intervals of many draws."""

from collections.abc import Callable, Iterable

import numpy as np

from protocols.classes import LETTERS
from protocols.metrics import METRICS, Counts, K, quotient

CELLS = np.eye(K * K + 1)[: K * K].reshape(K, K, K * K + 1)  # the confusion matrix's, as columns
HITS = np.diagonal(CELLS).copy()  # (columns, K): which columns add up to each class's number
SUPPORT, PREDICTED = CELLS.sum(axis=1).T, CELLS.sum(axis=0).T
COUNT, LOSS = CELLS.sum(axis=(0, 1)), np.eye(K * K + 1)[-1]  # (columns,)
STEP = 1e-20  # for complex steps: no difference is taken, so no digits are lost


def complex_steps(statistic: Callable[[np.ndarray], np.ndarray], totals: np.ndarray) -> np.ndarray:
    """Returns derivatives (..., columns, metrics) of the statistic at totals (..., columns), by
    complex steps (Squire and Trapp, SIAM Review 40, 1998), which are exact to rounding."""
    steps = totals[..., None, :] + 1j * STEP * np.eye(totals.shape[-1])
    return statistic(steps).imag / STEP


class Scores:
    """Metrics (..., len(names)) as protocols.metrics defines them, as a function of totals (...,
    17): the confusion matrix (row = true) and the summed log loss in nats."""

    def __init__(self, names: Iterable[str] = METRICS) -> None:
        self.names = tuple(names)
        self._families = {name.rpartition("_")[0] for name in self.names}

    def __call__(self, totals: np.ndarray) -> np.ndarray:
        """Returns the metrics (..., len(names))."""
        matrix = totals[..., :-1].reshape(*totals.shape[:-1], K, K)
        counts = Counts(matrix, totals[..., -1] / matrix.sum(axis=(-2, -1)))
        return np.stack([METRICS[name].of(counts) for name in self.names], axis=-1)

    def slopes(self, totals: np.ndarray) -> np.ndarray:
        """Returns derivatives (..., 17, len(names)). The derivative is 0 where a class has no
        images, as the metric's value is 0 there. A metric without a derivative written here gets it
        by complex steps."""
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
        others = [name for name in self.names if name not in slopes]
        if others:
            found = complex_steps(Scores(others), totals)
            slopes |= {name: found[..., i] for i, name in enumerate(others)}
        return np.stack([slopes[name] for name in self.names], axis=-1)


class Gap:
    """The metrics of the first totals less those of the second; both stand side by side (...,
    34)."""

    def __init__(self, names: Iterable[str] = METRICS) -> None:
        self._scores = Scores(names)

    def __call__(self, totals: np.ndarray) -> np.ndarray:
        """Returns the differences (..., len(names))."""
        one, two = np.split(totals, 2, axis=-1)
        return self._scores(one) - self._scores(two)

    def slopes(self, totals: np.ndarray) -> np.ndarray:
        """Returns the derivatives (..., 34, len(names))."""
        one, two = (self._scores.slopes(part) for part in np.split(totals, 2, axis=-1))
        return np.concatenate([one, -two], axis=-2)


def _ratios(
    hits: np.ndarray, support: np.ndarray, predicted: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {
        "precision": (hits, predicted),
        "recall": (hits, support),
        "f1": (2 * hits, support + predicted),
    }


def _slope(da: np.ndarray, db: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns the derivative of a / b, which is (da - a / b db) / b, and 0 where b is 0."""
    return quotient(da - quotient(a, b) * db, np.broadcast_to(b, np.broadcast(da, b).shape))
