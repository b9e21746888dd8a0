"""What the networks look at: activations.npz, for images that are named here once, and for the
layers that backbones.toml names.

ids, labels        the chosen images: of each class the first that is tested, in the tested order;
                   labels int64 (n,), index into CLASSES
probabilities      float32 (n, 4) of the network as its training ended (the selected epoch's weights
                   are not kept), in inference mode
layer/BACKBONE/L   uint8 (maps, h, w): the first maps of layer L for the first image
range/BACKBONE/L   float64 (offset, scale): value = offset + scale * uint8; NaN: not finite
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
LAST = 32  # pixels of the image, across, to one position of a last map
HEADS = 1_500  # bytes of the arrays' heads
# What compression leaves of maps, measured: of random and of loaded weights; of large images less
PACKED_RANDOM, PACKED_LOADED, PACKED_LARGE, LARGE = 0.72, 0.48, 0.8, 40_000  # pixels


@dataclass(frozen=True)
class Seen:
    """What a network makes of n images, in inference mode; channels last, float32 or float64."""

    logits: np.ndarray  # (n, 4)
    layers: dict[str, np.ndarray]  # "backbone/layer": of the first image (h, w, maps)
    maps: dict[str, np.ndarray]  # backbone: its last map (n, h, w, channels)
    gradients: dict[str, np.ndarray]  # of the predicted class's logit by that map, same shape


def chosen(pool: Pool, evaluated: np.ndarray) -> np.ndarray:
    """Positions of the images looked at: the first tested one of each class."""
    tested = evaluated[pool.selecting :]
    firsts = (np.flatnonzero(pool.labels[tested] == c)[:1] for c in range(len(CLASSES)))
    return tested[np.concatenate(list(firsts))]


@cache
def turned(image: str, count: int = 6) -> tuple[Shown, ...]:
    """Images of one part that show the photograph of `image`, a file of the public set, by angle:
    `count` at most, evenly taken. Empty for what isn't such a file."""
    shown = {row.file: row for row in provenance.shown()}
    if image not in shown:
        return ()
    of, split = shown[image].original, shown[image].split
    rows = [row for row in shown.values() if (row.original, row.split) == (of, split)]
    rows.sort(key=lambda row: (row.angle, row.file))
    steps = np.linspace(0, len(rows) - 1, min(count, len(rows)))
    return tuple(rows[round(i)] for i in steps)


def grad_cam(feature_map: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """(n, h, w) from two (n, h, w, channels): ReLU of the channels' sum, each weighted with the
    mean of its gradient over the positions (Selvaraju et al. 2017, arXiv 1610.02391, eq. 1, 2)."""
    weights = gradient.mean(axis=(1, 2), dtype=np.float64)
    return np.maximum(np.einsum("nhwc,nc->nhw", feature_map.astype(np.float64), weights), 0)


def quantised(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """uint8 of the same shape, and (offset, scale); NaN and zeros where a value is not finite."""
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
    """A layer of activations.npz, "backbone/layer": float64 (maps, h, w)."""
    offset, scale = arrays[f"range/{key}"]
    return offset + scale * arrays[f"layer/{key}"]


def backbones(names: Iterable[str]) -> list[str]:
    """The backbones of arrays named `names`, in their order."""
    return [name.removeprefix("cam/") for name in names if name.startswith("cam/")]


def about_bytes(spec: RunSpec) -> int:
    """About what a run's file takes: its layers (the first convolution halves the image, each
    pooling halves again) and maps of Grad-CAM, and what compression leaves of them."""
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
