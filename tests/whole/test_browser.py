"""The pages in Debian's Chromium, from disk: errors, requests, numbers, dark, print, axe-core.

AXE_CORE: a folder with node_modules/axe-core (npm install --prefix). BROWSER_SHOTS: a folder that
gets pictures of all pages. REQUIRE_BROWSER=1: what is missing is a failure.
"""

import re
import shutil
from pathlib import Path

import pytest

from reports.pages import one_file
from tests.support.browser import (
    AXE,
    CHROMIUM,
    NEEDED,
    REQUIRED,
    WIDTHS,
    Tab,
    all_pages,
    is_kept,
    own_pages,
    serious_faults,
)
from tests.support.data_keys import Numbers, agrees

SCHEMES = {"light": {}, "dark": {"runOnly": ["color-contrast"]}}
SCREEN, MOST_SCREENS = 900, 12  # pixels; how many a page may fill as it opens

pytestmark = NEEDED


@pytest.mark.skipif(not REQUIRED, reason="REQUIRE_BROWSER isn't 1")
def test_what_is_required_is_there():
    assert CHROMIUM, "no Chromium"
    assert AXE.is_file(), "AXE_CORE names no axe-core"


def test_the_comparison_opens_from_disk_without_an_error_or_a_request(beside, tab):
    page = tab.show(beside)
    assert "more than noise" in page.locator("main").inner_text()
    assert page.locator("h1").count() == 1 and tab.troubles == []
    assert tab.requests == [f"file://{beside}"]
    targets = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    for href in page.evaluate("[...document.links].map(a => a.getAttribute('href'))"):
        file, _, anchor = href.partition("#")
        assert (beside.parent / (file or beside.name)).is_file(), href
        assert not anchor or anchor in targets, href


@pytest.mark.parametrize("report", ["smoke", "published"])
def test_every_page_opens_from_disk_without_an_error_or_a_request(report, seen):
    for name, page in seen[report].items():
        parts = page["parts"] if name == one_file.NAME else 1
        assert page["titles"] == parts > 0, name
        assert page["styled"] == 0, name
        assert page["troubles"] == [], name
        (own,) = [url for url in page["requests"] if not url.startswith("data:")]
        assert own.startswith("file://") and own.endswith(f"/{name}")


def test_the_policy_stops_what_is_not_the_page_s_own(smoke, tab, tmp_path):
    text = (smoke / "index.html").read_text(encoding="utf-8")
    for bad in ("<script>document.title='bad'</script>", '<p style="color: red">x</p>',
                '<img src="https://example.org/x.png">'):  # fmt: skip
        path = tmp_path / "bad.html"
        path.write_text(text.replace("</main>", f"{bad}</main>"), encoding="utf-8")
        tab.troubles.clear()
        assert tab.show(path).title() != "bad"
        assert any("Content Security Policy" in said for said in tab.troubles), bad


def test_markup_in_a_reason_is_text(smoke, tab):
    page = tab.show(smoke / "runs.html")
    assert "<img src=x onerror=alert(1)> ended & failed" in page.locator("main").inner_text()
    assert page.locator("main img").count() == 0 and tab.troubles == []


def test_every_link_leads_somewhere(smoke, seen):
    links = [(name, href) for name, page in seen["smoke"].items() for href in page["links"]]
    assert len(links) > 500
    for here, href in links:
        file, _, anchor = href.partition("#")
        if href.startswith("https://doi.org/"):
            continue
        assert not file or (smoke / file).is_file(), (here, href)
        assert not anchor or anchor in seen["smoke"][file or here]["ids"], (here, href)


@pytest.mark.parametrize("report", ["smoke", "published", "compare"])
def test_numbers_on_the_pages_are_those_of_the_data_file(
    report, seen, smoke, published_report, beside
):
    files = {"smoke": smoke / "results.json", "published": published_report / "results.json"}
    numbers = Numbers(files.get(report, beside.with_suffix(".json")))
    count, wrong = 0, []
    for name, page in seen[report].items():
        for key, text, scale in page["numbers"]:
            if not agrees(text, numbers.value(key), scale):
                wrong.append((name, key, text))
            count += 1
    assert wrong == [] and count > (30 if report == "compare" else 2000)


def test_the_one_file_stands_alone(smoke, tab, tmp_path):
    alone = shutil.copy(smoke / one_file.NAME, tmp_path)
    page = tab.show(alone)
    assert page.locator("main > section").count() == len(all_pages(smoke)) - 1
    # links that save a figure are the script's: they get their address when one follows them
    links = "[...document.links].filter(a => !a.download)"
    hrefs = page.evaluate(f"{links}.map(a => a.getAttribute('href'))")
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids)) and len(hrefs) > 500
    inside = [href[1:] for href in hrefs if not href.startswith("https://doi.org/")]
    assert set(inside) <= set(ids)
    used = page.locator("svg use, svg [clip-path]").count()
    missing = page.evaluate(
        "[...document.querySelectorAll('svg use')].filter("
        "e => !document.getElementById(e.getAttribute('href').slice(1))).length"
    )
    assert used > 100 and missing == 0 and tab.troubles == []


def test_a_link_into_a_closed_part_opens_it(published_report, tab):
    anchor = "torch-efficientnet_lite0_lstm-s0"
    path = next(published_report.glob("runs-laptop-*fixed.html"))
    page = tab.show(path)
    page.evaluate("document.querySelectorAll('details').forEach(e => e.open = false)")
    page.evaluate(f"location.hash = '#{anchor}'")
    page.wait_for_function(f"document.getElementById('{anchor}').open")


def test_dark_mode_is_dark(smoke, browser):
    colours = {}
    for scheme in ("light", "dark"):
        tab = Tab(browser, color_scheme=scheme)
        page = tab.show(smoke / "liang.html")
        look = (
            "e => { const c = getComputedStyle(e); return [c.backgroundColor, c.color, c.fill]; }"
        )
        colours[scheme] = [
            page.locator("html").evaluate(look)[0],
            page.locator("h1").evaluate(look)[1],
            page.locator("svg text").first.evaluate(look)[2],
        ]
        tab.context.close()
    for light, dark in zip(colours["light"], colours["dark"], strict=True):
        assert light != dark
    value = [sum(map(int, re.findall(r"\d+", colours[s][0])[:3])) for s in ("light", "dark")]
    assert value[0] > 700 and value[1] < 120


def test_print_leaves_out_what_is_for_the_screen_and_opens_all(published_report, tab):
    page = tab.show(published_report / "runs-laptop-real-imagenet-cpu-float32-cv10.html")
    page.evaluate("document.querySelectorAll('details').forEach(e => e.open = false)")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0 < page.locator("details").count()
    shown = "e => getComputedStyle(e).display"
    for part, display in ((".tools", "none"), ("nav", "none"), (".sort", "contents")):
        assert page.locator(part).first.evaluate(shown) == display
    assert page.locator("thead").first.evaluate(shown) == "table-header-group"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0


@pytest.mark.parametrize("report", ["smoke", "published", "compare"])
def test_nothing_is_wider_than_a_printed_page(report, seen):
    wide = [(name, *one) for name, page in seen[report].items() for one in page["printed too wide"]]
    assert wide == []


def test_a_page_prints_as_pdf(published_report, tab):
    page = tab.show(published_report / "liang.html")
    assert page.pdf(format="A4").startswith(b"%PDF-")


@pytest.mark.skipif(not AXE.is_file() and not REQUIRED, reason="AXE_CORE names no axe-core")
def test_axe_finds_no_fault(smoke, published_report, beside, tab):
    """In the dark the colours alone are others. The one file holds every page of its report: that
    of made-up runs, whose failures and phantoms the recorded ones lack."""
    found = []
    for path in [smoke / one_file.NAME, *own_pages(published_report), beside]:
        page = tab.show(path)
        for scheme, rules in SCHEMES.items():
            page.emulate_media(color_scheme=scheme)
            every = path.parent == published_report
            faults = serious_faults(page, every=every, **rules)
            found += [(path.name, scheme, *fault) for fault in faults]
    assert found == []


@pytest.mark.parametrize("width", WIDTHS)
def test_pages_fit_their_width(seen, width):
    """And those of the recorded runs are short as they open."""
    for report, pages in seen.items():
        for name, page in pages.items():
            assert page["width"][f"{width}"] <= width, (report, name)
            assert page["tables too wide"] == [], (report, name)
            if report == "published":
                assert page["height"] <= MOST_SCREENS * SCREEN, name
                assert page["lines of the menu"] == 1, name


@pytest.mark.parametrize("width", WIDTHS)
def test_pages_are_kept_as_pictures(seen, width):
    """The first ones always, and more where somebody wants to look at them: `is_kept`."""
    for report, pages in seen.items():
        for name, page in pages.items():
            kept = page["pictures"].get(f"{width}", [])
            assert all(Path(one).stat().st_size > 20_000 for one in kept), name
            assert bool(kept) == is_kept(report, name), (report, name)
