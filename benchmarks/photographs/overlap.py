"""Finds photographs that show the same field, wholly or shifted, also where one is out of focus.

The microscope neither turns nor zooms, so two photographs of one place differ by a shift. First
every pair is correlated at every shift, at an eighth of the size, where focus hardly counts
(Padfield 2012, masked normalised cross-correlation). Then the likely pairs are correlated in colour
at half size about the shift found, by OpenCV. How high a correlation comes about by chance is
measured too, by the same search with the second photograph mirrored, which no field can match.
"""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import scipy.fft

from protocols.files import Progress, throttled
from protocols.photographs.provenance import Overlap, moved, share_of, shared

COARSE, FINE = 8, 2  # each side of an image is divided by this
FLAT = 60.0  # standard deviation in pixels of the blur that shows the uneven light
BAND = (2.0, 12.0)  # pixels: the fine correlation sees details of this size, cells' edges
LEAST_SHARE = 0.05  # of the field that two photographs must share
CHANCE = 95.0  # percentile of the mirrored pairs above which a pair is looked at closely
SEARCH = 8  # pixels of the half-size image about the coarse shift
BOUND = 0.58  # of the correlation: mirrored pairs reach 0.54, true ones 0.69 and more
SMALL = 0.1  # share below which one cell can look like another, and features must agree too
FEATURES = 3  # how many features must agree then
NEAR = 4.0  # pixels within which a feature agrees with the shift


class Search(NamedTuple):
    """The pairs found, ordered by correlation, and what tells them from others: the next highest
    correlation of a pair that shares SMALL or more (`next_best`), the highest with one photograph
    mirrored (`chance`), and how many such mirrored pairs would have been found (`found_by_chance`).
    `looked_at`: how many pairs were looked at closely."""

    found: list[Overlap]
    next_best: float
    chance: float
    found_by_chance: int
    looked_at: int


class Fields:
    """Photographs at an eighth of their size, ready to be correlated with each other."""

    def __init__(self, images: np.ndarray) -> None:
        """Takes `images` float32 (n, h, w), from which uneven light has been removed."""
        self.height, self.width = images.shape[1:]
        self._shape = (2 * self.height, 2 * self.width)
        images = images - images.mean(axis=(1, 2), keepdims=True)
        mask = scipy.fft.rfft2(np.ones((self.height, self.width)), self._shape)
        self.count = np.maximum(self._back(mask * mask.conj()).round(), 1)
        self._wide = self.count >= LEAST_SHARE * self.height * self.width
        self._spectra = scipy.fft.rfft2(images, self._shape)
        squares = scipy.fft.rfft2(images**2, self._shape)
        # For each image alone: its sum and sum of squared deviations over what each shift shares.
        self._as_first = [
            self._moments(s, q, mask) for s, q in zip(self._spectra, squares, strict=True)
        ]
        self._as_second = [
            self._moments(s.conj(), q.conj(), mask.conj())
            for s, q in zip(self._spectra, squares, strict=True)
        ]

    def _back(self, spectrum: np.ndarray) -> np.ndarray:
        return scipy.fft.irfft2(spectrum, self._shape)

    def _moments(
        self, spectrum: np.ndarray, square: np.ndarray, mask: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        total = self._back(spectrum * mask.conj())
        return total, np.maximum(self._back(square * mask.conj()) - total**2 / self.count, 1e-3)

    def correlation(self, first: int, other: "Fields", second: int) -> np.ndarray:
        """Returns Pearson's r at every shift, (2h, 2w); 0 where the photographs share too little.

        The value at [dy, dx] (negative shifts count from the end) is for shifts as in `Overlap`.
        """
        joint = self._back(self._spectra[first] * other._spectra[second].conj())
        total_a, spread_a = self._as_first[first]
        total_b, spread_b = other._as_second[second]
        r = (joint - total_a * total_b / self.count) / np.sqrt(spread_a * spread_b)
        r[~self._wide] = 0
        return r

    def best_shift(self, first: int, other: "Fields", second: int) -> tuple[float, int, int]:
        """Returns the largest Fisher's z times the root of the shared pixels, and its (dx, dy)."""
        r = np.clip(self.correlation(first, other, second), -0.999, 0.999)
        weighed = np.arctanh(r) * np.sqrt(self.count)
        y, x = np.unravel_index(weighed.argmax(), r.shape)
        dy, dx = y - (y >= self.height) * r.shape[0], x - (x >= self.width) * r.shape[1]
        return float(weighed[y, x]), int(dx), int(dy)


def _shrunk(image: np.ndarray, factor: int) -> np.ndarray:
    size = (image.shape[1] // factor, image.shape[0] // factor)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def coarse(image: np.ndarray) -> np.ndarray:
    """Returns the green channel of a uint8 RGB (h, w, 3), evenly lit, float32 (h/8, w/8)."""
    green = image[:, :, 1].astype(np.float32)
    return _shrunk(green - cv2.GaussianBlur(green, (0, 0), FLAT), COARSE)


def fine(image: np.ndarray) -> np.ndarray:
    """Returns the colour details of a uint8 RGB (h, w, 3) image, float32 (h/2, w/2, 3)."""
    pixels = image.astype(np.float32)
    low, high = (cv2.GaussianBlur(pixels, (0, 0), sigma) for sigma in BAND)
    return _shrunk(low - high, FINE)


def fine_correlation(
    first: np.ndarray, second: np.ndarray, dx: int, dy: int
) -> tuple[float, int, int]:
    """Returns the highest correlation of two `fine` images about the shift (in their pixels), and
    the shift where it is reached."""
    part = shared(first.shape, dx, dy, SEARCH)
    template = second[part]
    if min(template.shape[:2]) < SEARCH:
        return 0.0, dx, dy
    r = cv2.matchTemplate(
        np.ascontiguousarray(first[moved(part, dx, dy, SEARCH)]),
        np.ascontiguousarray(template), cv2.TM_CCOEFF_NORMED,
    )  # fmt: skip
    y, x = np.unravel_index(r.argmax(), r.shape)
    return float(r[y, x]), dx + int(x) - SEARCH, dy + int(y) - SEARCH


def _agreeing(first: np.ndarray, second: np.ndarray) -> int:
    """Returns how many mutually nearest SIFT features of two aligned cuts lie in one place."""
    sift = cv2.SIFT.create(contrastThreshold=0.01)
    (points, described), (others, their) = (
        sift.detectAndCompute(cv2.cvtColor(cut, cv2.COLOR_RGB2GRAY), None)
        for cut in (first, second)
    )
    if described is None or their is None:
        return 0
    matches = cv2.BFMatcher(cv2.NORM_L2, crossCheck=True).match(described, their)
    apart = [np.subtract(points[m.queryIdx].pt, others[m.trainIdx].pt) for m in matches]
    return sum(float(np.hypot(*shift)) <= NEAR for shift in apart)


def _sharpness(image: np.ndarray) -> float:
    return float(cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


def _likely(
    fields: Fields, others: Fields, n: int, progress: Progress, what: str
) -> list[tuple[float, int, int, int, int]]:
    pairs = []
    for first in range(n):
        for second in range(first + 1, n):
            pairs.append((*fields.best_shift(first, others, second), first, second))
        progress(what, first + 1, n)
    return pairs


def search(photographs: dict[str, np.ndarray], progress: Progress | None = None) -> Search:
    """Finds every pair of the photographs (name -> uint8 RGB (h, w, 3), one size) that overlaps.

    Takes two minutes for 367 photographs of 480x640.
    """
    report = throttled(progress)
    cv2.setNumThreads(1)
    names, images = list(photographs), list(photographs.values())
    small = np.stack([coarse(image) for image in images])
    fields, mirrored = Fields(small), Fields(np.ascontiguousarray(small[:, :, ::-1]))
    by_chance = _likely(fields, mirrored, len(names), report, "pairs, one photograph mirrored")
    pairs = _likely(fields, fields, len(names), report, "pairs of photographs")
    bar = np.percentile([pair[0] for pair in by_chance], CHANCE)
    details = [fine(image) for image in images]

    def closely(chosen: list, flip: bool) -> Iterator[Overlap]:
        scale = COARSE // FINE
        for weighed, dx, dy, first, second in chosen:
            if weighed < bar:
                continue
            side = -1 if flip else 1
            r, dx, dy = fine_correlation(
                details[first], details[second][:, ::side], dx * scale, dy * scale
            )
            cuts, (dx, dy) = (images[first], images[second][:, ::side]), (dx * FINE, dy * FINE)
            yield _measured(names[first], names[second], dx, dy, r, cuts)

    seen = sorted(closely(pairs, False), key=lambda pair: -pair.correlation)
    mirror = list(closely(by_chance, True))
    wide = [pair.correlation for pair in mirror if pair.share >= SMALL]
    others = [pair.correlation for pair in seen if pair.share >= SMALL and not is_found(pair)]
    return Search(
        [pair for pair in seen if is_found(pair)],
        next_best=max(others, default=0.0),
        chance=max(wide, default=0.0),
        found_by_chance=sum(map(is_found, mirror)),
        looked_at=len(seen),
    )


def is_found(pair: Overlap) -> bool:
    """Returns whether the evidence for a pair is enough."""
    return pair.correlation >= BOUND and (pair.share >= SMALL or pair.features >= FEATURES)


def _measured(
    first: str, second: str, dx: int, dy: int, r: float, images: tuple[np.ndarray, np.ndarray]
) -> Overlap:
    """Returns a pair with the rest of its evidence, if the correlation makes it worth the time."""
    share = share_of(images[0].shape, dx, dy)
    if r < BOUND:
        return Overlap(first, second, dx, dy, share, r, 0, 1.0)
    part = shared(images[0].shape, dx, dy)
    cuts = [
        np.ascontiguousarray(cut)
        for cut in (images[0][moved(part, dx, dy)], images[1][part])
    ]  # fmt: skip
    sharpness = _sharpness(cuts[0]) / _sharpness(cuts[1])
    return Overlap(first, second, dx, dy, share, r, _agreeing(*cuts), sharpness)
