"""Selection, losses and metrics, against figures worked out by hand."""

import contextlib
import dataclasses
import json
import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss

from benchmarks.store import records
from protocols import metrics
from protocols.papers.papers import load_papers
from protocols.papers.recipes import milestones
from protocols.runs import course
from protocols.runs.record import Recorder, TrainingDiverged, data_loss
from protocols.runs.worker_loop import Job
from tests.support.line import Killed, Line
from tests.support.recorded import LABELS, log_p, recorder
from tests.support.synthetic import spec


def test_the_lowest_loss_of_phase_2_selects_and_a_tie_goes_to_the_earlier():
    made = recorder(
        spec(),
        [
            (1, 1, log_p(0.9)),  # best of all, but phase 1
            (2, 1, log_p(0.4)),
            (2, 2, log_p(0.6)),
            (2, 3, log_p(0.6)),
            (2, 4, log_p(0.5)),
        ],
    )
    assert made.selected == 2


def test_a_diverged_epoch_is_never_selected():
    bad = np.full((4, 4), np.nan)
    made = recorder(spec(variant="cnn_lstm", fold=0), [(1, 1, bad), (1, 2, log_p(0.3))])
    assert made.selected == 1
    with pytest.raises(TrainingDiverged):
        _ = recorder(spec(), [(2, 1, bad)]).selected


def test_smoothed_loss_by_hand():
    logp = np.log(np.array([[0.7, 0.1, 0.1, 0.1]]))
    by_hand = -(0.9 * math.log(0.7) + 0.1 * (math.log(0.7) + 3 * math.log(0.1)) / 4)
    assert data_loss(logp, np.array([0]), 0.1) == pytest.approx(by_hand, rel=1e-12)
    assert data_loss(logp, np.array([0]), 0.0) == pytest.approx(-math.log(0.7), rel=1e-12)


def test_stored_predictions_are_the_selected_and_the_last(tmp_path):
    made = recorder(spec(), [(1, 1, log_p(0.3)), (2, 1, log_p(0.8)), (2, 2, log_p(0.5))])
    made.write(tmp_path, {}, {})
    with np.load(tmp_path / "predictions.npz") as stored:
        assert stored["selected"].dtype == np.float32
        assert stored["selected"][0, 0] == pytest.approx(0.8)
        assert stored["last"][0, 0] == pytest.approx(0.5)
        assert stored["log_epochs"].shape == (3, 4, 4)


def test_a_validation_part_selects_and_the_test_part_is_only_scored(tmp_path):
    made = Recorder(spec(), list("abcd") * 2, np.tile(LABELS, 2), selecting=4)
    for epoch, (first, last) in enumerate([(0.4, 0.9), (0.8, 0.3), (0.5, 0.6)], start=1):
        answers = np.concatenate([log_p(first), log_p(last)])
        figures = dict.fromkeys(("train_loss", "penalty", "train_accuracy"), 0.0)
        made.epoch(2, epoch, answers, **figures, train_seconds=1, eval_seconds=1)
    assert made.selected == 1  # by the first four images
    assert made.rows[1]["eval_loss"] == pytest.approx(data_loss(log_p(0.8), LABELS, 0.1))
    assert made.rows[1]["eval_accuracy"] == 1
    made.write(tmp_path, {}, {})
    with np.load(tmp_path / "predictions.npz") as stored:
        assert stored["selected"][:, 0].tolist() == pytest.approx(np.exp(log_p(0.3))[:, 0])
        assert stored["log_epochs"].shape == stored["validation_log_epochs"].shape == (3, 4, 4)
        assert stored["validation_labels"].tolist() == stored["labels"].tolist() == [0, 1, 2, 3]


def test_table_iii_epochs_are_fractions_below_paper():
    assert milestones(spec()) == {}
    run = spec(variant="cnn_gru", fold=0, recipe={"epochs": 4})
    assert milestones(run) == {100: 1, 200: 2, 300: 3, 400: 4, 500: 4}
    full = spec(variant="cnn_gru", fold=0, recipe={"epochs": 500})
    assert milestones(full) == {e: e for e in (100, 200, 300, 400, 500)}


def test_the_papers_epochs_are_those_of_the_last_phase(tmp_path, monkeypatch):
    """Where networks are trained in two phases, the frozen phase's answers stand for none."""
    printed = dataclasses.replace(load_papers()["liang"], milestones=(35, 70))
    monkeypatch.setitem(load_papers(), "liang", printed)
    run = spec(recipe={"phase1_epochs": 2, "phase2_epochs": 4})
    assert milestones(run) == {35: 2, 70: 4}
    sure = {(1, 1): 0.3, (1, 2): 0.4, (2, 1): 0.5, (2, 2): 0.6, (2, 3): 0.7, (2, 4): 0.8}
    recorder(run, [(*when, log_p(p)) for when, p in sure.items()]).write(tmp_path, {}, {})
    with np.load(tmp_path / "predictions.npz") as stored:
        assert stored["milestone_epochs"].tolist() == [35, 70]
        assert stored["milestones"][:, 0, 0].tolist() == pytest.approx([0.6, 0.8])


def test_metrics_by_hand():
    labels = np.array([0, 0, 1, 1, 2, 3])
    predicted = np.array([0, 1, 1, 1, 2, 2])
    p = np.full((6, 4), 0.1)
    p[np.arange(6), predicted] = 0.7
    scores = metrics.score(labels, p)
    assert scores["accuracy"] == pytest.approx(4 / 6)
    assert scores["log_loss"] == pytest.approx(-(4 * math.log(0.7) + 2 * math.log(0.1)) / 6)
    assert scores["precision_L"] == pytest.approx(2 / 3)
    assert scores["recall_E"] == pytest.approx(1 / 2)
    assert scores["precision_macro"] == pytest.approx((1 + 2 / 3 + 1 / 2 + 0) / 4)
    assert scores["recall_weighted"] == pytest.approx(scores["accuracy"])
    assert set(scores) == set(metrics.METRICS)
    assert metrics.confusion(labels, p).tolist() == [
        [1, 1, 0, 0],
        [0, 2, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 1, 0],
    ]


def test_accuracy_and_log_loss_are_scikit_learns():
    """To the last bit, certain and impossible answers too."""
    rng = np.random.default_rng(0)
    labels, p = rng.integers(4, size=500), rng.dirichlet(np.full(4, 0.3), 500)
    p[:8] = np.eye(4)[[0, 1, 2, 3] * 2]
    scores = metrics.score(labels, p)
    p = metrics.summing_to_one(p)
    assert scores["accuracy"] == accuracy_score(labels, p.argmax(axis=1))
    assert scores["log_loss"] == log_loss(labels, p, labels=range(4))


def test_scores_of_a_diverged_epoch_are_nan():
    scores = metrics.score(LABELS, np.full((4, 4), np.nan))
    assert all(math.isnan(value) for value in scores.values())


def test_a_run_tells_how_many_were_computed_at_once(plan_of, job_of, tmp_path):
    """Two runs at a time slow each other, so seconds mean nothing without their number."""
    (run,) = [s for s in plan_of("xception", frameworks=("torch",)) if s.stage == "train"]
    job = dataclasses.replace(job_of(run), at_once=2)
    course.run(Line, [run], [Job.from_dict(job.to_dict())], lambda *_: None, print)
    assert json.loads((tmp_path / "timings.json").read_text(encoding="utf-8"))["jobs"] == 2


def test_a_killed_run_tells_how_each_of_its_processes_computed(
    plan_of, job_of, tmp_path, monkeypatch
):
    (run,) = [s for s in plan_of("xception", frameworks=("torch",)) if s.stage == "train"]
    job = dataclasses.replace(job_of(run), checkpoint=tmp_path / "c.npz", pauses=(0.0, 0.0))

    def kill(*_):
        raise Killed

    for engine, jobs, progress in (("a", 2, kill), ("a", 1, kill), ("b", 2, lambda *_: None)):
        monkeypatch.setattr(Line, "engine", engine)
        one = dataclasses.replace(job, at_once=jobs)
        with contextlib.suppress(Killed):
            course.run(Line, [run], [one], progress, print)
    assert records.timings(tmp_path / "timings.json", "train")["jobs"] == [2, 1]
    assert records.env(tmp_path / "env.json")["engine"] == "a, then b"
