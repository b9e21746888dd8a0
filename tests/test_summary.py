"""The first screen, and the page of guessed values."""

import html
import re
from collections import Counter

import pytest
import synthetic
from reading import PAPER, Tables, hold_together, pages, percent, scored, steady_sources  # noqa: F401 (used by itself)

from benchmarks.store import Store
from protocols.claims import load_claims
from protocols.recipes import load_recipe
from reports import audit
from reports.build import build
from reports.commands import command


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    out = tmp_path_factory.mktemp("summary")
    store, plan = synthetic.make(out)
    build(store, plan, out)
    return pages(out)


def squares(page, column):
    """(sign, words) of a column of the matrix, 1 the arithmetic, 2 Keras, 3 PyTorch."""
    found = []
    body = page[page.index('<table class="matrix">') :].split("<tbody>")[1].split("</tbody>")[0]
    for row in body.split("</tr>")[:-1]:
        cell = row.split("<td")[column]
        found += re.findall(r'aria-label="([^"]*)">(.)</a>', cell)
    return found


def test_the_matrix_has_a_square_a_claim_and_column(smoke):
    page = smoke["index.html"]
    for column in (1, 2, 3):
        assert len(squares(page, column)) == len(load_claims())
    assert {sign for _, sign in squares(page, 2)} == {"·"}
    assert "Not one of the 60 printed claims has been tested by these runs." in page
    targets = set(re.findall(r'id="([^"]+)"', page))
    links = re.findall(r'class="square \w+" href="#([^"]+)"', page)
    assert len(links) == 2 * len(load_claims()) and set(links) <= targets


def test_the_arithmetic_column_is_the_audit(smoke):
    graver = {}
    for found in audit.findings().values():
        for one in found:
            for key in one.claims:
                graver.setdefault(key, set()).add(one.word)
    wrong = sum("contradictory" in words for words in graver.values())
    page = smoke["index.html"]
    assert sum(sign == "≠" for _, sign in squares(page, 1)) == wrong > 0
    assert f"{wrong} claims contradict others or the public files" in page


def test_a_full_verdict_is_told_as_long_as_claims_are_untested(smoke):
    page = smoke["index.html"]
    assert "162 trainings" in page and "python runner.py --suite all --gpu 0" in page
    assert "266\u202fMB" in page and "2.9\u202fGB" in page
    assert "not measured by any run here" in page


def test_verdicts_are_counted_and_signed(tmp_path):
    value = load_claims()["liang.t1.xception"].value
    words = {"stage": "train", **PAPER}
    plan = [synthetic.spec("keras", "xception", seed=seed, **words) for seed in (0, 1, 2)]
    store = Store(tmp_path)
    for index, run in enumerate(plan):
        synthetic.add(store, run, value - 0.2 + 0.001 * index, epochs=3)
    build(store, plan, tmp_path)
    page = pages(tmp_path)["index.html"]
    texts = [t for t, sign in squares(page, 2) if sign == "▼"]
    assert any(t.startswith("Xception: ") and t.endswith("below") for t in texts)
    counted = Counter(t.rsplit(": ", 1)[1] for t, _ in squares(page, 2))
    said = re.search(r"Of 60 printed claims, Keras: ([^;]*);", page)[1]
    assert dict(reversed(part.split(" ", 1)) for part in said.split(", ")) == {
        word: str(number) for word, number in counted.items()
    }


def test_every_assumed_value_stands_with_its_reason(smoke):
    tables = Tables(smoke["assumed.html"])
    for paper, name in (("liang", "Liang 2018"), ("jane", "Jane 2022")):
        rows = tables.find(f"{name}: ")
        assumed = {k: v for k, v in load_recipe(paper).items() if v.source == "assumed"}
        assert [r[0] for r in rows[1:]] == [k.replace("_", " ") for k in assumed]
        assert all(r[3] == "no such run" for r in rows[1:])
    assert "X: no such run is stored" in smoke["assumed.html"]


def test_a_sensitivity_run_shows_its_effect(tmp_path):
    store, plan = Store(tmp_path), [synthetic.spec("keras", "xception")]
    synthetic.add(store, plan[0], 0.75)
    other = synthetic.spec("keras", "xception", recipe={"label_smoothing": 0.0})
    synthetic.add(store, other, 0.5)
    build(store, plan, tmp_path)
    tables = Tables(pages(tmp_path)["assumed.html"])
    row = next(r for r in tables.find("With label_smoothing = 0.0") if r[0] == "Xception")
    before, after = (scored(tmp_path, s.id)["accuracy"] for s in (plan[0], other))
    assert row[1:3] == [percent(after), f"−{100 * (before - after):.2f}"]
    rows = tables.find("Liang 2018: ")
    assert next(r for r in rows if r[0] == "label smoothing")[3] == "see below"


def test_every_number_leads_to_its_runs_and_they_to_their_files(tmp_path):
    store, plan = synthetic.make(tmp_path)
    build(store, plan, tmp_path)
    hold_together(tmp_path)
    found = pages(tmp_path)
    page = found["liang.html"]
    links = re.findall(r'<td><a href="(runs-[^"#]+)#keras-xception_lstm-s0">', page)
    assert links
    block = found[links[0]].split('id="keras-xception_lstm-s0"')[1].split("</details>")[0]
    run = next(
        s for s in plan if (s.framework, s.variant, s.stage) == ("keras", "xception_lstm", "train")
    )
    assert command([run]) in html.unescape(block)
    for name in ("spec.json", "history.csv", "predictions.npz", "env.json", "run.json", "log.txt"):
        assert f'href="runs/{run.id}/{name}"' in block
    for name in ("index.html", "jane.html", "evidence.html", "speed.html"):
        assert re.search(r'<td[^>]*>(<span[^>]*></span>)?<a href="(runs-|environment)', found[name])
