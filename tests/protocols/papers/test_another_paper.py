"""A third paper is a folder more: its networks, claims and runs are there, and no other changes."""

import shutil

import pytest

from benchmarks.planning.plan import Selection, make_plan, suites
from protocols.errors import TableError
from protocols.papers import papers, variants
from protocols.papers.claims import load_claims
from protocols.papers.papers import load_papers
from protocols.papers.recipes import load_recipe
from protocols.papers.variants import load_variants
from reports.pages.audit import page as audit_page
from reports.pages.audit.finding import Side
from reports.pages.menu import pages
from reports.pages.papers.sections import record
from tests.support.devices import CPU

PAPER = """
key = "doe"
name = "Doe 2024"
title = "One CNN"
year = 2024
doi = "10.1/1"
lead = "One network."
protocol = "cv10"
sequences = ["none", "rows"]
milestones = [50, 100]
"""
VARIANT = """
[doe_resnet50]
backbones = ["resnet50"]
sequence = "none"
cell = "none"
title = "ResNet50"
"""
CLAIM = """
["doe.t1"]
where = "Table 1"
row = "resnet50"
column = "accuracy at epoch 50"
printed = "91.0"
unit = "%"
kind = "metric"
variant = "doe_resnet50"
protocol = "cv10"
metric = "accuracy"
at = "epoch 50"
n = 2000

["doe.cited"]
where = "1"
row = "others"
column = "accuracy"
printed = "90"
unit = "%"
kind = "cited"
variant = ""
protocol = ""
metric = "accuracy"
at = ""
"""


def forget():
    for read in (load_papers, papers.folders, papers.rows, variants._problem):
        read.cache_clear()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The papers' folder with a third one; its recipe is that of Liang 2018."""
    everything = tmp_path / "papers"
    shutil.copytree(papers.FOLDER, everything)
    own = everything / "doe2024"
    own.mkdir()
    for name, text in (("paper", PAPER), ("variants", VARIANT), ("claims", CLAIM)):
        (own / f"{name}.toml").write_text(text, encoding="utf-8")
    shutil.copy(everything / "liang2018" / "recipe.toml", own)
    monkeypatch.setattr(papers, "FOLDER", everything)
    forget()
    yield own
    forget()


def ids(suite):
    return [spec.id for spec in make_plan(Selection(suite=suite), "phantom", CPU, 2)]


def test_its_folder_is_all_that_it_takes(folder, monkeypatch):
    own = ids("doe")
    assert list(load_papers()) == ["liang", "jane", "doe"]
    assert suites() == ("liang", "jane", "doe", "control", "all")
    assert load_papers()["doe"].author == "Doe"
    network = load_variants()["doe_resnet50"]
    assert network.published and network.published_protocol == "cv10"
    assert load_claims()["doe.t1"].epoch == 50
    assert load_recipe("doe") == load_recipe("liang")
    assert len(own) == 2 * (2 + 1)  # two folds and a latency, in both twins
    others = {suite: ids(suite) for suite in ("liang", "jane", "control")}
    assert set(ids("all")) == {*others["liang"], *others["jane"], *own}
    shutil.rmtree(folder)
    forget()
    assert {suite: ids(suite) for suite in others} == others


def test_the_audit_finds_what_it_can_without_a_module_of_its_own(folder):
    """No other paper's words stand beside its numbers."""
    (exact,) = audit_page.granularity(load_claims(), "doe")
    assert exact.sides[1] == Side("Doe 2024", "2,000 test images")
    (cited,) = audit_page.sources(load_claims(), "doe")
    assert cited.sums == "That paper is not read here."


def test_its_page_stands_before_the_others(folder):
    page = record("doe", lambda collected, group: [], list)
    assert page.file == "doe.html"
    assert max(p.place for p in pages() if p.template == "paper.html.j2") < page.place
    assert page.place < min(p.place for p in pages() if p.name == "Evidence")


@pytest.mark.parametrize(
    ("file", "before", "after", "said"),
    [
        ("paper", 'key = "doe"', 'key = "jane"', "two papers have one key"),
        ("paper", '"cv10"', '"cv5"', "doe2024/paper.toml: the protocol 'cv5' is unknown"),
        ("paper", '"rows"', '"lines"', "doe2024/paper.toml: the sequence 'lines' is unknown"),
        ("paper", "year = 2024\n", "", r"missing keys \['year'\]"),
        ("variants", "doe_resnet50", "resnet50", r"variants.toml \[resnet50\] is in two folders"),
        ("variants", "title", 'suite = "doe"\ntitle', r"unknown keys \['suite'\]"),
        ("claims", "epoch 50", "epoch 60", "point of the schedule 'epoch 60' is unknown"),
    ],
)
def test_a_wrong_folder_is_refused_with_a_sentence(folder, file, before, after, said):
    path = folder / f"{file}.toml"
    path.write_text(path.read_text("utf-8").replace(before, after), encoding="utf-8")
    with pytest.raises(TableError, match=said):
        load_claims()
