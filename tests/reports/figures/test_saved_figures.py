"""Figures as files: each is linked where it stands, as SVG and as PDF, and the files are sound."""

import re
from xml.etree import ElementTree

import pytest

from benchmarks.store.store import Store
from reports.build import build
from reports.figures import drawing, panels
from reports.figures.panels import Curve, Panel
from reports.figures.svg import COLOURS
from reports.pages import one_file
from tests.support import synthetic
from tests.support.reading import pages

PLAN = [
    synthetic.spec(framework, network, fold=fold)
    for framework in ("keras", "torch")
    for network, fold in (("xception_lstm", None), ("cnn_lstm", 0), ("cnn_gru", 0))
]
FIGURE = re.compile(r'<figure>\s*<div class="drawing">(.*?)</figure>', re.S)
LINK = re.compile(r'<a href="([^"]*)" download aria-label="this figure as (\w+)"')


@pytest.fixture(scope="module")
def report(tmp_path_factory, shortcuts):
    out = tmp_path_factory.mktemp("saved")
    synthetic.fill(Store(out), PLAN)
    (out / drawing.FOLDER).mkdir()
    (out / drawing.FOLDER / "of-an-earlier-report.svg").touch()
    with pytest.MonkeyPatch.context() as patch:
        for one in shortcuts:  # none of them: the files are looked at
            patch.setattr(*one)
        build(Store(out), PLAN, out)
    return out


def test_each_figure_leads_to_its_files(report):
    linked = []
    for name, text in pages(report).items():
        if name == one_file.NAME:
            continue
        for figure in FIGURE.findall(text):
            found = LINK.findall(figure)
            expected = [] if name.startswith("runs-") else ["SVG", "PDF"]
            assert [kind for _, kind in found] == expected, name
            linked += [href for href, _ in found]
    there = {path.relative_to(report).as_posix() for path in (report / drawing.FOLDER).iterdir()}
    assert set(linked) == there and len(linked) == len(there) > 8


def test_an_svg_stands_alone(report):
    found = list((report / drawing.FOLDER).glob("*.svg"))
    assert found
    for path in found:
        text = path.read_text(encoding="utf-8")
        root = ElementTree.fromstring(text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg" and root.get("viewBox")
        assert root.get("aria-label") and "var(" not in text and "<style" not in text
        used = set(re.findall(r'(?:href="|url\()#([\w.-]+)', text))
        assert used <= set(re.findall(r' id="([\w.-]+)"', text)), path.name


def test_a_pdf_is_whole(report):
    found = list((report / drawing.FOLDER).glob("*.pdf"))
    assert found
    for path in found:
        data = path.read_bytes()
        assert data.startswith(b"%PDF-1.") and data.rstrip().endswith(b"%%EOF")
        assert len(re.findall(rb"/Type /Page\b", data)) == 1
        start = int(data[data.rindex(b"startxref") :].split()[1])
        assert data[start:].startswith(b"xref")
        assert b"/CharProcs" in data  # the letters are inside


def test_a_figure_s_files_are_the_same_for_the_same_numbers(monkeypatch, shortcuts):
    for one in shortcuts:
        monkeypatch.setattr(*one)
    shown = [Panel("", "loss, nat", [Curve("keras", [1.0, 0.5], "Keras")])]
    first, again = (panels.curves("a/b", "some", shown) for _ in range(2))
    assert first == again
    assert list(first.files("liang.html")) == ["figures/liang-a-b.svg", "figures/liang-a-b.pdf"]
    assert COLOURS["keras"] not in first.svg and "var(--keras)" in first.svg
    assert COLOURS["keras"] in drawing.standalone(first.svg)


def test_the_one_file_leads_to_no_file(report):
    text = (report / one_file.NAME).read_text(encoding="utf-8")
    assert '<div class="drawing">' in text and 'class="save"' not in text
    assert "figures/" not in text
