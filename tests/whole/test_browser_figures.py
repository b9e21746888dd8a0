"""The figures of the recorded runs' report in Chromium: no two words meet, and none is cut off."""

import re
from xml.etree import ElementTree

import pytest

from reports.pages import one_file
from tests.support.browser import AXE, NEEDED, OPEN, Tab, serious_faults

pytestmark = NEEDED


@pytest.mark.parametrize("width", [1280, 500])
def test_the_words_of_a_figure_never_meet(seen, width):
    met, figures = [], 0
    for name, page in seen["published"].items():
        for label, words, own in page.get(f"figures at {width}", []):
            assert words > 0, label
            met += [(name, label, text) for text in own]
            figures += 1
    assert met == [] and figures > 40


PLACES = """[...document.querySelectorAll('.panels')].filter(e => e.children.length > 1)
  .map(e => [...e.children].map(svg => svg.getBoundingClientRect())).map(([a, b]) =>
    b.left >= a.right - 1 && b.top === a.top ? 'beside' : b.top >= a.bottom - 1 && 'below')"""


@pytest.mark.parametrize(("width", "place"), [(1280, "beside"), (390, "below")])
def test_panels_stand_beside_each_other_or_below(published_report, browser, width, place):
    tab = Tab(browser, viewport={"width": width, "height": 800})
    page = tab.show(published_report / "control.html")
    page.evaluate(OPEN)
    found = page.evaluate(PLACES)
    tab.context.close()
    assert len(found) > 3 and set(found) == {place}


@pytest.mark.skipif(not AXE.is_file(), reason="AXE_CORE names no axe-core")
def test_a_figure_wider_than_a_small_screen_can_be_reached_by_keys(published_report, browser):
    tab, found = Tab(browser, viewport={"width": 390, "height": 800}), []
    for name in ("liang.html", "jane.html", "control.html"):
        page = tab.show(published_report / name)
        page.evaluate(OPEN)
        wide = page.locator(".drawing[tabindex='0']").count()
        # elsewhere panels stand below each other; bars stand beside each other
        assert (wide > 0) == (name != "control.html")
        found += [(name, *fault) for fault in serious_faults(page)]
    tab.context.close()
    assert found == [] and tab.troubles == []


def test_links_to_a_figure_s_files_show_where_one_points(published_report, browser):
    tab = Tab(browser)
    page = tab.show(published_report / "liang.html")
    figure = page.locator("figure:has(.save)").first
    opacity = "e => getComputedStyle(e).opacity"
    assert figure.locator(".save").evaluate(opacity) == "0"
    figure.hover()
    assert figure.locator(".save").evaluate(opacity) == "1"
    page.mouse.move(0, 0)
    figure.locator(".save a").first.focus()
    assert figure.locator(".save").evaluate(opacity) == "1"
    page.emulate_media(media="print")
    assert not figure.locator(".save").is_visible()
    tab.context.close()


def test_a_saved_svg_opens_by_itself(published_report, browser):
    tab = Tab(browser)
    for path in sorted((published_report / "figures").glob("*.svg"))[::20]:
        page = tab.show(path)
        assert page.evaluate("document.documentElement.tagName") == "svg"
        size = page.evaluate("document.documentElement.getBoundingClientRect().width")
        assert size > 100
    assert tab.troubles == []
    tab.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_figure_without_a_file_is_saved_from_the_page(published_report, browser, scheme):
    tab, folder = Tab(browser, color_scheme=scheme), published_report
    for path in (next(folder.glob("runs-laptop-*fixed.html")), folder / one_file.NAME):
        page = tab.show(path)
        page.evaluate(OPEN)
        link = page.locator("figcaption .save a").first
        with tab.page.expect_download() as asked:
            link.evaluate("e => e.click()")
        assert asked.value.suggested_filename == "figure.svg"
        text = asked.value.path().read_text(encoding="utf-8")
        root = ElementTree.fromstring(text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg" and root.get("viewBox")
        assert "var(" not in text and re.search(r'<rect [^>]*fill="#fdfdfb"', text)
    assert tab.troubles == []
    tab.context.close()
