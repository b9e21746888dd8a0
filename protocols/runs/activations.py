"""Writes and reads activations.npz, which shows what the networks look at: for images that are
chosen here for all networks, and for the layers that backbones.toml names. The file's arrays are:

ids, labels        the chosen images: the first tested image of each class, in the order of CLASSES;
                   labels int64 (n,), index into CLASSES
probabilities      float32 (n, 4) of the network as its training ended (the selected epoch's weights
                   are not kept), in inference mode
layer/BACKBONE/L   uint8 (maps, h, w): the first maps of layer L for the first image
range/BACKBONE/L   float64 (offset, scale): value = offset + scale * uint8; NaN if a value of the
                   layer isn't finite
cam/BACKBONE       float32 (n, h, w): Grad-CAM of the last map towards the predicted class
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from protocols.classes import CLASSES
from protocols.images.pool import Pool
from protocols.papers.backbones import load_backbones
from protocols.papers.variants import load_variants
from protocols.photographs import provenance
from protocols.photographs.provenance import Shown
from protocols.spec import RunSpec

FILE = "activations.npz"
LAST = 32  # pixels across the image for each position of a last map
HEADS = 1_500  # the bytes of the arrays' heads
# The measured share that compression leaves of maps: with random weights, with loaded weights, and
# the factor by which it is smaller for images of more than LARGE pixels
PACKED_RANDOM, PACKED_LOADED, PACKED_LARGE, LARGE = 0.72, 0.48, 0.8, 40_000  # pixels


@dataclass(frozen=True)
class Seen:
    """The values that a network computes from n images, in inference mode, with channels last, as
    float32 or float64."""

    logits: np.ndarray  # (n, 4)
    layers: dict[str, np.ndarray]  # "backbone/layer": the layer for the first image (h, w, maps)
    maps: dict[str, np.ndarray]  # backbone: the backbone's last map (n, h, w, channels)
    gradients: dict[str, np.ndarray]  # of the predicted class's logit by the last map, same shape


def chosen(pool: Pool, evaluated: np.ndarray) -> np.ndarray:
    """Gives the positions of the chosen images: the first tested image of each class."""
    tested = evaluated[pool.selecting :]
    firsts = (np.flatnonzero(pool.labels[tested] == c)[:1] for c in range(len(CLASSES)))
    return tested[np.concatenate(list(firsts))]


@cache
def turned(image: str, count: int = 6) -> tuple[Shown, ...]:
    """Gives the images of one part that show the same photograph as `image`, a file of the public
    set, sorted by angle: at most `count` of them, evenly taken. Gives none if `image` isn't such a
    file."""
    shown = {row.file: row for row in provenance.shown()}
    if image not in shown:
        return ()
    of, split = shown[image].original, shown[image].split
    rows = [row for row in shown.values() if (row.original, row.split) == (of, split)]
    rows.sort(key=lambda row: (row.angle, row.file))
    steps = np.linspace(0, len(rows) - 1, min(count, len(rows)))
    return tuple(rows[round(i)] for i in steps)


def grad_cam(feature_map: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Gives Grad-CAM (n, h, w) of a map and its gradient (n, h, w, channels): the ReLU of the
    channels' sum, in which each channel is weighted with the mean of its gradient over the
    positions (Selvaraju et al. 2017, arXiv 1610.02391, eq. 1, 2)."""
    weights = gradient.mean(axis=(1, 2), dtype=np.float64)
    return np.maximum(np.einsum("nhwc,nc->nhw", feature_map.astype(np.float64), weights), 0)


def quantised(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gives `values` as uint8 of the same shape, and (offset, scale), float64. If a value is not
    finite, it gives zeros and NaN."""
    low, high = float(values.min()), float(values.max())
    scale = (high - low) / 255
    if not np.isfinite(scale):
        return np.zeros(values.shape, np.uint8), np.full(2, np.nan)
    steps = (values - low) / (scale or 1.0)
    return np.rint(steps).astype(np.uint8), np.array([low, scale])


def write(folder: Path, pool: Pool, positions: np.ndarray, seen: Seen) -> None:
    """Writes activations.npz for the images at `positions`."""
    shifted = np.exp(seen.logits - seen.logits.max(axis=1, keepdims=True))
    arrays = {
        "ids": np.array([pool.ids[p] for p in positions]),
        "labels": pool.labels[positions],
        "probabilities": (shifted / shifted.sum(axis=1, keepdims=True)).astype(np.float32),
    }
    for key, values in seen.layers.items():
        arrays[f"layer/{key}"], arrays[f"range/{key}"] = quantised(values.transpose(2, 0, 1))
    for name, feature_map in seen.maps.items():
        cam = grad_cam(feature_map, seen.gradients[name])
        arrays[f"cam/{name}"] = cam.astype(np.float32)
    np.savez_compressed(folder / FILE, **arrays)


def values(arrays: dict[str, np.ndarray], key: str) -> np.ndarray:
    """Gives the values of the layer `key`, "backbone/layer", of activations.npz: float64 (maps, h,
    w)."""
    offset, scale = arrays[f"range/{key}"]
    return offset + scale * arrays[f"layer/{key}"]


def backbones(names: Iterable[str]) -> list[str]:
    """Gives the backbones that have arrays among `names`, in the order of `names`."""
    return [name.removeprefix("cam/") for name in names if name.startswith("cam/")]


def about_bytes(spec: RunSpec) -> int:
    """Estimates the bytes of a run's file: its layers (the first convolution halves the image, each
    pooling halves it again) and its maps of Grad-CAM, times the share that compression leaves."""
    pixels, total = spec.data["height"] * spec.data["width"], HEADS
    packed = PACKED_RANDOM if spec.weights["source"] == "random" else PACKED_LOADED
    packed *= PACKED_LARGE if pixels > LARGE else 1
    for name in load_variants()[spec.variant].backbones:
        first, *pools = load_backbones()[name].layers
        sizes = [first.maps * pixels // 4]
        sizes += [layer.maps * pixels // 4 ** (i + 2) for i, layer in enumerate(pools)]
        cams = len(CLASSES) * 4 * pixels // LAST**2  # float32
        total += round(packed * (sum(sizes) + cams))
    return total
