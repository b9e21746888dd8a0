"""Fixtures of the comparison of two stores."""

import json

import pytest

from benchmarks.store.store import Store
from reports.comparison import page as comparison_page
from tests.support.reading import Tables, hold_together, pages
from tests.support.synthetic import add


@pytest.fixture
def stores(tmp_path):
    """Makes a store of runs under the name: (spec, its accuracy, or seconds of a cold answer).

    Paper runs have two epochs of each phase: stored answers of 170 are the slow part.
    """

    def make(name, *runs):
        store = Store(tmp_path / name)
        for run, value in runs:
            more = {"accuracy" if run.stage == "train" else "cold": value}
            more |= {"epochs": 2} if run.profile == "paper" else {}
            add(store, run, **more)
        return store

    return make


@pytest.fixture
def compared(tmp_path):
    """Gives a function that compares two stores.
    It gives compare.json, the tables of compare.html, and the lines of text."""

    def make(a, b):
        lines = comparison_page.compare(a, b, tmp_path / "beside")
        found = json.loads((tmp_path / "beside" / "compare.json").read_text(encoding="utf-8"))
        hold_together(tmp_path / "beside")
        return found, Tables(pages(tmp_path / "beside")["compare.html"]), "\n".join(lines)

    return make
