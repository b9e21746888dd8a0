"""Builds EfficientNet-Lite0 as timm has it, in Keras, since keras.applications has none.
The network is that of arXiv 1905.11946; "lite" means ReLU6 and no squeeze and excitation. The
layers bear timm's names, so that weights are carried over by name."""

from typing import Any

import keras
from keras import layers

EPSILON = 1e-3
# kernel, stride of the first block, expansion, channels, repeats
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
STEM, TOP = 32, 1280  # channels
WORDS: dict[str, Any] = {"padding": "same", "use_bias": False}  # of every convolution


def _norm(x: Any, name: str, relu: bool = True) -> Any:
    x = layers.BatchNormalization(epsilon=EPSILON, name=name)(x)
    return layers.ReLU(6.0)(x) if relu else x


def _conv(x: Any, channels: int, kernel: int, stride: int, name: str) -> Any:
    return layers.Conv2D(channels, kernel, stride, name=name, **WORDS)(x)


def _depthwise(x: Any, kernel: int, stride: int, name: str) -> Any:
    return layers.DepthwiseConv2D(kernel, stride, name=name, **WORDS)(x)


def _separable(x: Any, name: str, kernel: int, stride: int, channels: int) -> Any:
    x = _norm(_depthwise(x, kernel, stride, f"{name}.conv_dw"), f"{name}.bn1")
    return _norm(_conv(x, channels, 1, 1, f"{name}.conv_pw"), f"{name}.bn2", relu=False)


def _inverted(x: Any, name: str, kernel: int, stride: int, expand: int, channels: int) -> Any:
    before = x
    x = _norm(_conv(x, expand * x.shape[-1], 1, 1, f"{name}.conv_pw"), f"{name}.bn1")
    x = _norm(_depthwise(x, kernel, stride, f"{name}.conv_dw"), f"{name}.bn2")
    x = _norm(_conv(x, channels, 1, 1, f"{name}.conv_pwl"), f"{name}.bn3", relu=False)
    return layers.Add()([x, before]) if x.shape == before.shape else x


def efficientnet_lite0(
    include_top: bool = False, weights: None = None, input_shape: tuple[int, ...] = ()
) -> keras.Model:
    """Makes the network: images in [-1, 1] (n, h, w, 3) -> last feature map (n, h/32, w/32, 1280).

    The signature is that of keras.applications, of which only the default values are taken: raises
    ValueError for a top or weights.
    """
    if include_top or weights:
        raise ValueError("EfficientNet-Lite0 is built without top, its weights come later")
    images = keras.Input(input_shape)
    x = _norm(_conv(images, STEM, 3, 2, "conv_stem"), "bn1")
    for stage, (kernel, stride, expand, channels, repeats) in enumerate(STAGES):
        for block in range(repeats):
            name, step = f"blocks.{stage}.{block}", stride if block == 0 else 1
            if expand == 1:
                x = _separable(x, name, kernel, step, channels)
            else:
                x = _inverted(x, name, kernel, step, expand, channels)
    x = _norm(_conv(x, TOP, 1, 1, "conv_head"), "bn2")
    return keras.Model(images, x, name="efficientnet_lite0")
