"""Checkpoints that were written anew with other content, or where something else stands in their
place: the run says so, begins anew, and ends with the bits of one that had none."""

import json
import os
import re

import numpy as np
import pytest

from benchmarks.store.store import Store
from protocols.runs.checkpoint import CheckpointRefused, Checkpoints, runs_in
from protocols.runs.record import TrainingDiverged
from tests.support.line import ARRAYS, IDENTITY, Line
from tests.support.synthetic import add, spec

NAN, INF = float("nan"), float("inf")


@pytest.fixture
def spoil(trained, tmp_path):
    """Kills a run after the given call, and gives its checkpoint's arrays and meta to change."""

    def make(change, call=4):
        trained((call,), finish=False)
        path = tmp_path / "checkpoint.npz"
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        text = json.loads(arrays.pop("meta").tobytes())
        change(arrays, text["meta"])
        meta = np.frombuffer(json.dumps(text).encode(), np.uint8)
        with path.open("wb") as file:
            np.savez(file, **arrays, meta=meta)
        return path

    return make


def other_shape(arrays, meta):
    arrays["network/x"] = np.zeros(3)


def other_type(arrays, meta):
    arrays["optimizer/x"] = arrays["optimizer/x"].astype(np.float32)


def lacking(arrays, meta):
    del arrays["optimizer/x"]


def one_more(arrays, meta):
    arrays["network/y"] = np.zeros(())


def nan(arrays, meta):
    arrays["network/x"] = np.array(NAN)


def infinite(arrays, meta):
    arrays["optimizer/x"] = np.array(INF)


def answers_of_fewer(arrays, meta):
    arrays["epochs/0"] = arrays["epochs/0"][:, :-1]


def nan_answers(arrays, meta):
    arrays["epochs/0"][0, 0, 0] = NAN


def figures_of_none(arrays, meta):
    arrays["figures"] = np.zeros((1, 1, 2), np.float32)


def history_of_fewer(arrays, meta):
    meta["rows"][0].pop()


def no_such_phase(arrays, meta):
    meta["at"]["phase"] = 3


def no_such_step(arrays, meta):
    meta["at"]["step"] = 1000


def answers_too_early(arrays, meta):
    meta["at"]["answered"] = 4
    arrays["answers/0"] = np.zeros((4, 4), np.float32)


def no_place(arrays, meta):
    del meta["at"]


def no_times(arrays, meta):
    meta["timings"] = {}


ALTERED = [
    (other_shape, r"network/x is float64 \(3,\), not float64 \(\)"),
    (other_type, "optimizer/x is float32"),
    (lacking, "optimizer/x is lacking"),
    (one_more, "network/y doesn't belong to the run"),
    (nan, "network/x isn't finite, though every loss so far is"),
    (infinite, "optimizer/x isn't finite"),
    (answers_of_fewer, "epochs/0 is float32"),
    (nan_answers, "epochs/0 isn't finite"),
    (figures_of_none, "figures doesn't belong to the run"),
    (history_of_fewer, "the history isn't that of its epochs"),
    (no_such_phase, "there is no phase 3"),
    (no_such_step, "there is no epoch 2 with a step 1000 in phase 2"),
    (answers_too_early, "there are answers before the last step of the epoch"),
    (no_place, "'at'"),
    (no_times, "its times aren't those of a run"),
]


@pytest.mark.parametrize(("change", "sentence"), ALTERED)
def test_other_content_is_refused_and_the_run_begins_anew(trained, spoil, change, sentence):
    never = trained()
    spoil(change)
    notes = []
    arrays, history = trained(notes=notes)
    (said,) = notes
    assert said.startswith("the checkpoint checkpoint.npz is damaged (")
    assert re.search(sentence, said)
    assert said.endswith(": the run starts from the beginning")
    assert history == never[1]
    for name, value in never[0].items():
        assert (value == arrays[name]).all(), name


def test_an_unspoiled_one_is_gone_on_with(trained, spoil):
    spoil(lambda arrays, meta: None)
    notes = []
    trained(notes=notes)
    assert notes == []


def test_a_run_that_diverged_goes_on_with_its_nan_and_says_that_it_diverged(
    trained,
    tmp_path,
    monkeypatch,
):
    step = Line.step

    def diverging(self, start, stop):
        figures = step(self, start, stop)
        self.network = self.optimizer = NAN
        return figures * NAN

    monkeypatch.setattr(Line, "step", diverging)
    trained((3,), finish=False)
    with np.load(tmp_path / "checkpoint.npz") as held:
        assert np.isnan(held["network/x"]) and np.isnan(held["epochs/0"]).all()
    notes = []
    with pytest.raises(TrainingDiverged):
        trained(notes=notes)
    assert notes == []


def test_nan_is_refused_where_no_loss_has_it_and_taken_where_one_has(trained, spoil):
    def with_its_loss(arrays, meta):
        nan(arrays, meta)
        meta["rows"][0][-1]["train_loss"] = NAN

    notes = []
    spoil(nan)
    trained(notes=notes)
    assert "network/x isn't finite" in notes.pop()
    spoil(with_its_loss)
    arrays, _ = trained(notes=notes)
    assert notes == [] and np.isnan(arrays["predictions.npz/last"]).all()


def in_its_place(path, kind):
    if kind == "folder":
        path.mkdir()
        (path / "a-file").write_text("x", encoding="utf-8")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("nowhere" if kind == "dangling link" else path.name)


PLACES = [
    ("folder", "is no file"),
    ("pipe", "is no file"),
    ("dangling link", "is a link to nothing"),
    ("loop of links", r"can't be read \(Too many levels of symbolic links\)"),
]


@pytest.mark.parametrize(("kind", "sentence"), PLACES)
def test_what_is_no_file_is_refused_and_makes_room(tmp_path, kind, sentence):
    path = tmp_path / "run.npz"
    in_its_place(path, kind)
    assert runs_in(path) == []
    here = Checkpoints(path, IDENTITY)
    with pytest.raises(CheckpointRefused, match=f"the checkpoint run.npz {sentence}"):
        here.load()
    here.save(ARRAYS, {"at": 1})
    assert here.load()[1] == {"at": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_one_that_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    Checkpoints(path, IDENTITY).save(ARRAYS, {})

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(np, "load", denied)
    with pytest.raises(CheckpointRefused, match=r"can't be read \(Permission denied\)"):
        Checkpoints(path, IDENTITY).load()


@pytest.mark.parametrize("kind", ["folder", "dangling link"])
def test_what_stands_in_the_place_of_a_done_run_s_checkpoint_ends_no_launch(tmp_path, kind):
    store, run = Store(tmp_path), spec()
    add(store, run)
    in_its_place(store.checkpoint([run]), kind)
    store.drop_checkpoints([])
    assert not os.path.lexists(store.checkpoint([run]))
