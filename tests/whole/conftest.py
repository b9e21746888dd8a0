"""Fixtures of the tests from end to end: the browser, and what it shows."""

import json
import os
import shutil
from pathlib import Path

import pytest

from benchmarks.store.store import Store
from reports.build import build
from reports.cells.settings import Setting
from reports.comparison import page as comparison_page
from tests.support import synthetic
from tests.support.browser import CHROMIUM, Tab, all_pages, own_pages
from tests.support.seen import visit


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        found = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def tab(browser):
    found = Tab(browser, viewport={"width": 1280, "height": 900})
    yield found
    found.context.close()


@pytest.fixture(scope="module")
def seen(made_once, browser, smoke, published_report, beside):
    """Gives what each page of three reports shows, by report and file: support/seen.py. A page is
    opened once for all tests that ask. The file that holds all pages is that of the made-up runs:
    opening it takes long, and the two differ in their runs alone. BROWSER_SHOTS gets pictures."""

    def make(folder):
        shots = Path(os.environ.get("BROWSER_SHOTS", folder))
        shots.mkdir(parents=True, exist_ok=True)
        reports = {"smoke": all_pages(smoke), "published": own_pages(published_report)}
        reports["compare"], tab = [beside], Tab(browser)
        found = {
            name: {path.name: visit(tab, name, path, shots) for path in paths}
            for name, paths in reports.items()
        }
        tab.context.close()
        (folder / "seen.json").write_text(json.dumps(found), encoding="utf-8")

    return json.loads((made_once("seen", make) / "seen.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def smoke(made_once, shortcuts):
    """Gives a report of made-up smoke runs, one of them failed with markup in its reason. Their
    numbers stand beside the claims, which those of smoke runs don't, to fill every table."""

    def make(out):
        store, plan = synthetic.make(out)
        gone = plan[0]
        shutil.rmtree(out / "runs" / gone.id)
        synthetic.add_failed(store, gone, "<img src=x onerror=alert(1)> ended & failed")
        synthetic.add(store, synthetic.spec("keras", "xception", recipe={"label_smoothing": 0.0}))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Setting, "comparable", True)
            build(store, plan, out)

    return made_once("smoke-with-a-failure", make)


@pytest.fixture(scope="session")
def beside(made_once, shortcuts):
    """Gives compare.html of two stores: a network in five seeds each, another in one, a lone
    run."""

    def make(out):
        a, b = Store(out / "a"), Store(out / "b")
        for seed in range(5):
            run = synthetic.spec("keras", "xception", seed=seed)
            synthetic.add(a, run, accuracy=0.8 + seed / 100)
            synthetic.add(b, run, accuracy=0.7 + seed / 100)
        for store in (a, b):
            synthetic.add(store, synthetic.spec("torch", "resnet50"))
        synthetic.add(a, synthetic.spec("torch", "xception"))
        comparison_page.compare(a, b, out)

    return made_once("comparison", make) / comparison_page.PAGE
