"""The nine networks: backbones, recurrent branch, product, softmax (Liang III.C; Jane 3.2)."""

from typing import Any

import keras
from keras import layers, ops

from protocols.classes import CLASSES
from protocols.seeds import derive
from protocols.spec import RunSpec
from protocols.variants import Variant, load_variants

CHANNELS = 2048  # of the last feature map, all three
BACKBONES = {
    "xception": keras.applications.Xception,
    "inception_v3": keras.applications.InceptionV3,
    "resnet50": keras.applications.ResNet50,
}
RNN = {"lstm": layers.LSTM, "gru": layers.GRU}
BLUE_GREEN_RED_MEAN = (103.939, 116.779, 123.68)  # ImageNet's, in 0..255


def preprocess(backbone: str, images: Any) -> Any:
    """keras.applications' input of a backbone: uint8 RGB (n, h, w, 3) -> float, same shape."""
    x = ops.cast(images, keras.config.floatx())
    if backbone == "resnet50":
        return ops.flip(x, axis=-1) - ops.convert_to_tensor(BLUE_GREEN_RED_MEAN, x.dtype)
    return x / 127.5 - 1


def _liang_head(variant: Variant, spec: RunSpec) -> keras.Model:
    """Pooled CNN features -> Dense 512 ReLU; times the rows' BiLSTM states, if any; Dense 4."""
    recipe = spec.recipe
    shape = (spec.data["height"], spec.data["width"], 3)
    images = keras.Input(shape, dtype="uint8", name="images")
    features = [keras.Input((CHANNELS,), name=name) for name in variant.backbones]
    branches = [
        layers.Dense(recipe["projection_units"], activation="relu", name=f"project_{name}")(x)
        for name, x in zip(variant.backbones, features, strict=True)
    ]
    if variant.sequence == "rows":
        rnn = layers.LSTM(recipe["lstm_units"])
        branches.append(layers.Bidirectional(rnn, name="rows")(Grey(recipe["grey"])(images)))
    product = branches[0] if len(branches) == 1 else layers.Multiply(name="product")(branches)
    logits = layers.Dense(len(CLASSES), name="classify")(product)
    return keras.Model([*features, images], logits, name="head")


class Grey(layers.Layer):
    """uint8 RGB (n, h, w, 3) -> grey in [0, 1], (n, h, w): each row a step. Not rounded."""

    def __init__(self, weights: list[float]) -> None:
        super().__init__(name="grey")
        self.rgb = tuple(weights)

    def call(self, images: Any) -> Any:
        """See the class."""
        x = ops.cast(images, self.compute_dtype)
        return ops.sum(x * ops.convert_to_tensor(self.rgb, x.dtype), axis=-1) / 255


def _jane_head(variant: Variant, spec: RunSpec, map_shape: tuple[int, ...]) -> keras.Model:
    """The CNN's last map read twice: pooled, and as a sequence; product, dropout, Dense 4."""
    recipe, rnn = spec.recipe, RNN[variant.cell]
    shape = (spec.data["height"], spec.data["width"], 3)
    images = keras.Input(shape, dtype="uint8", name="images")  # not read; both heads alike
    feature_map = keras.Input(map_shape, name="xception")
    pooled = layers.GlobalAveragePooling2D()(feature_map)
    pooled = layers.Dense(recipe["projection_units"], activation="relu", name="project")(pooled)
    channels = recipe["map_channels"]
    x = layers.Conv2D(channels, 1, use_bias=False, name="reduce_map")(feature_map)
    x = layers.ReLU()(layers.BatchNormalization(name="norm")(x))
    x = layers.MaxPooling2D(2)(x)
    sequence = layers.Reshape((-1, channels))(x)  # raster order
    for number in (1, 2):
        layer = rnn(recipe["small_rnn_units"], return_sequences=True, name=f"small{number}")
        sequence = layer(sequence)
    states = layers.Bidirectional(rnn(recipe["rnn_units"]), name="states")(sequence)
    product = layers.Multiply(name="product")([pooled, states])
    dropout = layers.Dropout(recipe["dropout"], seed=derive(spec.seed, "dropout"))
    logits = layers.Dense(len(CLASSES), name="classify")(dropout(product))
    return keras.Model([feature_map, images], logits, name="head")


class Network:
    """uint8 RGB (n, h, w, 3) -> logits (n, 4), with its backbones and its head apart.

    Random weights come from Keras's own initialisers, seeded by the run.
    """

    def __init__(self, spec: RunSpec) -> None:
        self.variant = load_variants()[spec.variant]
        keras.utils.set_random_seed(derive(spec.seed, "weights"))
        shape = (spec.data["height"], spec.data["width"], 3)
        self.backbones = [
            BACKBONES[name](include_top=False, weights=None, input_shape=shape)
            for name in self.variant.backbones
        ]
        self.pooled = self.variant.paper == "liang"
        self.head = (
            _liang_head(self.variant, spec)
            if self.pooled
            else _jane_head(self.variant, spec, self.backbones[0].output_shape[1:])
        )

    def features(self, images: Any, training: bool = False) -> list[Any]:
        """What the head reads of the backbones: pooled (n, 2048) each, or Jane's map."""
        maps = [
            model(preprocess(name, images), training=training)
            for name, model in zip(self.variant.backbones, self.backbones, strict=True)
        ]
        return [ops.mean(m, axis=(1, 2)) for m in maps] if self.pooled else maps

    def logits(self, images: Any, features: list[Any] | None, training: bool = False) -> Any:
        """(n, 4), through `features` of frozen backbones where they are given."""
        if features is None:
            features = self.features(images, training)
        return self.head([*features, images], training=training)

    @property
    def parts(self) -> list[keras.Model]:
        """Every part of the network."""
        return [*self.backbones, self.head]

    def penalised(self) -> list[keras.Variable]:
        """The tensors under Jane's L2: kernels and recurrent kernels of the layers we add."""
        names = ("kernel", "recurrent_kernel")
        return [v for v in self.head.trainable_variables if v.name in names]

    def batch_norms(self) -> list[layers.BatchNormalization]:
        """The backbones' batch normalisations."""
        found = [layer for model in self.backbones for layer in model.layers]
        return [layer for layer in found if isinstance(layer, layers.BatchNormalization)]


def data_loss(logits: Any, labels: Any, smoothing: float) -> Any:
    """Cross entropy (n,) in nats against (1 - s) one-hot + s / 4."""
    logp = ops.log_softmax(logits)
    true = ops.squeeze(ops.take_along_axis(logp, ops.expand_dims(labels, 1), axis=1), 1)
    return -((1 - smoothing) * true + smoothing * ops.mean(logp, axis=1))


def penalty(kernels: list[keras.Variable], rate: float) -> Any:
    """The L2 term, as keras.regularizers.l2: rate times the sum of squares; 0 without kernels."""
    return rate * sum((ops.sum(ops.square(k)) for k in kernels), ops.zeros(()))


class RMSprop2018(keras.optimizers.RMSprop):
    """RMSProp as Keras had it in 2018: epsilon outside the root. Keras 3 has it inside."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """lr * g / (sqrt(v) + epsilon), v0 = 0."""
        rate = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        velocity = self._velocities[self._get_variable_index(variable)]
        self.assign(velocity, self.rho * velocity + (1 - self.rho) * ops.square(gradient))
        step = rate * gradient / (ops.sqrt(velocity) + self.epsilon)
        self.assign_sub(variable, step)


def make_optimizer(phase: dict[str, Any], recipe: dict[str, Any]) -> keras.optimizers.Optimizer:
    """The phase's optimiser."""
    if phase["optimizer"] == "rmsprop":
        return RMSprop2018(phase["rate"], rho=recipe["rmsprop_rho"], epsilon=recipe["epsilon"])
    betas = recipe["adam_beta1"], recipe["adam_beta2"]
    return keras.optimizers.Adam(phase["rate"], *betas, epsilon=recipe["epsilon"])
