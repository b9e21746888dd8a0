"""A page says a setting once, opens the first, and leaves out what only tests the machinery."""

import re
from dataclasses import replace

import pytest

from benchmarks.store.store import Store
from protocols.papers.claims import load_claims
from reports.cells.cell import Cell
from reports.cells.collect import collect
from reports.cells.settings import Setting
from reports.judging.uncertainty import interval_text
from reports.pages import activations
from reports.pages.content import worth_showing
from reports.pages.papers.sections import in_twins
from reports.pages.papers.tables import claim_notes
from reports.statistics.intervals import Interval
from reports.tables.builder import numbers, over_twins, table
from reports.tables.cell_text import difference_text
from reports.tables.exports import as_csv
from reports.tables.formats import STALE, STALE_NOTE
from reports.tables.grid import headings
from tests.support import synthetic
from tests.support.reading import LAPTOP, Tables, made, pages

PAGES = ("evidence.html", "errors.html", "liang.html", "claims.html")
TINY = "profile smoke"


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Xception of the profile laptop and of smoke in both twins, asked for together; ResNet50 of
    smoke alone."""
    out = tmp_path_factory.mktemp("mixed")
    store = Store(out)
    plan = [synthetic.spec(f, "xception", **LAPTOP) for f in ("keras", "torch")]
    plan += [synthetic.spec(f, v) for f in ("keras", "torch") for v in ("xception", "resnet50")]
    for run in plan:
        synthetic.add(store, run, accuracy=0.75, epochs=1)
    made(out, plan, *PAGES)
    return out, collect(store, plan)


def sections(page):
    """The parts of a page that are of a setting each: what `<details>` says, and the content."""
    parts = re.split(r'<details class="of-setting"', page.split("</main>")[0])[1:]
    return [(part.startswith(" open"), part) for part in parts]


@pytest.mark.parametrize("name", PAGES)
def test_a_setting_stands_once_above_its_tables(mixed, name):
    text = pages(mixed[0])[name]
    (only,) = sections(text)
    assert only[0] and text.count("rofile laptop, real images") == 1
    assert only[1].count("<caption") >= 1


@pytest.mark.parametrize("name", PAGES)
def test_what_tests_the_machinery_alone_is_left_out_beside_better_runs(mixed, name):
    out, _ = mixed
    text = pages(out)[name].split("</main>")[0]
    assert TINY not in text
    assert text.count("are left out here") == 1 and '<a href="runs.html">all runs</a>' in text


def test_the_exports_have_every_table_with_its_setting(mixed):
    out, _ = mixed
    index = (out / "tables" / "index.csv").read_text(encoding="utf-8")
    for kind in ("intervals", "t1", "calibration", "verdicts"):
        for setting in ("laptop", "smoke"):
            (line,) = re.findall(rf"^\w+-{kind}-{setting}[^\n]*", index, re.MULTILINE)
            assert f"profile {setting}, " in line, kind
    markdown = (out / "tables.md").read_text(encoding="utf-8")
    assert markdown.count(f"{TINY}, phantom images (drawn)") > 5


def test_the_first_setting_stands_open_and_the_others_are_folded(smoke_report):
    out, _ = smoke_report
    found = [opened for opened, _ in sections(pages(out)["evidence.html"])]
    assert len(found) > 1 and found == [True] + [False] * (len(found) - 1)
    assert "are left out here" not in pages(out)["evidence.html"], "there is nothing better"


def test_phantoms_measure_nothing_and_a_profile_of_another_day_may(mixed):
    shown, left = worth_showing(mixed[1].groups)
    assert [g.setting.profile for g in shown] == ["laptop"]
    assert {g.setting.profile for g in left} == {"smoke"}
    assert worth_showing(left) == (left, [])
    run = synthetic.spec("keras", "xception", **LAPTOP | {"kind": "phantom"})
    (group,) = collect(Store(mixed[0] / "none"), [run]).groups
    assert not group.setting.measures and not group.setting.comparable


def test_a_fraction_stands_beside_a_fraction_and_a_percentage_beside_a_percentage(mixed):
    claims = load_claims()
    fraction, share = claims["liang.fig6.val_acc"], claims["liang.t1.xception_lstm"]
    assert (fraction.printed, share.printed) == ("0.9079", "90.79")
    assert difference_text(fraction, 0.8617) == "−0.0462"
    assert difference_text(share, 0.8617) == "−4.62"


def test_a_twin_that_is_stale_is_marked_and_the_other_is_not():
    made = table("t", "Numbers.", [*over_twins(numbers("n"), [False, True])], [["1", "2"]])
    assert headings(made) == ["Keras, n", f"PyTorch {STALE}, n"] and made.notes == [STALE_NOTE]
    assert STALE_NOTE not in table("t", "", over_twins(numbers("n")), [["1", "2"]]).notes


def test_a_picture_is_marked_where_its_own_twin_is_stale(mixed, monkeypatch):
    monkeypatch.setattr(Cell, "stale", property(lambda cell: cell.framework == "keras"))
    found = activations.sections(mixed[1], mixed[0])
    pictures = [p for s in found for f in s.figures for p in f.pictures if p.framework]
    assert {(p.framework, STALE in p.caption) for p in pictures} == {
        ("keras", True), ("torch", False),
    }  # fmt: skip


def test_a_caption_names_the_frameworks_that_ran(mixed):
    (group,) = [g for g in mixed[1].groups if g.setting.profile == "laptop"]
    one = replace(group, cells={k: c for k, c in group.cells.items() if k[0] == "torch"})
    assert in_twins(group, {"xception"}) == "in Keras and in PyTorch"
    assert in_twins(one, {"xception"}) == "in PyTorch" and in_twins(one, {"resnet50"}) == ""


def test_a_table_without_a_number_says_nothing_of_intervals(mixed, monkeypatch):
    (group,) = [g for g in mixed[1].groups if g.setting.profile == "laptop"]
    monkeypatch.setattr(Setting, "comparable", True)
    assert claim_notes(group)[-1].startswith("New cells: ")
    monkeypatch.setattr(Cell, "lack", "2 of 10 folds")
    assert claim_notes(group) == []


def test_an_interval_has_as_many_digits_as_its_number():
    loss, share = (interval_text(m, Interval(0.1824, 2.462)) for m in ("log_loss", "accuracy"))
    assert (loss, share) == ("0.1824 to 2.4620", "18.24 to 246.20")


def test_words_below_numbers_stand_on_their_side(mixed):
    page = pages(mixed[0])["liang.html"]
    rows = re.findall(r">Verdict</th>[^\n]*", page)
    assert rows and all(row.count('class="text end"') == 2 for row in rows)


def test_the_caption_alone_is_on_the_page_and_the_setting_in_the_csv_index(mixed):
    out, _ = mixed
    captions = Tables(pages(out)["liang.html"]).tables
    assert "Liang 2018, Table 1: four-class accuracy on the test images." in captions
    assert "profile" not in as_csv(table("t", "A.", numbers("n"), [["1"]], setting="Of a profile."))
