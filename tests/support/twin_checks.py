"""Values that both twins must agree on, worked out apart from either twin."""

import numpy as np

from benchmarks.parity import twin_pair
from protocols.images.pool import Pool
from protocols.papers.variants import load_variants
from protocols.runs import parity

# Keras's networks without top, moving statistics counted.
BACKBONES = {"xception": 20_861_480, "inception_v3": 21_802_784, "resnet50": 23_587_712}
MOVING = {"xception": 54_528, "inception_v3": 34_432, "resnet50": 53_120}


def parts_of(variant) -> set:
    """Gives what a network is built of: its backbones, how many they are, its head."""
    return {*variant.backbones, len(variant.backbones), (variant.sequence, variant.cell)}


def with_every_part(names) -> list[str]:
    """Gives those of the networks `names`, in this order, that bring a new part."""
    known, found = load_variants(), []
    for name in names:
        if parts_of(known[name]) - set().union(*(parts_of(known[n]) for n in found)):
            found.append(name)
    return found


def climbed_networks() -> list[str]:
    """Gives the networks that the tests climb the whole ladder with: few that have every part,
    those of two backbones first, for they have the parts of two. The others are built of the same
    parts; the tests check only how these join them: counts, bridge, forward pass. `python runner.py
    --parity` climbs all."""
    known = load_variants()
    return with_every_part(sorted(known, key=lambda name: -len(known[name].backbones)))


CLIMBED = climbed_networks()
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 84, 112, 3), dtype=np.uint8)


def dense(inputs: int, units: int) -> int:
    return inputs * units + units


def lstm(inputs: int, units: int) -> int:
    return 4 * units * (inputs + units + 1)


def gru(inputs: int, units: int) -> int:
    return 3 * units * (inputs + units + 2)  # reset_after: two biases


PROJECT, CLASSIFY = dense(2048, 512), dense(512, 4)
ROWS = 2 * lstm(112, 256)  # a row of the smoke profile has 112 values


def jane(cell) -> int:
    reduce_map = 2048 * 256 + 2 * 256  # 1x1 convolution without bias, batch normalisation
    sequence = cell(256, 8) + cell(8, 8) + 2 * cell(8, 256)
    return PROJECT + reduce_map + sequence + CLASSIFY


EVERY_BACKBONE = ("inception_v3", "xception_resnet50_lstm", "cnn_gru")  # networks that have it
HEADS = {
    "inception_v3": PROJECT + CLASSIFY,
    "resnet50": PROJECT + CLASSIFY,
    "xception": PROJECT + CLASSIFY,
    "inception_v3_lstm": PROJECT + CLASSIFY + ROWS,
    "resnet50_lstm": PROJECT + CLASSIFY + ROWS,
    "xception_lstm": PROJECT + CLASSIFY + ROWS,
    "xception_resnet50_lstm": 2 * PROJECT + CLASSIFY + ROWS,
    "cnn_lstm": jane(lstm),
    "cnn_gru": jane(gru),
}


def _trained(variant: str) -> int:
    parts = ("xception", "inception_v3", "resnet50")
    names = [name for name in parts if name in variant] or ["xception"]
    return HEADS[variant] + sum(BACKBONES[n] - MOVING[n] for n in names)


TRAINED = {variant: _trained(variant) for variant in HEADS}


def cam_of_pooled_head(maps, project, bias, classify, logits) -> np.ndarray:
    """Gives the Grad-CAM (n, h, w) of Liang's plain head, worked out by hand.
    The head is dense (channels, 512) on the mean of the map (n, h, w, channels), ReLU, dense (512,
    4). The slope of the predicted class by the mean is the slope by each position times the number
    of positions."""
    hidden = maps.mean(axis=(1, 2)) @ project + bias
    slopes = ((hidden > 0) * classify[:, logits.argmax(axis=1)].T) @ project.T
    positions = maps.shape[1] * maps.shape[2]
    return np.maximum((maps * slopes[:, None, None]).sum(axis=-1) / positions, 0)


def keras_adam(gradients: np.ndarray, rate: float) -> np.ndarray:
    """Gives the weights after each step of Keras's Adam from zero: epsilon before the bias
    correction."""
    m = v = w = np.zeros(gradients.shape[1])
    path = []
    for t, g in enumerate(gradients, 1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        w = w - rate * m * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) / (np.sqrt(v) + 1e-7)
        path.append(w)
    return np.array(path)


def rmsprop_2018(gradients: np.ndarray, rate: float) -> np.ndarray:
    """Gives the weights after each step of the RMSProp of Keras of 2018: epsilon outside the
    root."""
    v = w = np.zeros(gradients.shape[1])
    path = []
    for g in gradients:
        v = 0.9 * v + 0.1 * g * g
        w = w - rate * g / (np.sqrt(v) + 1e-7)
        path.append(w)
    return np.array(path)


def pool_of(precision):
    size = (8, *parity.SIZES[precision], 3)
    pixels = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    n = np.arange(8)
    return Pool(pixels, n, list("abcdefgh"), n % 4, [twin_pair.TRAIN], [twin_pair.TEST])
