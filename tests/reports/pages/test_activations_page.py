"""The page "What the networks look at"."""

import itertools
import json
import re

import numpy as np
import pytest
from PIL import Image

from benchmarks.store.store import Store
from protocols.runs import activations
from reports.figures.pictures import SEEN, address
from tests.support import synthetic
from tests.support.reading import made, pages


@pytest.fixture(scope="module")
def report(smoke_report):
    return smoke_report


def test_grad_cam_stands_for_every_network(report):
    text = pages(report[0])["activations.html"]
    for name in ("Xception", "InceptionV3", "Xception-ResNet50-LSTM", "CNN-GRU"):
        assert f"{name}: where it looks" in text
    assert "X: the drawn images are no longer in the cache" in text


def test_headings_leave_out_no_level(report):
    for name in ("activations.html", "errors.html"):
        levels = [int(n) for n in re.findall(r"<h([1-6])", pages(report[0])[name])]
        assert levels[0] == 1 and set(levels) == {1, 2, 3}
        assert all(b - a <= 1 for a, b in itertools.pairwise(levels)), name


def test_real_runs_without_the_images_say_what_is_missing(tmp_path):
    store = Store(tmp_path)
    runs = [synthetic.spec("torch", v, kind="real") for v in ("xception", "xception_lstm")]
    for run in runs:
        synthetic.add(store, run)
    made(tmp_path, runs, "activations.html", "liang.html")
    found = pages(tmp_path)
    assert "X: the heat maps stand alone" in found["activations.html"]
    assert "X: Liang's Fig. 3 and Fig. 4 need the images" in found["liang.html"]


def test_images_at_hand_are_shown(tmp_path):
    spec = synthetic.spec("keras", "inception_v3")
    run = synthetic.add(Store(tmp_path), spec)
    with np.load(run.folder / activations.FILE) as arrays:
        ids = arrays["ids"].tolist()
    white = address(Image.new("RGB", (40, 30), "white"))
    (tmp_path / SEEN).write_text(
        json.dumps({spec.data["digest"]: dict.fromkeys(ids, white)}), encoding="utf-8"
    )
    made(tmp_path, [spec], "activations.html")
    text = pages(tmp_path)["activations.html"]
    assert text.count("<img") == len(ids) and "stand alone" not in text


def test_runs_without_a_record_have_no_page(tmp_path):
    spec = synthetic.spec("torch", "xception")
    run = synthetic.add(Store(tmp_path), spec)
    made(tmp_path, [spec], "activations.html")
    assert (tmp_path / "activations.html").is_file()
    (run.folder / activations.FILE).unlink()  # as runs made before there was any
    made(tmp_path, [spec], "index.html", "activations.html")
    assert not (tmp_path / "activations.html").exists()
    assert "activations.html" not in pages(tmp_path)["index.html"]
