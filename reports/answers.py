"""What a network answered, image by image, and which photograph each image shows."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from protocols import provenance
from protocols.classes import CLASSES
from reports.collect import Cell
from reports.images import short


@dataclass(frozen=True)
class Answers:
    """Every tested image of a cell, all its seeds and folds one after the other."""

    ids: np.ndarray  # str (n,)
    labels: np.ndarray  # int (n,)
    probabilities: np.ndarray  # float32 (n, 4)
    seeds: np.ndarray  # int (n,)

    @property
    def predicted(self) -> np.ndarray:
        """Classes, int (n,)."""
        return self.probabilities.argmax(axis=1)

    @property
    def right(self) -> np.ndarray:
        """Bool (n,)."""
        return self.predicted == self.labels

    @property
    def of_true(self) -> np.ndarray:
        """Probability of the true class, float32 (n,)."""
        return self.probabilities[np.arange(len(self.labels)), self.labels]


@dataclass(frozen=True)
class Share:
    """Accuracy on the images of one photograph, by twin."""

    photograph: str
    of: dict[str, float]


def answers(cell: Cell | None) -> Answers | None:
    """None unless every seed and fold is there, with finite probabilities."""
    if cell is None or cell.lack:
        return None
    slots = [slot for seed in cell.seeds for slot in cell.of_seed(seed)]
    parts = [(s.measured, s.spec.seed) for s in slots]
    columns = zip(
        *((p.ids, p.labels, p.selected, np.full(p.n, seed)) for p, seed in parts), strict=True
    )
    found = Answers(*(np.concatenate(column) for column in columns))
    return found if np.isfinite(found.probabilities).all() else None


@cache
def _photographs() -> dict[str, str]:
    return {row.file: row.original for row in provenance.shown()}


def photographs(ids: np.ndarray) -> np.ndarray:
    """The photograph behind each image, str (n,): of the set's images by the recorded table, of a
    cross-validation's (`photograph#copy`) by name."""
    known = _photographs()
    return np.array([known.get(name, name.split("#")[0]) for name in ids])


def name_of(photograph: str) -> str:
    """As the pages name it: the public set's by number."""
    return short(photograph) if photograph.startswith("BloodImage_") else photograph


def accuracies(own: dict[str, Answers]) -> dict[str, list[Share]]:
    """Class -> its photographs in one order for both twins, that of their mean accuracy, hardest
    first. A photograph that a twin didn't test is left out."""
    shares: dict[tuple[int, str], dict[str, float]] = {}
    for framework, one in own.items():
        names = photographs(one.ids)
        keys, place = np.unique(
            [f"{c} {n}" for c, n in zip(one.labels, names, strict=True)], return_inverse=True
        )
        mean = np.bincount(place, one.right) / np.bincount(place)
        for key, share in zip(keys, mean, strict=True):
            number, photograph = key.split(" ", 1)
            shares.setdefault((int(number), photograph), {})[framework] = float(share)
    whole = [(key, found) for key, found in shares.items() if len(found) == len(own)]
    whole.sort(key=lambda item: (sum(item[1].values()), item[0]))
    return {
        name: [Share(photograph, found) for (c, photograph), found in whole if c == number]
        for number, name in enumerate(CLASSES)
    }
