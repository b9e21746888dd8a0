"""Checkpoints: written whole, refused with a sentence, and runs that go on from them."""

import dataclasses
import time

import numpy as np
import pytest

from benchmarks.launch.pending import say_regrouped
from benchmarks.store.store import Store
from protocols.images.pool import Pool
from protocols.runs import course
from protocols.runs import twin as twin_of
from protocols.runs.checkpoint import CheckpointRefused, Checkpoints
from tests.support.line import ARRAYS, HERE, IDENTITY, Line
from tests.support.synthetic import spec


@pytest.fixture
def path(tmp_path):
    Checkpoints(tmp_path / "run.npz", IDENTITY).save(ARRAYS, {"at": {"step": 2}})
    return tmp_path / "run.npz"


def test_what_was_saved_is_loaded(path):
    arrays, meta = Checkpoints(path, IDENTITY).load()
    assert {name: value.tolist() for name, value in arrays.items()} == {
        "network/a": [0, 1, 2, 3, 4, 5],
        "optimizer/steps": 3,
    }
    assert meta == {"at": {"step": 2}}


def test_no_file_is_no_checkpoint(tmp_path):
    assert Checkpoints(tmp_path / "none.npz", IDENTITY).load() is None


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"runs": ["another"]}, "is of another run"),
        ({"pixels": "1" * 64}, "was made from other images"),
        ({"processor": "Another"}, "was written on another processor"),
        ({"results_version": 2}, "was written by another results version of this suite"),
        ({"instructions": "avx"}, "was written on a processor with other instructions"),
        (
            {"variables": {"MKL_CBWR": "AVX2"}},
            r"was written under other variables that choose how libraries compute "
            r"\(MKL_CBWR none, here AVX2; XLA_FLAGS --a, here none\)",
        ),
        (
            {"versions": {"torch": "2.16", "numpy": "2.4"}},
            r"was written with other versions \(torch 2.15, here 2.16\)",
        ),
    ],
)
def test_a_foreign_one_is_refused_with_a_sentence(path, changed, sentence):
    with pytest.raises(CheckpointRefused, match=f"the checkpoint run.npz {sentence}"):
        Checkpoints(path, IDENTITY | changed).load()


@pytest.mark.parametrize("damage", ["cut", "altered", "other", "empty"])
def test_a_damaged_one_is_refused(path, damage):
    data = bytearray(path.read_bytes())
    if damage == "cut":
        data = data[: len(data) // 2]
    elif damage == "altered":
        at = data.index(np.float64(5.0).tobytes())
        data[at + 7] ^= 1
    else:
        data = b"no archive" if damage == "other" else b""
    path.write_bytes(data)
    with pytest.raises(CheckpointRefused, match="is damaged"):
        Checkpoints(path, IDENTITY).load()


def test_nothing_is_unpickled(tmp_path):
    """An object array would run code of its own; it is refused."""
    np.savez(tmp_path / "run.npz", meta=np.array([{"code": print}], dtype=object))
    with pytest.raises(CheckpointRefused, match="is damaged"):
        Checkpoints(tmp_path / "run.npz", IDENTITY).load()


def test_a_save_that_breaks_off_leaves_the_old_one(path, monkeypatch):
    def full(file, **arrays):
        file.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="no space"):
        Checkpoints(path, IDENTITY).save(ARRAYS, {})
    monkeypatch.undo()
    assert list(path.parent.iterdir()) == [path]
    assert Checkpoints(path, IDENTITY).load()[1] == {"at": {"step": 2}}


def test_when_one_is_due(tmp_path):
    checkpoints = Checkpoints(tmp_path / "x.npz", IDENTITY)
    assert not checkpoints.due(inside=False)
    checkpoints.last = time.monotonic() - 31
    assert checkpoints.due(inside=False)
    assert not checkpoints.due(inside=True)
    checkpoints.last = time.monotonic() - 301
    assert checkpoints.due(inside=True)


def test_runs_that_train_with_others_than_before_are_said(tmp_path):
    runs = [spec("torch", "cnn_gru", fold=fold) for fold in range(3)]
    store, said = Store(tmp_path), []
    store.runs_folder.mkdir()
    ids = IDENTITY | {"runs": [run.id for run in runs]}
    Checkpoints(store.checkpoint(runs), ids).save(ARRAYS, {})
    store.checkpoint([spec("torch")]).write_bytes(b"no archive")
    for others in (runs, [spec("torch", "cnn_lstm", fold=0)]):
        say_regrouped(store, others, said.append)
    assert said == []
    say_regrouped(store, runs[1:], said.append)
    (sentence,) = said
    assert "of 3 runs together, of which 2 now train among 2: they start from" in sentence


@pytest.mark.parametrize("pauses", [(0.0, 0.0), (0.0, 1e9), (1e9, 0.0), (1e9, 1e9)])
@pytest.mark.parametrize("kill_at", [(1,), (2,), (3,), (4,), (1, 1, 1), (2, 1), (3, 2)])
def test_a_killed_run_ends_as_one_never_killed(trained, kill_at, pauses):
    arrays, history = trained()
    again, history_again = trained(kill_at, pauses=pauses)
    assert history == history_again
    assert arrays.keys() == again.keys()
    for name, value in arrays.items():
        assert (value == again[name]).all(), name


def test_a_refused_checkpoint_is_said_and_the_run_begins_anew(trained, monkeypatch):
    notes = []
    trained((3,), finish=False)
    monkeypatch.setattr(Line, "environment", lambda self: HERE | {"versions": {"numpy": "9"}})
    arrays, _ = trained(notes=notes)
    (sentence,) = notes
    assert sentence.endswith(
        "numpy 2.4.6, here 9): the run starts from the beginning".replace("2.4.6", np.__version__)
    )
    assert len(arrays["predictions.npz/log_epochs"]) == 4


def test_a_run_s_seconds_are_those_in_which_it_ran(trained, tmp_path, monkeypatch):
    clock = [0.0]

    def step(self, start, stop):
        clock[0] += 2.0
        return plain(self, start, stop)

    plain = Line.step
    monkeypatch.setattr(Line, "step", step)
    monkeypatch.setattr(course, "running_seconds", lambda: clock[0])
    trained()
    rows = (tmp_path / "history.csv").read_text(encoding="utf-8").splitlines()
    names = rows[0].split(",")
    assert {float(r.split(",")[names.index("train_seconds")]) for r in rows[1:]} == {2.0}


def pool_of_eight():
    positions = np.arange(8)
    pixels = np.zeros((8, 4, 4, 3), np.uint8)
    return Pool(pixels, positions, list("abcdefgh"), positions % 4, [positions], [positions])


def test_drawing_an_epoch_counts_as_waiting():
    run, pool = spec("torch", "cnn_gru", fold=0), pool_of_eight()
    twin = Line([run], pool)
    assert twin_of.begin_epoch([run], pool, twin, 1, 1) == 8
    assert twin.batches.waited > 0


def test_the_memory_check_takes_its_step_back():
    run, pool = spec("torch", "xception"), pool_of_eight()
    twin = Line([run], pool)
    twin_of.check_memory([run], pool, twin)
    assert twin.state()["network/x"] == 1.0


def test_a_full_device_ends_the_run_before_training_with_a_sentence():
    run, pool = spec("torch", "xception", device="NVIDIA X"), pool_of_eight()
    twin = Line([run], pool)
    twin.memory = [RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")]
    with pytest.raises(twin_of.OutOfMemory, match="xception at batch 32 needs more memory than"):
        twin_of.check_memory([run], pool, twin)


class Card(Line):
    """A device that holds so many bytes of features and of members' steps."""

    def __init__(self, specs, pool, capacity):
        super().__init__(specs, pool)
        self.members, self.free, self.most = len(specs), capacity, 0

    def begin_phase(self, phase, stored):
        self.held = sum(array.nbytes for array in stored)
        self._fill(self.held)

    def begin_epoch(self, orders, keep):
        assert len(orders) == len(keep) == self.members

    def step(self, start, stop):
        self._fill(self.held + self.members * (stop - start))
        return np.zeros((self.members, 2), np.float32)

    def _fill(self, size):
        self.most = max(self.most, size)
        if size > self.free:
            raise RuntimeError("CUDA out of memory. Tried to allocate 1 GiB")


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("lacking", [0, 1])
def test_a_frozen_last_phase_is_tried_with_the_whole_pool_s_features(members, lacking):
    words = {"weights": "fixture", "device": "NVIDIA X"}
    runs = [spec("torch", "cnn_gru", fold=fold, **words) for fold in range(members)]
    pool = pool_of_eight()
    pool = dataclasses.replace(pool, train=pool.train * members, evaluated=pool.evaluated * members)
    wanted = 8 * 2 * 4 + members * 8  # float32 features of eight images, a step of all members
    twin = Card(runs, pool, wanted - lacking)
    if lacking:
        several = ", 3 runs together," if members == 3 else ""
        with pytest.raises(twin_of.OutOfMemory, match=f"cnn_gru at batch 32{several} needs more"):
            twin_of.check_memory(runs, pool, twin)
    else:
        twin_of.check_memory(runs, pool, twin)
        assert twin.held == 2 * 4, "the zeros are let go before the features come"
    assert twin.most == wanted


def test_room_is_made_before_a_run_is_given_up(monkeypatch):
    run, pool = spec("torch", "xception", device="NVIDIA X"), pool_of_eight()
    twin = Line([run], pool)
    twin.memory = [RuntimeError("RESOURCE_EXHAUSTED: out of memory")]
    given = []
    monkeypatch.setattr(twin, "spare_memory", lambda: given.append(1) is None)
    twin_of.check_memory([run], pool, twin)
    assert given == [1]


def test_other_faults_are_not_taken_for_a_full_device():
    run, pool = spec("torch", "xception"), pool_of_eight()
    twin = Line([run], pool)
    twin.memory = [ValueError("something else")]
    with pytest.raises(ValueError, match="something else"):
        twin_of.check_memory([run], pool, twin)
