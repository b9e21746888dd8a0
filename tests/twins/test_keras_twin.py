"""The Keras networks: counts, statistics, optimiser, and the compiled step against plain fit.

Runs on the backend that KERAS_BACKEND names (TensorFlow by default); test_jax.py runs a part of
it again on JAX.
"""

import gc
import os
import platform
from functools import partial
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops

from impl_keras import activations, device
from impl_keras.batches import Batches
from impl_keras.latency import engines
from impl_keras.models import BACKBONES as MAKERS
from impl_keras.models import Network, data_loss, make_optimizer, penalty, preprocess
from impl_keras.step import backend
from protocols.images.pool import Pool
from protocols.runs.activations import grad_cam
from tests.support.synthetic import spec
from tests.support.twin_checks import (
    BACKBONES,
    EVERY_BACKBONE,
    HEADS,
    IMAGES,
    TRAINED,
    cam_of_pooled_head,
    keras_adam,
    rmsprop_2018,
)

# as many threads as the specs of other tests want: TensorFlow takes one number
backend.prepare(spec("keras", threads=1, deterministic=False))

RECIPE = {"adam_beta1": 0.9, "adam_beta2": 0.999, "epsilon": 1e-7, "rmsprop_rho": 0.9}


def small(variant, **words):
    return Network(spec("keras", variant, fold=0 if variant.startswith("cnn") else None, **words))


@pytest.fixture
def two_layers(monkeypatch):
    """Of every network the backbone is two layers: for what asks nothing of a backbone's inside."""

    def make(include_top, weights, input_shape):
        images = keras.Input(input_shape)
        maps = keras.layers.AveragePooling2D(32)(images)
        maps = keras.layers.Conv2D(2048, 1, use_bias=False, name="conv")(maps)
        return keras.Model(images, keras.layers.BatchNormalization(name="bn")(maps))

    for name in BACKBONES:
        monkeypatch.setitem(MAKERS, name, make)


def count(variables):
    return sum(int(np.prod(v.shape)) for v in variables)


@pytest.mark.parametrize("name", BACKBONES)
def test_backbones_have_their_parameter_counts(name):
    model = MAKERS[name](include_top=False, weights=None, input_shape=(84, 112, 3))
    assert model.count_params() == BACKBONES[name]


@pytest.mark.parametrize("variant", HEADS)
def test_networks_answer_and_heads_have_their_counts(variant, two_layers):
    network = small(variant)
    head = [v for part in network.head_parts for v in part.trainable_variables]
    assert count(head) == HEADS[variant]
    assert network.logits(ops.convert_to_tensor(IMAGES)).shape == (2, 4)


@pytest.mark.parametrize("variant", EVERY_BACKBONE)
def test_whole_networks_have_their_parameter_counts(variant):
    network = small(variant)
    trained = [v for part in network.parts for v in part.trainable_variables]
    assert count(trained) == TRAINED[variant]
    assert network.logits(ops.convert_to_tensor(IMAGES)).shape == (2, 4)


@pytest.mark.parametrize("name", BACKBONES)
def test_preprocessing_is_that_of_keras_applications(name):
    theirs = getattr(keras.applications, name.replace("resnet50", "resnet"))
    expected = theirs.preprocess_input(IMAGES.astype(np.float32).copy())
    ours = ops.convert_to_numpy(preprocess(name, IMAGES))
    np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-5)


def test_the_seed_decides_the_weights(two_layers):
    first, again, other = (small("resnet50", seed=s).body.get_weights()[0] for s in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()


def test_l2_is_on_the_kernels_we_add(two_layers):
    network = small("cnn_gru")
    kernels = network.penalised()
    assert len(kernels) == 2 + 2 * 2 + 4 + 1  # dense, 1x1; two small; both directions; softmax
    by_hand = 1e-4 * sum(float(np.square(k.numpy()).sum()) for k in kernels)
    assert float(penalty(kernels, 1e-4)) == pytest.approx(by_hand, rel=1e-5)


def test_data_loss_is_keras_categorical_crossentropy_with_label_smoothing(rng):
    logits = rng.normal(size=(5, 4)).astype(np.float32)
    labels = np.array([0, 1, 2, 3, 1], np.int32)
    theirs = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    expected = float(theirs(np.eye(4, dtype=np.float32)[labels], logits))
    assert float(ops.mean(data_loss(logits, labels, 0.1))) == pytest.approx(expected, rel=1e-5)


@pytest.fixture
def float64():
    """Keras in double precision."""
    if backend.NAME == "jax" and os.environ.get("JAX_ENABLE_X64") != "1":
        pytest.skip("JAX computes in float64 with JAX_ENABLE_X64=1 only: test_jax.py sets it")
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx("float32")


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_optimiser_steps(name, rng, float64):
    weight = keras.Variable(np.zeros(6))
    optimizer = make_optimizer({"optimizer": name, "rate": 0.01}, RECIPE)
    gradients = rng.normal(size=(10, 6)) * np.array([1, 1e-2, 1e-4, 1e-6, 1e-7, 1e-8])
    expected = (keras_adam if name == "adam" else rmsprop_2018)(gradients, 0.01)
    # TensorFlow casts Keras's 0.999 to float32 on its way to float64: 1 - 0.999 is off by 1.3e-5
    precision = 1e-5 if (name, backend.NAME) == ("adam", "tensorflow") else 1e-9
    for gradient, wanted in zip(gradients, expected, strict=True):
        optimizer.apply([ops.convert_to_tensor(gradient)], [weight])
        np.testing.assert_allclose(ops.convert_to_numpy(weight), wanted, rtol=precision)


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_the_compiled_step_is_what_plain_fit_does(name, rng):
    """Eight steps over two epochs, batch normalisation included, last batch smaller."""
    x = rng.normal(size=(26, 12)).astype(np.float32)
    y = rng.integers(0, 4, 26).astype(np.int32)

    def network():
        keras.utils.set_random_seed(7)
        layers = [
            keras.layers.Dense(8, use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(4),
        ]
        return keras.Sequential([keras.Input((12,)), *layers])

    reference = network()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    phase = {"optimizer": name, "rate": 0.01}
    reference.compile(make_optimizer(phase, RECIPE), loss)
    reference.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    ours = network()

    def objective(labels, inputs):
        losses = data_loss(ours(inputs, training=True), labels, 0.0)
        return ops.mean(losses), ops.sum(losses)

    step = backend.TrainStep(objective, [ours], [ours], make_optimizer(phase, RECIPE))
    start = ours.get_weights()
    for _ in range(2):
        for i in range(0, 26, 8):
            step(y[i : i + 8], x[i : i + 8])
        step.sync()
    for mine, theirs, before in zip(
        ours.get_weights(), reference.get_weights(), start, strict=True
    ):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)
        assert (mine != before).any()


@pytest.mark.parametrize(
    ("variant", "shape"),
    [("resnet50", (2048,)), ("cnn_lstm", (2, 3, 2048)), ("cnn_gru", (2, 3, 2048))],
)
def test_a_frozen_phase_moves_only_the_head(variant, shape, rng, two_layers):
    """Jane's heads have dropout, batch normalisation and recurrent layers under the step."""
    network = small(variant)
    features = rng.normal(size=(8, *shape)).astype(np.float32)
    keep = rng.random((8, 512)) < 0.7
    labels = np.arange(8, dtype=np.int32) % 4

    def objective(labels, features, keep):
        logits = network.head([features], None, keep, training=True)
        losses = data_loss(logits, labels, 0.1)
        return ops.mean(losses), ops.sum(losses)

    before = [part.get_weights() for part in network.parts]
    optimizer = make_optimizer({"optimizer": "rmsprop", "rate": 0.001}, RECIPE)
    step = backend.TrainStep(objective, network.parts, network.head_parts, optimizer)
    losses = [float(step(labels, features, keep)) for _ in range(30)]
    step.sync()
    assert losses[-1] < 0.8 * losses[0]
    for old, new in zip(before[0], network.parts[0].get_weights(), strict=True):
        assert (old == new).all()
    assert (before[1][0] != network.body.get_weights()[0]).any()


def test_a_compiled_function_may_assign_variables(rng):
    """Calibration reads the moving statistics that a forward pass in training mode sets."""
    norm = keras.layers.BatchNormalization(momentum=0.0)
    norm.build((None, 3))
    x = rng.normal(2, 3, size=(50, 3)).astype(np.float32)
    call = backend.compiled(lambda inputs: norm(inputs, training=True), [norm], graph=True)
    for part in (x[:20], x[20:]):
        call(part)
        mean, variance = (ops.convert_to_numpy(norm.moving_mean), norm.moving_variance)
        np.testing.assert_allclose(mean, part.mean(0), rtol=1e-4)
        np.testing.assert_allclose(ops.convert_to_numpy(variance), part.var(0), rtol=1e-4)


@pytest.mark.skipif(backend.NAME != "tensorflow" or platform.machine() != "x86_64", reason="oneDNN")
def test_convolutions_are_onednns(tmp_path, rng):
    """On a CPU without AVX-512, TensorFlow takes its own unless it is asked."""
    import tensorflow as tf

    convolution = keras.layers.Conv2D(8, 3)
    convolution.build((4, 32, 32, 8))
    call = backend.compiled(convolution, [convolution], graph=True)
    with tf.profiler.experimental.Profile(str(tmp_path)):
        call(rng.random((4, 32, 32, 8), dtype=np.float32))
    (profile,) = tmp_path.rglob("*.xplane.pb")
    assert b"_MklNative" in profile.read_bytes()
    assert backend.computes_by() == "graph, oneDNN on"


@pytest.mark.skipif(backend.NAME != "tensorflow", reason="oneDNN")
def test_a_run_without_onednn_is_of_another_version(monkeypatch):
    """Its bits are others: checkpoints and features compare versions."""
    with_it = device.environment(spec("keras"))["versions"]
    assert with_it["tensorflow"] == backend.tf.__version__
    for said in ("0", "false"):
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", said)
        without = device.environment(spec("keras"))
        assert without["versions"]["tensorflow"] == f"{backend.tf.__version__} without oneDNN"
        assert without["engine"] == "graph, oneDNN off"
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "true")
    assert device.environment(spec("keras"))["versions"] == with_it


@pytest.mark.skipif(backend.NAME != "tensorflow", reason="TensorFlow's threads")
@pytest.mark.parametrize("stage", ["train", "latency"])
def test_as_many_operations_at_once_as_threads(stage, monkeypatch):
    asked = {}
    threading = SimpleNamespace(
        get_intra_op_parallelism_threads=lambda: 0,
        get_inter_op_parallelism_threads=lambda: 0,
        set_intra_op_parallelism_threads=partial(asked.__setitem__, "within"),
        set_inter_op_parallelism_threads=partial(asked.__setitem__, "at once"),
    )
    monkeypatch.setattr(backend.tf.config, "threading", threading)
    backend.prepare(spec("keras", stage=stage, threads=3, deterministic=False))
    assert asked == {"within": 3, "at once": 3}


ENGINES = {"tensorflow": {"eager", "graph", "folded"}, "jax": {"jit"}}


def test_engines_answer_alike_and_none_is_jax_operation_by_operation(two_layers):
    """That takes ten times as long, so trying it would only take time."""
    run = spec("keras", "resnet50", stage="latency", threads=1, deterministic=False)
    network = Network(run)
    wanted = ops.convert_to_numpy(ops.softmax(network.logits(ops.convert_to_tensor(IMAGES))))
    found = {name: answer(IMAGES) for name, answer in engines(network, run, False).items()}
    backend.prepare(run)  # without TensorFlow's rewriting of graphs, as before
    assert found.keys() == ENGINES[backend.NAME]
    for name, answer in found.items():
        np.testing.assert_allclose(answer, wanted, atol=1e-6, rtol=0, err_msg=name)


@pytest.mark.skipif(backend.NAME != "tensorflow", reason="a TensorFlow graph")
def test_the_graph_of_a_training_step_goes_when_its_network_goes():
    """A thawed InceptionV3's holds 0.5 GB, and a worker trains one run after the other."""

    def graphs():
        gc.collect()
        return sum(type(thing).__name__ == "FuncGraph" for thing in gc.get_objects())

    def train():
        layer = keras.layers.Dense(2)
        layer.build((None, 3))
        step = backend.TrainStep(
            lambda x: (ops.sum(layer(x)), []), [layer], [layer], keras.optimizers.SGD(0.1)
        )
        step(np.ones((4, 3), np.float32))
        return graphs(), layer

    before = graphs()
    during, layer = train()
    del layer
    assert (during, graphs()) == (before + 1, before)


def test_grad_cam_is_that_worked_out_from_the_head():
    network = small("resnet50")
    seen = activations.look(network, spec("keras", "resnet50"), IMAGES)
    (project, bias), (classify, _) = network.body.get_weights(), network.classify.get_weights()
    wanted = cam_of_pooled_head(seen.maps["resnet50"], project, bias, classify, seen.logits)
    found = grad_cam(seen.maps["resnet50"], seen.gradients["resnet50"])
    assert wanted.max() > 0
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4 * wanted.max())
    answers = ops.convert_to_numpy(network.logits(ops.convert_to_tensor(IMAGES)))
    np.testing.assert_allclose(seen.logits, answers, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(5,), (2, 5)])
def test_batches_are_the_same_wherever_they_lie_and_images_give_way_first(shape, rng):
    positions = rng.integers(0, 9, shape)
    pixels = rng.integers(0, 256, (12, 4, 6, 3), dtype=np.uint8)
    rows, labels = np.arange(3, 12), np.arange(9) % 4
    pool = Pool(pixels, rows, [str(i) for i in rows], labels, [], [])
    stored = rng.random((9, 7), dtype=np.float32)
    batches = Batches(pool, on_gpu=True, resident=True)
    lie = []
    for evicted in (True, True, False):
        batches.keep_features([stored])
        images, features = batches.inputs(positions, read_images=True)
        assert (ops.convert_to_numpy(images) == pixels[rows[positions]]).all()
        assert (ops.convert_to_numpy(features) == stored[positions]).all()
        lie.append([not isinstance(found, np.ndarray) for found in (images, features)])
        assert batches.evict() == evicted
    assert lie == [[True, True], [False, True], [False, False]]
    assert batches.waited > 0
