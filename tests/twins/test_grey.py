"""The grey rows that an LSTM reads, whatever the precision of the run.

Keras here is on the backend that KERAS_BACKEND names; test_jax.py runs this file on JAX.
"""

import numpy as np
import pytest
import torch
from keras import ops
from keras.backend import standardize_dtype

from impl_keras.models import Grey, Network, policy
from impl_keras.step import backend
from impl_torch.device import autocast
from impl_torch.models import make_head
from tests.support import stand_in
from tests.support.synthetic import spec
from tests.support.twin_checks import IMAGES

SUMS = 1e-6  # of 3 products and 16 pixels in another order; a rounding to bfloat16 is 2e-3
POOLINGS = pytest.mark.parametrize("pooling", [1, 4])

backend.prepare(spec("keras", threads=1, deterministic=False))


def run_of(framework, precision, pooling):
    recipe = {"grey_pooling": pooling}
    return spec(framework, "resnet50_lstm", precision=precision, recipe=recipe)


def of_keras(precision, pooling):
    run = run_of("keras", precision, pooling)
    with policy(run):
        return Grey(run.recipe["grey"], pooling)(ops.convert_to_tensor(IMAGES))


def of_torch(precision, pooling):
    """What PyTorch's LSTM is handed."""
    run = run_of("torch", precision, pooling)
    head, found = make_head(run), []
    head.rows.register_forward_pre_hook(lambda _, given: found.append(given[0]))
    with torch.no_grad(), autocast(run):
        head([torch.zeros(len(IMAGES), 2048)], torch.from_numpy(IMAGES))
    return found[0]


@POOLINGS
def test_grey_is_as_fine_in_bfloat16_as_in_float32(pooling):
    """Computed in bfloat16 it would be off by up to two of the 255 grey levels."""
    found, wanted = (of_keras(precision, pooling) for precision in ("bfloat16", "float32"))
    assert standardize_dtype(found.dtype) == "float32"
    assert (ops.convert_to_numpy(found) == ops.convert_to_numpy(wanted)).all()


def test_the_lstm_rounds_the_grey_once(monkeypatch):
    stand_in.put(monkeypatch)
    body = Network(run_of("keras", "bfloat16", 4)).body
    grey = body.get_layer("grey")(ops.convert_to_tensor(IMAGES))
    assert standardize_dtype(grey.dtype) == "float32"
    answers = [body.get_layer("rows")(ops.cast(grey, name)) for name in ("float32", "bfloat16")]
    assert [standardize_dtype(answer.dtype) for answer in answers] == ["bfloat16"] * 2
    once, before = (ops.convert_to_numpy(ops.cast(answer, "float32")) for answer in answers)
    assert (once == before).all()


@POOLINGS
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_both_twins_hand_their_lstm_the_same_grey(precision, pooling):
    ours, theirs = of_keras(precision, pooling), of_torch(precision, pooling)
    assert theirs.dtype == torch.float32
    found = ops.convert_to_numpy(ops.cast(ours, "float32"))
    np.testing.assert_allclose(found, theirs.numpy(), rtol=0, atol=SUMS)
