"""Stored features: shared by what they depend on, checked by digest, never half-written."""

import numpy as np
import pytest

from protocols import features
from tests.synthetic import spec

ROWS, TRAIN = np.arange(10), np.arange(6)
STATE = {"sources": "these", "versions": {"torch": "2.15"}}
VALUES = np.arange(20, dtype=np.float32).reshape(10, 2) / 3


class Backbone:
    """Counts how often it is asked."""

    def __init__(self, values=VALUES):
        self.values, self.asked = values, 0

    def batches(self):
        self.asked += 1
        yield from np.split(self.values, [4, 8])


@pytest.fixture
def store(tmp_path):
    def call(run, backbone=None, state=STATE, rows=ROWS, train=TRAIN, name="xception"):
        backbone = backbone or Backbone()
        words = features.subject(run, name, rows, train)
        array, found = features.stored(tmp_path, words, state, backbone.batches(), len(rows))
        return np.array(array), found, backbone.asked

    return call


def test_computed_once_and_float32(store):
    array, found, asked = store(spec("torch"))
    assert (found, asked, array.dtype) == (False, 1, np.float32)
    assert (array == VALUES).all()
    array, found, asked = store(spec("torch"))
    assert (found, asked) == (True, 0)
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


def test_other_sources_replace_them(store, tmp_path):
    store(spec("torch"))
    assert not store(spec("torch"), state=STATE | {"sources": "new"})[1]
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


def test_a_computation_that_breaks_off_leaves_nothing(store, tmp_path):
    class Broken(Backbone):
        def batches(self):
            yield VALUES[:4]
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError):
        store(spec("torch"), Broken())
    assert not list((tmp_path / "features").iterdir())
    with pytest.raises(ValueError, match="features of 8 images, 10 wanted"):
        store(spec("torch"), Backbone(VALUES[:8]))
