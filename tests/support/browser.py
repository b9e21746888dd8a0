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


def all_pages(out):
    """Gives every page of a report."""
    found = sorted(out.glob("*.html"))
    assert len(found) > 12
    return found


def own_pages(out):
    """Gives the pages whose content isn't on another page."""
    return [path for path in all_pages(out) if path.name != one_file.NAME]
