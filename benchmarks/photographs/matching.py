"""Finds from pixels alone which photograph an image shows: by SIFT features and an affine fit.

Both are OpenCV's: the features and the ratio test are of Lowe 2004, the robust fit is of Fischler
and Bolles 1981. An image may be turned, shifted, sheared and mirrored; SIFT sees nothing in common
between a picture and its mirror image, so the index holds each photograph both ways.
"""

from typing import NamedTuple

import cv2
import numpy as np

MATCHING_VERSION = 3  # raised whenever the same pixels would give another fit
WIDTH, HEIGHT = 320, 240
FEATURES, CONTRAST = 400, 0.01  # the strongest features; smears have little contrast
NEIGHBOURS, CHECKS, TREES = 8, 48, 4
RATIO = 0.85  # the nearest feature's distance, over that of another photograph's nearest
REACH = 3.0  # pixels within which a feature agrees with the fit
TRIED = 3  # how many views, those with most pairs, get a fit
FLANN_KDTREE = 1  # OpenCV's name for it is not exported


class Fit(NamedTuple):
    """The fit of a photograph. `score`: how many features agree with one affine map to the image.

    The map's linear part: whether it mirrors, by how many degrees it turns (its rotation, of the
    mirrored photograph if it mirrors), and the ratio of its singular values, 1 for a pure turn. The
    rest of the map: by how many pixels of the image the centre is moved to the right and down.
    Without a map all are 0, but 1 for the ratio.
    """

    original: str
    score: int
    mirrored: int = 0
    angle: float = 0.0
    stretch: float = 1.0
    right: float = 0.0
    down: float = 0.0


def _features(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns places float32 (n, 2) in pixels, descriptors float32 (n, 128), of a uint8 (h, w)."""
    found, descriptors = cv2.SIFT.create(FEATURES, contrastThreshold=CONTRAST).detectAndCompute(
        grey, None
    )
    if descriptors is None:
        return np.empty((0, 2), np.float32), np.empty((0, 128), np.float32)
    return np.array([point.pt for point in found], np.float32), descriptors


def grey(image: np.ndarray) -> np.ndarray:
    """Returns uint8 (240, 320) grey values of a uint8 RGB (h, w, 3) image."""
    size = (image.shape[1], image.shape[0])
    if size != (WIDTH, HEIGHT):
        image = cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


class Index:
    """The features of every photograph, and of its mirror image, ready to be searched."""

    def __init__(self, photographs: dict[str, np.ndarray]) -> None:
        """Takes as `photographs` name -> uint8 RGB (h, w, 3). Needs some seconds for 367."""
        self.names = list(photographs)
        cv2.setNumThreads(1)
        views = []
        for image in photographs.values():
            view = grey(image)
            views += [_features(view), _features(np.ascontiguousarray(view[:, ::-1]))]
        lengths = [len(places) for places, _ in views]
        self._view = np.repeat(np.arange(len(views)), lengths)  # photograph 2i and its mirror 2i+1
        self._places = np.concatenate([places for places, _ in views])
        self._search = cv2.FlannBasedMatcher(
            {"algorithm": FLANN_KDTREE, "trees": TREES}, {"checks": CHECKS}
        )
        self._search.add([np.concatenate([descriptors for _, descriptors in views])])
        self._search.train()

    def match(self, image: np.ndarray) -> list[Fit]:
        """Returns the photographs that fit a uint8 RGB (h, w, 3) best, best first, at least two."""
        places, descriptors = _features(grey(image))
        pairs = self._pairs(descriptors)
        best: dict[int, Fit] = {}
        for view in sorted(pairs, key=lambda v: -len(pairs[v]))[:TRIED]:
            index, mirrored = divmod(view, 2)
            fit = self._fit(self.names[index], places, np.array(pairs[view]), mirrored)
            if index not in best or fit.score > best[index].score:
                best[index] = fit
        spare = (i for i in range(len(self.names)) if i not in best)
        while len(best) < 2:
            index = next(spare)
            best[index] = Fit(self.names[index], 0)
        return [fit for _, fit in sorted(best.items(), key=lambda item: (-item[1].score, item[0]))]

    def _pairs(self, descriptors: np.ndarray) -> dict[int, list[tuple[int, int]]]:
        """Returns view -> (feature of the image, feature of the index) that pass the ratio test."""
        pairs: dict[int, list[tuple[int, int]]] = {}
        if len(descriptors) < 2:
            return pairs
        for near in self._search.knnMatch(descriptors, k=NEIGHBOURS):
            view = int(self._view[near[0].trainIdx])
            others = (m.distance for m in near if self._view[m.trainIdx] // 2 != view // 2)
            if near[0].distance < RATIO * next(others, np.inf):
                pairs.setdefault(view, []).append((near[0].queryIdx, near[0].trainIdx))
        return pairs

    def _fit(self, name: str, places: np.ndarray, pairs: np.ndarray, mirrored: int) -> Fit:
        if len(pairs) < 4:  # three points always agree
            return Fit(name, 0)
        cv2.setRNGSeed(0)
        found, inliers = cv2.estimateAffine2D(
            self._places[pairs[:, 1]], places[pairs[:, 0]], ransacReprojThreshold=REACH
        )
        if found is None:
            return Fit(name, 0)
        left, (large, small), right = np.linalg.svd(found[:, :2])
        turn = left @ right  # of the polar decomposition
        angle = float(np.degrees(np.arctan2(turn[1, 0], turn[0, 0])))
        stretch = float(large / max(small, 1e-6))
        centre = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
        x, y = found[:, :2] @ centre + found[:, 2] - centre
        return Fit(name, int(inliers.sum()), mirrored, round(angle, 1), round(stretch, 4),
                   round(float(x), 1), round(float(y), 1))  # fmt: skip
