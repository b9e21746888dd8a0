"""Images and bytes of a run, told before it is made."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.planning import disk
from benchmarks.planning.plan import set_request
from benchmarks.store.store import Store
from protocols.files import ROOT
from protocols.images.decoded import image_set
from protocols.images.splits import split
from protocols.runs import activations, features
from tests.support import synthetic
from tests.support.synthetic import jane


def test_counts_are_those_of_the_split(phantom, cache, plan_of):
    for protocol in ("fixed", "fixed-grouped", "cv10", "cv10-grouped"):
        (spec,) = [
            s
            for s in plan_of("cnn_gru", frameworks=("torch",), protocol=protocol)
            if s.stage == "train" and s.fold in (None, 1)
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
    assert 0.8 * (answers + maps) < disk.stored(spec) < 1.1 * (answers + maps)


PUBLISHED = ROOT / "reports" / "published"
RUNS = [run for folder in ("smoke", "laptop") for run in Store(PUBLISHED / folder).runs()]


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.spec.id)
def test_a_published_run_takes_what_was_told(run):
    """Within a factor of 1.5; those made before there was any activations.npz, without it."""
    told, held = disk.stored(run.spec), sum(path.stat().st_size for path in run.folder.iterdir())
    if run.spec.stage == "train" and run.activations is None:
        told -= activations.about_bytes(run.spec)
    assert held / 1.5 < told < held * 1.5


@pytest.mark.parametrize(
    ("begins", "files"),
    [
        ([0, 10, 20, 29], 0),
        ([0, 10, 20, 31, 40], 1),
        ([35, 40, 50], 1),
        ([35, 50, 70, 80], 2),
        ([31, 200, 331], 2),  # at the beginnings of both
        ([10, 299], 0),
        ([10, 311], 1),  # inside its only epoch
        ([10, 900], 2),
        ([40, *range(100, 9000, 100)], 2),  # the old one, and the new one beside it
    ],
)
def test_checkpoints_are_told_where_some_are_written(begins, files):
    spec, answers = synthetic.spec("torch"), 16 * 4 * 4 * (len(begins) - 1)
    assert disk.checkpoints(spec, 1e6, begins) == files * (1_000_000 + answers)


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
    (tmp_path / "features" / "a-b" / "index.json").write_text("{", encoding="utf-8")
    assert list(disk.shared(specs, tmp_path).values()) == [one]


def test_jane_s_frozen_maps_are_kept_whole():
    spec = jane(weights="imagenet", profile="paper")
    (size,) = [v for k, v in disk.shared([spec], Path("/none")).items() if k[0] == "{"]
    assert size == 80 * 2048 * 4 * 8 * 10
