"""Measures what choosing the epoch on the test part adds to the accuracy measured on that part.

The honest accuracy chooses the epoch on one half of the clusters and scores the epoch on the other
half. A cluster is one photograph's images within one class. Both sides of the optimism choose and
score by the same stored log-probabilities. All functions are pure functions of arrays.
"""

import math
from dataclasses import dataclass

import numpy as np

SPLITS = 1000


@dataclass(frozen=True)
class Selection:
    """Accuracies as fractions, and what the choice on the test part adds to them.

    `optimism` is the selected epoch's accuracy less the honest accuracy, both by the stored
    numbers. The pages' `epoch`, `selected` and `last` are the run's own, made before its numbers
    were rounded.
    """

    epoch: int  # the selected epoch, as an index into all epochs
    selected: float
    last: float  # NaN where the last epoch isn't finite
    honest: float  # the mean over the splits
    optimism: float


def image_losses(logp: np.ndarray, labels: np.ndarray, smoothing: float) -> np.ndarray:
    """Returns each image's loss in nats, float64 (E, n): protocols.runs.record.data_loss before its
    mean.

    logp: log-probabilities (E, n, 4), as protocols.runs.record.stored_epochs gives them.
    """
    logp = logp.astype(np.float64)
    true = logp[:, np.arange(len(labels)), labels]
    return -((1 - smoothing) * true + smoothing * logp.mean(axis=-1))


def cluster_of(
    labels: np.ndarray, groups: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the cluster of each image (n,) and the class of each cluster (C,).

    A cluster is (class, group). The images of a class with one cluster are dealt at random to two,
    so that both halves see the class; for this class the halves are then dependent, and the honest
    accuracy is still optimistic.
    """
    names, group = np.unique(groups, return_inverse=True)
    group = group.astype(np.int64)
    for label in np.unique(labels):
        inside = labels == label
        if len(np.unique(group[inside])) == 1:
            group[inside] = rng.permutation(int(inside.sum())) % 2
    pairs = labels * (len(names) + 1) + group
    _, first, clusters = np.unique(pairs, return_index=True, return_inverse=True)
    return clusters, labels[first]


def halves(strata: np.ndarray, splits: int, rng: np.random.Generator) -> np.ndarray:
    """Draws one half of the clusters of each class, float64 0/1 (splits, C).

    The odd cluster of a class goes to either half at random.
    """
    chosen = np.zeros((splits, len(strata)))
    for stratum in np.unique(strata):
        inside = strata == stratum
        n = int(inside.sum())
        order = rng.random((splits, n)).argsort(axis=1)
        size = (n + rng.integers(0, 2, size=(splits, 1))) // 2
        chosen[:, inside] = order < size
    return chosen


def select(
    logp: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    smoothing: float,
    rng: np.random.Generator,
    allowed: slice = slice(None),
    splits: int = SPLITS,
) -> Selection:
    """Returns the accuracy of the epoch of lowest loss, of the last epoch, and of the honest
    choice.

    logp: log-probabilities (E, n, 4) of every epoch; labels int (n,), groups (n,); `allowed`: the
    epochs that may be selected. Each split is used both ways, so every split scores every image
    once: epochs that are all alike give an optimism of exactly 0. A choice on half of the clusters
    is a worse choice, which makes the honest accuracy a little low. The same seed gives the same
    bytes. Raises ValueError if no epoch that may be selected has a finite loss.
    """
    stop = range(len(logp))[allowed]
    clusters, strata = cluster_of(labels, groups, rng)
    member = np.zeros((len(labels), len(strata)))
    member[np.arange(len(labels)), clusters] = 1
    epochs = logp[allowed]
    losses = image_losses(epochs, labels, smoothing) @ member  # (epochs, C)
    finite = np.flatnonzero(np.isfinite(losses).all(axis=1))
    if not len(finite):
        raise ValueError("no epoch that may be selected has a finite loss")
    hits = (epochs.argmax(axis=-1) == labels) @ member
    best = int(finite[losses[finite].sum(axis=1).argmin()])  # the earlier epoch on a tie
    first = halves(strata, splits, rng)
    right = np.zeros(splits)
    for chosen in (first, 1 - first):
        choice = finite[(chosen @ losses[finite].T).argmin(axis=1)]
        right += ((1 - chosen) * hits[choice]).sum(axis=1)
    n = len(labels)
    selected, honest = float(hits[best].sum() / n), float(right.mean() / n)
    return Selection(
        epoch=stop[best],
        selected=selected,
        last=float(hits[-1].sum() / n) if np.isfinite(epochs[-1]).all() else math.nan,
        honest=honest,
        optimism=selected - honest,
    )
