"""The fixtures that all tests share: a cache with the phantom, and runs that train on it."""

import contextlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from markupsafe import Markup

from benchmarks.planning.plan import Selection, make_plan, set_request
from benchmarks.store.merge import merge
from benchmarks.store.store import Store
from protocols.images import dataset
from protocols.images.decoded import image_set
from protocols.runs.worker_loop import Job
from reports.build import build
from reports.cells import cell
from reports.comparison import judge
from reports.figures import drawing
from reports.judging import contrasts
from tests.support import synthetic
from tests.support.devices import CPU
from tests.support.published import FOLDERS

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("JAX_PLATFORMS", "cpu")  # test_gpu.py starts processes that take the GPU


# Two processes share the files; those of a minute and more come first, lest one be left at the end.
LONG = (
    "twins/test_parity.py",
    "golden/test_results_version.py",
    "whole/test_resume.py",
    "whole/test_browser.py",
    "whole/test_end_to_end.py",
    "whole/test_worked_examples.py",
    "twins/test_jax.py",
    "twins/test_pairs.py",
    "twins/test_training.py",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Puts the longest files first, and the tests of one pair of twins one after the other."""

    def place(item):
        file = item.nodeid.partition("::")[0].removeprefix("tests/")
        pair = item.callspec.params.get("made") if hasattr(item, "callspec") else None
        return (LONG.index(file), str(pair)) if file in LONG else (len(LONG), "")

    items.sort(key=place)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Gives made_once(name, make): the folder of that name, filled by `make(folder)` once a
    session. The processes of pytest-xdist share the folder, so a test may only read it."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # that of all workers

    def made(name, make):
        folder = root / "once" / name
        folder.parent.mkdir(exist_ok=True)
        with FileLock(f"{folder}.lock"):
            whole = Path(f"{folder}.whole")
            if not whole.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of an attempt that failed
                folder.mkdir()
                make(folder)
                whole.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def smoke_report(made_once, shortcuts):
    """Gives a folder with the whole smoke plan of made-up runs and its report, and the plan; only
    to read."""

    def make(out):
        store, plan = synthetic.make(out)
        build(store, plan, out)

    return made_once("smoke-report", make), synthetic.suite()


@pytest.fixture(scope="session")
def published_report(made_once, cache, shortcuts):
    """Gives a folder with all recorded runs and their report; only to read.
    The report has pictures where WBC_DATA names the images."""

    def make(out):
        store, there = Store(out), os.environ.get("WBC_DATA")
        merge(FOLDERS, store)
        source = dataset.locate(there, True, cache) if there else None
        build(store, store.plan(), out, 1, source)

    return made_once("published-report", make)


def draw(cache):
    """Gives the phantom in a cache; draws the phantom if it isn't there."""
    return dataset.made(dataset.locate("phantom", True, cache), True, cache)


@pytest.fixture(scope="session")
def cache(made_once, tmp_path_factory):
    """Gives a cache folder that all tests of a process share; its phantom is drawn once for all."""
    drawn = made_once("phantom", draw)
    folder = tmp_path_factory.mktemp("cache")
    for path in drawn.iterdir():
        (folder / path.name).symlink_to(path)
    return folder


@pytest.fixture(scope="session")
def phantom(cache):
    return draw(cache)


@pytest.fixture(scope="session")
def plan_of():
    """Gives plan(*variants, **words): the smoke plan of variants on the phantom; words change the
    selection."""

    def plan(*variants, **words):
        return make_plan(Selection(variants=variants, **words), "phantom", CPU, cores=2)

    return plan


@pytest.fixture
def job_of(phantom, cache, tmp_path):
    """Gives job(spec): the job of a spec, with its decoded phantom set and an empty folder."""

    def job(spec):
        images = image_set(phantom, set_request(spec.protocol, spec.fold, spec.data), cache)
        return Job(
            images=images.folder,
            folder=tmp_path,
            jpeg=Path(images.files[0]),
            cache=cache,
            checkpoint=tmp_path / "checkpoint.npz",
        )

    return job


@pytest.fixture(scope="session", autouse=True)
def shortcuts():
    """Lets all pages be made sooner, for pages are built often here: intervals come from few draws,
    and a PDF of a figure, which takes as long to draw as the rest of it, has no content. Gives what
    stands there else, as (module, name, value)."""
    short = (
        (cell, "DRAWS", 300),
        (contrasts, "DRAWS", 200),
        (judge, "DRAWS", 200),
        (drawing, "to_pdf", lambda *_: b"%PDF-"),
    )
    whole = [(module, name, getattr(module, name)) for module, name, _ in short]
    with pytest.MonkeyPatch.context() as patch:
        for one in short:
            patch.setattr(*one)
        yield whole


@pytest.fixture(scope="session")
def without_figures():
    """Gives a context in which no figure is drawn, for reports whose tables alone are read."""

    @contextlib.contextmanager
    def undrawn():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(drawing, "to_svg", lambda *_: Markup("<svg></svg>"))
            patch.setattr(drawing, "to_pdf", lambda *_: b"%PDF-")
            yield

    return undrawn


@pytest.fixture
def rng():
    return np.random.default_rng(0)
