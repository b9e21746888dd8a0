"""The drawn smears: deterministic, in the real layout, and neither trivial nor hopeless."""

import csv
import json
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from protocols.classes import CLASSES
from protocols.images.augment import load_original, read_labels
from protocols.images.phantom import PHANTOM_VERSION, write_phantom
from protocols.images.phantom_cells import draw_cell


def files(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def phantom(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("phantom") / "set"
    write_phantom(root, 3, 2, 2, seed=4)
    return root


@pytest.mark.parametrize("class_index", range(4))
def test_an_image_comes_from_its_generator_alone(class_index):
    image = draw_cell(class_index, np.random.default_rng(1))
    assert image.shape == (240, 320, 3) and image.dtype == np.uint8
    np.random.seed(3)
    np.testing.assert_array_equal(image, draw_cell(class_index, np.random.default_rng(1)))
    assert (image != draw_cell(class_index, np.random.default_rng(2))).any()
    assert image.max() > 150 and image.min() < 130


def test_sizes():
    assert draw_cell(0, np.random.default_rng(0), 480, 640).shape == (480, 640, 3)
    assert draw_cell(2, np.random.default_rng(0), 48, 64).shape == (48, 64, 3)
    for seed in range(40):
        assert draw_cell(seed % 4, np.random.default_rng(seed), 24, 24).shape == (24, 24, 3)
    with pytest.raises(ValueError, match="too small"):
        draw_cell(0, np.random.default_rng(0), 8, 8)
    for wrong in (-1, 4):
        with pytest.raises(ValueError, match="class_index"):
            draw_cell(wrong, np.random.default_rng(0))


def histogram(image: np.ndarray) -> np.ndarray:
    bins = image.astype(int) // 43 @ [36, 6, 1]
    return np.sqrt(np.bincount(bins.ravel(), minlength=216) / bins.size)


def test_mean_colour_does_not_give_the_class_away_and_the_image_does():
    means, features, classes = [], [], []
    for index in range(120):
        for class_index in range(4):
            image = draw_cell(class_index, np.random.default_rng([11, class_index, index]))
            means.append(image.reshape(-1, 3).mean(axis=0))
            features.append(histogram(image))
            classes.append(class_index)
    means, features, classes = (np.asarray(part) for part in (means, features, classes))
    half = len(classes) * 2 // 3
    by_mean = NearestCentroid().fit(means[:half], classes[:half])
    assert by_mean.score(means[half:], classes[half:]) < 0.5
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    model.fit(features[:half], classes[:half])
    score = model.score(features[half:], classes[half:])
    assert 0.5 < score < 0.98


def test_drawing_is_fast():
    rng = np.random.default_rng(0)
    draw_cell(0, rng)
    start = time.process_time()
    for index in range(40):
        draw_cell(index % 4, rng)
    assert (time.process_time() - start) / 40 < 0.1  # about 0.012 s; a wide margin for busy cores


def test_layout(phantom):
    names = list(files(phantom))
    for split, count in (("TRAIN", 3), ("TEST", 2)):
        for class_name in CLASSES:
            found = [name for name in names if name.startswith(f"images/{split}/{class_name}/_")]
            assert len(found) == count
            for name in found:
                _, position, number = Path(name).stem.split("_")
                assert 0 <= int(position) < count and 0 <= int(number) < 10_000
                with Image.open(phantom / name) as image:
                    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (320, 240))
    originals = [name for name in names if name.startswith("Original_Images/")]
    assert originals == [f"Original_Images/BloodImage_{number:05d}.jpg" for number in range(8)]
    for name in originals:
        with Image.open(phantom / name) as image:
            assert (image.format, image.size) == ("JPEG", (640, 480))
        assert load_original(phantom / name).shape == (240, 320, 3)
    assert len(names) == 12 + 8 + 8 + 2
    about = json.loads((phantom / "PHANTOM").read_text(encoding="utf-8"))
    assert about == {
        "version": PHANTOM_VERSION,
        "seed": 4,
        "train": 3,
        "test": 2,
        "originals": 2,
    }
    assert [path.name for path in phantom.parent.iterdir()] == [phantom.name]


def test_labels_have_the_real_form(phantom):
    data = (phantom / "labels.csv").read_bytes()
    assert data.startswith(b",Image,Category\r\n,0,EOSINOPHIL\r\n")
    assert not data.endswith(b"\n")
    with open(phantom / "labels.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    assert [int(row[1]) for row in rows[1:]] == list(range(14))
    labels = [row[2] for row in rows[1:]]
    assert "" in labels and "BASOPHIL" in labels and "NEUTROPHIL, EOSINOPHIL" in labels
    there = {path.name for path in (phantom / "Original_Images").iterdir()}
    read = read_labels(phantom / "labels.csv", there)
    assert set(read) == there
    assert sorted(read.values()) == sorted(CLASSES * 2)
    assert len(read_labels(phantom / "labels.csv")) == len(there) + 1


def test_images_do_not_depend_on_the_counts(phantom, tmp_path):
    write_phantom(tmp_path / "same", 3, 2, 2, seed=4)
    assert files(tmp_path / "same") == files(phantom)
    calls = []
    write_phantom(
        tmp_path / "fewer", 1, 0, 1, seed=4, progress=lambda *arguments: calls.append(arguments)
    )
    fewer, all_of_them = files(tmp_path / "fewer"), files(phantom)
    images = [name for name in fewer if "/" in name]
    assert len(images) == 8
    assert all(fewer[name] == all_of_them[name] for name in images)
    parts = ("TRAIN", "ORIGINAL")
    assert calls == [(f"drawing the phantom: {p}", k, 4) for p in parts for k in (1, 2, 3, 4)]
    write_phantom(tmp_path / "other", 1, 0, 0, seed=5)
    other = set(files(tmp_path / "other").values())
    assert not other & {fewer[name] for name in images}
