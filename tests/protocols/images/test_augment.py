"""Jane's augmentation: labels, the plan of copies, and the copies."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protocols.classes import CLASSES
from protocols.errors import RequestError
from protocols.files import ROOT
from protocols.images.augment import augment, augmented, load_original, plan_class, read_labels


@pytest.fixture
def real() -> Path:
    folder = os.environ.get("WBC_DATA")
    if not folder or not (Path(folder) / "labels.csv").is_file():
        pytest.skip("needs the real images: set WBC_DATA to their folder")
    return Path(folder)


def picture(seed: int = 0) -> np.ndarray:
    small = np.random.default_rng(seed).integers(60, 256, (12, 16, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((320, 240), Image.Resampling.BICUBIC))


class Fixed:
    """Stands in for a generator: gives the three numbers it was made with."""

    def __init__(self, *numbers: float):
        self.numbers = numbers

    def random(self, size: int) -> np.ndarray:
        assert size == len(self.numbers)
        return np.asarray(self.numbers)


def labels_file(folder: Path, *rows: str) -> Path:
    path = folder / "labels.csv"
    path.write_bytes("\r\n".join((",Image,Category", *rows)).encode())
    return path


def test_labels_of_exactly_one_class_are_kept(tmp_path):
    path = labels_file(
        tmp_path,
        ",7,MONOCYTE",
        ',1,"NEUTROPHIL, EOSINOPHIL"',
        ',2,"NEUTROPHIL,NEUTROPHIL"',
        ",3,BASOPHIL",
        ",4,",
        ",5,LYMPHOCYTE",
        ",6,NEUTROPHIL",
        ",6,NEUTROPHIL",
        ",0,EOSINOPHIL",
    )
    assert list(read_labels(path).items()) == [
        ("BloodImage_00007.jpg", "MONOCYTE"),
        ("BloodImage_00005.jpg", "LYMPHOCYTE"),
        ("BloodImage_00000.jpg", "EOSINOPHIL"),
    ]
    assert read_labels(path, {"BloodImage_00005.jpg"}) == {"BloodImage_00005.jpg": "LYMPHOCYTE"}


@pytest.mark.parametrize("text", ["", "Number,Class\n1,MONOCYTE\n", ",Image,Category\n,x,E\n,1\n"])
def test_a_file_of_another_form_is_refused(tmp_path, text):
    path = tmp_path / "labels.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RequestError, match="needs the columns Image and Category"):
        read_labels(path)


def test_a_row_cut_short_is_refused(tmp_path):
    with pytest.raises(RequestError, match="columns"):
        read_labels(labels_file(tmp_path, ",0,MONOCYTE", ",1"))


def test_missing_labels_are_refused(tmp_path):
    with pytest.raises(RequestError, match="can't be read"):
        read_labels(tmp_path / "none.csv")


def test_original_is_halved(tmp_path):
    large = np.kron(picture(), np.ones((2, 2, 1), np.uint8))
    Image.fromarray(large).save(tmp_path / "a.png")
    image = load_original(tmp_path / "a.png")
    assert image.shape == (240, 320, 3)
    assert image.dtype == np.uint8
    inner = np.abs(image.astype(int) - picture())[2:-2, 2:-2]
    assert inner.mean() < 2
    (tmp_path / "b.jpg").write_bytes(b"no image")
    for name in ("b.jpg", "none.jpg"):
        with pytest.raises(RequestError, match=name):
            load_original(tmp_path / name)


def test_flips_without_rotation_are_exact():
    image = picture()
    for mirror, tip in ((0.9, 0.9), (0.1, 0.9), (0.9, 0.1), (0.1, 0.1)):
        wanted = image[:: -1 if tip < 0.5 else 1, :: -1 if mirror < 0.5 else 1]
        np.testing.assert_array_equal(augment(image, Fixed(0.5, mirror, tip)), wanted)


def test_rotation_is_about_the_centre_and_fills_black():
    spot = np.full((240, 320, 3), 60, np.uint8)
    spot[112:128, 152:168] = 200
    spot[112:128, 252:268] = 200  # its centre 100 pixels to the right of the image's
    for turn, degrees in ((0.0, -20), (1.0, 20), (0.75, 10)):
        turned = augment(spot, Fixed(turn, 0.9, 0.9))
        bright = turned[..., 0].astype(float) > 130
        rows, columns = np.nonzero(bright)
        near = columns < 210
        assert np.allclose([rows[near].mean(), columns[near].mean()], [119.5, 159.5], atol=0.3)
        angle = np.radians(degrees)
        wanted = [119.5 - 100 * np.sin(angle), 159.5 + 100 * np.cos(angle)]
        assert np.allclose([rows[~near].mean(), columns[~near].mean()], wanted, atol=0.5)
        for corner in (turned[0, 0], turned[0, -1], turned[-1, 0], turned[-1, -1]):
            assert (corner == 0).all()


def test_angles_and_flips_are_spread_as_stated():
    class Watched:
        def __init__(self):
            self.rng, self.seen = np.random.default_rng(3), []

        def random(self, size):
            self.seen.append(self.rng.random(size))
            return self.seen[-1]

    watched = Watched()
    tiny = picture()[:24, :32]
    kept = tiny.copy()
    for _ in range(400):
        assert augment(tiny, watched).shape == tiny.shape
    assert (tiny == kept).all()
    turns, mirrors, tips = np.asarray(watched.seen).T
    assert turns.min() < 0.03 and turns.max() > 0.97
    for flips in (mirrors < 0.5, tips < 0.5):
        assert 0.4 < flips.mean() < 0.6
    assert abs(np.corrcoef(mirrors, tips)[0, 1]) < 0.15


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8)]
)
def test_other_images_are_refused(image):
    with pytest.raises(ValueError, match="uint8"):
        augment(image, np.random.default_rng(0))


@pytest.mark.parametrize(
    "have, wanted", [(20, 500), (33, 500), (207, 500), (88, 450), (250, 500), (499, 500), (1, 7)]
)
def test_each_original_appears_equally_often(have, wanted):
    plan = plan_class(have, wanted, 5, "MONOCYTE")
    assert len(plan) == len(set(plan)) == wanted
    assert plan[:have] == [(index, 0) for index in range(have)]
    counts = Counter(index for index, _ in plan)
    assert len(counts) == have
    assert max(counts.values()) - min(counts.values()) <= 1
    for index, count in counts.items():
        assert [copy for original, copy in plan if original == index] == list(range(count))
    assert plan_class(have, wanted + 9, 5, "MONOCYTE")[:wanted] == plan


def test_passes_have_orders_of_their_own():
    plan = plan_class(20, 500, 0, "MONOCYTE")
    orders = {tuple(index for index, _ in plan[k : k + 20]) for k in range(0, 500, 20)}
    assert len(orders) == 25
    assert plan != plan_class(20, 500, 1, "MONOCYTE")
    assert plan != plan_class(20, 500, 0, "LYMPHOCYTE")


def test_enough_originals_are_drawn_from():
    plan = plan_class(600, 500, 0, "NEUTROPHIL")
    assert plan == sorted(set(plan)) and len(plan) == 500
    assert all(copy == 0 and 0 <= index < 600 for index, copy in plan)
    assert plan != plan_class(600, 500, 1, "NEUTROPHIL")
    assert plan_class(500, 500, 0, "NEUTROPHIL") == [(index, 0) for index in range(500)]
    assert plan_class(3, 0, 0, "NEUTROPHIL") == plan_class(0, 0, 0, "NEUTROPHIL") == []


def test_a_class_without_originals_is_refused():
    with pytest.raises(RequestError, match="MONOCYTE has no originals"):
        plan_class(0, 10, 0, "MONOCYTE")
    with pytest.raises(ValueError, match="negative"):
        plan_class(3, -1, 0, "MONOCYTE")


def test_copies_depend_on_name_copy_and_seed_only():
    image = picture()
    assert augmented(image, "a.jpg", 0, 1) is image
    first = augmented(image, "a.jpg", 1, 1)
    np.random.seed(7)
    np.testing.assert_array_equal(first, augmented(image, "a.jpg", 1, 1))
    for other in (("a.jpg", 2, 1), ("b.jpg", 1, 1), ("a.jpg", 1, 2)):
        assert (augmented(image, *other) != first).any()
    with pytest.raises(ValueError, match="copy"):
        augmented(image, "a.jpg", -1, 1)


def test_plan_and_copies_do_not_depend_on_the_hash_salt():
    code = (
        "import numpy as np; from protocols.images.augment import augmented, plan_class;"
        "image = np.arange(24 * 32 * 3).reshape(24, 32, 3).astype(np.uint8);"
        "print(plan_class(4, 9, 0, 'MONOCYTE'), augmented(image, 'a.jpg', 1, 0).tolist())"
    )
    root = ROOT
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": salt, "PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            check=True,
            encoding="utf-8",
        ).stdout
        for salt in ("1", "2")
    }
    assert len(answers) == 1


@pytest.mark.real
def test_real_labels_make_348(real):
    files = {path.name for path in (real / "Original_Images").glob("*.jpg")}
    labels = read_labels(real / "labels.csv", files)
    counts = Counter(labels.values())
    assert [counts[name] for name in CLASSES] == [88, 33, 20, 207]
    extra = set(read_labels(real / "labels.csv")) - set(labels)
    assert extra == {"BloodImage_00116.jpg"}


@pytest.mark.real
def test_real_generator_filled_with_black(real):
    """The public set's own corners are black, as ours; what it rotated little shows the smear."""
    corners = []
    for name in CLASSES:
        for path in sorted((real / "images" / "TRAIN" / name).iterdir())[:25]:
            with Image.open(path) as image:
                pixels = np.asarray(image.convert("RGB"))
            corners += [pixels[y, x].max() for y in (0, -1) for x in (0, -1)]
    corners = np.asarray(corners)
    assert (corners < 32).mean() > 0.6
    assert ((corners >= 32) & (corners < 120)).mean() < 0.05  # no other constant


@pytest.mark.real
def test_real_originals_load_and_turn(real):
    path = real / "Original_Images" / "BloodImage_00001.jpg"
    image = load_original(path)
    assert image.shape == (240, 320, 3) and image.dtype == np.uint8
    copy = augmented(image, path.name, 1, 0)
    assert copy.shape == image.shape and copy.dtype == np.uint8
    assert (copy == 0).all(axis=2).any()
