"""Opens the pages of a report in Debian's Chromium."""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from reports.pages import one_file

REQUIRED = os.environ.get("REQUIRE_BROWSER") == "1"


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
AXE = Path(os.environ.get("AXE_CORE", "/nowhere")) / "node_modules/axe-core/axe.min.js"
THERE = CHROMIUM and find_spec("playwright")
NEEDED = pytest.mark.skipif(
    not THERE and not REQUIRED, reason="no Chromium, or no playwright, here"
)
SERIOUS = ("serious", "critical")
WIDTHS = (1280, 390)
OPEN = "document.querySelectorAll('details').forEach(e => e.open = true)"
# Leaves of siblings that are alike two, or else axe-core looks at ten thousand rows with the same
# faults. Alike are those with the same elements, attributes, classes, roles and colours within, and
# text at the same places. The cells of a row all stay, for they belong to headings.
THIN = """
const told = ["class", "role", "scope", "type", "fill", "stroke", "tabindex"];
const shape = e => e.tagName
  + [...e.attributes].map(a => a.name + (told.includes(a.name) ? a.value : !a.value))
  + [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())
  + `(${[...e.children].map(shape)})`;
for (const parent of document.querySelectorAll("tbody, ul, ol, dl, g, svg, main div")) {
  const seen = {};
  for (const e of [...parent.children]) {
    const own = shape(e);
    seen[own] = (seen[own] ?? 0) + 1;
    if (seen[own] > 2) e.remove();
  }
}"""


class Tab:
    """A page of the browser that keeps its complaints and its requests."""

    def __init__(self, browser, **words):
        self.context = browser.new_context(**words)
        self.page = self.context.new_page()
        self.troubles, self.requests = [], []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("dialog", lambda dialog: self.troubles.append(f"dialog {dialog.message}"))

    def _said(self, message):
        if message.type in ("error", "warning"):
            self.troubles.append(message.text)

    def show(self, path, anchor=""):
        self.page.goto(f"file://{path}{anchor}")
        return self.page


def serious_faults(page, *, every=False, **rules):
    """Opens all parts of a page and gives the serious faults that axe-core finds, or `every` one:
    the name of each, and the first element that has it. The page is no longer whole then."""
    page.evaluate(OPEN)
    page.evaluate(f"() => {{{THIN}}}")
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    run = "rules => axe.run(document, {...rules, resultTypes: ['violations']})"
    return [
        (fault["id"], fault["nodes"][0]["html"][:200])
        for fault in page.evaluate(run, rules)["violations"]
        if every or fault["impact"] in SERIOUS
    ]


def all_pages(out):
    """Gives every page of a report."""
    found = sorted(out.glob("*.html"))
    assert len(found) > 12
    return found


def is_kept(report, name):
    """Gives whether a picture of a page is kept: of every first page, and of all pages of recorded
    runs and the comparison where BROWSER_SHOTS names a folder for them."""
    if name == "index.html":
        return True
    return "BROWSER_SHOTS" in os.environ and report != "smoke" and name != one_file.NAME


def own_pages(out):
    """Gives the pages whose content isn't on another page."""
    return [path for path in all_pages(out) if path.name != one_file.NAME]
