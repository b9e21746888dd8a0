"""The pages in Debian's Chromium, from disk: errors, requests, numbers, sorting, dark, axe-core.

AXE_CORE: a folder with node_modules/axe-core (npm install --prefix). BROWSER_SHOTS: where the
screenshots go, else pytest's temporary folder. REQUIRE_BROWSER=1: what is missing is a failure.
"""

import csv
import os
import re
import shutil
from pathlib import Path

import pytest

from benchmarks.store.merge import merge
from benchmarks.store.store import Store
from protocols.files import ROOT
from protocols.images import dataset
from reports.build import build
from reports.comparison import page as comparison_page
from reports.pages import one_file
from tests.support import synthetic
from tests.support.browser import AXE, CHROMIUM, NEEDED, REQUIRED, SERIOUS, WIDTHS, Tab
from tests.support.data_keys import Numbers, agrees

PUBLISHED = ROOT / "reports" / "published"
SCHEMES = {"light": {}, "dark": {"runOnly": ["color-contrast"]}}
TALLEST = 8000  # pixels of one picture; a longer page is kept in several
A4 = 718  # CSS pixels between the margins of a printed page

pytestmark = NEEDED


@pytest.mark.skipif(not REQUIRED, reason="REQUIRE_BROWSER isn't 1")
def test_what_is_required_is_there():
    assert CHROMIUM, "no Chromium"
    assert AXE.is_file(), "AXE_CORE names no axe-core"


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """A report of made-up smoke runs, one of them failed with markup in its reason."""
    out = tmp_path_factory.mktemp("browser")
    store, plan = synthetic.make(out)
    gone = plan[0]
    shutil.rmtree(out / "runs" / gone.id)
    synthetic.add_failed(store, gone, "<img src=x onerror=alert(1)> ended & failed")
    synthetic.add(store, synthetic.spec("keras", "xception", recipe={"label_smoothing": 0.0}))
    build(store, plan, out)
    return out


@pytest.fixture(scope="module")
def published(tmp_path_factory, cache):
    """The published runs' report; with pictures of images where WBC_DATA has them."""
    out = tmp_path_factory.mktemp("published")
    store = Store(out)
    merge(sorted(path.parent for path in PUBLISHED.glob("*/plan.json")), store)
    there = os.environ.get("WBC_DATA")
    source = dataset.locate(there, True, cache) if there else None
    build(store, store.plan(), out, 1, source)
    return out


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    """compare.html of two stores: a network in five seeds each, another in one, a lone run."""
    out = tmp_path_factory.mktemp("beside")
    a, b = Store(out / "a"), Store(out / "b")
    for seed in range(5):
        run = synthetic.spec("keras", "xception", seed=seed)
        synthetic.add(a, run, accuracy=0.8 + seed / 100)
        synthetic.add(b, run, accuracy=0.7 + seed / 100)
    for store in (a, b):
        synthetic.add(store, synthetic.spec("torch", "resnet50"))
    synthetic.add(a, synthetic.spec("torch", "xception"))
    comparison_page.compare(a, b, out)
    return out / comparison_page.PAGE


@pytest.fixture
def tab(browser):
    found = Tab(browser, viewport={"width": 1280, "height": 900})
    yield found
    found.context.close()


def all_pages(out):
    found = sorted(out.glob("*.html"))
    assert len(found) > 12
    return found


def own_pages(out):
    """Those whose content isn't on another page."""
    return [path for path in all_pages(out) if path.name != one_file.NAME]


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
def test_every_page_opens_from_disk_without_an_error_or_a_request(report, tab, request):
    for path in all_pages(request.getfixturevalue(report)):
        page = tab.show(path)
        parts = page.locator("section").count() if path.name == one_file.NAME else 1
        assert page.locator("h1").count() == parts > 0, path.name
        assert page.evaluate("document.querySelectorAll('[style]').length") == 0, path.name
    assert tab.troubles == []
    other = [u for u in tab.requests if not u.startswith(("file://", "data:"))]
    other += [u for u in tab.requests if u.startswith("file://") and not u.endswith(".html")]
    assert other == []


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
    page = tab.show(smoke / "index.html")
    assert "<img src=x onerror=alert(1)> ended & failed" in page.locator("main").inner_text()
    assert page.locator("main img").count() == 0 and tab.troubles == []


def test_every_link_leads_somewhere(smoke, tab):
    targets, links = {}, []
    for path in all_pages(smoke):
        page = tab.show(path)
        targets[path.name] = set(
            page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
        )
        hrefs = page.evaluate("[...document.links].map(a => a.getAttribute('href'))")
        links += [(path.name, href) for href in hrefs]
    assert len(links) > 500
    for here, href in links:
        file, _, anchor = href.partition("#")
        if href.startswith("https://doi.org/"):
            continue
        assert not file or (smoke / file).is_file(), (here, href)
        assert not anchor or anchor in targets[file or here], (here, href)


KEYED = """[...document.querySelectorAll("[data-key]")].map(e => {
  const own = e.cloneNode(true);
  own.querySelectorAll("small, sup").forEach(x => x.remove());
  return [e.dataset.key, own.textContent, Number(e.dataset.scale ?? 1)];
})"""


@pytest.mark.parametrize("report", ["smoke", "published", "beside"])
def test_numbers_on_the_pages_are_those_of_the_data_file(report, tab, request):
    made = request.getfixturevalue(report)
    alone = made.suffix == ".html"  # the comparison
    numbers = Numbers(made.with_suffix(".json") if alone else made / "results.json")
    count, wrong = 0, []
    for path in [made] if alone else all_pages(made):
        for key, text, scale in tab.show(path).evaluate(KEYED):
            if not agrees(text, numbers.value(key), scale):
                wrong.append((path.name, key, text))
            count += 1
    assert wrong == [] and count > (30 if alone else 2000)


def test_the_one_file_stands_alone(smoke, tab, tmp_path):
    alone = shutil.copy(smoke / one_file.NAME, tmp_path)
    page = tab.show(alone)
    assert page.locator("section").count() == len(all_pages(smoke)) - 1
    hrefs = page.evaluate("[...document.links].map(a => a.getAttribute('href'))")
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


def column(page, table, number):
    cells = table.locator(f"tbody tr:not(.section):not([hidden]) > :nth-child({number})")
    return [text.split("\n")[0].strip() for text in cells.all_inner_texts()]


def test_tables_sort_by_number_and_by_text(smoke, tab):
    page = tab.show(smoke / "liang.html")
    table = page.locator("table", has=page.locator("caption[id^=t1-]"))
    names, printed = column(page, table, 1), column(page, table, 2)
    measured = table.get_by_role("button", name="measured").first
    assert len(names) == 7 and "X" in column(page, table, 3)  # one run failed
    for sign, direction in ((1, "ascending"), (-1, "descending")):
        measured.press("Enter")
        assert table.locator("th[aria-sort]").get_attribute("aria-sort") == direction
        *numbers, last = column(page, table, 3)
        values = [sign * float(text.split("\u202f")[0]) for text in numbers]
        assert values == sorted(values) and len(set(values)) > 1 and last == "X"
    by_row = dict(zip(names, printed, strict=True))
    assert column(page, table, 2) == [by_row[name] for name in column(page, table, 1)]
    table.get_by_role("button", name="Network").click()
    assert column(page, table, 1) == sorted(names, key=str.lower)


def test_sorting_says_a_cell_over_several_rows_in_each(smoke, tab):
    page = tab.show(smoke / "liang.html")
    table = page.locator("table", has=page.locator("caption[id^=more-]")).first
    sizes = table.evaluate("t => [...t.tBodies[0].rows].map(row => row.cells.length)")
    assert len(set(sizes)) == 2  # the network stands once for both twins
    names = table.locator("tbody th").all_inner_texts()
    table.get_by_role("button", name="Twin").click()
    assert sorted(column(page, table, 1)) == sorted(2 * names)
    twins = column(page, table, 2)
    assert twins == ["Keras"] * (len(twins) // 2) + ["PyTorch"] * (len(twins) // 2)


def test_a_long_table_filters_with_a_count(smoke, tab):
    page = tab.show(smoke / "environment.html")
    tools = page.locator(".tools", has=page.get_by_label("Filter rows")).last
    tools.get_by_label("Filter rows").fill("torch gru fold1")
    table = tools.locator("xpath=following-sibling::*[1]//table")
    shown = column(page, table, 1)
    assert shown and all("torch-cnn_gru" in text and "fold1" in text for text in shown)
    assert tools.get_by_role("status").inner_text().startswith(f"{len(shown)} of ")


def copied(page, table):
    """What its button copies, as rows of cells."""
    tools = table.locator("xpath=../preceding-sibling::*[1]")
    tools.get_by_role("button", name="Copy as text").click()
    page.wait_for_function(
        "e => e.textContent !== ''", arg=tools.get_by_role("status").element_handle()
    )
    assert tools.get_by_role("status").inner_text().startswith(("copied", "press"))
    area = tools.locator("textarea")
    text = area.input_value() if area.count() else page.evaluate("navigator.clipboard.readText()")
    return [line.split("\t") for line in text.split("\n")]


def plain(text):
    """A cell of a CSV file as it should be copied: no small print, no footnote, ASCII numbers."""
    text = re.sub(r" [(\[].*", "", text, flags=re.S).replace("\u2212", "-")
    text = re.sub(r"\s+", " ", re.sub(r"\s+%", "%", text))
    return re.sub(r"(\d),(?=\d{3}(?!\d))", r"\1", text)


@pytest.mark.parametrize(
    ("file", "name"),
    [("liang.html", "more-"), ("liang.html", "t1-"), ("evidence.html", "compared-")],
)
def test_a_table_is_copied_whole_as_plain_text(smoke, browser, file, name):
    tab = Tab(browser, permissions=["clipboard-read", "clipboard-write"])
    page = tab.show(smoke / file)
    page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    table = page.locator("table", has=page.locator(f"caption[id^={name}]")).first
    caption = table.locator("caption").get_attribute("id").removesuffix("-caption")
    found = copied(page, table)
    path = smoke / "tables" / f"{file.removesuffix('.html')}-{caption}.csv"
    heads, *rows = list(csv.reader(path.open(encoding="utf-8")))
    if heads[0] == "Section":
        heads, rows = heads[1:], [row[1:] for row in rows]
        found = [row for row in found if any(row[1:])]  # but for the titles within
    above = table.locator("thead tr").count()
    assert {len(row) for row in found} == {len(heads)}
    joined = [", ".join(dict.fromkeys(filter(None, c))) for c in zip(*found[:above], strict=True)]
    assert joined == [plain(text) if "(" not in text else text for text in heads]
    assert found[above:] == [[plain(text) for text in row] for row in rows]
    text = "".join(cell for row in found for cell in row)
    assert not set(text) & set("\u2212\u202f\u00a0")
    assert name == "more-" or re.search(r"-\d", text)
    tab.context.close()


def test_a_link_into_a_closed_part_opens_it(published, tab):
    anchor = "torch-efficientnet_lite0_lstm-s0"
    path = next(published.glob("runs-laptop-*fixed.html"))
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


def test_print_leaves_out_what_is_for_the_screen_and_opens_all(published, tab):
    page = tab.show(next(published.glob("runs-laptop-*cv10.html")))
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


@pytest.mark.parametrize("report", ["smoke", "published", "beside"])
def test_nothing_is_wider_than_a_printed_page(report, browser, request):
    made = request.getfixturevalue(report)
    tab = Tab(browser, viewport={"width": A4, "height": 1000})
    wide = []
    for path in [made] if made.suffix == ".html" else all_pages(made):
        page = tab.show(path)
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        ends = page.evaluate(
            "[...document.querySelectorAll('table, svg, img, code')].map(e => "
            "[e.querySelector('caption')?.id ?? e.tagName, e.getBoundingClientRect().right])"
        )
        wide += [(path.name, name, round(end)) for name, end in ends if end > A4 + 1]
    tab.context.close()
    assert wide == []


def test_a_page_prints_as_pdf(published, tab):
    page = tab.show(published / "liang.html")
    assert page.pdf(format="A4").startswith(b"%PDF-")


@pytest.mark.skipif(not AXE.is_file() and not REQUIRED, reason="AXE_CORE names no axe-core")
def test_axe_finds_no_serious_fault(smoke, published, beside, tab):
    """In the dark the colours alone are others."""
    found = []
    for path in [*all_pages(smoke), *own_pages(published), beside]:
        page = tab.show(path)
        page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
        page.evaluate(AXE.read_text(encoding="utf-8"))
        for scheme, rules in SCHEMES.items():
            page.emulate_media(color_scheme=scheme)
            result = page.evaluate(
                "rules => axe.run(document, {...rules, resultTypes: ['violations']})", rules
            )
            found += [
                (path.name, scheme, fault["id"], fault["impact"], fault["nodes"][0]["html"][:200])
                for fault in result["violations"]
                if fault["impact"] in SERIOUS
            ]
    assert found == []


@pytest.mark.parametrize("width", WIDTHS)
def test_pages_fit_their_width_and_are_kept_as_pictures(
    smoke, published, beside, browser, width, tmp_path
):
    shots = Path(os.environ.get("BROWSER_SHOTS", tmp_path))
    shots.mkdir(parents=True, exist_ok=True)
    tab = Tab(browser, viewport={"width": width, "height": 900})
    paths = [("phantom", path) for path in all_pages(smoke)]
    paths += [("published", path) for path in all_pages(published)] + [("compare", beside)]
    for report, path in paths:
        page = tab.show(path)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, (path.name, wide)
        whole = page.evaluate("document.documentElement.scrollHeight")
        whole = min(whole, TALLEST) if path.name == one_file.NAME else whole  # its pages follow
        for top in range(0, whole, TALLEST):
            part = f"-{top // TALLEST + 1}" if whole > TALLEST else ""
            clip = {"x": 0, "y": top, "width": width, "height": min(TALLEST, whole - top)}
            page.screenshot(
                path=shots / f"{report}-{path.stem}-{width}{part}.png", full_page=True, clip=clip
            )
    assert {f"{r}-{p.stem}-{width}" for r, p in paths} <= {
        re.sub(rf"-{width}-\d+$", f"-{width}", shot.stem) for shot in shots.glob("*.png")
    }
    tab.context.close()
