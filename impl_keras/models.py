"""The networks of every paper: backbones, recurrent branch, product, softmax."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
from keras import layers, ops

from impl_keras.efficientnet import efficientnet_lite0
from protocols.classes import CLASSES
from protocols.papers.backbones import load_backbones
from protocols.papers.variants import Variant, load_variants
from protocols.seeds import derive
from protocols.spec import IMPLIED, RunSpec

OURS = {"efficientnet_lite0": efficientnet_lite0}  # those that keras.applications doesn't have
BACKBONES = {
    name: getattr(keras.applications, known.keras) if known.keras else OURS[name]
    for name, known in load_backbones().items()
}
RNN = {"lstm": layers.LSTM, "gru": layers.GRU}
BLUE_GREEN_RED_MEAN = (103.939, 116.779, 123.68)  # the mean of ImageNet, in 0..255


def preprocess(backbone: str, images: Any, dtype: str = "float32") -> Any:
    """Gives the input of a backbone of keras.applications: uint8 RGB (n, h, w, 3) -> float, same
    shape."""
    x = ops.cast(images, dtype)
    if load_backbones()[backbone].preprocessing == "caffe":
        return ops.flip(x, axis=-1) - ops.convert_to_tensor(BLUE_GREEN_RED_MEAN, x.dtype)
    return x / 127.5 - 1


@keras.saving.register_keras_serializable("wbc")
def hard_sigmoid(x: Any) -> Any:
    """Gives the hard sigmoid of Keras of 2018: min(max(0.2 x + 0.5, 0), 1).
    What Keras 3 calls so is relu6(x + 3) / 6."""
    return ops.clip(0.2 * x + 0.5, 0.0, 1.0)


GATES = {"sigmoid": {}, "hard_sigmoid": {"recurrent_activation": hard_sigmoid}}


def _rnn(variant: Variant, spec: RunSpec, units: int, **words: Any) -> keras.Layer:
    """Makes a recurrent layer of the variant's cell.
    With other gates than the sigmoid, Keras itself decides against cuDNN."""
    words |= GATES[spec.recipe["recurrent_activation"]]
    # Keras's own choice in the only types that cuDNN's layers take under JAX
    cudnn = "auto" if spec.precision in ("float32", "tf32") else False
    return RNN[variant.cell](units, use_cudnn=cudnn, **words)


def _pooled_body(variant: Variant, spec: RunSpec) -> keras.Model:
    """Makes the body over pooled CNN features, which go through Dense 512 with ReLU.
    The result is multiplied by the last states of both directions over the image's rows, if the
    variant reads rows."""
    recipe = spec.recipe
    inputs = [
        keras.Input((load_backbones()[name].channels,), name=name) for name in variant.backbones
    ]
    branches = [
        layers.Dense(recipe["projection_units"], activation="relu", name=f"project_{name}")(x)
        for name, x in zip(variant.backbones, inputs, strict=True)
    ]
    if variant.sequence == "rows":
        shape = (spec.data["height"], spec.data["width"], 3)
        inputs.append(keras.Input(shape, dtype="uint8", name="images"))
        grey = Grey(recipe["grey"], recipe["grey_pooling"])(inputs[-1])
        rnn = _rnn(variant, spec, recipe["lstm_units"])
        branches.append(layers.Bidirectional(rnn, name="rows")(grey))
    product = branches[0] if len(branches) == 1 else layers.Multiply(name="product")(branches)
    return keras.Model(inputs, product, name="body")


class Grey(layers.Layer):
    """The layer from uint8 RGB (n, h, w, 3) to grey in [0, 1], (n, h, w), not rounded; a row is a
    step. With `pooling` > 1 a value is the mean of a square of that many pixels on a side; a last,
    incomplete square is left out. It is float32 under bfloat16 too: the layer that reads it rounds
    it, once, as in PyTorch."""

    def __init__(self, weights: list[float], pooling: int) -> None:
        super().__init__(name="grey", dtype=keras.config.floatx())
        self.rgb, self.pooling = tuple(weights), pooling

    def call(self, images: Any) -> Any:
        x = ops.cast(images, self.compute_dtype)
        grey = ops.sum(x * ops.convert_to_tensor(self.rgb, x.dtype), axis=-1) / 255
        if self.pooling == 1:
            return grey
        side = self.pooling  # the strides are named because Keras on JAX fails to derive them
        return ops.squeeze(ops.average_pool(ops.expand_dims(grey, -1), side, strides=side), -1)


def _map_body(variant: Variant, spec: RunSpec, map_shape: tuple[int, ...]) -> keras.Model:
    """Makes the body that reads the CNN's last map twice, pooled and as a sequence: their
    product."""
    recipe = spec.recipe
    feature_map = keras.Input(map_shape, name=variant.backbones[0])
    pooled = layers.GlobalAveragePooling2D()(feature_map)
    pooled = layers.Dense(recipe["projection_units"], activation="relu", name="project")(pooled)
    channels = recipe["map_channels"]
    x = layers.Conv2D(channels, 1, use_bias=False, name="reduce_map")(feature_map)
    x = layers.ReLU()(layers.BatchNormalization(name="norm")(x))
    x = layers.MaxPooling2D(2)(x)
    sequence = layers.Reshape((-1, channels))(x)  # raster order
    for number in (1, 2):
        words = {"return_sequences": True, "name": f"small{number}"}
        sequence = _rnn(variant, spec, recipe["small_rnn_units"], **words)(sequence)
    last = _rnn(variant, spec, recipe["rnn_units"])
    states = layers.Bidirectional(last, name="states")(sequence)
    product = layers.Multiply(name="product")([pooled, states])
    return keras.Model([feature_map], product, name="body")


@contextlib.contextmanager
def policy(spec: RunSpec) -> Iterator[None]:
    """Makes the layers built inside compute in the run's precision (float64 is for tests)."""
    before = keras.config.dtype_policy(), keras.config.floatx()
    names = {"bfloat16": "mixed_bfloat16", "float64": "float64"}
    keras.config.set_dtype_policy(names.get(spec.precision, "float32"))
    keras.config.set_floatx("float64" if spec.precision == "float64" else "float32")  # of inputs
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before[0])
        keras.config.set_floatx(before[1])


def _resnet50_of(model: keras.Model, recipe: dict[str, Any]) -> keras.Model:
    """Gives keras.applications' ResNet50 with the recipe's epsilon and pooling.

    A model that has both already is given back as it is. Keras-Applications 1.0.2 (June 2018) has
    epsilon 1e-3 and no padding before the stem's pooling.
    """
    if all(recipe[key] == IMPLIED[key] for key in ("resnet50_epsilon", "resnet50_stem_pooling")):
        return model

    def changed(layer: keras.Layer) -> keras.Layer:
        words = layer.get_config()
        if isinstance(layer, layers.BatchNormalization):
            words["epsilon"] = recipe["resnet50_epsilon"]
        elif layer.name == "pool1_pad" and recipe["resnet50_stem_pooling"] == "unpadded":
            words["padding"] = ((0, 0), (0, 0))
        return layer.__class__.from_config(words)

    return keras.models.clone_model(model, clone_function=changed)


class Network:
    """A variant's network, uint8 RGB (n, h, w, 3) -> logits (n, 4), in parts: backbones, body,
    classifier. The random weights come from Keras's own initialisers, seeded part by part, so that
    a backbone is the same in every variant that has it."""

    def __init__(self, spec: RunSpec) -> None:
        self.variant = load_variants()[spec.variant]
        self.pooled = self.variant.pooled
        self.reads_images = self.variant.sequence == "rows"  # the body does, beside the features
        self.kept = 1 - spec.recipe["dropout"]
        self.dtype = "float64" if spec.precision == "float64" else "float32"
        shape = (spec.data["height"], spec.data["width"], 3)
        self.backbones = []
        with policy(spec):
            for name in self.variant.backbones:
                keras.utils.set_random_seed(derive(spec.seed, "weights", name))
                model = BACKBONES[name](include_top=False, weights=None, input_shape=shape)
                if name == "resnet50":
                    model = _resnet50_of(model, spec.recipe)
                self.backbones.append(model)
        self.map_shape = self.backbones[0].output_shape[1:]
        self.body, self.classify = self.make_head(spec)

    def make_head(self, spec: RunSpec) -> tuple[keras.Model, layers.Dense]:
        """Makes the body and the classifier with the random weights of a run's seed."""
        keras.utils.set_random_seed(derive(spec.seed, "weights", "head"))
        with policy(spec):
            if self.pooled:
                body = _pooled_body(self.variant, spec)
            else:
                body = _map_body(self.variant, spec, self.map_shape)
            classify = layers.Dense(len(CLASSES), name="classify")
            classify.build(body.output_shape)
        return body, classify

    def backbone(self, number: int, images: Any, training: bool = False) -> Any:
        """Gives what the head reads of one backbone: its mean (n, channels), or the map."""
        x = preprocess(self.variant.backbones[number], images, self.dtype)
        return self.reduce(self.backbones[number](x, training=training))

    def reduce(self, feature_map: Any) -> Any:
        """Gives what the head reads of a feature map (n, h, w, channels): its mean, or all of
        it."""
        return ops.mean(feature_map, axis=(1, 2)) if self.pooled else feature_map

    def features(self, images: Any, training: bool = False) -> list[Any]:
        """Gives what the head reads of the backbones."""
        return [self.backbone(i, images, training) for i in range(len(self.backbones))]

    def head(
        self, features: list[Any], images: Any, keep: Any = None, training: bool = False
    ) -> Any:
        """Gives logits (n, 4). `keep`, bool (n, units), says which units dropout keeps, if it is
        on."""
        inputs = [*features, images] if self.reads_images else features
        product = self.body(inputs, training=training)
        if keep is not None:
            product = product * ops.cast(keep, product.dtype) / self.kept
        return self.classify(product)

    def logits(self, images: Any) -> Any:
        """Gives logits (n, 4) in inference mode."""
        return self.head(self.features(images), images)

    @property
    def head_parts(self) -> list[keras.Layer]:
        """The body and the classifier."""
        return [self.body, self.classify]

    @property
    def parts(self) -> list[keras.Layer]:
        """Every part of the network."""
        return [*self.backbones, *self.head_parts]

    @property
    def variables(self) -> list[keras.Variable]:
        """The weights and the moving statistics, part by part."""
        return [v for part in self.parts for v in part.variables]

    def penalised(self) -> list[keras.Variable]:
        """Gives the tensors under the recipe's L2: kernels and recurrent kernels of the layers we
        add."""
        names = ("kernel", "recurrent_kernel")
        found = [v for part in self.head_parts for v in part.trainable_variables]
        return [v for v in found if v.name in names]

    def batch_norms(self) -> list[layers.BatchNormalization]:
        """Gives the backbones' layers of batch normalisation."""
        found = [layer for model in self.backbones for layer in model.layers]
        return [layer for layer in found if isinstance(layer, layers.BatchNormalization)]


def at_least_float32(x: Any) -> Any:
    """Gives `x`; bfloat16 becomes float32."""
    return ops.cast(x, "float32") if keras.backend.standardize_dtype(x.dtype) == "bfloat16" else x


def data_loss(logits: Any, labels: Any, smoothing: float) -> Any:
    """Gives the cross entropy (n,) in nats against (1 - s) one-hot + s / 4, where s is
    `smoothing`."""
    logp = ops.log_softmax(logits)
    true = ops.squeeze(ops.take_along_axis(logp, ops.expand_dims(labels, 1), axis=1), 1)
    return -((1 - smoothing) * true + smoothing * ops.mean(logp, axis=1))


def penalty(kernels: list[keras.Variable], rate: float) -> Any:
    """Gives the L2 term, as keras.regularizers.l2: the rate times the sum of squares; 0 without
    kernels."""
    return rate * sum(ops.sum(ops.square(k)) for k in kernels)


class RMSprop2018(keras.optimizers.RMSprop):
    """The RMSProp of Keras of 2018: epsilon is outside the root. Keras 3 has it inside."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Steps by lr * g / (sqrt(v) + epsilon), with v0 = 0."""
        rate = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        velocity = self._velocities[self._get_variable_index(variable)]
        self.assign(velocity, self.rho * velocity + (1 - self.rho) * ops.square(gradient))
        step = rate * gradient / (ops.sqrt(velocity) + self.epsilon)
        self.assign_sub(variable, step)


def make_optimizer(phase: dict[str, Any], recipe: dict[str, Any]) -> keras.optimizers.Optimizer:
    """Makes the phase's optimiser."""
    if phase["optimizer"] == "rmsprop":
        return RMSprop2018(phase["rate"], rho=recipe["rmsprop_rho"], epsilon=recipe["epsilon"])
    betas = recipe["adam_beta1"], recipe["adam_beta2"]
    return keras.optimizers.Adam(phase["rate"], *betas, epsilon=recipe["epsilon"])
