"""Reliability, accuracy by photograph, and what both twins get wrong."""

import json
import shutil

import numpy as np
import pytest
import synthetic
from PIL import Image
from reading import Tables, pages, steady_sources  # noqa: F401 (used by itself)

from benchmarks import pictures
from benchmarks.store import Store
from protocols import provenance
from protocols.classes import CLASSES
from protocols.dataset import Source
from reports import errors
from reports.build import build
from reports.calibration import reliability
from reports.errors import Answers, accuracies, photographs


def rows(*certain):
    """Probabilities (n, 4) with `p` for class `c` and the rest spread over the others."""
    found = np.empty((len(certain), 4), np.float32)
    for i, (c, p) in enumerate(certain):
        found[i] = (1 - p) / 3
        found[i, c] = p
    return found


def test_calibration_error_by_hand():
    # four images at 0.95, three of them right; two at 0.55, both right
    p = rows(*[(0, 0.95)] * 4, *[(1, 0.55)] * 2)
    labels = np.array([0, 0, 0, 1, 1, 1])
    one = reliability(labels, p)
    assert one.images.tolist() == [0, 0, 0, 0, 0, 2, 0, 0, 0, 4]
    assert one.error == pytest.approx((4 * abs(0.75 - 0.95) + 2 * abs(1 - 0.55)) / 6, abs=1e-6)
    assert one.excess == pytest.approx((4 * (0.95 - 0.75) + 2 * (0.55 - 1)) / 6, abs=1e-6)


def test_certainty_has_a_bin():
    one = reliability(np.array([0, 1]), np.array([[1, 0, 0, 0], [1, 0, 0, 0]], np.float32))
    assert one.images[-1] == 2 and one.accuracy[-1] == 0.5 and one.error == 0.5


def test_the_photograph_of_an_image_is_the_recorded_one():
    row = provenance.shown()[0]
    assert photographs(np.array([row.file, "BloodImage_00007.jpg#3", "drawn"])).tolist() == [
        row.original, "BloodImage_00007.jpg", "drawn",
    ]  # fmt: skip


def test_accuracies_stand_in_one_order_for_both_twins():
    ids = np.array([f"BloodImage_0000{i}.jpg#{j}" for i in (1, 2, 3) for j in (0, 1)])
    labels = np.array([2, 2, 2, 2, 0, 0])
    keras = Answers(ids, labels, rows(*[(c, 0.9) for c in (2, 2, 0, 2, 0, 1)]))
    torch = Answers(ids, labels, rows(*[(c, 0.9) for c in (2, 0, 0, 0, 0, 0)]))
    found = accuracies({"keras": keras, "torch": torch})
    assert found[CLASSES[2]] == {"keras": [0.5, 1.0], "torch": [0.0, 0.5]}  # photograph 2, then 1
    assert found[CLASSES[0]] == {"keras": [0.5], "torch": [1.0]}
    assert found[CLASSES[1]] == {"keras": [], "torch": []}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    out = tmp_path_factory.mktemp("errors")
    store, plan = synthetic.make(out)
    build(store, plan, out)
    return out, plan


def test_the_page_counts_what_both_get_wrong(built):
    out, plan = built
    found = Tables(pages(out)["errors.html"])
    runs = {s.framework: s for s in plan if (s.variant, s.stage) == ("xception", "train")}
    arrays = {f: np.load(out / "runs" / s.id / "predictions.npz") for f, s in runs.items()}
    labels = arrays["keras"]["labels"]
    wrong = [a["selected"].argmax(axis=1) != labels for a in arrays.values()]
    both = int((wrong[0] & wrong[1]).sum())
    table = found.find("Xception: photographs whose images both twins get wrong")
    assert sum(int(r[5]) for r in table if r[0] != "Photograph" and r[2].isdigit()) == both > 0
    page = pages(out)["errors.html"]
    assert f"{both} are wrong in both, {int((wrong[0] != wrong[1]).sum())} in one alone" in page
    surest = found.find("Xception: the images wrong in both twins")
    assert len([r for r in surest if "%" in r[-1]]) == min(both, errors.MOST)


def test_an_incomplete_or_diverged_cell_is_an_x(tmp_path):
    _, plan = synthetic.make(tmp_path)
    gone = next(s for s in plan if (s.variant, s.framework) == ("resnet50", "torch"))
    shutil.rmtree(tmp_path / "runs" / gone.id)
    build(Store(tmp_path), plan, tmp_path)
    found = Tables(pages(tmp_path)["errors.html"])
    row = next(r for r in found.find("How far probabilities") if r[0] == "ResNet50")
    assert row[3].startswith("X") and row[3].endswith("0 of 1 runs") and not row[1].startswith("X")


def test_photographs_at_hand_are_drawn():
    assert errors.PICTURES == pictures.PHOTOGRAPHS
    ids = np.array(["BloodImage_00001.jpg#0", "BloodImage_00001.jpg#1", "BloodImage_00002.jpg#0"])
    keras = Answers(ids, np.array([1, 1, 2]), rows((0, 0.9), (0, 0.9), (2, 0.9)))
    at_hand = {"BloodImage_00001.jpg": "data:image/jpeg;base64,AAAA", "BloodImage_00002.jpg": "x"}
    (drawn,) = errors._pictures(keras, keras, at_hand)
    assert drawn.source == at_hand["BloodImage_00001.jpg"]
    assert drawn.caption == f"1, {CLASSES[1].lower()}: 2 of 2"
    assert errors._pictures(keras, keras, {}) == []


def test_photographs_are_made_small_once(tmp_path):
    (tmp_path / "Original_Images").mkdir()
    first = next(o for o in provenance.originals() if o.split)
    Image.new("RGB", (640, 480), "pink").save(tmp_path / "Original_Images" / first.file)
    source = Source("real", tmp_path)
    pictures.write_photographs(source, tmp_path)
    found = json.loads((tmp_path / pictures.PHOTOGRAPHS).read_text())
    assert list(found) == [first.file] and found[first.file].startswith("data:image/jpeg")
    pictures.write_photographs(Source("phantom", tmp_path), tmp_path / "none")
    assert not (tmp_path / "none").exists()
