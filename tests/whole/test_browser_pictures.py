"""Pages with pictures in Chromium: they are drawn, nothing is asked for, axe-core finds no fault.

The runs are recorded ones on the public set; the images are made up, under its names.
"""

import io
import os
from pathlib import Path

import pytest
from PIL import Image

from protocols.images.dataset import source_at
from reports.build import build
from reports.pages import one_file
from tests.support.browser import AXE, NEEDED, OPEN, WIDTHS, Tab, serious_faults
from tests.support.pictured import SHADE, image_folder, some_runs

pytestmark = NEEDED
PAGES = ("errors.html", "activations.html", "liang.html")


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    out = tmp_path_factory.mktemp("pictured")
    store = some_runs(out)
    source = source_at(image_folder(store, tmp_path_factory.mktemp("set")))
    build(store, store.plan(), out, source=source)
    return out


def shade(element):
    """The colour in the middle of an element, as it is drawn."""
    image = Image.open(io.BytesIO(element.screenshot())).convert("RGB")
    return image.getpixel((image.width // 2, image.height // 2))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_thumbnails_are_drawn_on_the_page_and_in_the_single_file(report, browser, scheme):
    for name in ("errors.html", one_file.NAME):
        tab = Tab(browser, color_scheme=scheme)
        page = tab.show(report / name)
        page.evaluate(OPEN)
        thumbs = page.locator(".shots:not(.large) svg")
        assert thumbs.count() > 4
        for element in (thumbs.first, thumbs.last, page.locator(".shots.large svg").first):
            element.scroll_into_view_if_needed()
            assert shade(element) == pytest.approx(SHADE, abs=12)
        lost = page.evaluate(
            "[...document.querySelectorAll('.shots use')]"
            ".filter(e => !document.querySelector(e.getAttribute('href'))).length"
        )
        assert lost == 0 and tab.troubles == []
        assert [u for u in tab.requests if not u.startswith("data:")] == [f"file://{report / name}"]
        tab.context.close()


def test_every_picture_can_be_read_and_has_a_text(report, browser):
    tab = Tab(browser)
    for name in PAGES:
        page = tab.show(report / name)
        page.evaluate(OPEN)
        shown = page.evaluate(
            "Promise.all([...document.images].map(async e => { e.loading = 'eager'; "
            "await e.decode(); return [e.naturalWidth, e.alt]; }))"
        )
        assert all(width > 0 and alt for width, alt in shown)
        said = page.evaluate(
            "[...document.querySelectorAll('[role=img]')].map(e => e.getAttribute('aria-label'))"
        )
        assert all(said) and (name == "activations.html" or len(said) > 4)
        if name == "activations.html":
            alts = [alt for _, alt in shown]
    assert len(set(alts)) == len(alts) > 10 and tab.troubles == []
    tab.context.close()


def test_the_figures_of_the_paper_are_on_the_page(report, browser):
    tab = Tab(browser)
    page = tab.show(report / "liang.html")
    text = page.locator("main").inner_text()
    for number in (3, 4, 6, 7, 8):
        assert text.count(f"After Liang's Fig. {number}") == 1
    images = page.locator(".drawing image")
    assert images.count() > 10
    for number in (0, images.count() - 1):
        box = images.nth(number).bounding_box()
        assert box["width"] > 40 and box["height"] > 20
    tab.context.close()


@pytest.mark.skipif(not AXE.is_file(), reason="AXE_CORE names no axe-core")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault_on_pages_with_pictures(report, browser, scheme):
    tab, found = Tab(browser, color_scheme=scheme), []
    for name in PAGES:
        page = tab.show(report / name)
        found += [(name, *fault) for fault in serious_faults(page)]
    tab.context.close()
    assert found == []


@pytest.mark.parametrize("width", WIDTHS)
def test_pages_with_pictures_fit_their_width_and_are_kept(report, browser, width, tmp_path):
    shots = Path(os.environ.get("BROWSER_SHOTS", tmp_path))
    shots.mkdir(parents=True, exist_ok=True)
    tab = Tab(browser, viewport={"width": width, "height": 900})
    for name in PAGES:
        page = tab.show(report / name)
        page.evaluate(OPEN)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        path = shots / f"pictures-{name.partition('.')[0]}-{width}.png"
        page.screenshot(path=path, full_page=True)
        assert path.stat().st_size > 20_000
    tab.context.close()
