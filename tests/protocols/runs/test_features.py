"""Stored features: shared by what they depend on, checked by digest, never half-written,
and gone on with after a kill."""

import os
import shutil

import numpy as np
import pytest

from protocols.runs import features
from tests.support.synthetic import spec

ROWS, TRAIN = np.arange(10), np.arange(6)
STATE = {"results_version": 1, "versions": {"torch": "2.15"}}
VALUES = np.arange(20, dtype=np.float32).reshape(10, 2) / 3
BATCHES = np.split(ROWS, [4, 8])


class Backbone:
    """Notes the batches it is asked for, by their first position; is killed at `broken`."""

    def __init__(self, values=VALUES, broken=None):
        self.values, self.broken, self.asked = values, broken, []

    def compute(self, positions):
        if positions[0] == self.broken:
            raise KeyboardInterrupt
        self.asked.append(int(positions[0]))
        return self.values[positions]


@pytest.fixture
def store(tmp_path):
    def call(run, backbone=None, state=STATE, rows=ROWS, train=TRAIN, name="xception"):
        backbone = backbone or Backbone()
        words = features.subject(run, name, rows, train)
        array, found = features.stored(tmp_path, words, state, BATCHES, backbone.compute)
        return np.array(array), found, backbone.asked

    return call


def test_computed_once_and_float32(store):
    array, found, asked = store(spec("torch"))
    assert (found, asked, array.dtype) == (False, [0, 4, 8], np.float32)
    assert (array == VALUES).all()
    array, found, asked = store(spec("torch"))
    assert (found, asked) == (True, [])
    assert (array == VALUES).all()


def test_variants_with_the_same_backbone_share_them(store):
    store(spec("torch", "xception"))
    assert store(spec("torch", "xception_lstm"))[1]
    assert store(spec("torch", "xception_resnet50_lstm"))[1]
    assert not store(spec("torch", "resnet50"), name="resnet50")[1]


def test_a_second_backbone_with_its_file_changes_nothing_for_the_first(store):
    store(spec("torch", "xception", weights="imagenet"))
    assert store(spec("torch", "xception_resnet50_lstm", weights="imagenet"))[1]


def test_seeds_share_those_of_loaded_weights_only(store):
    store(spec("torch", weights="imagenet"))
    assert store(spec("torch", weights="imagenet", seed=1))[1]
    store(spec("torch"))
    assert not store(spec("torch", seed=1))[1]


def test_folds_of_loaded_weights_share_them(store):
    one, other = (spec("torch", "cnn_lstm", weights="imagenet", fold=f) for f in (0, 1))
    store(one)
    assert store(other, train=TRAIN + 1)[1]
    assert not store(spec("torch", "xception", weights="imagenet"))[1]  # pooled


@pytest.mark.parametrize(
    "other",
    [
        {"framework": "keras"},
        {"device": "NVIDIA X"},
        {"precision": "bfloat16"},
        {"threads": 1},
        {"deterministic": False},
        {"kind": "real"},
        {"recipe": {"batch_size": 16}},
        {"recipe": {"calibration_images": 32}},
    ],
)
def test_whatever_changes_them_has_its_own(store, other):
    store(spec("torch"))
    words = dict(other)
    run = spec(words.pop("framework", "torch"), **words)
    if "kind" in other:
        run.data["digest"] = "another"
    assert not store(run)[1]


def test_other_images_have_their_own(store):
    store(spec("torch"))
    assert not store(spec("torch"), train=TRAIN + 1)[1]
    assert not store(spec("torch"), rows=ROWS + 1)[1]


def test_another_results_version_replaces_them(store, tmp_path):
    store(spec("torch"))
    assert not store(spec("torch"), state=STATE | {"results_version": 2})[1]
    assert len(list((tmp_path / "features").iterdir())) == 1


def test_altered_ones_are_computed_again(store, tmp_path):
    store(spec("torch"))
    (path,) = tmp_path.glob("features/*/features.npy")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    array, found, _ = store(spec("torch"))
    assert not found
    assert (array == VALUES).all()


def file_of(folder):
    (path,) = folder.glob("features/*/features.npy")
    return path.read_bytes()


@pytest.mark.parametrize("broken", [0, 4, 8])
def test_a_computation_that_is_killed_goes_on_after_its_last_batch(store, tmp_path, broken):
    with pytest.raises(KeyboardInterrupt):
        store(spec("torch"), Backbone(broken=broken))
    assert not list((tmp_path / "features").glob("*/features.npy"))
    array, found, asked = store(spec("torch"))
    assert (found, asked) == (broken > 0, [p for p in (0, 4, 8) if p >= broken])
    assert (array == VALUES).all()
    gone_on = file_of(tmp_path)
    assert len(list((tmp_path / "features").iterdir())) == 1, "what was unfinished is gone"
    store(spec("torch"), state=STATE | {"results_version": 2})
    assert file_of(tmp_path) == gone_on, "as one never killed"


def unfinished(store, tmp_path):
    """The files of a computation that was killed before its last batch."""
    with pytest.raises(KeyboardInterrupt):
        store(spec("torch"), Backbone(broken=8))
    return sorted(tmp_path.glob("features/*/*.npz"))


@pytest.mark.parametrize("damage", ["cut", "altered", "code"])
def test_a_damaged_batch_is_computed_again(store, tmp_path, damage):
    first, _ = unfinished(store, tmp_path)
    data = bytearray(first.read_bytes())
    if damage == "code":
        np.savez(first, values=np.array([print], dtype=object))
    else:
        at = data.index(VALUES[1].tobytes())
        data[at] ^= 1
        first.write_bytes(data[: len(data) // 2] if damage == "cut" else data)
    array, found, asked = store(spec("torch"))
    assert (found, asked) == (True, [0, 8])
    assert (array == VALUES).all()


class Short(Backbone):
    def compute(self, positions):
        return super().compute(positions)[1:]


def test_batches_of_another_number_of_images_are_refused(store):
    with pytest.raises(ValueError, match="features of 3 images, 4 wanted"):
        store(spec("torch"), Short())


def test_a_process_takes_what_a_faster_one_finished(store, tmp_path):
    class Slow(Backbone):
        def compute(self, positions):
            if positions[0] == 4:
                store(spec("torch"))
            return super().compute(positions)

    array, found, asked = store(spec("torch"), Slow())
    assert (found, asked) == (True, [0, 4])
    assert (array == VALUES).all()
    assert len(list((tmp_path / "features").iterdir())) == 1


def test_what_another_process_finished_meanwhile_is_not_removed(store, tmp_path, monkeypatch):
    opened = features._opened

    def first_look(folder):
        monkeypatch.setattr(features, "_opened", opened)
        store(spec("torch"))
        return None

    monkeypatch.setattr(features, "_opened", first_look)
    array, found, asked = store(spec("torch"))
    assert (found, asked) == (True, [])
    assert (array == VALUES).all()


def test_what_was_found_stays_readable_when_it_is_removed(store, monkeypatch):
    store(spec("torch"))
    whole = features._whole

    def removed_once_seen(folder):  # by another checkout that shares the cache
        answer = whole(folder)
        shutil.rmtree(folder)
        return answer

    monkeypatch.setattr(features, "_whole", removed_once_seen)
    array, found, asked = store(spec("torch"))
    assert (found, asked) == (True, [])
    assert (array == VALUES).all()


def test_unfinished_ones_of_another_version_go_when_they_are_old(store, tmp_path):
    folder = unfinished(store, tmp_path)[0].parent
    store(spec("torch"), state=STATE | {"results_version": 2})
    assert folder.is_dir(), "another process may be at it"
    os.utime(folder, (0, 0))
    store(spec("torch"), state=STATE | {"results_version": 3})
    assert not folder.exists()
