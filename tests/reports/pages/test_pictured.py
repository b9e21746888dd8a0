"""Liang's figures of images and maps on his page: what they show, and in what they differ."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from benchmarks.store.store import Store
from protocols.classes import CLASSES
from protocols.photographs import provenance
from protocols.runs import activations
from reports.figures import sheets
from reports.figures.pictures import SEEN, address
from reports.pages.papers import pictured
from tests.support import synthetic
from tests.support.reading import made, pages

FIGURE = re.compile(
    r'<figure>\s*<div class="drawing">(.*?)</div>\s*<figcaption>(.*?)</figcaption>', re.S
)
TWINS = ("keras", "torch")


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Both twins of Xception-LSTM on real images, with pictures at hand."""
    out = tmp_path_factory.mktemp("pictured")
    plan = [synthetic.spec(framework, "xception_lstm", kind="real") for framework in TWINS]
    for run in plan:
        folder = synthetic.add(Store(out), run).folder
        with np.load(folder / activations.FILE) as arrays:
            changed = dict(arrays)
        firsts = [next(r.file for r in provenance.shown() if r.file.startswith(f"TEST/{c}"))
                  for c in CLASSES]  # fmt: skip
        changed["ids"] = np.array(firsts)
        np.savez_compressed(folder / activations.FILE, **changed)
    turned = [row.file for row in activations.turned(firsts[0])]
    shade = {name: address(Image.new("RGB", (40, 30), (9 * i, 90, 120)))
             for i, name in enumerate(dict.fromkeys([*firsts, *turned]))}  # fmt: skip
    text = json.dumps({plan[0].data["digest"]: shade})
    (out / SEEN).write_text(text, encoding="utf-8")
    made(out, plan, "liang.html")
    return out, plan, shade


def figure(out, number):
    """The figure after the paper's figure of this number: its <svg> and its caption."""
    text = pages(out)["liang.html"]
    (found,) = [f for f in FIGURE.findall(text) if f[1].startswith(f"After Liang's {number}:")]
    return found


def test_they_stand_in_the_paper_s_order(report):
    captions = [caption for _, caption in FIGURE.findall(pages(report[0])["liang.html"])]
    numbers = [re.match(r"After Liang's Fig. (\d)", caption) for caption in captions]
    assert [int(number[1]) for number in numbers if number] == [3, 4, 6, 7, 8]


@pytest.mark.parametrize(("number", "differs"), [
    ("Fig. 3", "doesn't say which images"), ("Fig. 4", "rotation alone"),
    ("Fig. 6", "one run"), ("Fig. 7", "320 × 240"), ("Fig. 8", "320 × 240"),
])  # fmt: skip
def test_each_says_in_what_it_differs(number, differs, report):
    svg, caption = figure(report[0], number)
    assert differs in caption and "this figure as PDF" in caption
    assert re.search(r'aria-label="[^"]{40,}"', svg)


def test_images_are_those_at_hand(report):
    out, _, shade = report
    svg, _ = figure(out, "Fig. 3")
    assert re.findall(r'href="(data:[^"]*)"', svg) == [shade[i] for i in list(shade)[:4]]
    for letter, name in zip("abcd", CLASSES, strict=True):
        assert f">({letter}) {name.lower()}, " in svg
    svg, _ = figure(out, "Fig. 4")
    assert len(re.findall(r"<image ", svg)) == len(activations.turned(next(iter(shade)))) > 2
    assert "°" in svg


@pytest.mark.parametrize(("number", "layers"), [
    ("Fig. 7", ("block1_conv1",)), ("Fig. 8", ("block2_pool", "block3_pool", "block4_pool")),
])  # fmt: skip
def test_maps_are_those_of_both_twins(number, layers, report):
    out, plan, _ = report
    svg, _ = figure(out, number)
    codes = re.findall(r'href="data:image/png;base64,([^"]*)"', svg)
    images = iter([np.asarray(Image.open(io.BytesIO(base64.b64decode(code)))) for code in codes])
    for layer in layers:
        for run, twin in zip(plan, ("Keras", "PyTorch"), strict=True):
            with np.load(out / "runs" / run.id / activations.FILE) as arrays:
                values = activations.values(arrays, f"xception/{layer}")
            sheet, there = sheets.grid(values, pictured.ACROSS, pictured.WIDEST)
            image = next(images)
            assert (image[..., 0] == sheet).all() and ((image[..., 1] > 0) == there).all()
            assert f">{twin}, {layer}: " in svg
    assert next(images, None) is None


def test_a_sheet_holds_each_map_from_black_to_white():
    values = np.stack([np.arange(6.0).reshape(2, 3) * 7 - 3, np.full((2, 3), 4.0)])
    sheet, there = sheets.grid(values, 8, 72)
    assert sheet.shape == there.shape == (2, 8 * 4 - 1)
    assert sheet[:, :3].tolist() == [[0, 51, 102], [153, 204, 255]]
    assert sheet[:, 4:7].max() == 0  # a map without spread is black
    assert there[0].tolist() == [True] * 3 + [False] + [True] * 3 + [False] * 24


def test_maps_that_are_not_finite_are_left_out(report, tmp_path):
    _, plan, _ = report
    for run in plan:
        folder = synthetic.add(Store(tmp_path), run).folder
        with np.load(folder / activations.FILE) as arrays:
            changed = dict(arrays)
        for key in changed:
            if key.startswith("range/") and (run.framework == "keras" or "conv1" in key):
                changed[key] = np.full(2, np.nan)
        np.savez_compressed(folder / activations.FILE, **changed)
    made(tmp_path, plan, "liang.html")
    text = pages(tmp_path)["liang.html"]
    assert "After Liang's Fig. 7" not in text
    svg, _ = figure(tmp_path, "Fig. 8")
    assert "PyTorch, block2_pool" in svg and "Keras" not in svg
