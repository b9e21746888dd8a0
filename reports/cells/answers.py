"""Says what a network answered, image by image, and which photograph each image shows."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from protocols.classes import CLASSES
from protocols.photographs import provenance
from protocols.spec import FRAMEWORKS
from reports.cells.cell import Cell


@dataclass(frozen=True)
class Answers:
    """The answers to every tested image of a cell, all its seeds and folds one after the other."""

    ids: np.ndarray  # str (n,)
    labels: np.ndarray  # int (n,)
    probabilities: np.ndarray  # float32 (n, 4)
    seeds: np.ndarray  # int (n,)

    @property
    def predicted(self) -> np.ndarray:
        """The predicted classes, int (n,)."""
        return self.probabilities.argmax(axis=1)

    @property
    def right(self) -> np.ndarray:
        """Whether each image is predicted right, bool (n,)."""
        return self.predicted == self.labels

    @property
    def of_true(self) -> np.ndarray:
        """The probability of each image's true class, float32 (n,)."""
        return self.probabilities[np.arange(len(self.labels)), self.labels]


@dataclass(frozen=True)
class Wrong:
    """An image that both twins get wrong in one seed or more."""

    id: str
    label: int
    photograph: str
    seeds: int  # the number of seeds in which both are wrong
    said: tuple[int, ...]  # by twin, the class that it says most often where both are wrong
    of_true: tuple[float, ...]  # by twin, the true class's probability, a mean over all seeds


@dataclass(frozen=True)
class Share:
    """The accuracy on the images of one photograph, by twin."""

    photograph: str
    of: dict[str, float]


def answers(cell: Cell | None) -> Answers | None:
    """Returns a cell's answers; None unless every seed and fold is there and all are finite."""
    if cell is None or cell.lack:
        return None
    slots = [slot for seed in cell.seeds for slot in cell.of_seed(seed)]
    parts = [(s.scored, s.spec.seed) for s in slots]
    columns = zip(
        *((p.ids, p.labels, p.selected, np.full(p.n, seed)) for p, seed in parts), strict=True
    )
    found = Answers(*(np.concatenate(column) for column in columns))
    return found if np.isfinite(found.probabilities).all() else None


@cache
def _photographs() -> dict[str, str]:
    return {row.file: row.original for row in provenance.shown()}


def photographs(ids: np.ndarray) -> np.ndarray:
    """Returns the photograph that each image shows, str (n,): by the recorded table for the images
    of the public set, by the name for those of a cross-validation (`photograph#copy`)."""
    known = _photographs()
    return np.array([known.get(name, name.split("#")[0]) for name in ids])


def name_of(photograph: str) -> str:
    """Returns a photograph's name on the pages: for one of the public set its number, as 382 for
    BloodImage_00382.jpg."""
    known = photograph.startswith("BloodImage_")
    return str(int(photograph.split("_")[1].split(".")[0])) if known else photograph


def accuracies(own: dict[str, Answers]) -> dict[str, list[Share]]:
    """Returns by class its photographs with their accuracies, in one order for both twins: by the
    twins' mean accuracy, the lowest first. A photograph that a twin didn't test is left out."""
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


def comparable(twins: list[Answers]) -> bool:
    """Tells whether both twins are there and tested the same images in the same seeds and order."""
    if len(twins) != len(FRAMEWORKS):
        return False
    first, second = twins
    return np.array_equal(first.ids, second.ids) and np.array_equal(first.seeds, second.seeds)


def wrong_in_both(twins: list[Answers]) -> list[Wrong]:
    """Returns the images that both twins get wrong, from the lowest probability that they leave to
    the true class to the highest."""
    first = twins[0]
    both_wrong = ~twins[0].right & ~twins[1].right
    shown = photographs(first.ids)
    found = []
    for image, places in _places(first.ids, both_wrong):
        here = places[both_wrong[places]]
        said = tuple(int(np.bincount(one.predicted[here]).argmax()) for one in twins)
        left = tuple(float(one.of_true[places].mean(dtype=np.float64)) for one in twins)
        label, photograph = int(first.labels[here[0]]), str(shown[here[0]])
        found.append(Wrong(image, label, photograph, len(here), said, left))
    return sorted(found, key=lambda one: (sum(one.of_true), one.id))


def _places(ids: np.ndarray, wanted: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yields each image of which a test is wanted, and the rows of all tests of this image."""
    order = np.argsort(ids, kind="stable")
    names, starts = np.unique(ids[order], return_index=True)
    for image, places in zip(names, np.split(order, starts[1:]), strict=True):
        if wanted[places].any():
            yield str(image), places


def tests_wrong(twins: list[Answers]) -> dict[str, int]:
    """Returns by photograph how many of its tests both twins get wrong, most first."""
    shown, both_wrong = photographs(twins[0].ids), ~twins[0].right & ~twins[1].right
    names, place = np.unique(shown, return_inverse=True)
    count = np.bincount(place, both_wrong).astype(int)
    order = np.argsort(-count, kind="stable")
    return {str(names[i]): int(count[i]) for i in order}


def short_id(image: str) -> str:
    """Shortens an image's id: TEST/EOSINOPHIL/_0_1616.jpeg becomes _0_1616, and
    BloodImage_00001.jpg#2 becomes "1, copy 2"."""
    photograph, _, copy = image.partition("#")
    if copy and photograph.startswith("BloodImage_"):
        return f"{name_of(photograph)}, copy {copy}" if int(copy) else name_of(photograph)
    return image.rpartition("/")[2].partition(".")[0]
