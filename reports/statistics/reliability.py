"""Says whether a network's probabilities can be believed, by the expected calibration error."""

from dataclasses import dataclass

import numpy as np

BINS = 10


@dataclass(frozen=True)
class Reliability:
    """Images by the probability of the predicted class, in BINS equal bins from 0 to 1."""

    images: np.ndarray  # the number of images, int (BINS,)
    confidence: np.ndarray  # mean probability of the predicted class, (BINS,); NaN where empty
    accuracy: np.ndarray  # the share predicted rightly, (BINS,); NaN where empty

    @property
    def error(self) -> float:
        """The expected calibration error: the bins' |accuracy - confidence|, weighted by images.

        Source: Guo et al., On calibration of modern neural networks, 2017.
        """
        there = self.images > 0
        gaps = np.abs(self.accuracy - self.confidence)[there]
        return float((gaps * self.images[there]).sum() / self.images.sum())

    @property
    def excess(self) -> float:
        """The mean confidence less the accuracy: positive where the network is too sure."""
        there = self.images > 0
        gaps = (self.confidence - self.accuracy)[there]
        return float((gaps * self.images[there]).sum() / self.images.sum())


def reliability(labels: np.ndarray, probabilities: np.ndarray) -> Reliability:
    """Sorts images into bins by labels (n,) int and probabilities (n, 4), all finite.

    A bin holds its upper end.
    """
    values = probabilities.astype(np.float64)
    confidence = values.max(axis=1)
    right = values.argmax(axis=1) == labels
    place = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    images = np.bincount(place, minlength=BINS)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(place, x, BINS) / images for x in (confidence, right)]
    return Reliability(images, *means)
