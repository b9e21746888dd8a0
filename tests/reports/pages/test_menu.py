"""A page is found by its own record: its module and its template are all that it takes."""

import re
import sys

import pytest

import reports.pages
from benchmarks.store.store import Store
from reports.build import build
from reports.pages import menu
from tests.support import synthetic

MODULE = '''"""A page on the seeds."""

from reports.pages.content import PageRecord
from reports.tables.builder import numbers, table
from reports.tables.table import Td


def page(results):
    seeds = sorted({slot.spec.seed for slot in results.collected.slots})
    rows = [[Td(str(seed))] for seed in seeds]
    return {"seeds": table("seeds", "The seeds.", numbers("Seed"), rows)}


PAGE = PageRecord(
    "seeds.html", "Which seeds ran?", "Seeds", page, place=7,
    is_there=lambda results: bool(results.collected.slots),
)
'''
TEMPLATE = """{% extends "base.html.j2" %}
{% block content %}{{ show(seeds) }}{% endblock %}
"""


@pytest.fixture
def another(tmp_path, monkeypatch):
    """A module of another page, and its template, beside those that are there."""
    modules, templates = tmp_path / "modules", tmp_path / "templates"
    for folder, name, text in (
        (modules, "seeds.py", MODULE),
        (templates, "seeds.html.j2", TEMPLATE),
    ):
        folder.mkdir()
        (folder / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(reports.pages, "__path__", [*reports.pages.__path__, str(modules)])
    loader = menu.engine().loader
    monkeypatch.setattr(loader, "searchpath", [*loader.searchpath, str(templates)])
    menu.pages.cache_clear()
    yield
    menu.pages.cache_clear()
    sys.modules.pop("reports.pages.seeds", None)


def test_a_page_takes_its_module_and_its_template(another, tmp_path):
    out = tmp_path / "out"
    run = synthetic.spec()
    synthetic.add(Store(out), run)
    build(Store(out), [run], out)
    page = (out / "seeds.html").read_text(encoding="utf-8")
    assert "<h1>Which seeds ran?</h1>" in page and ">The seeds.<" in page
    assert '<li><a href="seeds.html">Seeds</a></li>' in (out / "runs.html").read_text("utf-8")
    assert "Which seeds ran?" in (out / "report.html").read_text("utf-8")
    assert "**seeds-seeds.** The seeds." in (out / "tables.md").read_text("utf-8")
    build(Store(tmp_path / "empty"), [], out)
    assert not (out / "seeds.html").exists(), "it has nothing to show"


def test_the_menu_has_at_most_eight_entries_each_leading_to_all_of_its_pages(smoke_report):
    out, _ = smoke_report
    shown = [page for page in menu.pages() if (out / page.file).is_file()]
    entries = menu.entries(shown)
    assert 2 < len(entries) <= 8
    assert [one for entry in entries for one in entry.pages] == [(p.file, p.name) for p in shown]
    for page in shown:
        text = (out / page.file).read_text(encoding="utf-8")
        first, *within = [part.split("</nav>")[0] for part in text.split("<nav")[1:]]
        assert [entry.file for entry in entries] == re.findall(r'href="([^"]+)"', first)
        (own,) = [entry for entry in entries if entry.holds(page.file)]
        assert f'href="{own.file}" aria-current=' in first and first.count("aria-current") == 1
        files = re.findall(r'href="([^"]+)"', within[0]) if within else [page.file]
        assert files == [file for file, _ in own.pages] and len(within) <= 1
        assert f'href="{page.file}" aria-current="page"' in (within or [first])[0]


def test_no_two_pages_share_a_file_or_a_place():
    pages = menu.pages()
    assert pages[0].file == "index.html" and len(pages) == 16
    for name in ("file", "place", "name"):
        assert len({getattr(page, name) for page in pages}) == len(pages), name
