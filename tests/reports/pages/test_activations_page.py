"""The page "What the networks look at"."""

import base64
import io
import itertools
import json
import re

import numpy as np
import pytest
from PIL import Image

from benchmarks.store.store import Store
from protocols.papers.backbones import load_backbones
from protocols.runs import activations
from reports.build import build
from reports.figures.pictures import SEEN, address
from reports.pages import activations as page
from tests.support import synthetic
from tests.support.reading import hold_together, made, pages


@pytest.fixture(scope="module")
def report(smoke_report):
    return smoke_report


def drawn(text):
    """(alt, image) of every picture."""
    found = re.findall(r'<img src="data:image/\w+;base64,([^"]+)" alt="([^"]*)">', text)
    return [(alt, Image.open(io.BytesIO(base64.b64decode(code)))) for code, alt in found]


def test_liang_s_figures_7_and_8_are_xception_lstm_s_of_both_twins(report):
    out, plan = report
    hold_together(out)
    found = drawn(pages(out)["activations.html"])
    paper = [layer for layer in load_backbones()["xception"].layers if layer.source == "paper"]
    assert [layer.name for layer in paper] == [
        "block1_conv1", "block2_pool", "block3_pool", "block4_pool",
    ]  # fmt: skip
    for layer in paper:
        sheets = [(alt, image) for alt, image in found if f" maps of {layer.name} for " in alt]
        assert [alt.split(":")[0] for alt, _ in sheets] == [
            "Keras Xception-LSTM", "PyTorch Xception-LSTM",
        ]  # fmt: skip
        for framework, (alt, image) in zip(("keras", "torch"), sheets, strict=True):
            assert f"the first {layer.maps} maps" in alt
            run = next(s for s in plan if (s.framework, s.variant, s.stage)
                       == (framework, "xception_lstm", "train"))  # fmt: skip
            with np.load(out / "runs" / run.id / activations.FILE) as arrays:
                sheet, opaque = page._grid(activations.values(arrays, f"xception/{layer.name}"))
            assert (np.asarray(image)[..., 0] == sheet).all()
            assert ((np.asarray(image)[..., 1] > 0) == opaque).all()


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
    run = synthetic.spec("torch", "xception", kind="real")
    synthetic.add(store, run)
    made(tmp_path, [run], "activations.html")
    assert "X: Liang’s Fig. 3 and Fig. 4 need the images" in pages(tmp_path)["activations.html"]


def test_a_sheet_holds_each_map_from_black_to_white():
    values = np.stack([np.arange(6.0).reshape(2, 3) * 7 - 3, np.full((2, 3), 4.0)])
    sheet, opaque = page._grid(values)
    assert sheet.shape == opaque.shape == (2, page.ACROSS * 4 - 1)
    assert sheet[:, :3].tolist() == [[0, 51, 102], [153, 204, 255]]
    assert sheet[:, 4:7].max() == 0  # a map without spread is black
    assert opaque[0].tolist() == [True] * 3 + [False] + [True] * 3 + [False] * 24


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
    assert text.count(f'src="{white}"') >= len(ids) and "stand alone" not in text


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
