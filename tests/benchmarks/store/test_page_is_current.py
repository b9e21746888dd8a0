"""A page is current by the content that it was made from, never by file times."""

import ast
import os
import shutil
import sys
import time

import pytest

from benchmarks.store import current_page
from benchmarks.store.store import Store
from protocols.files import ROOT
from tests.support.synthetic import add, add_failed, spec

PARTS = [
    "plan.json", "benchmarks.json", "parity.json", "protocols/a.toml", "impl_torch/a.py",
    "reports/a.py", "reports/templates/a.j2", "reports/published/a.json", "benchmarks/a.py",
    "reports/pages/audit/a.py", "protocols/photographs/a.csv.gz",
    "wrong-pictures.json", "index.html",
]  # fmt: skip


@pytest.fixture
def built(tmp_path, monkeypatch):
    """A store with a run, and a page that says it is made from it."""
    store = Store(tmp_path / "out")
    monkeypatch.setattr(current_page, "ROOT", store.out)  # where the sources are looked for
    add(store, spec())
    store.remember([spec()])
    for name in PARTS[1:]:
        (store.out / name).parent.mkdir(parents=True, exist_ok=True)
        (store.out / name).write_text(f"{name} as it was", encoding="utf-8")
    current_page.page_is_built(store, store.out / "index.html", current_page.made_from(store))
    assert current(store)
    return store


def current(store):
    return current_page.page_is_current(store, store.out / "index.html")


def make_old(folder):
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, ns=(0, 0))


@pytest.mark.parametrize("how", ["changed", "gone"])
def test_anything_else_that_it_is_made_from_makes_it_old(built, how):
    for part in PARTS:
        path = built.out / part
        before = path.read_bytes()
        if how == "gone":
            path.unlink()
        else:
            path.write_text("other", encoding="utf-8")
            os.utime(path, ns=(0, 0))  # as a copy that keeps its times has it
        assert not current(built), part
        path.write_bytes(before)
        assert current(built), part


DISTRIBUTIONS = {"PIL": "pillow", "sklearn": "scikit-learn"}  # where the import's name is another
NO_MATTER = {"msgspec", "markupsafe"}  # they read files and mark text: nothing shown is theirs


def test_every_package_that_reports_import_makes_it_old(built, monkeypatch):
    trees = [ast.parse(p.read_text(encoding="utf-8")) for p in (ROOT / "reports").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {n.module for n in nodes if isinstance(n, ast.ImportFrom) and n.module}
    names |= {one.name for n in nodes if isinstance(n, ast.Import) for one in n.names}
    tops = {name.split(".")[0] for name in names} - sys.stdlib_module_names - NO_MATTER
    packages = sorted(DISTRIBUTIONS.get(top, top) for top in tops - set(current_page.SOURCES))
    assert {"numpy", "pillow", "scikit-learn", "scipy"} <= set(packages)
    found = current_page.version
    for package in packages:
        monkeypatch.setattr(
            current_page, "version", lambda name, p=package: "0.1" if name == p else found(name)
        )
        assert not current(built), package
    monkeypatch.setattr(current_page, "version", found)
    assert current(built)


def test_runs_that_were_copied_with_their_old_times_are_seen(built, tmp_path):
    other = Store(tmp_path / "other")
    run = add(other, spec("torch"))
    make_old(run.folder)
    shutil.copytree(run.folder, built.runs_folder / run.spec.id)
    assert (built.runs_folder / run.spec.id / "run.json").stat().st_mtime == 0
    assert not current(built)


def test_a_failure_a_lost_file_and_a_lost_run_are_seen(built):
    page, states = built.out / "index.html", {current_page.made_from(built)}
    failed = add_failed(built, spec("torch"), "MemoryError")
    states.add(current_page.made_from(built))
    shutil.rmtree(failed.folder)
    assert current(built)
    (built.runs()[0].folder / "history.csv").unlink()
    states.add(current_page.made_from(built))
    shutil.rmtree(built.runs()[0].folder)
    states.add(current_page.made_from(built))
    assert len(states) == 4 and not current(built)
    current_page.page_is_built(built, page, current_page.made_from(built))
    assert current(built)


def test_times_alone_change_nothing(built):
    make_old(built.out)
    assert current(built)
    os.utime(built.out / "plan.json")
    assert current(built)


def test_a_run_that_ends_while_the_page_is_made_makes_it_old(built):
    made_from = current_page.made_from(built)
    add(built, spec("torch"))
    current_page.page_is_built(built, built.out / "index.html", made_from)
    assert not current(built)


def test_a_checkpoint_or_a_run_at_work_changes_nothing(built):
    built.checkpoint([spec("torch")]).write_bytes(b"x")
    built.begin(spec("torch"))
    assert current(built)


def test_an_older_page_put_back_is_not_taken_for_the_new_one(built):
    page = built.out / "index.html"
    page.write_text("of last year", encoding="utf-8")
    assert not current(built)


def test_two_hundred_runs_are_asked_in_no_time(tmp_path):
    store = Store(tmp_path / "out")
    first = add(store, spec()).folder
    for number in range(199):
        shutil.copytree(first, store.runs_folder / f"run{number}")
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        current_page.made_from(store)
        seconds.append(time.perf_counter() - begin)
    assert min(seconds) < 0.3
