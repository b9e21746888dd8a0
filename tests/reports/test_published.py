"""What is recorded under reports/published/ is whole, unaltered, and makes a report."""

import json
import os
import re

import numpy as np
import pytest

from benchmarks.store import validation
from benchmarks.store.store import Store
from protocols.files import ROOT
from protocols.spec import FRAMEWORKS
from reports import readme, recorded_folds
from reports.build import build
from reports.pages.audit import page as audit
from reports.tables.formats import STALE
from tests.support.data_keys import Numbers, agrees
from tests.support.published import FOLDERS, PUBLISHED
from tests.support.reading import hold_together
from tests.support.synthetic import add, raise_version, spec

TEXT = (".json", ".csv", ".txt")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_published_runs_are_unaltered_and_make_a_report(folder, published_report):
    published = Store(folder)
    runs = published.runs()
    ids = {run.spec.id for run in runs}
    assert validation.sentences(published) == []
    assert all(run.done and run.folder.name == run.spec.id for run in runs)
    assert ids <= {spec.id for spec in published.plan()}
    found = json.loads((published_report / "results.json").read_text(encoding="utf-8"))
    assert ids <= {run["id"] for run in found["runs"] if run["state"] == "done"}
    cells = [cell for cell in found["cells"] if ids & set(cell["runs"])]
    scores = [cell["numbers"]["selected"]["accuracy"] for cell in cells]
    # of ten folds some may still be to record: there is no mean over those that are there
    accuracies = [one["value"] for one in scores if not re.match(r"\d of 10 folds", one["lack"])]
    assert accuracies and all(value is not None and 0 <= value <= 1 for value in accuracies)
    assert len(accuracies) == sum(one["value"] is not None for one in scores)
    if folder.name != "smoke":  # whose networks are trained for an epoch or two, from random ones
        assert any(value > 0.25 for value in accuracies)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_published_runs_name_versions_and_device_but_no_path(folder):
    for run in Store(folder).runs():
        assert run.env["versions"] and run.env["device_detail"]
        for path in (p for p in run.folder.iterdir() if p.suffix in TEXT):
            text = path.read_text(encoding="utf-8")
            assert not any(root in text for root in ("/root/", "/home/", "/work/", "/tmp/")), path


def test_links_and_ids_of_the_published_pages_hold_together(published_report):
    hold_together(published_report)


def test_no_two_published_pages_have_the_same_heading(published_report):
    text = {p.name: p.read_text(encoding="utf-8") for p in published_report.glob("*.html")}
    del text["report.html"]  # it has all of them
    found = [re.search(r"<h1>(.*?)</h1>", page)[1] for page in text.values()]
    assert len(found) > 20 and len(set(found)) == len(found)


def test_apostrophes_of_the_published_pages_are_straight(published_report):
    for page in published_report.glob("*.html"):
        assert not re.search(r"\w’\w", page.read_text(encoding="utf-8")), page.name


def test_something_is_published():
    assert FOLDERS


def test_the_picture_of_the_recorded_runs_is_theirs():
    assert readme.PICTURE.read_text(encoding="utf-8") == readme.picture()
    assert readme.PICTURE.relative_to(ROOT).as_posix() in readme.RECORDED.read_text(
        encoding="utf-8"
    )


def known(path):
    """The cells and comparisons of a results.json by id."""
    found = json.loads(path.read_text(encoding="utf-8"))
    return {one["id"]: one for one in (*found["cells"], *found["comparisons"])}


def test_the_page_of_the_recorded_runs_says_what_is_recorded(whole):
    """Its table's numbers are those of results.json, and nothing is left to write anew."""
    path = whole["laptop"] / "results.json"
    numbers, text = Numbers(path), readme.RECORDED.read_text(encoding="utf-8")
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    table = {name: cells for name, *cells in lines if name in readme.ROWS}
    assert table.keys() == readme.ROWS.keys()
    for name, row in readme.ROWS.items():
        for framework, cell in zip(FRAMEWORKS, table[name], strict=True):
            place = f"{readme.SETTING}{row.change}/{row.protocol}/{framework}"
            found = [known(path).get(f"{place}/{network}") for network in row.networks]
            if None in found:
                assert cell == readme.NOT_RECORDED
            elif lacking := [one["lack"] for one in found if one["lack"]]:
                assert set(lacking) <= set(re.split(", | / ", cell)), (name, framework)
            elif row.what == readme.DIFFERENCE:
                key = f"{place}/{'-'.join(row.networks)}"
                value, between = cell.rstrip(")").split(" (")
                assert agrees(value, numbers.value(f"{key}:value"), 100), (name, framework)
                assert agrees(between, numbers.value(f"{key}:linearised"), 100), (name, framework)
            else:
                for one, said in zip(found, cell.split(" / "), strict=True):
                    mean = numbers.value(f"{one['id']}:numbers.{row.what}.accuracy.value")
                    assert agrees(said, mean, 100), (name, framework)
    of_today = known(path)
    assert readme.recorded(text, of_today) == text
    words = readme.words()
    assert readme.recorded(text.replace(words, "1 wrong, and 1 of those show"), of_today) == text
    line = next(line for line in text.splitlines() if line.startswith("| CNN-GRU, 10 folds |"))
    assert readme.recorded(text.replace(line, "| CNN-GRU, 10 folds | X | X |"), of_today) == text
    with pytest.raises(ValueError, match="doesn't say"):
        readme.recorded(text.replace(readme.BELOW, ""), of_today)


def test_the_table_of_folds_says_what_each_fold_reached(whole):
    found = json.loads((whole["laptop"] / "results.json").read_text(encoding="utf-8"))["runs"]
    text = readme.RECORDED.read_text(encoding="utf-8")
    for column, variant in enumerate(readme.OWN_HEADS):
        start = f"torch-{variant}-cv10-fold"
        # of several settings of a network, this one's command line changes no value
        runs = [r for r in found if r["id"].startswith(start) and "--set" not in r["command"]]
        scores = {run["id"].removeprefix(start)[0]: run["scores"] for run in runs}
        assert "0" in scores
        for at, place in (("last", 2 * column), ("selected", 2 * column + 1)):
            shares = {fold: of[at]["accuracy"] for fold, of in scores.items()}
            for name in recorded_folds.FOLD_ROWS:
                (line,) = [one for one in text.splitlines() if one.startswith(f"| {name} |")]
                said = line.strip("| ").split(" | ")[1:][place]
                fold = name.removeprefix("fold ")
                if name == "mean":
                    assert agrees(said, np.mean([*shares.values()]), 100)
                elif fold in shares:
                    assert agrees(said, shares[fold], 100), (variant, name, at)
                else:
                    assert said == readme.NOT_RECORDED


def test_the_readme_says_what_was_found(whole):
    """Its numbers are those of results.json, of the audit and of the answers."""
    path = whole["laptop"] / "results.json"
    numbers, text = Numbers(path), readme.README.read_text(encoding="utf-8")
    assert readme.readme(text, known(path)) == text
    assert audit.said([f for of_paper in audit.findings().values() for f in of_paper]) in text
    (line,) = [line for line in text.splitlines() if line.startswith("- **An LSTM")]
    pairs = (
        ("fixed", readme.OWN[::-1]),
        ("fixed", readme.SMALL[::-1]),
        ("cv10", readme.HEADS),
    )
    every = (f"{p}/{f}/{'-'.join(n)}" for p, n in pairs for f in FRAMEWORKS)
    contrasts = [one for one in every if f"{readme.SETTING}/{one}" in known(path)]
    assert len(contrasts) > len(FRAMEWORKS)
    found = re.findall(r"([+−]?[\d.]+) \(([^)]+)\)", line)
    for contrast, (value, between) in zip(contrasts, found, strict=True):
        key = f"{readme.SETTING}/{contrast}"
        assert agrees(value, numbers.value(f"{key}:value"), 100), contrast
        assert agrees(between, numbers.value(f"{key}:linearised"), 100), contrast
    with pytest.raises(ValueError, match="unpack"):
        readme.readme(text.replace(line, ""), known(path))


def test_runs_of_today_s_version_take_the_place_of_recorded_ones(tmp_path, monkeypatch):
    old, new = Store(tmp_path / "published" / "laptop"), Store(tmp_path / "out")
    add(old, spec("keras"), accuracy=0.5)
    add(old, spec("torch"), accuracy=0.5)
    old.remember([spec("keras"), spec("torch")])
    raise_version(monkeypatch)
    add(new, spec("keras"), accuracy=0.75)
    new.remember([spec("keras"), spec("keras", "resnet50")])  # the second is still to be made
    monkeypatch.setattr(readme, "PUBLISHED", tmp_path / "published")
    assert readme.take(new.out, "laptop") == 1
    assert [run.status for run in old.runs()] == ["done", "stale"]
    assert len(list(old.runs_folder.iterdir())) == 2, "nothing is kept aside"
    assert old.plan() == [spec("keras"), spec("torch")]


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
def whole(tmp_path_factory, shortcuts, without_figures):
    """The tables of a report of each published folder, with all draws."""
    found = {}
    for name in {folder for folder, _, _ in GOLDEN}:
        out = tmp_path_factory.mktemp(name)
        with pytest.MonkeyPatch.context() as patch:
            for one in shortcuts:
                patch.setattr(*one)
            store = Store(PUBLISHED / name)
            with without_figures():
                build(store, store.plan(), out)
        found[name] = out
    return found


@pytest.mark.parametrize(("folder", "title", "page"), GOLDEN)
def test_tables_of_stored_results_are_the_golden_ones(folder, title, page, whole):
    """To write them anew, then read the difference before you commit it:

    UPDATE_GOLDEN=1 .venv/bin/python -m pytest tests/reports/test_published.py -k golden
    """
    found = section((whole[folder] / "tables.md").read_text(encoding="utf-8"), title)
    golden = ROOT / "tests" / "golden" / f"{folder}-{page}.md"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")
    assert STALE not in found
