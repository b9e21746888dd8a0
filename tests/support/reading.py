"""Reads what a report wrote, for the tests of reports."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from unittest import mock

import numpy as np

from benchmarks.store.store import Store
from protocols import metrics
from reports.build import build
from reports.cells.collect import collect
from reports.data import results
from reports.pages import menu

PAPER = {"profile": "paper", "kind": "real", "weights": "imagenet"}
TABLES = "tables.html.j2"
LAPTOP = PAPER | {"profile": "laptop"}


class Tables(HTMLParser):
    """The rows of every table, by the beginning of its caption: lists of texts. Of tables with the
    same caption, which stand in sections of their own, the first is found."""

    def __init__(self, page: str):
        super().__init__()
        self.tables, self.rows, self.text, self.inside = {}, [], [], None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == "table":
            self.rows = []
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th", "caption"):
            self.text, self.inside = [], tag
        elif tag == "small" and self.inside:
            self.text.append(" | ")

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.rows[-1].append("".join(self.text).strip())
            self.inside = None
        elif tag == "caption":
            self.caption, self.inside = "".join(self.text), None
            while self.caption in self.tables:
                self.caption += " (again)"
        elif tag == "table":
            self.tables[self.caption] = self.rows

    def handle_data(self, data):
        if self.inside:
            self.text.append(data)

    def find(self, beginning: str) -> list[list[str]]:
        return next(rows for text, rows in self.tables.items() if text.startswith(beginning))

    def row(self, beginning: str, name: str) -> list[str]:
        found = (rows for text, rows in self.tables.items() if text.startswith(beginning))
        return next(row for rows in found for row in rows if row[0] == name)


def made(out: Path, plan, *only: str) -> dict:
    """Builds the report and reads results.json.
    If pages are named, only these are built, beside a first page without content."""
    first, *others = menu.pages()
    if only and first.file not in only:
        first = replace(first, content=lambda _: {"lead": "", "tables": []}, template=TABLES)
    shown = [first, *(page for page in others if not only or page.file in only)]
    assert {page.file for page in shown} >= {*only}
    with mock.patch.object(menu, "pages", lambda: shown):
        build(Store(out), plan, out)
    return json.loads((out / "results.json").read_text(encoding="utf-8"))


def results_of(out: Path, plan) -> dict:
    """Gives the content that results.json would have, without a page: a tenth of the time."""
    found = results.document(collect(Store(out), plan))
    return json.loads(results.as_json(found))


def word(result: dict, claim: str, framework: str = "keras", setting: int = 0) -> tuple[str, str]:
    """Gives the word and the reason of a claim's verdict."""
    slug = result["settings"][setting]["slug"]
    verdicts = next(c for c in result["claims"] if c["id"] == claim)["verdicts"]
    found = next(v for v in verdicts if (v["setting"], v["framework"]) == (slug, framework))
    return found["word"], found["reason"]


def page_text(path: Path) -> str:
    """Gives the text of a page, with apostrophes as they are read."""
    return path.read_text(encoding="utf-8").replace("&#39;", "'")


def pages(out: Path) -> dict[str, str]:
    """Gives the text of every page, but for the one script that stands in all of them."""
    own = f"<script>{menu.inline()['script']}</script>"
    texts = {path.name: page_text(path) for path in sorted(out.glob("*.html"))}
    assert all(text.count(own) == 1 for text in texts.values())
    return {name: text.replace(own, "") for name, text in texts.items()}


def percent(value: float) -> str:
    return f"{100 * value:.2f}\u202f%"


def scored(out: Path, run_id: str, part: str = "selected") -> dict[str, float]:
    arrays = np.load(out / "runs" / run_id / "predictions.npz")
    return metrics.score(arrays["labels"], arrays[part])


def hold_together(out: Path) -> None:
    """Checks that every id is its page's only one, and that every link leads somewhere."""
    texts = pages(out)
    ids = {name: re.findall(r'\sid="([^"]+)"', text) for name, text in texts.items()}
    known = {name: set(found) for name, found in ids.items()}
    for name, text in texts.items():
        assert len(ids[name]) == len(known[name]), name
        for target in set(re.findall(r'href="([^":]+)"', text)):
            file, _, anchor = target.partition("#")
            assert not file or (out / file).is_file(), (name, target)
            assert not anchor or anchor in known[file or name], (name, target)
