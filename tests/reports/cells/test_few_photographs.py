"""No interval from a handful of photographs: the reason stands there instead."""

import numpy as np

from benchmarks.store.store import Store
from reports.cells.collect import collect
from reports.cells.settings import Setting
from reports.statistics.intervals import FEWEST, TOO_FEW, Interval, Sample, unless_few
from tests.support import synthetic
from tests.support.reading import Tables, made, pages
from tests.support.sample_intervals import intervals

METHODS = ("linearised", "percentile", "bootstrap_t")


def test_an_estimate_keeps_its_value_and_loses_its_spread():
    assert [unless_few(np.zeros(n), 7) for n in (FEWEST, FEWEST - 1)] == [7, None]
    rng = np.random.default_rng(0)
    labels, groups = np.repeat(np.arange(4), 20), np.arange(80) // 10
    sample = Sample.of(labels, rng.dirichlet(np.ones(4), 80), groups)
    drawn, few = (intervals(sample, rng, draws)["accuracy"] for draws in (50, None))
    assert drawn.se and drawn.linearised.low is not None
    assert (few.value, few.se, few.df) == (drawn.value, None, None)
    assert {getattr(few, m) for m in METHODS} == {Interval(reason=TOO_FEW)}


def test_runs_of_few_photographs_have_no_interval_and_say_why(tmp_path, monkeypatch):
    plan = [synthetic.spec(f, v) for f in ("keras", "torch") for v in ("xception", "resnet50")]
    synthetic.fill(Store(tmp_path), plan, 0.7)
    (group,) = collect(Store(tmp_path), plan).groups
    for cell in group.cells.values():
        found = cell.estimates["selected"]
        assert found["accuracy"].bootstrap_t.reason == TOO_FEW
        assert all(getattr(one, m).reason for one in found.values() for m in METHODS)
    monkeypatch.setattr(Setting, "comparable", True)  # so that numbers stand beside the claims
    made(tmp_path, plan, "liang.html", "evidence.html")
    found = pages(tmp_path)
    assert "new cells: " not in found["liang.html"]
    assert f"From fewer than {FEWEST} photographs" in found["liang.html"]
    assert TOO_FEW in found["evidence.html"]
    compared = Tables(found["evidence.html"]).find("Differences of accuracy on the same images")
    rows = [row for row in compared if "minus" in row[0]]
    assert rows and all(row[2:5] == ["–"] * 3 for row in rows)


def test_the_public_test_part_has_enough(tmp_path):
    run = synthetic.spec(profile="paper", kind="real", weights="imagenet")
    synthetic.add(Store(tmp_path), run, epochs=2)
    (group,) = collect(Store(tmp_path), [run]).groups
    accuracy = group.cells["keras", "xception"].estimates["selected"]["accuracy"]
    assert not accuracy.bootstrap_t.reason
