"""What computes recurrent layers, as env.json says it: test_gpu.py asks a GPU.

Keras here is on the backend that KERAS_BACKEND names; test_jax.py runs this file on JAX.
"""

import importlib

import pytest
import torch

from impl_keras import bridge, recurrent
from impl_keras.models import Network
from impl_keras.step import backend
from impl_torch.models import make_head
from impl_torch.recurrent import computed_by
from impl_torch.together import make_stackable
from tests.support import stand_in
from tests.support.synthetic import spec

VARIANTS = ("cnn_lstm", "cnn_gru", "resnet50_lstm")


@pytest.fixture
def networks(monkeypatch):
    """(network, run) of each variant in Keras, from a function of the run's device."""
    stand_in.put(monkeypatch)

    def make(device):
        runs = {name: spec("keras", name, fold=0, device=device) for name in VARIANTS}
        return {name: (Network(run), run) for name, run in runs.items()}

    return make


def test_on_a_cpu_keras_s_layers_are_a_loop(networks):
    """As the traced head has it too."""
    for network, run in networks("cpu").values():
        assert recurrent.computed_by(network, run) == "scan"
        assert recurrent.traced(network, run) & recurrent.KNOWN["scan"]
        assert not recurrent.traced(network, run) & recurrent.KNOWN["cudnn"]
    run = spec("keras", "resnet50")
    assert recurrent.computed_by(Network(run), run) == "none"


@pytest.mark.skipif(backend.NAME != "jax", reason="the choice that Keras makes under JAX")
def test_on_a_gpu_keras_s_own_choice_is_traced(networks, monkeypatch):
    """Keras is made to believe in a GPU; the sizes that cuDNN would tell are made up."""
    from jaxlib import gpu_rnn

    of_keras = importlib.import_module("keras.src.backend.jax.rnn")
    monkeypatch.setattr(of_keras, "_is_gpu_available", lambda: True)
    name = "compute_rnn_workspace_reserve_space_sizes"
    monkeypatch.setattr(gpu_rnn, name, lambda *_: (8, 8), raising=False)
    made = networks("NVIDIA X")
    found = {name: recurrent.computed_by(*pair) for name, pair in made.items()}
    assert found == {"cnn_lstm": "cudnn", "cnn_gru": "scan", "resnet50_lstm": "cudnn"}
    for network, run in made.values():  # as where folds train together
        for _, layer in bridge.head_layers(network.body, network.classify):
            layer.use_cudnn = False
        assert recurrent.computed_by(network, run) == "scan"
    network, run = made["cnn_lstm"]
    network.body.get_layer("small2").use_cudnn = "auto"
    assert recurrent.computed_by(network, run) == "cudnn, scan"


def test_pytorch_s_layers(monkeypatch):
    heads = {name: make_head(spec("torch", name, fold=0)) for name in (*VARIANTS, "resnet50")}
    hard = spec("torch", "cnn_gru", fold=0, recipe={"recurrent_activation": "hard_sigmoid"})
    assert computed_by(heads.pop("resnet50")) == "none" and computed_by(make_head(hard)) == "scan"
    assert {computed_by(head) for head in heads.values()} == {"aten"}
    monkeypatch.setattr(torch.backends.cudnn, "is_acceptable", lambda tensor: True)
    assert {computed_by(head) for head in heads.values()} == {"cudnn"}
    for head in heads.values():
        make_stackable(head)
    assert {computed_by(head) for head in heads.values()} == {"scan"}
