"""Both twins of a network at the same weights: what holds, and that it breaks without each fix."""

from functools import lru_cache

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.parity import climb as climber
from benchmarks.parity import ladder, twin_pair
from benchmarks.processes.children import common
from impl_torch import bridge
from protocols.papers.backbones import load_backbones
from protocols.papers.variants import load_variants
from protocols.runs.activations import grad_cam
from protocols.weights.files import locate
from protocols.weights.reading import read
from tests.support import faults
from tests.support.devices import needs_tensorflow
from tests.support.twin_checks import pool_of

RESNET, INCEPTION, XCEPTION = "resnet50", "inception_v3", "cnn_gru"
SMALL = "efficientnet_lite0_lstm"
POSITIONS = np.array([0, 1, 2])  # of the images that are looked at
LOOK = 1e-9  # of the largest value; the ladder's forward rung has 1e-10, gradients 1e-8
slow = pytest.mark.slow
pytestmark = needs_tensorflow


@pytest.fixture(scope="module")
def pair_of():
    """Both twins of a network in float64, and Keras's forward pass. One is kept: the tests of a
    network follow each other (tests/conftest.py)."""

    @lru_cache(maxsize=1)
    def make(variant):
        pair = twin_pair.make_pair(variant, "float64", pool_of("float64"))
        return pair, ladder.answers(pair.keras, pair.recipe)

    yield make
    make.cache_clear()


@pytest.fixture
def made(request, pair_of):
    return pair_of(request.param)


@pytest.fixture
def pair(made):
    return made[0]


def of(*variants):
    return pytest.mark.parametrize("made", variants, indirect=True)


def broken(result):
    assert not result.ok, f"{result.rung} does not see it: {result.value:.1e}"


def forward(pair, wanted):
    """The forward rung, with Keras's part as it was."""
    pair.torch.take(pair.start)
    found = ladder.answers(pair.torch, pair.recipe)
    return ladder.compared("forward", pair.variant, found, wanted)


@of(SMALL)
def test_loss_gradients_and_statistics(pair):
    results = list(ladder.step_rungs(pair))
    assert [result.rung for result in results] == ["loss", "gradients", "statistics"]
    assert all(result.ok for result in results), results


@pytest.mark.parametrize(
    ("made", "fault"),
    [
        *(
            pytest.param(name, fault, marks=slow)
            for name, own in ((RESNET, faults.stride), (INCEPTION, faults.padding_counted))
            for fault in (None, own, faults.epsilon)
        ),
        (XCEPTION, None),
        (XCEPTION, faults.epsilon),
        (XCEPTION, faults.max_padding),
        (XCEPTION, faults.without_gates),
        (XCEPTION, faults.backward_half),
        (SMALL, None),
        (SMALL, faults.symmetric),
        (SMALL, faults.beta_left),
        (SMALL, faults.backward_half),
    ],
    indirect=["made"],
)
def test_counts_bridge_and_forward_pass(made, fault, monkeypatch):
    """They hold as they are; the forward pass breaks with each fault."""
    pair, wanted = made
    if fault:
        fault(pair, monkeypatch)
        broken(forward(pair, wanted))
        return
    for result in (ladder.count_rung(pair), ladder.shape_rung(pair), forward(pair, wanted)):
        assert result.ok, result


@slow
@of(SMALL)
def test_a_step_breaks_without_smoothing_and_with_another_momentum(pair, monkeypatch):
    """Loss and gradients for the one; the statistics, alone, for the other."""
    twin = pair.torch.twin
    monkeypatch.setattr(twin, "recipe", twin.recipe | {"label_smoothing": 0.0})
    for module in pair.torch.network.modules():
        if isinstance(module, nn.BatchNorm2d):
            monkeypatch.setattr(module, "momentum", 0.1)
    for result in ladder.step_rungs(pair):
        broken(result)


@slow
@of(SMALL)
def test_a_gradient_alone_breaks(pair, monkeypatch):
    """The largest gradient a millionth too large: the loss does not see it."""
    weight = pair.torch.network.backbones[0][1].conv_stem.weight
    hook = weight.register_hook(lambda gradient: gradient * (1 + 1e-6))
    loss, gradients, _ = ladder.step_rungs(pair)
    hook.remove()
    assert loss.ok
    broken(gradients)


@slow
@of(SMALL)
def test_running_statistics_break_with_a_biased_variance(pair, monkeypatch):
    """n/(n-1) is there, so that taking it out shows where it is not."""
    step = pair.torch.step_gradients

    def biased(start, stop):
        found, n = step(start, stop), pair.torch.values()
        for key, slot in pair.torch.slots.items():
            if key in n:
                (variance,) = slot.tensors
                batch = variance - ladder.MOMENTUM * torch.from_numpy(pair.start[key])
                variance -= batch / (n[key] * ladder.BATCH)
        return found

    monkeypatch.setattr(pair.torch, "step_gradients", biased)
    _, gradients, statistics = ladder.step_rungs(pair)
    assert gradients.ok
    broken(statistics)


@slow
def test_another_backend_holds_and_breaks_with_one_weight_changed(tmp_path):
    pools = {"float32": pool_of("float32")}
    pair = twin_pair.make_pair(SMALL, "float32", pools["float32"])
    weights, answers = dict(pair.start), ladder.answers(pair.keras, pair.recipe)
    key = next(k for k in weights if k.endswith("/gamma"))
    results = []
    with climber._backends(1, tmp_path, common(tmp_path)) as jax:
        for factor in (1.0, 1.01):
            changed = weights | {key: np.float32(factor) * weights[key]}
            np.savez(tmp_path / f"{SMALL}-weights.npz", **changed)
            np.savez(tmp_path / f"{SMALL}-answers.npz", **answers)
            found, _ = jax.submit(climber._on_jax, SMALL, pools, tmp_path, (), {}).result()
            results += found
    assert results[0].ok, results[0]
    broken(results[1])


@slow
def test_the_forward_pass_in_float32_holds_and_breaks_without(monkeypatch, tmp_path):
    """The CNN has its ImageNet weights, the head drawn ones."""
    files = locate(load_variants()[SMALL].backbones, "at-hand", tmp_path)
    pair = twin_pair.make_pair(SMALL, "float32", pool_of("float32"), (), files)
    for name, file in files.items():
        for twin in (pair.torch, pair.keras):
            have = twin.weights()
            for key, array in read(name, file).items():
                np.testing.assert_array_equal(have[f"{name}/{key}"], array)
    result = ladder.forward_rung(pair, "forward32")
    assert result.ok, result
    faults.symmetric(pair, monkeypatch)
    broken(ladder.forward_rung(pair, "forward32"))


@of(XCEPTION)
def test_the_bridge_breaks_with_gates_turned_round(pair, monkeypatch):
    def turned(self, array):
        return np.roll(array, 1, axis=0) if self.gates else array

    monkeypatch.setattr(bridge.Slot, "_swapped", turned)
    broken(ladder.shape_rung(pair))


@of(XCEPTION)
def test_the_bridge_breaks_with_an_array_left_out(pair, monkeypatch):
    key = next(iter(pair.torch.slots))
    monkeypatch.delitem(pair.torch.slots, key)
    broken(ladder.shape_rung(pair))


@slow
@of("inception_v3")
def test_counts_break_with_gammas_trained(pair):
    norms = [m for m in pair.torch.network.backbones.modules() if isinstance(m, nn.BatchNorm2d)]
    kept = pair.torch.slots
    for module in norms:
        module.weight.requires_grad_(True)
    pair.torch.slots = bridge.slots(pair.torch.network, "inception_v3")
    try:
        broken(ladder.count_rung(pair))
    finally:
        pair.torch.slots = kept
        for module in norms:
            module.weight.requires_grad_(False)


@slow
@of("resnet50")
def test_preprocessing_breaks_with_that_of_other_backbones(pair, monkeypatch):
    monkeypatch.setattr(pair.torch.network.backbones[0][0], "caffe", False)
    broken(ladder.preprocessing_rung(pair))


STEPS = [*zip(["rmsprop"] * 2, (faults.inside_the_root, faults.second_bias), strict=True)]
STEPS += [*zip(["adam"] * 2, (faults.own_epsilon, faults.exact_decay), strict=True)]


@slow
@of(SMALL)
@pytest.mark.parametrize(("optimizer", "fault"), STEPS)
def test_two_steps_break_with(pair, optimizer, fault, monkeypatch):
    monkeypatch.setattr(ladder, "STEPS", 2)
    fault(pair, monkeypatch)
    results = list(ladder.optimizer_rungs(pair, optimizer))
    for result in results[: 1 if fault is faults.second_bias else 2]:  # its gradient is its own
        broken(result)
    if fault is faults.exact_decay:
        assert 6e-6 < results[0].value < 7e-6
    for name, parameter in pair.torch.network.named_parameters():
        if ".bias_hh" in name:
            parameter.data.zero_()


@slow
@of(SMALL)
@pytest.mark.parametrize("optimizer", ["rmsprop", "adam"])
def test_two_steps_hold_without_a_fault(pair, optimizer, monkeypatch):
    monkeypatch.setattr(ladder, "STEPS", 2)
    results = list(ladder.optimizer_rungs(pair, optimizer))
    assert [result.rung for result in results] == [optimizer, f"{optimizer}_given"]
    assert all(result.ok for result in results), results


@pytest.mark.parametrize(
    "made",
    [
        XCEPTION,
        SMALL,
        *(pytest.param(n, marks=slow) for n in (RESNET, INCEPTION, "xception_resnet50_lstm")),
    ],
    indirect=True,
)
def test_both_twins_see_the_same(pair):
    """Every backbone, every kind of head, and two backbones beside each other."""
    pair.begin("adam")
    (ours,), (theirs,) = (side.twin.look([POSITIONS]) for side in (pair.torch, pair.keras))
    names = load_variants()[pair.variant].backbones
    wanted_layers = {f"{n}/{layer.name}" for n in names for layer in load_backbones()[n].layers}
    assert set(theirs.layers) == wanted_layers
    for part in ("layers", "maps", "gradients"):
        found, wanted = getattr(ours, part), getattr(theirs, part)
        assert found.keys() == wanted.keys()
        for key, value in wanted.items():
            assert apart(found[key], value) < LOOK, (part, key)
    assert apart(ours.logits, theirs.logits) < LOOK
    for name in names:
        cams = [grad_cam(seen.maps[name], seen.gradients[name]) for seen in (ours, theirs)]
        assert apart(*cams) < LOOK


def apart(ours, theirs):
    """The largest difference, of the largest value; there is one."""
    assert ours.shape == theirs.shape
    assert np.abs(theirs).max() > 0
    return np.abs(ours - theirs).max() / np.abs(theirs).max()
