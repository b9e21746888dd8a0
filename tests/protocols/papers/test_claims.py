"""A claim is its own address: a second metric beside the first, wrong tables refused."""

import sys
from dataclasses import replace

import pytest

import runner
from benchmarks.store.store import Store
from benchmarks.terminal.texts import validate
from protocols.errors import TableError
from protocols.papers import papers
from protocols.papers.claims import load_claims, of_table
from reports.cells.collect import collect
from reports.figures import curves
from reports.pages.audit import page as audit_page
from reports.pages.overview import summary, tested
from reports.pages.papers import tables as papers_tables
from reports.pages.papers.tables import claims_where
from tests.support import synthetic

JANE = ("cnn_lstm", "cnn_gru")
ACCURACY = "liang.t1.xception_lstm"
SECOND = {
    "id": f"{ACCURACY}.f1", "column": "F-measure", "metric": "f1_macro", "printed": "50.00",
}  # fmt: skip


@pytest.fixture
def table(monkeypatch):
    """The claims' table with some claims more, made of others with some fields changed."""
    rows = papers.rows

    def add(key, **fields):
        def more(file, into, title):
            found = rows(file, into, title)
            extra = replace(found[key], **fields) if file == "claims.toml" else None
            return {**found, extra.id: extra} if extra else found

        monkeypatch.setattr(papers, "rows", more)

    return add


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"metric": "acuracy"}, "the metric 'acuracy' is unknown"),
        ({"metric": "cold_seconds"}, "the metric 'cold_seconds' is unknown"),
        ({"kind": "cited", "metric": "speed"}, "the metric 'speed' is unknown"),
        ({"variant": "xceptoin"}, "the variant 'xceptoin' is unknown"),
        ({"kind": "guess"}, "the kind 'guess' is unknown"),
        ({"at": "epoch 150"}, "the point of the schedule 'epoch 150' is unknown"),
        ({"printed": "high"}, "'high' is not a number"),
        ({"printed": "nan"}, "'nan' is not a number"),
        ({"unit": "zz"}, "the unit 'zz' is unknown"),
        ({"protocol": "cv11"}, "the protocol 'cv11' is unknown"),
        ({"column": "accuracy"}, r"\[liang.t1.xception_lstm\] has the same address"),
    ],
)
def test_a_wrong_claim_is_an_error_of_validate(table, fields, message, tmp_path):
    table(ACCURACY, **(SECOND | fields))
    with pytest.raises(ValueError, match=message):
        load_claims()
    with pytest.raises(TableError, match=rf"claims.toml \[{ACCURACY}.f1\]: .*{message}"):
        validate("phantom", tmp_path, Store(tmp_path))


@pytest.mark.parametrize("words", [["--validate"], ["--plan", "--gpu", "none"], ["--list"]])
def test_a_wrong_table_is_a_sentence_of_every_command(words, monkeypatch, capsys, tmp_path):
    rows = papers.rows

    def wrong(file, into, title):
        found = rows(file, into, title)
        if file == "variants.toml":
            one = replace(found["xception"], name="x", sequence="rows")
            found = {**found, "x": one}
        spoiled = file == "claims.toml"
        return {k: replace(v, unit="zz") for k, v in found.items()} if spoiled else found

    monkeypatch.setattr(papers, "rows", wrong)
    monkeypatch.setattr(sys, "argv", ["runner.py", *words, "--cache", str(tmp_path)])
    assert runner.main() == 2
    said = capsys.readouterr()
    assert said.err.startswith("runner.py: the protocols' tables are wrong: variants.toml [x]")
    assert said.err.count("\n") == 1


def test_a_second_metric_of_a_network_displaces_nothing(table, tmp_path):
    """Neither in the audit, nor in Table 1 and its plot, nor on the first screen."""
    plan = [synthetic.spec("keras", "xception_lstm")]
    store = synthetic.fill(Store(tmp_path), plan)
    collected = collect(store, plan)
    (group,) = collected.groups

    def look():
        table1 = of_table(load_claims(), "liang", "Table 1", "accuracy")
        found = [f for of_paper in audit_page.findings().values() for f in of_paper]
        ((_, rows),) = papers_tables.liang_table1(collected, group).bodies
        verdicts = tested.verdicts_of(collected, group.setting)
        beside = tested.tested(collected, group.setting, verdicts)
        answer = summary.answer(verdicts, beside, group.setting)
        said = audit_page.said(found)
        return found, str(curves.dots_figure(group, table1, "dots")), rows, answer, said

    number = len(load_claims())
    found, dots, rows, answer, said = look()
    table(ACCURACY, **SECOND)
    more, same, longer, other, still = look()
    assert more == found and same == dots
    assert longer[:-1] == rows
    assert (longer[-1][0].text, longer[-1][0].note) == ("Xception-LSTM", "F-measure")
    changes = {
        f"{number} printed": f"{number + 1} printed",
        "the other 67": "the other 68",
        "8 are not checked": "9 are not checked",
    }
    for before, after in changes.items():
        assert said.count(before) == 1
        said = said.replace(before, after)
    assert still == said
    for claims, text in ((number, answer), (number + 1, other)):
        assert text.startswith(f"Not one of the {claims} printed claims has been tested by these")


def test_a_second_metric_of_a_figure_s_table_is_left_out_of_its_bars(table, tmp_path):
    plan = [synthetic.spec("keras", v, fold=0) for v in JANE]
    store = synthetic.fill(Store(tmp_path), plan)
    (group,) = collect(store, plan).groups

    def bars():
        return str(curves.bars_figure(group, claims_where("jane", "Table II"), "bars"))

    before = bars()
    table("jane.t2.cnn_lstm.f1", id="jane.t2.cnn_lstm.f1_micro", metric="f1_micro", column="micro")
    assert bars() == before
