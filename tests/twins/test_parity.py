"""The parity ladder climbed, and every fix it stands on taken out once, to see it break."""

import dataclasses
import json
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache, partial

import numpy as np
import pytest
import torch
from torch import nn

import impl_keras.parity
import impl_keras.train
import impl_torch.train
from benchmarks.parity import climb as climber
from benchmarks.parity import ladder, twin_pair
from benchmarks.parity.climb import MEMORY, ROOT, jobs_for, start
from benchmarks.processes.children import common
from impl_torch import bridge
from impl_torch.backbones import SamePadMaxPool
from impl_torch.models import LastStates
from protocols.images import dataset
from protocols.papers.variants import load_variants
from protocols.runs import parity
from protocols.runs.parity import RUNGS, Result
from tests.support.twin_checks import pool_of

RESNET, INCEPTION, XCEPTION = "resnet50", "inception_v3", "cnn_gru"
SMALL = "efficientnet_lite0_lstm"
slow = pytest.mark.slow


@pytest.fixture(scope="module")
def pool():
    return pool_of("float64")


@pytest.fixture(scope="module")
def pair_of(pool):
    """Both twins of a network in float64, and Keras's forward pass; two networks are kept, so
    what needs the same one stands together."""

    @lru_cache(maxsize=2)
    def make(variant):
        pair = twin_pair.make_pair(variant, "float64", pool)
        return pair, ladder.answers(pair.keras, pair.recipe)

    yield make
    make.cache_clear()


@pytest.fixture
def pair(request, pair_of):
    return pair_of(request.param)[0]


def of(*variants):
    return pytest.mark.parametrize("pair", variants, indirect=True)


def broken(result):
    assert not result.ok, f"{result.rung} does not see it: {result.value:.1e}"


# --- climbed ---


def forward(pair_of, variant):
    """The forward rung, with Keras's part as it was."""
    pair, wanted = pair_of(variant)
    pair.torch.take(pair.start)
    return ladder.compared("forward", variant, ladder.answers(pair.torch, pair.recipe), wanted)


@of(SMALL)
def test_loss_gradients_and_statistics(pair):
    results = list(ladder.step_rungs(pair))
    assert [result.rung for result in results] == ["loss", "gradients", "statistics"]
    assert all(result.ok for result in results), results


@pytest.fixture(scope="module")
def climbed(tmp_path_factory):
    """parity.json of all networks, by (rung, variant)."""
    out = tmp_path_factory.mktemp("parity")
    code = start(out)
    assert (out / "parity.json").exists(), f"the climb ended with {code}"
    found = json.loads((out / "parity.json").read_text(encoding="utf-8"))
    assert code == (0 if all(r["ok"] for r in found["results"]) else 1)
    return {(r["rung"], r["variant"]): r for r in found["results"]}


@slow
@pytest.mark.parametrize("variant", load_variants())
@pytest.mark.parametrize("rung", RUNGS)
def test_every_rung_holds(climbed, rung, variant):
    if rung.startswith("rmsprop") and load_variants()[variant].paper == "jane":
        assert (rung, variant) not in climbed
        return
    assert climbed[rung, variant]["ok"], climbed[rung, variant]


def test_as_many_networks_at_a_time_as_the_memory_bears():
    assert [jobs_for(n * MEMORY, 8) for n in (0, 0.5, 1, 1.9, 2, 9)] == [2, 1, 1, 1, 2, 2]
    assert jobs_for(9 * MEMORY, 1) == 1


def test_a_process_that_dies_ends_the_climb_with_a_sentence(monkeypatch, capsys, tmp_path):
    def died(*_):
        raise BrokenProcessPool

    monkeypatch.setattr(climber, "climb_all", died)
    argv = ["parity", "--json", str(tmp_path / "parity.json"), "--data", "phantom"]
    monkeypatch.setattr(sys, "argv", argv)
    assert climber.main() == 1
    assert "died: memory?" in (said := capsys.readouterr().err) and "--jobs 1" in said
    assert not (tmp_path / "parity.json").exists()


@pytest.mark.parametrize(("value", "code"), [(0.0, 0), (1e-3, 1), (float("nan"), 1)])
def test_a_broken_rung_is_an_exit_code(monkeypatch, tmp_path, value, code):
    found = [Result("forward", "xception", value)]
    monkeypatch.setattr(climber, "climb_all", lambda *_: (found, {}))
    out = tmp_path / "parity.json"
    monkeypatch.setattr(sys, "argv", ["parity", "--json", str(out), "--data", "phantom"])
    assert climber.main() == code
    assert json.loads(out.read_text(encoding="utf-8"))["results"][0]["ok"] is (code == 0)


def test_nothing_is_downloaded_for_a_few_images(phantom, cache, monkeypatch):
    monkeypatch.delenv("WBC_DATA", raising=False)
    monkeypatch.setattr(dataset.archive, "install", lambda *_: pytest.fail("a download"))
    assert climber.images("auto", cache)[1] == "phantom"


def test_the_ladder_gets_the_cache_and_the_jobs_that_were_asked_for(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(climber, "ROOT", tmp_path)
    there = tmp_path / "benchmarks" / "parity"
    there.mkdir(parents=True)
    (there / "climb.py").write_text("import sys\nprint(sys.argv[1:])\n", encoding="utf-8")
    for folder in (there.parent, there):
        (folder / "__init__.py").touch()
    assert start(tmp_path, ["xception"], "phantom", tmp_path / "cache", 3) == 0
    words = ["--data", "phantom", "--cache", str(tmp_path / "cache"), "--jobs", "3"]
    assert str([*words, "--variant", "xception"])[1:] in capsys.readouterr().out


def test_an_unknown_network_is_refused():
    command = [sys.executable, "-m", "benchmarks.parity.climb", "--json", "x", "--variant", "vgg"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 2


# --- each fix taken out ---


def without_gates(pair, monkeypatch):
    """The GRU's gates in PyTorch's order."""
    slots = {k: dataclasses.replace(slot, gates=0) for k, slot in pair.torch.slots.items()}
    monkeypatch.setattr(pair.torch, "slots", slots)


def epsilon(pair, monkeypatch):
    """timm's epsilon of batch normalisation."""
    for module in pair.torch.network.backbones.modules():
        if isinstance(module, nn.BatchNorm2d):
            monkeypatch.setattr(module, "eps", 1e-5)


def max_padding(pair, monkeypatch):
    """timm's max pooling of Xception, padded on both sides."""
    for module in pair.torch.network.modules():
        if isinstance(module, SamePadMaxPool):
            monkeypatch.setattr(module, "forward", nn.MaxPool2d(3, 2, 1).forward)


def backward_half(pair, monkeypatch):
    """A bidirectional layer's states at the last position, of both directions."""
    monkeypatch.setattr(LastStates, "forward", lambda self, x: self.rnn(x)[0][:, -1])


def symmetric(pair, monkeypatch):
    """Padding of PyTorch's own EfficientNets."""
    for module in pair.torch.network.backbones.modules():
        if type(module).__name__ == "Conv2dSame":
            monkeypatch.setattr(module, "padding", tuple(k // 2 for k in module.kernel_size))
            monkeypatch.setattr(module, "forward", partial(nn.Conv2d.forward, module))


def padding_counted(pair, monkeypatch):
    """timm's average pooling of InceptionV3, which counts the padding's zeros."""
    for module in pair.torch.network.modules():
        if type(module).__name__ == "WithoutPadding":
            monkeypatch.setattr(module, "forward", lambda x: x)


def stride(pair, monkeypatch):
    """ResNet v1.5: the stride in the 3x3 convolution."""
    for name in ("layer2", "layer3", "layer4"):
        block = getattr(pair.torch.network.backbones[0][1], name)[0]
        monkeypatch.setattr(block.conv1, "stride", (1, 1))
        monkeypatch.setattr(block.conv2, "stride", (2, 2))


def beta_left(pair, monkeypatch):
    """A bridge that leaves a beta where it was."""
    write = bridge.write

    def without(slots, arrays):
        key = next(k for k in arrays if k.endswith("/beta"))
        write(slots, arrays | {key: np.zeros_like(arrays[key])})

    monkeypatch.setattr(bridge, "write", without)


@pytest.mark.parametrize(
    ("variant", "fault"),
    [
        (RESNET, None),
        (RESNET, stride),
        pytest.param(RESNET, epsilon, marks=slow),
        (INCEPTION, None),
        (INCEPTION, padding_counted),
        pytest.param(INCEPTION, epsilon, marks=slow),
        (XCEPTION, None),
        (XCEPTION, epsilon),
        (XCEPTION, max_padding),
        (XCEPTION, without_gates),
        (XCEPTION, backward_half),
        (SMALL, None),
        (SMALL, symmetric),
        (SMALL, beta_left),
        (SMALL, backward_half),
    ],
)
def test_counts_bridge_and_forward_pass(pair_of, variant, fault, monkeypatch):
    """They hold as they are; the forward pass breaks with each fault."""
    pair, _ = pair_of(variant)
    if fault:
        fault(pair, monkeypatch)
        broken(forward(pair_of, variant))
        return
    for result in (ladder.count_rung(pair), ladder.shape_rung(pair), forward(pair_of, variant)):
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
            found, _ = jax.submit(climber._on_jax, SMALL, pools, tmp_path).result()
            results += found
    assert results[0].ok, results[0]
    broken(results[1])


@slow
def test_the_forward_pass_in_float32_holds_and_breaks_without(monkeypatch):
    pair = twin_pair.make_pair(SMALL, "float32", pool_of("float32"))
    result = ladder.forward_rung(pair, "forward32")
    assert result.ok, result
    symmetric(pair, monkeypatch)
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


def own_epsilon(pair, monkeypatch):
    """torch's Adam with Keras's epsilon as it is."""
    monkeypatch.setattr(impl_torch.train, "keras_epsilon", lambda epsilon, beta2, step: epsilon)


def inside_the_root(pair, monkeypatch):
    """RMSProp as Keras 3 has it."""
    import keras

    def make(phase, recipe):
        words = {"rho": recipe["rmsprop_rho"], "epsilon": recipe["epsilon"]}
        return keras.optimizers.RMSprop(phase["rate"], **words)

    monkeypatch.setattr(impl_keras.train, "make_optimizer", make)
    monkeypatch.setattr(impl_keras.parity, "make_optimizer", make)


def second_bias(pair, monkeypatch):
    """An LSTM's second bias trained."""
    for name, parameter in pair.torch.network.named_parameters():
        if ".bias_hh" in name:
            monkeypatch.setattr(parameter, "requires_grad", True)


def exact_decay(pair, monkeypatch):
    """0.999, which Keras on TensorFlow rounds to float32 (DIFFERENCES): seen, though it is 6e-6."""
    for twin in (pair.torch.twin, pair.keras.twin):
        recipe = twin.recipe | {"adam_beta1": 0.9, "adam_beta2": 0.999}
        monkeypatch.setattr(twin, "recipe", recipe)


STEPS = [*zip(["rmsprop"] * 2, (inside_the_root, second_bias), strict=True)]
STEPS += [*zip(["adam"] * 2, (own_epsilon, exact_decay), strict=True)]


@slow
@of(SMALL)
@pytest.mark.parametrize(("optimizer", "fault"), STEPS)
def test_two_steps_break_with(pair, optimizer, fault, monkeypatch):
    monkeypatch.setattr(ladder, "STEPS", 2)
    fault(pair, monkeypatch)
    results = list(ladder.optimizer_rungs(pair, optimizer))
    for result in results[: 1 if fault is second_bias else 2]:  # its gradient is its own
        broken(result)
    if fault is exact_decay:
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


# --- arithmetic ---


def test_a_nan_breaks_a_rung():
    assert not Result("forward", "xception", float("nan")).ok
    assert parity.largest({"a": 1.0, "b": float("nan"), "c": 2.0})[1] == "b"
    assert np.isnan(parity.relative(np.array([np.nan]), np.array([1.0])))


def test_differences_are_against_the_largest_value():
    a, b = np.array([1.0, -4.0]), np.array([1.1, -4.0])
    assert parity.relative(a, b) == pytest.approx(0.1 / 4)
    assert parity.apart({"x": a, "y": a}, {"x": b, "y": 10 * a}) == (pytest.approx(36 / 40), "y")
    assert parity.zeros({"x": a, "y": 1e-13 * a}) == {"y"}
    assert ladder.compared("backends", "xception", {"p": a}, {"p": b}).ok is False
