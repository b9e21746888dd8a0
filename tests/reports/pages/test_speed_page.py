"""The speed page: the papers' times stand beside runs by the published protocol alone."""

import pytest

from benchmarks.store.store import Store
from tests.support import synthetic
from tests.support.reading import LAPTOP, PAPER, Tables, made, pages

SMOKE = {"profile": "smoke", "kind": "real", "weights": "random"}


@pytest.mark.parametrize("words", [PAPER, LAPTOP, SMOKE], ids=lambda words: words["profile"])
def test_the_printed_times_stand_beside_paper_runs_alone(tmp_path, words):
    plan = [
        synthetic.spec("keras", "xception_lstm", stage=s, **words) for s in ("train", "latency")
    ]
    for run in plan:
        synthetic.add(Store(tmp_path), run, **({"epochs": 1} if run.stage == "train" else {}))
    made(tmp_path, plan, "speed.html")
    page = pages(tmp_path)["speed.html"]
    captions = [c for c in Tables(page).tables if c.startswith("The times that the papers print")]
    paper = words is PAPER
    assert len(captions) == paper
    assert ("Tesla K40c" in page, "claimed, 3.8" in page, "Dashed: Liang" in page) == (paper,) * 3
    assert "4.2" in page, "what was measured is shown in any case"
