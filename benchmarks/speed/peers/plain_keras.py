"""Trains and answers in plain Keras: keras.applications, image_dataset_from_directory, fit.

Batches are decoded ahead (`prefetch`). They are not cached, for the 9,957 images in float32 need
9.2 GB at 240x320. Every image goes through the backbone in every epoch.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from keras.applications.imagenet_utils import preprocess_input

from benchmarks.speed.peers.process import normal_images
from protocols.papers.backbones import load_backbones
from protocols.papers.variants import load_variants
from protocols.runs.latency import BATCH
from protocols.spec import RunSpec

RNN = {"lstm": layers.LSTM, "gru": layers.GRU}
CLASSES = 4


def full_float32() -> None:
    """Turns TF32 off on a GPU, as the verdicts need."""
    if keras.backend.backend() == "jax":
        import jax  # noqa: PLC0415 (one backend or the other)

        jax.config.update("jax_default_matmul_precision", "highest")
    else:
        import tensorflow as tf  # noqa: PLC0415

        tf.config.experimental.enable_tensor_float_32_execution(False)


def make_network(spec: RunSpec, frozen: bool = False, preprocess: bool = True) -> keras.Model:
    """Makes a variant of plain layers: images (n, h, w, 3) -> probabilities.

    Without `preprocess` the images are what the backbones read.
    """
    full_float32()
    images = keras.Input((spec.data["height"], spec.data["width"], 3))
    maps = []
    for name in _backbones(spec):
        known = load_backbones()[name]
        build = getattr(keras.applications, known.keras)
        cnn = build(include_top=False, weights=None, input_shape=images.shape[1:])
        cnn.trainable = not frozen
        x = preprocess_input(images, mode=known.preprocessing) if preprocess else images
        maps.append(cnn(x, training=False) if frozen else cnn(x))
    return keras.Model(images, head(spec, maps, images))


def head(spec: RunSpec, maps: list[Any], images: Any) -> Any:
    """Returns probabilities from the backbones' last maps, or from their means (n, channels)."""
    variant, recipe = load_variants()[spec.variant], spec.recipe
    means = [layers.GlobalAveragePooling2D()(m) if len(m.shape) == 4 else m for m in maps]
    branches = [layers.Dense(recipe["projection_units"], activation="relu")(m) for m in means]
    if variant.sequence == "rows":
        grey = ops.mean(images, axis=-1) / 255
        branches.append(layers.Bidirectional(layers.LSTM(recipe["lstm_units"]))(grey))
    if variant.sequence == "feature_map":
        rnn, channels = RNN[variant.cell], recipe["map_channels"]
        x = layers.Conv2D(channels, 1, use_bias=False)(maps[0])
        x = layers.MaxPooling2D()(layers.ReLU()(layers.BatchNormalization()(x)))
        x = layers.Reshape((-1, channels))(x)
        for _ in range(2):
            x = rnn(recipe["small_rnn_units"], return_sequences=True)(x)
        branches.append(layers.Bidirectional(rnn(recipe["rnn_units"]))(x))
    product = branches[0] if len(branches) == 1 else layers.Multiply()(branches)
    product = layers.Dropout(recipe["dropout"])(product)
    return layers.Dense(CLASSES, activation="softmax")(product)


def compiled(model: keras.Model, spec: RunSpec, phase: dict[str, Any]) -> keras.Model:
    """Compiles a model with the phase's optimiser at Keras's defaults, and the recipe's loss."""
    kind = {"rmsprop": keras.optimizers.RMSprop, "adam": keras.optimizers.Adam}
    smoothing = spec.recipe["label_smoothing"]
    model.compile(
        optimizer=kind[phase["optimizer"]](phase["rate"]),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=smoothing),
        metrics=["accuracy"],
    )
    return model


def dataset(spec: RunSpec, folder: str) -> Any:
    """Returns batches of (images 0..255, one-hot labels) from a folder of class folders."""
    import tensorflow as tf  # noqa: PLC0415 (Keras reads files with it on any backend)

    if keras.backend.backend() == "jax":
        tf.config.set_visible_devices([], "GPU")
    # When an iterator ends, tf.data waits for its tuner to wake up from sleeps of 10 ms times 1, 2,
    # 4 ...: an epoch of seconds would seem to take up to twice as long.
    options = tf.data.Options()
    options.autotune.enabled = False
    images = keras.utils.image_dataset_from_directory(
        folder,
        label_mode="categorical",
        image_size=(spec.data["height"], spec.data["width"]),
        batch_size=spec.recipe["batch_size"],
    )
    return images.prefetch(2).with_options(options)


def epoch(spec: RunSpec, phase: int, folder: str) -> Callable[[], float]:
    """Returns a call that trains one epoch of a phase (counted from 0) over the images in `folder`,
    and gives the mean loss of the epoch."""
    how, batches = spec.phases[phase], dataset(spec, folder)
    model = compiled(make_network(spec, how["frozen"]), spec, how)
    return lambda: model.fit(batches, epochs=1, verbose=0).history["loss"][0]


def head_alone(spec: RunSpec, images: int) -> Callable[[], float]:
    """Returns a call that trains a variant's head and recurrent branch for one epoch, on made-up
    arrays in memory, by `train_on_batch` (`fit` waits for tf.data's tuner, see `dataset`)."""
    rng, size = np.random.default_rng(0), spec.recipe["batch_size"]
    shape = spec.data["height"], spec.data["width"], 3
    inputs = [keras.Input(shape), *(keras.Input((2048,)) for _ in _backbones(spec))]
    model = keras.Model(inputs, head(spec, inputs[1:], inputs[0]))
    compiled(model, spec, spec.phases[0])
    arrays = [rng.random((images, *x.shape[1:]), dtype=np.float32) for x in inputs]
    labels = np.eye(CLASSES, dtype=np.float32)[rng.integers(CLASSES, size=images)]

    def train() -> float:
        order = rng.permutation(images)
        for first in range(0, images, size):
            rows = order[first : first + size]
            found = model.train_on_batch([a[rows] for a in arrays], labels[rows])
        return float(found[0])

    return train


def _backbones(spec: RunSpec) -> tuple[str, ...]:
    return load_variants()[spec.variant].backbones


def answers(spec: RunSpec) -> Callable[[str, int], np.ndarray]:
    """Returns a call that gives the probabilities of a preprocessed batch, on the host.

    The call takes "call" (the model itself, eager), "predict_on_batch" (compiled) or "predict", and
    the number of images.
    """
    model = make_network(spec, preprocess=False)
    arrays = {n: normal_images(spec, n) for n in (1, BATCH)}
    calls = {
        "call": lambda images: ops.convert_to_numpy(model(images, training=False)),
        "predict_on_batch": model.predict_on_batch,
        "predict": lambda images: model.predict(images, verbose=0),
    }
    return lambda how, batch: calls[how](arrays[batch])


def read(spec: RunSpec, folder: str) -> Callable[[], int]:
    """Returns a call that reads all images once, decoded and resized: what every epoch pays."""
    batches = dataset(spec, folder)
    return lambda: sum(len(labels) for _, labels in batches)
