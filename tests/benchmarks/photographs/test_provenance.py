"""Which photograph an image shows, which photographs overlap: by pixels, and as recorded."""

import json
import os
import shutil
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.linalg import polar
from skimage.registration._masked_phase_cross_correlation import cross_correlate_masked

from benchmarks.photographs import overlap
from benchmarks.photographs import search as command
from benchmarks.photographs.matching import Index
from benchmarks.terminal.console import Console
from protocols.errors import RequestError
from protocols.images import dataset
from protocols.images.phantom_cells import draw_cell
from protocols.photographs import provenance
from protocols.photographs.provenance import Overlap


def drawn(seed, height=480, width=640):
    return draw_cell(seed % 4, np.random.default_rng(seed), height, width)


@pytest.fixture(scope="module")
def photographs():
    return {f"{seed}.jpg": drawn(seed) for seed in range(8)}


@pytest.fixture(scope="module")
def index(photographs):
    return Index(photographs)


def turned(degrees, shear):
    return cv2.getRotationMatrix2D((160, 120), degrees, 1.0) + [[0, shear, 20], [0, 0, -15]]


def augmented(image, degrees, shear, mirror):
    """As the set's generator has it: half size, turned, sheared, shifted, mirrored, stretched."""
    small = cv2.resize(image, (320, 240), interpolation=cv2.INTER_AREA)
    moved = cv2.warpAffine(small, turned(degrees, shear), (320, 240))
    low, high = int(moved.min()), int(moved.max())
    moved = ((moved.astype(np.float32) - low) * 255 / (high - low)).astype(np.uint8)
    return np.ascontiguousarray(moved[:, ::-1]) if mirror else moved


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("degrees", [-20, 0, 13])
def test_an_augmented_image_finds_its_photograph(photographs, index, degrees, mirror):
    for name, image in photographs.items():
        best, second = index.match(augmented(image, degrees, 0.15, mirror))[:2]
        assert best.original == name
        assert best.score >= provenance.LEAST_SCORE and best.score > 4 * second.score
        assert best.mirrored == mirror
        turn, drawn_out = polar(turned(degrees, 0.15)[:, :2])
        angle = np.degrees(np.arctan2(turn[1, 0], turn[0, 0]))
        assert best.angle == pytest.approx(-angle if mirror else angle, abs=1)
        centre = np.array([159.5, 119.5])
        right, down = turned(degrees, 0.15) @ [*centre, 1] - centre
        assert best.right == pytest.approx(-right if mirror else right, abs=0.5)
        assert best.down == pytest.approx(down, abs=0.5)
        assert best.stretch == pytest.approx(np.linalg.cond(drawn_out), abs=0.02)


def test_an_image_of_no_photograph_is_doubtful(index):
    best, second = index.match(drawn(99, 240, 320))[:2]
    row = provenance.Shown("f", "", "TEST", "NEUTROPHIL", *best, *second[:2])
    assert row.doubtful


def test_a_featureless_image_is_doubtful_not_an_error(index):
    fits = index.match(np.full((240, 320, 3), 200, np.uint8))
    assert [fit.score for fit in fits] == [0, 0]


@pytest.fixture(scope="module")
def fields():
    """Photographs of one wide smear at known places, one of them out of focus, and of others."""
    smear = drawn(41, 960, 1280)
    places = {"a.jpg": (0, 0), "b.jpg": (250, 130), "c.jpg": (300, 400)}
    cut = {n: smear[y : y + 480, x : x + 640].copy() for n, (x, y) in places.items()}
    cut["b.jpg"] = cv2.GaussianBlur(cut["b.jpg"], (0, 0), 3)
    others = {f"{seed}.jpg": drawn(seed) for seed in range(50, 56)}
    return cut | others, places


def test_shifted_and_blurred_photographs_are_found_and_no_others(fields):
    images, places = fields
    found = overlap.search(images)
    assert {pair[:2] for pair in found.found} == {
        ("a.jpg", "b.jpg"), ("a.jpg", "c.jpg"), ("b.jpg", "c.jpg"),
    }  # fmt: skip
    for pair in found.found:
        (x, y), (x2, y2) = places[pair.first], places[pair.second]
        assert abs(pair.dx - (x2 - x)) <= 2 and abs(pair.dy - (y2 - y)) <= 2
        share = (640 - abs(x2 - x)) * (480 - abs(y2 - y)) / (640 * 480)
        assert pair.share == pytest.approx(share, abs=0.02)
    blurred = next(pair for pair in found.found if pair[:2] == ("a.jpg", "b.jpg"))
    assert blurred.sharpness > 1.5
    assert max(found.next_best, found.chance) < overlap.BOUND


def test_correlation_at_every_shift_is_that_of_scikit_image(rng):
    images = rng.normal(size=(2, 12, 16)).astype(np.float32)
    images[1, 2:, :9] = images[0, :10, 7:]  # shared, shifted
    fields = overlap.Fields(images)
    ours = fields.correlation(0, fields, 1)
    masks = np.ones((12, 16), bool)
    theirs = cross_correlate_masked(
        images[0], images[1], masks, masks, mode="full", overlap_ratio=0.0
    )
    checked = 0
    for dy in range(-7, 8):
        for dx in range(-9, 10):
            assert ours[dy, dx] == pytest.approx(theirs[11 + dy, 15 + dx], abs=1e-4)
            checked += 1
    assert checked == 285
    assert fields.best_shift(0, fields, 1)[1:] == (7, -2)


def test_connected_photographs_are_one_group():
    pair = Overlap("b", "c", 0, 0, 0.5, 0.9, 10, 1.0)
    pairs = [pair, pair._replace(first="d", second="c"), pair._replace(first="e", second="f")]
    assert provenance.grouped("abcdef", pairs) == {
        "a": "a", "b": "b", "c": "b", "d": "b", "e": "e", "f": "e",
    }  # fmt: skip


def test_recorded_tables_meet_every_check():
    found = provenance.checks(provenance.shown(), provenance.originals())
    assert len(found) == 13
    assert [check for check in found if not check.ok] == []


def test_recorded_tables_name_the_files_of_the_manifest():
    manifest = {e.path: e.sha256 for e in dataset.Source("real", None).entries()}
    shown = {f"images/{r.file}": r.sha256 for r in provenance.shown() if r.split != "TEST_SIMPLE"}
    originals = {f"{dataset.ORIGINALS}{r.file}": r.sha256 for r in provenance.originals()}
    assert len(provenance.shown()) == 12_515 and len(originals) == 367
    assert shown == {p: d for p, d in manifest.items() if p.startswith("images/")}
    assert all(originals[p] == d for p, d in manifest.items() if p.startswith(dataset.ORIGINALS))
    for row in provenance.shown():
        assert row.file.split("/")[:2] == [row.split, row.class_name]


def broken(rows, originals=None):
    found = provenance.checks(rows, originals or provenance.originals())
    return {check.title for check in found if not check.ok}


def test_each_check_breaks_on_a_wrong_table():
    rows = provenance.shown()
    at = next(i for i, r in enumerate(rows) if (r.split, r.class_name) == ("TEST", "MONOCYTE"))
    own = rows[at].original
    train = next(r for r in rows if (r.split, r.class_name) == ("TRAIN", "MONOCYTE"))

    def with_row(**words):
        return [*rows[:at], rows[at]._replace(**words), *rows[at + 1 :]]

    sure = "Every match is sure, or decided by the facts below"
    assert broken(with_row(score=5)) == {sure}
    test = Counter(
        r.original for r in rows if (r.split, r.class_name) == ("TEST", "MONOCYTE")
    )  # fmt: skip
    rival = min(test.keys() - {own}, key=test.get)
    assert broken(with_row(second=rival, second_score=rows[at].score)) == {sure}
    assert broken(with_row(second=train.original, second_score=rows[at].score)) == set()
    other = next(r.original for r in rows if (r.split, r.class_name) == ("TEST", "LYMPHOCYTE"))
    assert broken(with_row(original=other)) == {
        "The photograph's own label is the image's class",
        "TEST, monocyte: each photograph about equally often",
    }
    assert broken(with_row(original=train.original)) == {
        "TEST shows the photographs of scikit-learn's split, no other",
        "TEST, monocyte: each photograph about equally often",
    }
    simple = [
        r._replace(original=train.original)
        if (r.split, r.class_name) == ("TEST_SIMPLE", "MONOCYTE") else r for r in rows
    ]  # fmt: skip
    assert broken(simple) == {"TEST_SIMPLE shows photographs of TEST, no other"}
    fewer = [r for r in rows if r.split != "TEST" or r.original != own]
    assert "TEST shows the photographs of scikit-learn's split, no other" in broken(fewer)
    less = [r for i, r in enumerate(rows) if r.original != own or r.split != "TEST" or i % 2]
    assert broken(less) == {"TEST, monocyte: each photograph about equally often"}


def test_recorded_overlaps_are_evident():
    search = json.loads((provenance.FOLDER / provenance.SEARCH).read_text(encoding="utf-8"))
    pairs = provenance.overlaps()
    correlations = [pair.correlation for pair in pairs]
    assert correlations == sorted(correlations, reverse=True)
    assert all(map(overlap.is_found, pairs)) and search["found_by_chance"] == 0
    assert max(search["chance"], search["next_best"]) < overlap.BOUND
    assert len(pairs) == search["overlaps"] and len({pair[:2] for pair in pairs}) == len(pairs)


def test_parts_that_are_done_are_not_computed_again(photographs, tmp_path, monkeypatch):
    folder, cache = tmp_path / "originals", tmp_path / "cache"
    folder.mkdir(), cache.mkdir()
    monkeypatch.setattr(command, "PART", 2)
    images = []
    for name, image in list(photographs.items())[:3]:
        Image.fromarray(image).save(folder / name, quality=95)
        images.append(tmp_path / f"shown-{name}")
        Image.fromarray(augmented(image, 5, 0.0, True)).save(images[-1], quality=95)
    (cache / "part-000.json").write_text(
        json.dumps([["x", 1, "y", 0], ["z", 2, "y", 1]]), encoding="utf-8"
    )
    said = []
    rows = list(command.match_all(images, folder, cache, 1, lambda *words: said.append(words[1:])))
    assert [row[0] for row in rows] == ["x", "z", "2.jpg"]
    assert said == [(2, 3), (3, 3)]


@pytest.mark.parametrize("how", ["no image", "a bomb", "a folder"])
def test_a_photograph_that_cannot_be_read_is_one_sentence(phantom, tmp_path, monkeypatch, how):
    """One more beside those of the manifest, which are checked before."""
    root = tmp_path / "set"
    shutil.copytree(phantom.root, root)
    (root / "labels.csv").write_text("Image,Category\n", encoding="utf-8")
    shutil.copytree(root / "images/TEST", root / "images/TEST_SIMPLE")
    wrong = root / "Original_Images" / "BloodImage_99999.jpg"
    if how == "a folder":
        wrong.mkdir()
    else:
        wrong.write_bytes(b"P6 99999999999 1 255\n" if how == "a bomb" else b"no image")
    monkeypatch.setattr(command, "match_all", lambda *_: pytest.fail("it began"))
    with pytest.raises(RequestError, match=r"BloodImage_99999\.jpg can't be read"):
        command.recover(dataset.Source("real", root), tmp_path, 1, lambda *_: None)


def test_a_phantom_has_no_provenance(phantom, cache, tmp_path):
    with pytest.raises(RequestError, match="drawn one by one"):
        command.run(phantom, tmp_path, cache, 1, Console(), False)


@pytest.mark.parametrize("there", [False, True])
def test_what_the_download_keeps_is_refused_before_it_begins(there, tmp_path, monkeypatch):
    monkeypatch.delenv("WBC_DATA", raising=False)
    monkeypatch.setattr(dataset.archive, "install", lambda *_: pytest.fail("a download"))
    if there:
        (tmp_path / "data").mkdir()
    with pytest.raises(RequestError, match="whole copy"):
        command.start("auto", tmp_path / "out", tmp_path, 1, Console())


def test_a_differing_table_is_told(tmp_path):
    assert command.compare(provenance.FOLDER) == []
    rows = list(provenance.shown())
    swapped = [rows[0]._replace(original=rows[-1].original), *rows[1:]]
    pairs = provenance.overlaps()
    provenance.write(tmp_path, swapped, provenance.originals(), pairs[1:])
    assert command.compare(tmp_path) == [
        f"1 of 12,515 images differ from the recorded table, first {rows[0].file}",
        "1 overlaps differ from the recorded table",
    ]


@pytest.mark.real
def test_recorded_matches_come_out_again():
    """Photographs exactly. Counts of features are not the same to the last on every processor:
    OpenCV has kernels for each (OPENCV_CPU_DISABLE=AVX2,FMA3 moves them by some percent)."""
    if "WBC_DATA" not in os.environ:
        pytest.skip("needs the real images: set WBC_DATA to their folder")
    source = dataset.source_at(Path(os.environ["WBC_DATA"]))
    rows = provenance.shown()[:: len(provenance.shown()) // 40]
    images = command.photographs(source.path(dataset.ORIGINALS))
    found = Index(images)
    for row in rows:
        fits = found.match(command._read(source.path("images/") / row.file))[:2]
        new = provenance.Shown(*row[:4], *fits[0], *fits[1][:2])
        assert (new.original, new.mirrored, new.doubtful) == (
            row.original, row.mirrored, row.doubtful
        )  # fmt: skip
        assert new.score == pytest.approx(row.score, rel=0.15)
        assert new.angle == pytest.approx(row.angle, abs=0.5)
        assert new.stretch == pytest.approx(row.stretch, abs=0.01)
        assert (new.right, new.down) == pytest.approx((row.right, row.down), abs=1)
