"""What is recorded under reports/published/ is whole, unaltered, and makes a report."""

import json
from pathlib import Path

import pytest

from benchmarks.merge import merge
from benchmarks.store import Store
from reports.build import build

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
    assert any(value is not None and 0.25 < value <= 1 for value in accuracies)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_published_runs_name_versions_and_device_but_no_path(folder):
    for run in Store(folder).runs():
        assert run.env["versions"] and run.env["device_detail"]
        for path in (p for p in run.folder.iterdir() if p.suffix in TEXT):
            text = path.read_text()
            assert not any(root in text for root in ("/root", "/home", "/work", "/tmp")), path


def test_something_is_published():
    assert FOLDERS
