"""Reliability, accuracy by photograph, and what both twins get wrong."""

import base64
import csv
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from benchmarks.store.store import Store
from protocols.classes import CLASSES
from protocols.images import augment
from protocols.images.dataset import Source
from protocols.photographs import provenance
from reports.cells.answers import (
    Answers,
    Share,
    accuracies,
    comparable,
    photographs,
    short_id,
    wrong_in_both,
)
from reports.cells.cell import Cell
from reports.figures import photographs as small
from reports.figures import pictures as thumbnails
from reports.pages.errors import misclassified as wrong_module
from reports.pages.errors import tables as errors_tables
from reports.statistics.reliability import reliability
from tests.support import synthetic
from tests.support.reading import Tables, made, pages


def rows(*certain):
    """Probabilities (n, 4) with `p` for class `c` and the rest spread over the others."""
    found = np.empty((len(certain), 4), np.float32)
    for i, (c, p) in enumerate(certain):
        found[i] = (1 - p) / 3
        found[i, c] = p
    return found


def answered(ids, labels, probabilities, seeds=None):
    """Answers of one seed, or of the seeds named."""
    ids = np.array(ids)
    seeds = np.zeros(len(ids), int) if seeds is None else np.array(seeds)
    return Answers(ids, np.array(labels), probabilities, seeds)


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
    ids = [f"BloodImage_0000{i}.jpg#{j}" for i in (1, 2, 3) for j in (0, 1)]
    labels = [2, 2, 2, 2, 0, 0]
    keras = answered(ids, labels, rows(*[(c, 0.9) for c in (2, 2, 0, 2, 0, 1)]))
    torch = answered(ids, labels, rows(*[(c, 0.9) for c in (2, 0, 0, 0, 0, 0)]))
    found = accuracies({"keras": keras, "torch": torch})
    assert found[CLASSES[2]] == [
        Share("BloodImage_00002.jpg", {"keras": 0.5, "torch": 0.0}),
        Share("BloodImage_00001.jpg", {"keras": 1.0, "torch": 0.5}),
    ]
    assert found[CLASSES[0]] == [Share("BloodImage_00003.jpg", {"keras": 0.5, "torch": 1.0})]
    assert found[CLASSES[1]] == []


def test_the_page_counts_what_both_get_wrong(smoke_report):
    out, plan = smoke_report
    found = Tables(pages(out)["errors.html"])
    runs = {s.framework: s for s in plan if (s.variant, s.stage) == ("xception", "train")}
    arrays = {f: np.load(out / "runs" / s.id / "predictions.npz") for f, s in runs.items()}
    labels = arrays["keras"]["labels"]
    wrong = [a["selected"].argmax(axis=1) != labels for a in arrays.values()]
    both = int((wrong[0] & wrong[1]).sum())
    table = found.find("Xception: each photograph, and how many tests of its images are wrong")
    assert sum(int(r[5]) for r in table if r[0] != "Photograph" and r[2].isdigit()) == both > 0
    page = pages(out)["errors.html"]
    alone = int((wrong[0] != wrong[1]).sum())
    assert f"{both} are wrong in both Keras and PyTorch, {alone} in one alone" in page
    assert wrong_module.STAND_INS in page and '<use href="#i' not in page
    surest = found.find("Xception: the images wrong in both Keras and PyTorch")
    assert len([r for r in surest if "%" in r[-1]]) == min(both, errors_tables.MOST)


def test_an_incomplete_or_diverged_cell_is_an_x(tmp_path):
    plan = [synthetic.spec(framework, "resnet50") for framework in ("keras", "torch")]
    synthetic.add(Store(tmp_path), plan[0])
    made(tmp_path, plan, "errors.html")
    found = Tables(pages(tmp_path)["errors.html"])
    row = next(r for r in found.find("How far probabilities") if r[0] == "ResNet50")
    assert row[3].startswith("X") and row[3].endswith("0 of 1 runs") and not row[1].startswith("X")


def test_the_list_has_every_test_that_both_get_wrong(smoke_report):
    out, plan = smoke_report
    runs = {s.framework: s for s in plan if (s.variant, s.stage) == ("resnet50", "train")}
    a, b = (np.load(out / "runs" / runs[f].id / "predictions.npz") for f in ("keras", "torch"))
    rows = list(
        csv.DictReader(
            next(out.glob("tables/errors-both-resnet50-smoke*.csv")).open(encoding="utf-8")
        )
    )
    labels, said = a["labels"], [one["selected"].argmax(axis=1) for one in (a, b)]
    both = (said[0] != labels) & (said[1] != labels)
    assert [row["Image"] for row in rows] == a["ids"][both].tolist() != []
    names = [name.lower() for name in CLASSES]
    for row, i in zip(rows, np.flatnonzero(both), strict=True):
        assert row["Class"] == names[labels[i]] and row["Seed"] == "0"
        for twin, one, c in zip(("Keras", "PyTorch"), (a, b), said, strict=True):
            assert row[f"{twin}, taken for"] == names[c[i]]
            true = float(row[f"{twin}, probability of the true class"])
            assert true == pytest.approx(one["selected"][i, labels[i]], abs=6e-5)
    listed = (out / "tables" / "index.csv").read_text(encoding="utf-8")
    assert "errors-both-resnet50" in listed and "errors-photographs-resnet50" in listed
    assert "errors-both-resnet50" not in (out / "tables.md").read_text(encoding="utf-8")


def test_images_wrong_in_both_are_summed_over_seeds():
    ids, labels, seeds = ["a", "b", "a", "b"], [0, 1, 0, 1], [0, 0, 1, 1]
    keras = answered(ids, labels, rows((1, 0.7), (1, 0.9), (1, 0.4), (1, 0.9)), seeds)
    torch = answered(ids, labels, rows((2, 0.7), (0, 0.9), (0, 0.7), (0, 0.9)), seeds)
    assert comparable([keras, torch])
    (one,) = wrong_in_both([keras, torch])
    assert (one.id, one.seeds, one.said) == ("a", 1, (1, 2))
    assert one.of_true == pytest.approx((0.15, 0.4))
    other = answered(ids, labels, torch.probabilities, [0, 0, 2, 2])
    assert not comparable([keras, other]) and not comparable([keras])


def test_wrong_images_at_hand_are_drawn_by_photograph(monkeypatch):
    monkeypatch.setattr(wrong_module, "FEW", 2)
    ids = [f"BloodImage_0000{i}.jpg#{j}" for i, j in ((1, 0), (1, 1), (2, 0), (3, 0), (4, 0))]
    p = rows((0, 0.7), (0, 0.9), (2, 0.9), (0, 0.9), (0, 0.9))
    one = answered(ids, [1, 1, 2, 3, 3], p)
    cells = [Cell(f, "xception", []) for f in ("keras", "torch")]
    monkeypatch.setattr(Cell, "href", "runs.html#x")
    at_hand = dict.fromkeys(ids, "data:image/jpeg;base64,AAAA")
    found = wrong_module.both("n", "xception", cells, [one, one], at_hand)
    assert found.counted == "4\u00a0tests wrong in both"
    first, more = found.photographs
    assert first.heading == "Photograph 1, lymphocyte: 2\u00a0tests wrong in both"
    assert [d.picture for d in first.images] == [ids[1], ids[0]]  # least probability first
    assert first.images[1].said == (
        ("keras", "eosinophil, 10.0\u202f%"), ("torch", "eosinophil, 10.0\u202f%"),
    )  # fmt: skip
    assert first.images[1].alt == "A lymphocyte: 1"
    assert more.heading == "2 more photographs: 2\u00a0tests wrong in both"
    assert [d.name for d in more.images] == ["3, neutrophil: 3", "4, neutrophil: 4"]
    assert found.undrawn == "" and "5 tests, 4 are wrong in both" in found.sentence
    some = wrong_module.both("n", "xception", cells, [one, one], {ids[0]: at_hand[ids[0]]})
    assert some.undrawn.startswith("1 of 4 images are drawn")
    none = wrong_module.both("n", "xception", cells, [one, one], {})
    assert none.photographs == [] and none.undrawn.startswith("X: the images themselves")


def test_names_of_images():
    assert short_id("TEST/EOSINOPHIL/_0_1616.jpeg") == "_0_1616"
    assert short_id("BloodImage_00012.jpg#0") == "12"
    assert short_id("BloodImage_00012.jpg#3") == "12, copy 3"
    assert short_id("image-7") == "image-7"


def test_the_photograph_of_a_dot_is_told(smoke_report):
    out, plan = smoke_report
    n = len(synthetic.labels_of(next(s for s in plan if s.variant == "xception")))
    text = pages(out)["errors.html"]
    figure = text[text.index(f"Xception: accuracy on each of {n} photographs") :]
    figure = figure[: figure.index("</svg>")]
    told = re.findall(r"<path [^>]*><title>photograph (\S+), (\w+): (\d+) %</title></path>", figure)
    assert len(told) == 2 * n and {f for _, f, _ in told} == {"Keras", "PyTorch"}
    assert {name for name, *_ in told} == {f"image-{i}" for i in range(n)}


def test_photographs_are_made_small_once(tmp_path):
    (tmp_path / "Original_Images").mkdir()
    first = next(o for o in provenance.originals() if o.split)
    Image.new("RGB", (640, 480), "pink").save(tmp_path / "Original_Images" / first.file)
    source = Source("real", tmp_path)
    small.write_photographs(source, tmp_path)
    found = json.loads((tmp_path / small.PHOTOGRAPHS).read_text(encoding="utf-8"))
    assert list(found) == [first.file] and found[first.file].startswith("data:image/jpeg")
    small.write_photographs(Source("phantom", tmp_path), tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.fixture
def folder(tmp_path):
    """Three files of the public set, made up, as a folder has them."""
    for name in ("images/TEST/EOSINOPHIL/_0_1616.jpeg", "images/TEST/NEUTROPHIL/_0_1.jpeg"):
        (tmp_path / name).parent.mkdir(parents=True)
        Image.new("RGB", (320, 240), "pink").save(tmp_path / name)
    (tmp_path / "Original_Images").mkdir()
    half = Image.new("RGB", (640, 480), "blue")
    half.paste("white", (0, 0, 320, 480))
    half.save(tmp_path / "Original_Images" / "BloodImage_00012.jpg")
    return Source("real", tmp_path)


def opened(address):
    return Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))


def test_thumbnails_are_made_of_what_most_networks_get_wrong(folder, tmp_path, monkeypatch):
    first, second = "TEST/EOSINOPHIL/_0_1616.jpeg", "TEST/NEUTROPHIL/_0_1.jpeg"
    monkeypatch.setattr(thumbnails, "MOST", 2)
    gone = "TEST/NEUTROPHIL/_0_2.jpeg"
    thumbnails.write_wrong(folder, [[first, gone], [first, second, gone], [first]], tmp_path)
    found = thumbnails.read(tmp_path / thumbnails.WRONG)
    assert list(found) == [first]  # the second most wrong one has no file
    assert opened(found[first]).size == thumbnails.THUMBNAIL
    assert opened(found[first]).getpixel((40, 30))[0] > 240
    thumbnails.write_wrong(folder, [[first, second]], tmp_path)
    assert set(thumbnails.read(tmp_path / thumbnails.WRONG)) == {first, second}


def test_a_copy_is_drawn_as_the_networks_were_given_it(folder):
    path = folder.path("Original_Images/BloodImage_00012.jpg")
    given = augment.augmented(augment.load_original(path), path.name, 3, 0)
    drawn = thumbnails.pixels(folder, "BloodImage_00012.jpg#3")
    assert (np.asarray(drawn) == given).all()
    whole = thumbnails.pixels(folder, "BloodImage_00012.jpg#0")
    assert (np.asarray(whole) == augment.load_original(path)).all()
    assert thumbnails.pixels(folder, "image-3") is None


def test_thumbnails_of_the_worst_case_leave_room_for_the_report():
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    most = len(thumbnails.address(Image.fromarray(noise), "WEBP", 60))
    assert thumbnails.MOST * most < 4e6  # noise; cells take a quarter of it
