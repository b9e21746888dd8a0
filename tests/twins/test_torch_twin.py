"""The PyTorch networks, layer by layer: counts, states, statistics, steps."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from impl_torch import activations, device
from impl_torch.backbones import SamePadMaxPool, WithoutPadding, make_backbone
from impl_torch.models import LastStates, Network, calibrate, keras_epsilon, penalised
from impl_torch.train import make_optimizer
from protocols.runs.activations import grad_cam
from tests.support.synthetic import spec
from tests.support.twin_checks import (
    BACKBONES,
    HEADS,
    IMAGES,
    TRAINED,
    cam_of_pooled_head,
    keras_adam,
    rmsprop_2018,
)


def small(variant, **words):
    run = spec("torch", variant, fold=0 if variant.startswith("cnn") else None, **words)
    return Network(run)


def counts(module):
    trained = sum(p.numel() for p in module.parameters() if p.requires_grad)
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    return trained, trained + sum(2 * m.num_features for m in norms)


@pytest.mark.parametrize("name", BACKBONES)
def test_backbones_have_keras_parameter_counts(name):
    assert counts(make_backbone(name))[1] == BACKBONES[name]


@pytest.mark.parametrize("name", BACKBONES)
def test_batch_normalisation_starts_as_in_keras(name):
    """timm starts the last gamma of each residual block of ResNet50 at 0."""
    norms = [m for m in small(name).modules() if isinstance(m, nn.BatchNorm2d)]
    assert all((m.weight == 1).all() and (m.bias == 0).all() for m in norms)
    assert {m.momentum for m in norms} == {0.01}
    assert {m.eps for m in norms} == {1.001e-5 if name == "resnet50" else 1e-3}


@pytest.mark.parametrize("variant", HEADS)
def test_networks_answer_and_heads_have_their_counts(variant):
    network = small(variant).eval()
    assert counts(network.head)[0] == HEADS[variant]
    assert counts(network)[0] == TRAINED[variant]
    with torch.no_grad():
        assert network(torch.from_numpy(IMAGES)).shape == (2, 4)


def test_same_padding_of_even_and_odd_sizes():
    x = torch.arange(6.0).reshape(1, 1, 1, 6).expand(1, 1, 6, 6)
    assert SamePadMaxPool()(x)[0, 0, 0].tolist() == [2, 4, 5]  # nothing before, one behind
    assert SamePadMaxPool()(x[..., :5])[0, 0, 0].tolist() == [1, 3, 4]  # one on both sides


def test_padding_does_not_count_in_the_mean():
    x = torch.rand(1, 2, 4, 5)
    padded = nn.functional.avg_pool2d(x, 3, 1, 1)
    wanted = nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    torch.testing.assert_close(WithoutPadding()(padded), wanted)
    assert not torch.allclose(padded, wanted)


@pytest.mark.parametrize("cell", [nn.LSTM, nn.GRU])
def test_the_backward_half_is_the_state_at_the_first_position(cell):
    states = LastStates(cell, 3, 5)
    sequence = torch.rand(2, 7, 3)
    whole = states.rnn(sequence)[0]
    expected = torch.cat([whole[:, -1, :5], whole[:, 0, 5:]], dim=1)
    torch.testing.assert_close(states(sequence), expected)
    assert not torch.allclose(expected, whole[:, -1])


def test_calibration_is_the_mean_of_the_batches_biased_statistics():
    network = small("resnet50")
    batches = [torch.randint(0, 255, (4, 84, 112, 3), dtype=torch.uint8) for _ in range(2)]
    calibrate(network, batches)
    stem = network.backbones[0]
    with torch.no_grad():
        outputs = [stem[1].conv1(stem[0](batch)) for batch in batches]
    mean = sum(o.mean((0, 2, 3)) for o in outputs) / 2
    variance = sum(o.var((0, 2, 3), correction=0) for o in outputs) / 2
    torch.testing.assert_close(stem[1].bn1.running_mean, mean, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(stem[1].bn1.running_var, variance, rtol=1e-4, atol=1e-4)


def test_keras_has_one_lstm_bias_and_forget_bias_one():
    rnn = small("xception_lstm").head.rows.rnn
    assert not rnn.bias_hh_l0.requires_grad
    assert rnn.bias_ih_l0[256:512].tolist() == [1.0] * 256
    assert rnn.bias_ih_l0[:256].abs().sum() == rnn.bias_hh_l0.abs().sum() == 0
    product = rnn.weight_hh_l0.T @ rnn.weight_hh_l0
    torch.testing.assert_close(product, torch.eye(256), atol=1e-4, rtol=0)


def test_kernels_are_glorot_uniform():
    weight = small("xception").head.project[0].weight
    limit = (6 / (2048 + 512)) ** 0.5
    assert weight.abs().max() <= limit
    assert weight.std().item() == pytest.approx(limit / 3**0.5, rel=0.02)


def test_l2_is_on_the_kernels_we_add():
    network = small("cnn_gru")
    kernels = penalised(network.head)
    assert len(kernels) == 2 + 2 * 2 + 4 + 1  # dense, 1x1; two small; both directions; softmax
    assert all(k.ndim > 1 for k in kernels)
    backbone = {id(p) for p in network.backbones.parameters()}
    assert not backbone & {id(k) for k in kernels}


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_optimiser_steps_are_keras_steps(name, rng):
    weight = nn.Parameter(torch.zeros(6, dtype=torch.float64))
    recipe = {"adam_beta1": 0.9, "adam_beta2": 0.999, "epsilon": 1e-7, "rmsprop_rho": 0.9}
    optimizer = make_optimizer([weight], {"optimizer": name, "rate": 0.01}, recipe)
    gradients = rng.normal(size=(10, 6)) * np.array([1, 1e-2, 1e-4, 1e-6, 1e-7, 1e-8])
    expected = (keras_adam if name == "adam" else rmsprop_2018)(gradients, 0.01)
    for step, gradient in enumerate(gradients, 1):
        weight.grad = torch.from_numpy(gradient)
        if name == "adam":
            optimizer.param_groups[0]["eps"] = keras_epsilon(1e-7, 0.999, step)
        optimizer.step()
        np.testing.assert_allclose(weight.detach(), expected[step - 1], rtol=1e-9)


def test_grad_cam_is_that_worked_out_from_the_head():
    network = small("resnet50").eval()
    run, images = spec("torch", "resnet50"), torch.from_numpy(IMAGES)
    seen = activations.look(run, network.backbones, network.head, images)
    with torch.no_grad():
        project, classify = network.head.project[0], network.head.classify.weight.T.numpy()
        weights = project.weight.T.numpy(), project.bias.numpy(), classify
        answers = network(images).numpy()
    wanted = cam_of_pooled_head(seen.maps["resnet50"], *weights, seen.logits)
    found = grad_cam(seen.maps["resnet50"], seen.gradients["resnet50"])
    assert wanted.max() > 0
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4 * wanted.max())
    np.testing.assert_allclose(seen.logits, answers, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("deterministic", [False, True])
def test_cudnn_tries_its_convolutions_on_a_gpu_unless_bits_must_be_equal(
    deterministic, monkeypatch
):
    for name in ("empty_cache", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda: None)
    on_cpu = spec("torch", threads=torch.get_num_threads(), deterministic=False)
    try:
        device.prepare(replace(on_cpu, device="NVIDIA X", deterministic=deterministic))
        assert torch.backends.cudnn.benchmark != deterministic
    finally:
        device.prepare(on_cpu)
    assert not torch.backends.cudnn.benchmark
