"""What is recorded under reports/published/ is whole, unaltered, and makes a report."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from keys import Numbers, agrees

import benchmarks.store
from benchmarks.merge import merge
from benchmarks.store import Store
from reports import picture
from reports.answers import photographs
from reports.build import build
from reports.tables import STALE

PUBLISHED = Path(__file__).resolve().parent.parent / "reports" / "published"
FOLDERS = sorted(path.parent for path in PUBLISHED.glob("*/plan.json"))
TEXT = (".json", ".csv", ".txt")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_published_runs_are_unaltered_and_make_a_report(folder, tmp_path):
    published, out = Store(folder), Store(tmp_path)
    runs = published.runs()
    assert published.validate() == []
    assert all(run.done and run.folder.name == run.spec.id for run in runs)
    assert {run.spec.id for run in runs} <= {spec.id for spec in published.plan()}
    assert merge([folder], out) == len(runs)
    found = json.loads((build(out, out.plan(), tmp_path).parent / "results.json").read_text())
    accuracies = [cell["numbers"]["selected"]["accuracy"]["value"] for cell in found["cells"]]
    assert accuracies and all(value is not None and 0 <= value <= 1 for value in accuracies)
    if folder.name != "smoke":  # whose networks are trained for an epoch or two, from random ones
        assert any(value > 0.25 for value in accuracies)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_published_runs_name_versions_and_device_but_no_path(folder):
    for run in Store(folder).runs():
        assert run.env["versions"] and run.env["device_detail"]
        for path in (p for p in run.folder.iterdir() if p.suffix in TEXT):
            text = path.read_text()
            assert not any(root in text for root in ("/root", "/home", "/work", "/tmp")), path


def test_something_is_published():
    assert FOLDERS


def test_the_readme_s_picture_is_that_of_the_published_runs():
    assert picture.PICTURE.read_text() == picture.picture()
    assert picture.PICTURE.relative_to(PUBLISHED.parent.parent).as_posix() in (
        (PUBLISHED.parent.parent / "README.md").read_text()
    )


def test_the_readme_s_words_on_the_picture_are_the_numbers():
    keras, torch = picture.found().values()
    both = ~keras.right & ~torch.right
    _, counts = np.unique(photographs(keras.ids)[both], return_counts=True)
    said = f"both twins get {both.sum()} wrong, and {sum(sorted(counts)[-3:])} of those"
    assert said in (PUBLISHED.parent.parent / "README.md").read_text()


def test_the_readme_s_main_table_is_the_published_runs(whole):
    """README row -> the network, or the two whose difference it is, by results.json."""
    numbers = Numbers(whole["laptop"] / "results.json")
    place = "laptop-real-imagenet-cpu-float32"
    plain, own = "efficientnet_lite0", "fixed"
    both_last = {
        "alone / with the LSTM, last epoch": (own, plain, f"{plain}_lstm"),
        "CNN-LSTM / CNN-GRU, last epoch": ("cv10", f"{plain}_cnn_lstm", f"{plain}_cnn_gru"),
    }
    rows = {
        "alone, 2,487 test images": (own, plain),
        "with an LSTM over the rows": (own, f"{plain}_lstm"),
        "difference, 95 % interval on new photographs, points": (own, f"{plain}_lstm-{plain}"),
        "CNN-LSTM, 10 folds": ("cv10", f"{plain}_cnn_lstm"),
        "CNN-GRU, 10 folds": ("cv10", f"{plain}_cnn_gru"),
        "difference": ("cv10", f"{plain}_cnn_lstm-{plain}_cnn_gru"),
    }
    text = (PUBLISHED.parent.parent / "README.md").read_text()
    found = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    table = {name: cells for name, *cells in found if name in rows | both_last}
    assert table.keys() == (rows | both_last).keys()
    for name, (protocol, what) in rows.items():
        for framework, cell in zip(("keras", "torch"), table[name], strict=True):
            key = f"{place}/{protocol}/{framework}/{what}"
            if "-" in what:
                value, between = cell.rstrip(")").split(" (")
                assert agrees(value, numbers.value(f"{key}:value"), 100), (name, framework)
                assert agrees(between, numbers.value(f"{key}:linearised"), 100), (name, framework)
            else:
                mean = numbers.value(f"{key}:numbers.selected.accuracy.value")
                assert agrees(cell, mean, 100), (name, framework)
    for name, (protocol, *networks) in both_last.items():
        for framework, cell in zip(("keras", "torch"), table[name], strict=True):
            for network, accuracy in zip(networks, cell.split(" / "), strict=True):
                key = f"{place}/{protocol}/{framework}/{network}:numbers.last.accuracy.value"
                assert agrees(accuracy, numbers.value(key), 100), (name, framework)


def section(markdown, title):
    """The part of tables.md under a page's heading."""
    return next(p for p in markdown.split("\n## ")[1:] if p.startswith(title + "\n"))


GOLDEN = (
    ("laptop", "On a laptop", "control"),
    ("laptop", "Evidence", "evidence"),
    ("laptop", "Errors", "errors"),
    ("smoke", "Liang 2018", "liang"),
    ("smoke", "Jane 2022", "jane"),
    ("smoke", "Evidence", "evidence"),
    ("smoke", "Arithmetic", "arithmetic"),
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, few_draws):
    """A report of each published folder, with all draws, by the sources that made its runs."""
    found = {}
    for name in {folder for folder, _, _ in GOLDEN}:
        out = tmp_path_factory.mktemp(name)
        with pytest.MonkeyPatch.context() as patch:
            made_by = {
                (r.spec.framework, r.spec.stage): r.record["sources"]
                for r in Store(PUBLISHED / name).runs()
            }
            patch.setattr(benchmarks.store, "source_digests", lambda *of, by=made_by: by[of])
            for one in few_draws:
                patch.setattr(*one)
            store = Store(PUBLISHED / name)
            build(store, store.plan(), out)
        found[name] = out
    return found


@pytest.mark.parametrize(("folder", "title", "page"), GOLDEN)
def test_tables_of_stored_results_are_the_golden_ones(folder, title, page, whole):
    """To write them anew, then read the difference before you commit it:

    UPDATE_GOLDEN=1 .venv/bin/python -m pytest tests/test_published.py -k golden
    """
    found = section((whole[folder] / "tables.md").read_text(), title)
    golden = Path(__file__).parent / "golden" / f"{folder}-{page}.md"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(found)
    assert found == golden.read_text()
    assert STALE not in found
