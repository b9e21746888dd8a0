"""Every network that the tables admit is built alike by both twins; --set in force in both."""

import json
import sys
from concurrent.futures import Future
from dataclasses import replace
from functools import lru_cache, partial
from itertools import combinations

import numpy as np
import pytest
import torch

import impl_keras.bridge
import impl_keras.device
import impl_keras.models
import impl_torch.bridge
import impl_torch.models
import impl_torch.recurrent
from benchmarks.parity import climb as climber
from benchmarks.parity import ladder, twin_pair
from protocols.papers.backbones import load_backbones
from protocols.papers.papers import load_papers
from protocols.papers.variants import Variant, load_variants
from protocols.runs import parity
from protocols.weights.start import counts, shapes_of
from reports.pages.parity.ladder import read
from tests.support import stand_in
from tests.support.devices import needs_tensorflow, skip_without_tensorflow
from tests.support.twin_checks import CLIMBED

slow = pytest.mark.slow


def variant(paper="liang", backbones=("resnet50",), sequence="none", cell="none"):
    name = "_".join([paper, *backbones, sequence, cell])
    return Variant(name, "control", paper, tuple(backbones), sequence, cell, name)


def everything():
    """Each combination of paper, backbones, sequence and cell."""
    many = [c for n in range(len(load_backbones()) + 1) for c in combinations(load_backbones(), n)]
    many.append(("resnet50", "resnet50"))
    return [
        variant(paper, backbones, sequence, cell)
        for paper in load_papers()
        for backbones in many
        for sequence in ("none", "rows", "feature_map")
        for cell in ("none", "lstm", "gru")
    ]


def admitted(patch, one):
    with patch.context() as here:
        stand_in.add(here, one)
        try:
            return one.name in load_variants()
        except ValueError as error:
            assert f"variants.toml [{one.name}]: " in str(error)
            return False


def test_the_tables_admit_what_the_twins_can_build_and_no_more(monkeypatch):
    found = [v for v in everything() if admitted(monkeypatch, v)]
    plain = {(v.paper, v.sequence, v.cell) for v in found}
    assert plain == {
        ("liang", "none", "none"), ("liang", "rows", "lstm"), ("liang", "rows", "gru"),
        ("jane", "feature_map", "lstm"), ("jane", "feature_map", "gru"),
    }  # fmt: skip
    subsets = 2 ** len(load_backbones()) - 1
    assert len(found) == 3 * subsets + 2 * (len(load_backbones()) - 1)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (variant(cell="lstm"), "sequence and cell are both none, or neither is"),
        (variant(sequence="feature_map", cell="lstm"), "sequence is none or rows"),
        (variant("jane", sequence="rows", cell="gru"), "sequence is feature_map, not 'rows'"),
        (variant("jane", ("xception", "resnet50"), "feature_map", "gru"), "one backbone"),
        (variant("jane", ("inception_v3",), "feature_map", "gru"), "one row"),
        (variant(backbones=("vgg",)), "unknown backbone 'vgg'; known are"),
        (variant(backbones=()), "it needs one backbone"),
        (replace(variant(), suite="jane"), "suite jane has no network by the recipe of liang"),
    ],
)
def test_a_table_that_no_twin_could_build_is_refused_with_a_sentence(monkeypatch, one, said):
    stand_in.add(monkeypatch, one)
    with pytest.raises(ValueError, match=said):
        load_variants()


NETWORKS = [
    variant(),
    variant(sequence="rows", cell="lstm"),
    variant(sequence="rows", cell="gru"),
    variant(backbones=("xception", "resnet50"), sequence="rows", cell="gru"),
    variant("jane", ("resnet50",), "feature_map", "lstm"),
    variant("jane", ("resnet50",), "feature_map", "gru"),
]


@pytest.fixture
def networks(monkeypatch):
    skip_without_tensorflow()
    stand_in.put(monkeypatch)
    stand_in.add(monkeypatch, *NETWORKS)


def climbed(one, changes=()):
    return list(
        ladder.climb(one.name, {p: stand_in.pool_of() for p in parity.SIZES}, changes=changes)
    )


def shapes(one):
    """Of all arrays of a network, by key, in PyTorch and in Keras."""
    torch, keras = (
        twin_pair.spec_of(f, one.name, "float32", b)
        for f, b in (("torch", "torch"), ("keras", "tensorflow"))
    )
    impl_keras.device.prepare(keras)  # its threads, before anything is computed
    ours = impl_torch.bridge.slots(impl_torch.models.Network(torch), one.name)
    theirs = impl_keras.bridge.variables(impl_keras.models.Network(keras))
    return shapes_of(impl_torch.bridge.read(ours)), shapes_of(theirs)


@pytest.mark.parametrize(
    "number", [3, 5, *(pytest.param(n, marks=slow) for n in (0, 1, 2, 4))], ids=lambda n: f"{n}"
)
def test_every_branch_and_head_has_equal_counts_in_both_twins(networks, number):
    one = NETWORKS[number]
    ours, theirs = shapes(one)
    assert counts(ours) == counts(theirs)
    assert ours == theirs
    gates = {"lstm": 4, "gru": 3}
    kernels = [shape for key, shape in theirs.items() if key.endswith("/recurrent_kernel")]
    assert all(shape[1] == gates[one.cell] * shape[0] for shape in kernels)


@slow
@needs_tensorflow
def test_every_network_that_the_tables_admit_has_equal_counts(monkeypatch):
    """With the real backbones, each built once and shared."""

    def once(make):
        return lru_cache(maxsize=1)(lambda *_, **words: make(**words))

    for name, make in list(impl_keras.models.BACKBONES.items()):
        monkeypatch.setitem(impl_keras.models.BACKBONES, name, once(make))
    real = impl_torch.models.make_backbone
    shared = {name: once(partial(real, name)) for name in load_backbones()}
    monkeypatch.setattr(impl_torch.models, "make_backbone", lambda name, recipe: shared[name]())
    for one in everything():
        if admitted(monkeypatch, one):
            with monkeypatch.context() as patch:
                stand_in.add(patch, one)
                ours, theirs = shapes(one)
            assert counts(ours) == counts(theirs) and ours == theirs, one.name


@slow
@pytest.mark.parametrize("name", [name for name in load_variants() if name not in CLIMBED])
def test_networks_of_parts_that_climb_the_ladder_join_them_alike(networks, name):
    """With the stand-in's backbone: the real ones are climbed in other networks."""
    pair = twin_pair.make_pair(name, "float64", stand_in.pool_of())
    for result in (ladder.count_rung(pair), ladder.shape_rung(pair), ladder.forward_rung(pair)):
        assert result.ok, result


HARD = ("recurrent_activation=hard_sigmoid",)


@pytest.mark.parametrize(
    "number", [2, 4, *(pytest.param(n, marks=slow) for n in (1, 5))], ids=lambda n: NETWORKS[n].name
)
def test_the_ladder_holds_with_the_gates_of_2018(networks, number):
    """Forward pass, loss and gradients in float64; and they are other gates than sigmoid's."""
    one = NETWORKS[number]
    pair = twin_pair.make_pair(one.name, "float64", stand_in.pool_of(), HARD)
    for result in (ladder.forward_rung(pair), *ladder.step_rungs(pair)):
        assert result.ok, result
    found = ladder.answers(pair.torch, pair.recipe)["probabilities"]
    for module in pair.torch.network.head.modules():
        if hasattr(module, "gate"):
            module.gate = torch.sigmoid
    plain = ladder.answers(pair.torch, pair.recipe)["probabilities"]
    assert parity.relative(found, plain) > 1e-6


@slow
@pytest.mark.parametrize("one", NETWORKS[1:3], ids=lambda v: v.name)
def test_the_whole_ladder_holds_with_the_gates_of_2018(networks, one):
    results = climbed(one, HARD)
    assert {r.rung for r in results} == set(parity.RUNGS) - {"backends"}
    assert all(r.ok for r in results), results


def test_both_twins_have_the_hard_sigmoid_of_2018():
    """min(max(0.2 x + 0.5, 0), 1); Keras 3 and PyTorch give relu6(x + 3) / 6 that name."""
    from keras import ops

    x = np.array([-9, -2.6, -2.5, -1, 0, 1, 2.4, 2.5, 9])
    wanted = [0, 0, 0, 0.3, 0.5, 0.7, 0.98, 1, 1]
    np.testing.assert_allclose(
        ops.convert_to_numpy(impl_keras.models.hard_sigmoid(ops.convert_to_tensor(x))), wanted
    )
    np.testing.assert_allclose(
        impl_torch.recurrent.hard_sigmoid(torch.from_numpy(x)).numpy(), wanted
    )


def test_liang_s_dropout_is_in_both_twins(networks):
    """With it, PyTorch's head left every unit in."""
    one = NETWORKS[1]
    pair = twin_pair.make_pair(one.name, "float64", stand_in.pool_of(), ("dropout=0.5",))
    keep = np.random.default_rng(1).random((ladder.BATCH, 512)) < 0.5
    losses = []
    for side in (pair.torch, pair.keras):
        twin = side.twin
        twin.recipe = twin.recipe | {"dropout": 0.5}  # the ladder has it off
        head = side.network.head if side is pair.torch else side.network
        head.kept = 0.5
        twin.begin_phase(parity.phase("adam", twin.recipe), None)
        twin.begin_epoch([twin_pair.TRAIN], [keep])
        losses.append(twin.read([twin.step(0, ladder.BATCH)])[0, 0, 0])
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


# --- a broken rung is reported ---


def lstm_all_the_same(monkeypatch):
    """The Keras twin as it was: an LSTM over rows, whatever the table says."""
    monkeypatch.setitem(impl_keras.models.RNN, "gru", impl_keras.models.layers.LSTM)


def test_a_network_that_is_another_one_in_one_twin_breaks_the_first_rungs(networks, monkeypatch):
    lstm_all_the_same(monkeypatch)
    first, second = climbed(NETWORKS[2])  # and nothing further, and no exception
    assert (first.rung, second.rung) == ("counts", "shapes")
    assert not first.ok and not second.ok
    assert "of another shape" in second.detail


def test_parity_ends_with_a_page_and_exit_code_1(networks, monkeypatch, tmp_path, capsys):
    lstm_all_the_same(monkeypatch)

    class Here:
        """Processes, in this one."""

        def __init__(self, *_):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def submit(self, work, *args):
            done = Future()
            done.set_result(work(*args))
            return done

    for name in ("_climbers", "_backends"):
        monkeypatch.setattr(climber, name, Here)
    pools = {p: stand_in.pool_of() for p in parity.SIZES}
    monkeypatch.setattr(climber, "images", lambda *_: (pools, "phantom"))
    one, path = NETWORKS[2].name, tmp_path / "parity.json"
    monkeypatch.setattr(sys, "argv", ["parity", "--json", str(path), "--variant", one])
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    assert climber.main() == 1
    assert "2 rungs, 2 broken" in capsys.readouterr().out
    assert [r["ok"] for r in json.loads(path.read_text(encoding="utf-8"))["results"]] == [False] * 2

    found, *_ = read(tmp_path)
    assert not found.sentence and "Broken: Parameter counts" in found.summary


def test_forward_passes_of_other_shapes_are_a_broken_rung():
    a, b = {"x": np.ones((2, 3))}, {"x": np.ones((2, 4))}
    result = ladder.compared("forward", "xception", a, b)
    assert not result.ok and "(2, 3) in PyTorch, (2, 4) in Keras" in result.detail
    assert not ladder.compared("forward", "xception", a, {"y": a["x"]}).ok
