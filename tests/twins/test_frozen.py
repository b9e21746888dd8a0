"""Whether a CNN is frozen, and whether its features are constants: one answer for all who ask."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.estimates import progress
from benchmarks.estimates.cost_model import calibration_images, kind_of, train_course, train_parts
from benchmarks.estimates.estimates import Estimates
from benchmarks.launch import calibrate
from benchmarks.planning import disk
from benchmarks.planning.plan import Device, Selection, trained_together
from benchmarks.store.run import Run
from benchmarks.store.store import Store
from protocols.images.pool import Pool
from protocols.runs import course as training
from protocols.runs.checkpoint import Checkpoints
from protocols.spec import RunSpec
from tests.support import synthetic
from tests.support.devices import skip_without_tensorflow
from tests.support.line import Line
from tests.support.synthetic import spec

BATCH, TRAINED = {"frozen_batch_norm": "batch"}, {"cnn_trained": "trained"}


def jane(**words):
    run = spec("torch", "cnn_lstm", fold=0, weights="imagenet", **words)
    return replace(run, data=run.data | {"per_class": 10})


def phases(run: RunSpec) -> list[tuple[bool, bool, bool]]:
    return [(p["frozen"], p["batch_statistics"], p["stored"]) for p in run.phases]


def test_what_each_word_freezes_and_stores():
    assert phases(spec()) == [(True, False, True), (False, True, False)]
    assert phases(spec(recipe=BATCH)) == [(True, True, False), (False, True, False)]
    assert phases(jane()) == [(True, False, True)]
    assert phases(jane(recipe=TRAINED)) == [(False, True, False)]
    assert phases(replace(jane(), weights={"source": "random", "digest": None})) == [
        (False, True, False)
    ]


def test_random_backbones_are_calibrated_where_they_begin_frozen():
    """Evaluation reads their moving statistics, whatever training normalises by."""
    assert spec().calibrated and spec(recipe=BATCH).calibrated
    assert not spec(weights="imagenet").calibrated and not spec("keras", "cnn_gru").calibrated
    for run in (spec(), spec(recipe=BATCH)):
        assert calibration_images(run, 64) == 64


def test_only_heads_on_stored_features_train_together():
    for recipe, one in (({}, True), (TRAINED, False)):
        runs = [replace(jane(recipe=recipe), fold=f, device="GPU", deterministic=False)
                for f in (0, 1)]  # fmt: skip
        assert (len(trained_together(runs)) == 1) == one
        assert all(run.heads_only == one for run in runs)


def test_no_disk_and_no_pass_for_features_that_are_not_stored(tmp_path):
    for plain, other in ((spec(), spec(recipe=BATCH)), (jane(), jane(recipe=TRAINED))):
        assert plain.stores_features and not other.stores_features
        assert len(disk.shared([plain], tmp_path)) == 2
        assert len(disk.shared([other], tmp_path)) == 1  # the decoded images alone
        assert progress.rough(plain).before > 0 and progress.rough(other).before == 0


def test_a_pass_through_a_frozen_cnn_costs_more_than_features_and_less_than_training_it():
    by_batch, plain = progress.rough(spec(recipe=BATCH)), progress.rough(spec())
    assert 10 * plain.epochs[0] < by_batch.epochs[0] < by_batch.epochs[-1] == plain.epochs[-1]
    trained = progress.rough(jane(recipe=TRAINED))
    random = progress.rough(replace(jane(), weights={"source": "random", "digest": None}))
    assert trained == random


def test_estimates_learn_of_each_kind_apart(tmp_path):
    run = spec(recipe=BATCH)
    assert [kind_of(phase) for phase in run.phases] == ["by_batch", "thawed"]
    assert [kind_of(phase) for phase in spec().phases] == ["frozen", "thawed"]
    done = synthetic.add(Store(tmp_path), run)
    parts = train_parts(Run(run, done.folder, "done"))
    assert {"by_batch_train", "thawed_train"} <= parts.keys()
    assert not {name for name in parts if name.startswith(("frozen", "features"))}
    keys = [Estimates(tmp_path, 1).key(one, "CPU", 1)["begins_frozen"] for one in (run, spec())]
    assert keys == [False, True]
    with pytest.raises(KeyError):  # what a run on stored features took says nothing of it
        train_course(run, {"build": 1.0, "rest": 1.0, "frozen_train": 1.0, "thawed_train": 1.0})


def test_hard_gates_have_estimates_of_their_own(tmp_path):
    """They are computed step by step; and the files of all others keep their names."""
    hard = spec("torch", "xception_lstm", recipe={"recurrent_activation": "hard_sigmoid"})
    keys = [Estimates(tmp_path, 1).key(r, "CPU", 1) for r in (hard, spec("torch", "xception_lstm"))]
    assert keys[0] == keys[1] | {"recurrent_activation": "hard_sigmoid"}


def test_short_runs_for_estimates_take_a_whole_pass_twice_not_six_times():
    devices = {"torch": Device("torch", "cpu")}
    wish = Selection(frameworks=("torch",), variants=("cnn_lstm",), weights="imagenet")
    for changes, epochs in (((), calibrate.FROZEN), (("cnn_trained=trained",), calibrate.THAWED)):
        runs = calibrate.short_specs(replace(wish, changes=changes), "phantom", devices, 2)
        assert {s.phases[0]["epochs"] for s in runs if s.stage == "train"} == {epochs}


@pytest.mark.parametrize("recipe", [{}, BATCH], ids=["inference", "batch"])
def test_the_course_stores_features_only_where_they_are_constants(tmp_path, recipe):
    run, given = spec(recipe=recipe), []
    n, labels = np.arange(40), np.arange(40) % 4
    pool = Pool(np.zeros((40, 2, 2, 3), np.uint8), n, list(map(str, n)), labels, [n[:32]], [n[32:]])

    class Seen(Line):
        def begin_phase(self, phase, stored):
            given.append((phase["frozen"], stored is not None))
            super().begin_phase(phase, stored)

        def backbone_features(self, number, positions):
            assert not recipe, "features of a CNN that normalises by the batch"
            return super().backbone_features(number, positions)

    words = dict.fromkeys(training.COMPUTED_BY, "one")
    checkpoints = Checkpoints(tmp_path / "checkpoint.npz", words)
    job = SimpleNamespace(cache=tmp_path)
    course = training.Course([run], pool, Seen([run], pool), checkpoints, job, lambda *_: None, 0.0)
    course.prepare()
    for phase in run.phases:
        course.run_phase(phase)
    assert given == [(True, not recipe), (False, False)]
    assert (tmp_path / "features").exists() == (not recipe)


# --- in the twins ---


@pytest.fixture
def sides(monkeypatch):
    """Both twins of a network with a small backbone, at the same weights, by a changed value."""
    from benchmarks.parity import twin_pair
    from tests.support import stand_in

    skip_without_tensorflow()
    stand_in.put(monkeypatch)
    return lambda *changes, variant="resnet50": twin_pair.make_pair(
        variant, "float64", stand_in.pool_of(), changes
    )


def test_batch_statistics_over_a_frozen_cnn_are_the_same_in_both_twins(sides):
    """A step of phase 1: loss and gradients alike, of the head alone; the CNN and its moving
    statistics stay bit by bit; answers come from the moving statistics."""
    from benchmarks.parity.twin_pair import BATCH as SIZE
    from benchmarks.parity.twin_pair import TRAIN
    from protocols.runs import parity

    pair = sides("frozen_batch_norm=batch")
    phase = spec(recipe=BATCH).phases[0]
    steps, losses = [], []
    for side in (pair.torch, pair.keras):
        side.begin(phase, np.tile(TRAIN, 2))
        before, answers = side.weights(), side.probabilities()
        side.begin(phase, np.tile(TRAIN, 2))
        steps.append(side.step_gradients(0, SIZE))
        after = side.weights()
        moved = {key.split("/")[0] for key in after if (after[key] != before[key]).any()}
        assert moved == {"head"}
        side.take(before)
        assert (side.probabilities() == answers).all()
        losses.append(steps[-1][0])
    assert losses[0] == pytest.approx(losses[1], rel=1e-10)
    ours, theirs = steps[0][2], steps[1][2]
    assert set(theirs) == {key for key in ours if key.startswith("head/")} == set(ours)
    assert parity.apart(ours, theirs)[0] < 1e-8
    for side in (pair.torch, pair.keras):  # inference mode gives another loss
        side.take(pair.start)
        side.begin(spec().phases[0], np.tile(TRAIN, 2))
        assert side.step_gradients(0, SIZE)[0] != pytest.approx(losses[0], rel=1e-3)


def test_the_thawed_phase_after_it_moves_the_statistics_again(sides):
    from benchmarks.parity.twin_pair import BATCH as SIZE
    from benchmarks.parity.twin_pair import TRAIN

    pair = sides("frozen_batch_norm=batch")
    first, second = spec(recipe=BATCH).phases
    found = []
    for side in (pair.torch, pair.keras):
        side.take(pair.start)
        for phase in (first, second):
            side.begin(phase, np.tile(TRAIN, 2))
            side.step_gradients(0, SIZE)
        found.append(side.weights())
    for key in found[0]:
        if "/moving_mean" in key:
            assert (found[0][key] != pair.start[key]).all()
            np.testing.assert_allclose(found[0][key], found[1][key], rtol=1e-9)


def test_jane_s_loaded_cnn_trains_where_the_recipe_says_so(sides):
    from benchmarks.parity.twin_pair import BATCH as SIZE
    from benchmarks.parity.twin_pair import TRAIN

    pair = sides(variant="cnn_gru")
    both = {"head", "xception"}
    for side, recipe, parts in (
        (pair.torch, {}, {"head"}), (pair.torch, TRAINED, both), (pair.keras, TRAINED, both),
    ):  # fmt: skip
        side.take(pair.start)
        side.begin(jane(recipe=recipe).phases[0], np.tile(TRAIN, 2))
        side.step_gradients(0, SIZE)
        after = side.weights()
        moved = {k.split("/")[0] for k in after if (after[k] != pair.start[k]).any()}
        assert moved == parts
