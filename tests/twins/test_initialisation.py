"""Where training begins: both twins draw from Keras's distributions, or take the same bytes."""

import math

import numpy as np
import pytest
import torch

from impl_keras import bridge as keras_bridge
from impl_keras.train import KerasTwin
from impl_torch import bridge as torch_bridge
from impl_torch.together import TorchFolds
from impl_torch.train import TorchTwin
from protocols.images.pool import Pool
from protocols.weights.start import HeadsOnly, drawn, shapes_of
from tests.support.synthetic import spec

TWINS = {"keras": KerasTwin, "torch": TorchTwin}
SMALL = "efficientnet_lite0_cnn_gru"  # depthwise kernels, a GRU
KINDS = [
    SMALL,
    pytest.param("efficientnet_lite0_lstm", marks=pytest.mark.slow),  # LSTMs
    pytest.param("cnn_lstm", marks=pytest.mark.slow),  # separable convolutions
    pytest.param("resnet50", marks=pytest.mark.slow),  # biases
    pytest.param("inception_v3", marks=pytest.mark.slow),  # no gammas
]
LARGE = 200  # numbers, enough for moments
SIGMAS = 5


def weights(framework, variant, **words):
    """A twin's first weights, by key."""
    pixels, few = np.zeros((2, 84, 112, 3), np.uint8), np.arange(2)
    pool = Pool(pixels, few, ["a", "b"], few, [few], [few])
    fold = 0 if "cnn" in variant else None
    words = {"fold": fold, "threads": 1, "deterministic": False} | words
    network = TWINS[framework]([spec(framework, variant, **words)], pool).network
    if framework == "torch":
        return torch_bridge.read(torch_bridge.slots(network, variant))
    return keras_bridge.read(keras_bridge.variables(network))


def is_glorot_uniform(w):
    """Fans of the last two axes times the area; limit, mean and variance of the draw."""
    limit = math.sqrt(6 / (math.prod(w.shape[:-2]) * (w.shape[-2] + w.shape[-1])))
    assert np.abs(w).max() <= limit * (1 + 1e-6)
    if w.size < LARGE:
        return
    assert np.abs(w).max() > 0.9 * limit
    assert abs(w.mean()) < SIGMAS * limit / math.sqrt(3 * w.size)
    variance, deviation = limit**2 / 3, limit**2 * math.sqrt(4 / 45 / w.size)
    assert abs(np.square(w, dtype=np.float64).mean() - variance) < SIGMAS * deviation


def is_as_keras_draws(key, w, found):
    layer, kind = key.rsplit("/", 1)
    if kind == "recurrent_kernel":
        np.testing.assert_allclose(w @ w.T, np.eye(len(w)), atol=1e-5)
        assert abs(w.mean()) < SIGMAS / math.sqrt(w.size * w.shape[1])  # each of variance 1/columns
    elif kind.endswith("kernel"):
        is_glorot_uniform(w)
    elif kind in ("gamma", "moving_variance"):
        assert (w == 1).all()
    else:
        expected = np.zeros_like(w)
        recurrent = found.get(f"{layer}/recurrent_kernel")
        if recurrent is not None and recurrent.shape[1] == 4 * len(recurrent):  # an LSTM's
            expected[len(recurrent) : 2 * len(recurrent)] = 1
        assert (w == expected).all()


@pytest.mark.parametrize("framework", TWINS)
@pytest.mark.parametrize("variant", KINDS)
def test_own_weights_have_kerass_distributions(framework, variant):
    found = weights(framework, variant, init="own")
    for key, w in found.items():
        is_as_keras_draws(key, w, found)


@pytest.mark.parametrize("variant", KINDS)
def test_shared_weights_are_the_same_bytes_with_the_same_distributions(variant):
    keras, ours = (weights(framework, variant, init="shared") for framework in TWINS)
    assert {k: w.tobytes() for k, w in keras.items()} == {k: w.tobytes() for k, w in ours.items()}
    for key, w in keras.items():
        is_as_keras_draws(key, w, keras)


@pytest.mark.slow
@pytest.mark.parametrize("framework", TWINS)
def test_two_seeds_share_nothing_random(framework):
    first, other = (weights(framework, SMALL, init="shared", seed=seed) for seed in (0, 1))
    same = [k for k in first if k.endswith("kernel") and (first[k] == other[k]).any()]
    assert not same


@pytest.mark.slow
def test_members_that_train_together_begin_as_they_would_alone():
    n = np.arange(8)
    members = [(0, 0), (1, 0), (0, 1)]  # (fold, seed)
    runs = [
        spec("torch", "cnn_gru", fold=fold, seed=seed, weights="fixture", init="shared", threads=1)
        for fold, seed in members
    ]
    images = np.zeros((8, 84, 112, 3), np.uint8)
    pool = Pool(images, n, [str(i) for i in n], n % 4, [n] * 3, [n] * 3)
    together = TorchFolds(runs, pool, HeadsOnly())
    for number, run in enumerate(runs):
        one = Pool(images, n, pool.ids, pool.labels, [n], [n])
        head = TorchTwin([run], one, HeadsOnly()).network.head
        found = torch_bridge.read(torch_bridge.head_slots(head, "cnn_gru"))
        wanted = drawn(run.seed, shapes_of(found))
        assert all((found[key] == wanted[key]).all() for key in wanted)
        for name, value in (dict(head.named_parameters()) | dict(head.named_buffers())).items():
            stacked = (together.weights | together.buffers)[name][number]
            assert torch.equal(stacked, value), name
