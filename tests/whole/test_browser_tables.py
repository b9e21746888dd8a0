"""Tables of the pages in Chromium: sorted, filtered, copied."""

import csv
import re

import pytest

from tests.support.browser import NEEDED, OPEN, Tab

pytestmark = NEEDED


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
    table.get_by_role("button", name="Framework").click()
    assert sorted(column(page, table, 1)) == sorted(2 * names)
    twins = column(page, table, 2)
    assert twins == ["Keras"] * (len(twins) // 2) + ["PyTorch"] * (len(twins) // 2)


def test_a_long_table_filters_with_a_count(smoke, tab):
    page = tab.show(smoke / "environment.html")
    page.get_by_text("Every run, with the files that it left").click()
    tools = page.locator(".tools", has=page.get_by_label("Filter rows")).last
    tools.get_by_label("Filter rows").fill("torch gru fold1")
    table = tools.locator("xpath=following-sibling::*[1]//table")
    shown = column(page, table, 1)
    assert shown and all("torch-cnn_gru" in text and "fold1" in text for text in shown)
    assert tools.get_by_role("status").inner_text().startswith(f"{len(shown)} of ")


def test_a_filter_hides_the_titles_of_rows_that_are_all_hidden(smoke, tab):
    page = tab.show(smoke / "claims.html")
    tools = page.locator(".tools", has=page.get_by_label("Filter rows")).first
    bodies = tools.locator("xpath=following-sibling::*[1]//tbody")
    every = bodies.count()
    tools.get_by_label("Filter rows").fill("epoch 100")
    assert bodies.locator("visible=true").count() > 0
    titles = bodies.locator(".section")
    assert titles.count() == every > 1
    assert [titles.nth(i).is_visible() for i in range(every)] == [
        bodies.nth(i).locator("tr:not(.section):not([hidden])").count() > 0 for i in range(every)
    ]
    assert titles.locator("visible=true").count() < every
    tools.get_by_label("Filter rows").fill("")
    assert titles.locator("visible=true").count() == every


def opacity(element, part=None):
    return element.evaluate("(e, part) => getComputedStyle(e, part).opacity", part)


def test_controls_appear_where_one_points_and_where_the_keyboard_is(smoke, tab):
    page = tab.show(smoke / "liang.html")
    tools = page.locator(".tools").first
    table = tools.locator("xpath=following-sibling::*[1]")
    arrow = table.locator(".sort").first
    assert (opacity(tools), opacity(arrow, "::after")) == ("0", "0")
    table.locator("thead th").first.hover()
    assert (opacity(tools), opacity(arrow, "::after")) == ("1", "1")
    page.mouse.move(0, 0)
    assert opacity(tools) == "0"
    tools.get_by_role("button").focus()
    assert opacity(tools) == "1" and opacity(arrow, "::after") == "0"
    for _ in ("the table, which can be scrolled", "its address", "its first heading"):
        page.keyboard.press("Tab")
    assert opacity(arrow, "::after") == "1"


def test_controls_are_always_there_for_a_finger(smoke, browser):
    finger = Tab(browser, viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    page = finger.show(smoke / "liang.html")
    assert {opacity(tools) for tools in page.locator(".tools").all()} == {"1"}
    assert opacity(page.locator(".sort").first, "::after") == "1"
    finger.context.close()


def test_a_table_that_goes_on_sideways_says_so_until_its_end(smoke, browser):
    narrow = Tab(browser, viewport={"width": 390, "height": 800})
    page = narrow.show(smoke / "liang.html")
    page.evaluate(OPEN)  # in a closed part nothing is visible, and widths are those of any time
    seen = 0
    for sign in page.locator(".more").all():
        scroller = sign.locator("xpath=following-sibling::*[1]/descendant-or-self::*[@tabindex]")
        if not scroller.count():
            continue  # a drawing
        wide = scroller.evaluate("e => e.scrollWidth - e.clientWidth > 1")
        there = "([e, wide]) => e.checkVisibility({ visibilityProperty: true }) === wide"
        page.wait_for_function(there, arg=[sign.element_handle(), wide])  # by an observer
        if wide:
            scroller.evaluate("e => (e.scrollLeft = e.scrollWidth)")
            page.wait_for_function(there, arg=[sign.element_handle(), False])
            seen += 1
    assert seen > 1
    narrow.context.close()


# of each row whose cells stand below each other: whether all begin at one place, and how far the
# first cell keeps from the row's heading
STACKED = """[...document.querySelectorAll('.stacks tbody tr:not(.section)')].map(row => {
  const [head, ...cells] = row.cells, left = e => e.getClientRects()[0]?.left
    + parseFloat(getComputedStyle(e).paddingLeft);
  const below = cells.filter(e => getComputedStyle(e).display === 'block');
  const even = below.every(e => Math.abs(left(e) - left(head)) < 1
    && getComputedStyle(e).textAlign === 'left');
  const gap = parseFloat(getComputedStyle(cells[0], '::before').marginLeft);
  return [even, below[0] === cells[0] || gap > 4];
})"""


def test_on_a_small_screen_the_cells_of_a_row_begin_at_one_place(published_report, browser):
    narrow = Tab(browser, viewport={"width": 390, "height": 800})
    for name in ("images.html", "assumed.html", "leakage.html"):
        found = narrow.show(published_report / name).evaluate(STACKED)
        assert len(found) > 7 and all(even and apart for even, apart in found), name
    narrow.context.close()


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
