"""The page "What the networks look at"."""

import base64
import io
import json
import re

import numpy as np
import pytest
import synthetic
from PIL import Image
from reading import hold_together, pages, steady_sources  # noqa: F401 (used by itself)

from benchmarks import pictures
from benchmarks.store import Store
from protocols import activations
from reports import activations as page
from reports.build import build


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    out = tmp_path_factory.mktemp("looks")
    store, plan = synthetic.make(out)
    build(store, plan, out)
    return out, plan


def drawn(text):
    """(alt, image) of every picture."""
    found = re.findall(r'<img src="data:image/\w+;base64,([^"]+)" alt="([^"]*)">', text)
    return [(alt, Image.open(io.BytesIO(base64.b64decode(code)))) for code, alt in found]


def test_both_twins_maps_and_heat_maps_stand_side_by_side(report):
    out, _ = report
    hold_together(out)
    text = pages(out)["activations.html"]
    found = drawn(text)
    for layer in activations.LAYERS["xception"]:
        alts = [alt for alt, _ in found if alt.endswith(f"maps of {layer.name}")]
        assert [alt.split(":")[0] for alt in alts] == ["Keras", "PyTorch"]
        assert all(f"the first {layer.maps} maps" in alt for alt in alts)
    for name in ("Xception", "InceptionV3", "Xception-ResNet50-LSTM", "CNN-GRU"):
        assert f"{name}: where it looks" in text
    assert "The images themselves are not at hand here" in text


def test_a_sheet_holds_each_map_from_black_to_white():
    values = np.stack([np.arange(6.0).reshape(2, 3) * 7 - 3, np.full((2, 3), 4.0)])
    sheet = np.asarray(page._grid(values))
    assert sheet.shape == (2, page.ACROSS * 4 - 1)
    assert sheet[:, :3].tolist() == [[0, 51, 102], [153, 204, 255]]
    assert sheet[:, 4:7].max() == 0  # a map without spread is black


def test_heat_is_yellow_where_the_map_is_high_over_the_image():
    cam = np.array([[0.0, 0.0], [0.0, 5.0]], np.float32)
    alone = np.asarray(Image.open(io.BytesIO(base64.b64decode(page._heat(cam, "").split(",")[1]))))
    assert alone.shape == (page.CAM[1], page.CAM[0], 3)
    low, high = alone[5, 5].astype(int), alone[-5, -5].astype(int)
    assert high[0] > 200 and high[2] < 80 and low[2] > low[0]
    under = page._address(Image.new("RGB", (40, 30), "white"), "PNG")
    over = Image.open(io.BytesIO(base64.b64decode(page._heat(cam, under).split(",")[1])))
    assert over.size == (40, 30) and over.getpixel((2, 2))[0] > low[0]


def test_images_at_hand_are_shown(report, tmp_path):
    out, plan = report
    spec = next(s for s in plan if (s.variant, s.stage) == ("inception_v3", "train"))
    with np.load(out / "runs" / spec.id / activations.FILE) as arrays:
        ids = arrays["ids"].tolist()
    white = page._address(Image.new("RGB", (40, 30), "white"), "PNG")
    (out / pictures.SEEN).write_text(json.dumps({spec.data["digest"]: dict.fromkeys(ids, white)}))
    build(Store(out), plan, out)
    text = pages(out)["activations.html"]
    assert page.PICTURES == pictures.SEEN
    assert text.count(f'src="{white}"') >= len(ids) and "not at hand" not in text
    (out / pictures.SEEN).unlink()


def test_runs_without_a_record_have_no_page(tmp_path):
    store = Store(tmp_path)
    spec = synthetic.spec("torch", "xception")
    run = synthetic.add(store, spec)
    build(store, [spec], tmp_path)
    assert (tmp_path / "activations.html").is_file()
    (run.folder / activations.FILE).unlink()  # as runs made before there was any
    build(store, [spec], tmp_path)
    assert not (tmp_path / "activations.html").exists()
    assert "activations.html" not in pages(tmp_path)["index.html"]
