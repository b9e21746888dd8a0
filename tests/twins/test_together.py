"""Folds and seeds trained together: each one's losses are those of the run alone.

PyTorch here; Keras on JAX when WBC_TEST_TWIN says so (test_jax.py and test_gpu.py start that).
Heads train on stored features, so a stand-in is the backbone, except where members look at an image
through it.
"""

import os
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from benchmarks.planning.plan import trained_together
from impl_torch.graphs import WARM_UP, CudaGraphs
from impl_torch.together import TorchFolds
from impl_torch.train import TorchTraining
from protocols.images.pool import Pool
from protocols.runs.activations import chosen, grad_cam
from protocols.runs.checkpoint import layout_of
from protocols.runs.twin import begin_epoch, check_memory
from protocols.weights.start import HeadsOnly
from tests.support import stand_in
from tests.support.synthetic import spec
from tests.support.tape import Eager, Full, NotRecordable, Refusing, Tapes

ON_JAX = os.environ.get("WBC_TEST_TWIN") == "keras"
DEVICE = os.environ.get("WBC_TEST_DEVICE", "cpu")  # test_gpu.py names its own
N, EPOCHS = 40, 3
SIZE = (84, 112)  # of the images
MEMBERS = [(0, 0), (1, 0), (0, 1)]  # (fold, seed)


@pytest.fixture(scope="module")
def make():
    """make_twin of the framework under test, in double precision throughout."""
    if not ON_JAX:
        from impl_torch.worker import make_twin

        yield partial(make_twin, start=HeadsOnly())
        return
    from keras.src.backend.common import dtypes

    from impl_keras.worker import make_twin

    # off TensorFlow, Keras's batch normalisation computes float64 inputs in float32
    before = dtypes.BIT64_TO_BIT32_DTYPE["float64"]
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
    yield partial(make_twin, start=HeadsOnly())
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = before


@pytest.fixture(params=["stand-in"])
def features(request, monkeypatch):
    """What the head reads of each image, of the stand-in's backbone or the network's own."""
    shape = (3, 4)
    if request.param == "stand-in":
        stand_in.put(monkeypatch)
        monkeypatch.setattr(sys.modules[__name__], "SIZE", stand_in.SIZE)
        shape = tuple(length // stand_in.CELL for length in stand_in.SIZE)
    maps = np.random.default_rng(0).random((N, *shape, 2048), dtype=np.float32)
    return maps if ON_JAX else maps.transpose(0, 3, 1, 2).copy()


def run_of(variant, fold, seed, precision="float64", **recipe):
    words = {"framework": "keras", "backend": "jax"} if ON_JAX else {"framework": "torch"}
    run = spec(
        words.pop("framework"),
        variant,
        fold=fold,
        seed=seed,
        weights="fixture",
        precision=precision,
        device=DEVICE,
        threads=1,
        deterministic=False,
        recipe={"epochs": EPOCHS, **recipe},
        **words,
    )
    return replace(run, data=run.data | dict(zip(("height", "width"), SIZE, strict=True)))


def pool_of(runs):
    labels, folds = np.repeat(np.arange(4), N // 4), np.arange(N) % 10
    return Pool(
        pixels=np.random.default_rng(1).integers(0, 256, (N, *SIZE, 3), dtype=np.uint8),
        rows=np.arange(N),
        ids=[str(i) for i in range(N)],
        labels=labels,
        train=[np.flatnonzero(folds != run.fold) for run in runs],
        evaluated=[np.flatnonzero(folds == run.fold) for run in runs],
    )


def course(make, runs, features, restart_at=None, check=False, batch=32):
    """(epochs, figures, members): training loss by epoch, penalty, loss on the test part."""
    pool, rows = pool_of(runs), []
    twin = make(runs, pool)
    if check:
        check_memory(runs, pool, twin)
    twin.begin_phase(runs[0].phases[0], [features])
    for epoch in range(1, EPOCHS + 1):
        if epoch == restart_at:
            state = twin.state()
            twin = make(runs, pool)
            assert twin.layout(runs[0].phases[0], stepped=True) == layout_of(state)
            twin.restore({k: v for k, v in state.items() if k.startswith("network/")})
            twin.begin_phase(runs[0].phases[0], [features])
            twin.restore({k: v for k, v in state.items() if k.startswith("optimizer/")})
        n = begin_epoch(runs, pool, twin, 1, epoch)
        figures = twin.read([twin.step(i, min(i + batch, n)) for i in range(0, n, batch)])
        answers = zip(twin.log_probabilities(), pool.evaluated, strict=True)
        tested = [-logp[np.arange(len(t)), pool.labels[t]].mean() for logp, t in answers]
        rows.append([figures[:, :, 0].sum(0), twin.penalty(), tested])
    return np.array(rows)


@pytest.mark.parametrize(
    ("variant", "gates", "batch"),
    [
        ("cnn_lstm", "sigmoid", 32),  # the last of 4 images: JAX compiles a step for each size
        ("cnn_gru", "sigmoid", 18),  # two of 18
        pytest.param("cnn_gru", "hard_sigmoid", 18, marks=pytest.mark.slow),
    ],
)
def test_each_member_trains_as_it_does_alone(make, features, variant, gates, batch):
    runs = [run_of(variant, *member, recurrent_activation=gates) for member in MEMBERS]
    found = course(make, runs, features, batch=batch)
    for i, run in enumerate(runs):
        alone = course(make, [run], features, batch=batch)
        np.testing.assert_allclose(found[:, :, [i]], alone, rtol=1e-9)
    assert len(np.unique(found[-1, 0])) == len(MEMBERS)  # they are not one run thrice


def looked_at(make, runs, features):
    """What each member looks at after an epoch."""
    pool = pool_of(runs)
    twin = make(runs, pool)
    twin.begin_phase(runs[0].phases[0], [features])
    n = begin_epoch(runs, pool, twin, 1, 1)
    twin.read([twin.step(0, n)])
    return twin.look([chosen(pool, part) for part in pool.evaluated])


@pytest.mark.parametrize("features", ["own"], indirect=True)
def test_each_member_looks_at_what_it_does_alone(make, features):
    runs = [run_of("cnn_gru", fold, 0) for fold in range(3)]  # alone, another seed draws its CNN
    together_, alone = looked_at(make, runs, features), []
    for run, found in zip(runs, together_, strict=True):
        (wanted,) = looked_at(make, [run], features)
        np.testing.assert_allclose(found.logits, wanted.logits, rtol=1e-9)
        cams = [grad_cam(s.maps["xception"], s.gradients["xception"]) for s in (found, wanted)]
        np.testing.assert_allclose(*cams, rtol=1e-7, atol=1e-9 * cams[1].max())
        alone.append(cams[1])
    assert all(cam.max() > 0 and (cam != alone[0]).any() for cam in alone[1:])


def test_members_go_on_from_their_state(make, features):
    runs = [run_of("cnn_gru", *member, precision="float32") for member in MEMBERS]
    never = course(make, runs, features)
    assert (never == course(make, runs, features, restart_at=2)).all()


@pytest.mark.parametrize("count", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_a_trial_of_the_memory_changes_nothing(make, features, count):
    runs = [run_of("cnn_gru", *member, precision="float32") for member in MEMBERS[:count]]
    tried = course(make, runs, features, check=True)
    assert (tried == course(make, runs, features)).all()


def test_who_trains_together():
    frozen = [
        replace(run_of("cnn_lstm", fold, seed), device="NVIDIA X")
        for fold in (0, 1)
        for seed in (0, 1)
    ]
    other = [run_of("cnn_gru", 0, 0), replace(frozen[0], protocol="cv10-grouped")]
    exact = [replace(run, deterministic=True) for run in frozen]
    on_cpu = [replace(run, backend=b, device="cpu") for run in frozen for b in ("torch", "jax")]
    thawed = [replace(run, weights={"source": "random", "digest": None}) for run in frozen]
    tensorflow = [replace(run, backend="tensorflow") for run in frozen]
    assert trained_together(frozen + other) == [frozen, [other[0]], [other[1]]]
    alone = thawed + tensorflow + exact + on_cpu
    assert trained_together(alone) == [[run] for run in alone]


def test_only_heads_over_a_frozen_cnn_train_together(make):
    runs = [
        replace(run_of("cnn_lstm", *m), weights={"source": "random", "digest": None})
        for m in MEMBERS
    ]
    with pytest.raises(ValueError, match="only heads over a frozen CNN"):
        make(runs, pool_of(runs))


class Recorded:
    """Makes twins whose steps `recorder` records. `made` is the last of them."""

    def __init__(self, make, recorder):
        self.make, self.recorder = make, recorder

    def __call__(self, runs, pool):
        self.made = self.make(runs, pool)
        self.made.graphed.recorder = self.recorder
        return self.made

    @property
    def engine(self):
        return self.made.environment()["engine"]


def replayed(make, features, recorder, **words):
    """(the rows of `course`, what made its twin); each epoch has two full batches and one of 4."""
    runs = [run_of("cnn_gru", *member, batch_size=16, **words) for member in MEMBERS[:2]]
    makes = Recorded(make, recorder)
    return course(makes, runs, features, batch=16), makes


on_torch = pytest.mark.skipif(ON_JAX, reason="the steps of PyTorch are recorded, JAX compiles its")
on_cpu = pytest.mark.skipif(DEVICE != "cpu", reason="a GPU has a recorder of its own")


@on_torch
@on_cpu
def test_a_recorded_step_is_the_step(make, features):
    """All that changes from step to step is on the device, and nothing is read from there."""
    tapes = Tapes()
    found, makes = replayed(make, features, tapes)
    assert tapes.replays == 2 * EPOCHS - WARM_UP
    assert makes.engine == "CUDA graph for batches of 16, eager for others; 2 runs together (vmap)"
    plain, makes = replayed(make, features, Eager())
    assert (found == plain).all()
    usual, makes = replayed(make, features, None)
    assert makes.engine == "eager; 2 runs together (vmap)"
    np.testing.assert_allclose(found, usual, rtol=1e-9)


@on_torch
@on_cpu
@pytest.mark.parametrize(
    ("recorder", "reason"),
    [
        (Refusing(), "CUDA error: operation not permitted"),
        (Full(), "the GPU has too little memory"),
    ],
    ids=["refused", "full"],
)
def test_a_step_that_is_not_recorded_goes_on_and_says_so(make, features, recorder, reason, capfd):
    found, makes = replayed(make, features, recorder)
    assert makes.engine.startswith(f"eager without a CUDA graph: {reason}")
    assert capfd.readouterr().err.count(reason) == 1
    assert (found == replayed(make, features, Eager())[0]).all()


@on_torch
@on_cpu
@pytest.mark.parametrize("fault", ["epsilon of the host", "host read", "number of the host"])
def test_a_tape_shows_what_no_graph_can_hold(make, features, fault, monkeypatch):
    """The step as it was kept Adam's epsilon on the host: a replay has that of the recording."""
    if fault == "epsilon of the host":
        monkeypatch.setattr(TorchFolds, "make_optimizer", TorchTraining.make_optimizer)
        found, _ = replayed(make, features, Tapes(), epsilon=1e-3)
        usual, _ = replayed(make, features, None, epsilon=1e-3)
        assert abs(found / usual - 1).max() > 1e-6
        return
    usual = TorchFolds.step_on

    def step(self, there, keep=None):
        if fault == "host read":
            there.max().item()
        else:
            keep = keep * torch.tensor(True)
        return usual(self, there, keep)

    monkeypatch.setattr(TorchFolds, "step_on", step)
    with pytest.raises(NotRecordable, match="asks the device" if "read" in fault else "is made of"):
        replayed(make, features, Tapes())


@on_torch
@pytest.mark.gpu
@pytest.mark.skipif(DEVICE == "cpu", reason="test_gpu.py starts this test with its GPU's name")
def test_a_replayed_graph_is_the_step(make, features):
    found, makes = replayed(make, features, CudaGraphs())
    assert makes.engine.startswith("CUDA graph for batches of 16")
    plain, _ = replayed(make, features, Eager())
    np.testing.assert_allclose(found, plain, rtol=1e-9)
