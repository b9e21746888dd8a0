"""Images and bytes of a run, told before it is made."""

import numpy as np

from benchmarks import disk
from benchmarks.plan import set_request
from protocols import features
from protocols.images import image_set
from protocols.splits import split
from tests import synthetic
from tests.test_estimates import jane


def test_counts_are_those_of_the_split(phantom, cache, plan_of):
    for protocol in ("fixed", "fixed-grouped", "cv10", "cv10-grouped"):
        (spec,) = [
            s
            for s in plan_of("cnn_gru", frameworks=("torch",), protocol=protocol, folds=(1,))
            if s.stage == "train"
        ]
        parts = split(image_set(phantom, set_request(protocol, spec.fold, spec.data), cache), spec)
        expected = len(parts.train), len(parts.validation) + len(parts.test)
        if protocol == "cv10-grouped":  # the fold's size is known only with the images
            assert disk.counts(spec)[0] == expected[0]
            assert abs(disk.counts(spec)[1] - expected[1]) <= 4
        else:
            assert disk.counts(spec) == expected


def test_all_the_public_images_are_counted_from_the_manifest():
    spec = synthetic.spec(profile="paper", kind="real")
    assert disk.counts(spec) == (9957, 2487)
    answers, maps = 170 * 2487 * 4 * 2, 32 * 120 * 160 + 16 * (60 * 80 + 30 * 40 + 15 * 20)
    assert disk.stored(spec) == answers + maps + disk.SMALL


def test_shared_arrays_count_once_and_not_when_they_are_there(tmp_path):
    names = ("xception", "xception_lstm", "resnet50")
    specs = [synthetic.spec("torch", n, stage=s) for n in names for s in ("train", "latency")]
    found = disk.shared(specs, tmp_path)
    array, one = 36 * 4 * 84 * 112 * 3, (8 + 4) * 4 * 2048 * 4
    assert sorted(found.values()) == sorted([array, one, one])
    (tmp_path / "arrays" / ("d" * 16)).mkdir(parents=True)
    rows = np.arange(48)
    words_of = features.subject(specs[0], "xception", rows, rows[:32])
    features.stored(
        tmp_path, words_of, {}, [rows], lambda rows: np.zeros((len(rows), 2048), np.float32)
    )
    assert list(disk.shared(specs, tmp_path).values()) == [one]
    (tmp_path / "features" / "a-b").mkdir()
    (tmp_path / "features" / "a-b" / "index.json").write_text("{")
    assert list(disk.shared(specs, tmp_path).values()) == [one]


def test_jane_s_frozen_maps_are_kept_whole():
    spec = jane(weights="imagenet", profile="paper")
    (size,) = [v for k, v in disk.shared([spec], disk.Path("/none")).items() if k[0] == "{"]
    assert size == 80 * 2048 * 4 * 8 * 10
