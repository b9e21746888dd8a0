"""The first screen, and the page of guessed values."""

import html
import re
from collections import Counter

import pytest

from benchmarks.store.store import Store
from protocols.papers.claims import load_claims
from protocols.papers.recipes import load_recipe
from reports.build import build
from reports.cells.commands import command
from reports.pages import menu
from reports.pages.audit import page as audit_page
from tests.support import synthetic
from tests.support.reading import LAPTOP, PAPER, Tables, hold_together, made, pages, percent, scored


@pytest.fixture(scope="module")
def smoke(smoke_report):
    return pages(smoke_report[0])


def squares(page, column):
    """(sign, words) of a column of the matrix, 1 the arithmetic, 2 Keras, 3 PyTorch."""
    found = []
    body = page[page.index('<table class="matrix">') :].split("<tbody>")[1].split("</tbody>")[0]
    for row in body.split("</tr>")[:-1]:
        cell = row.split("<td")[column]
        found += re.findall(r'aria-label="([^"]*)">(.)</a>', cell)
    return found


def test_smoke_s_matrix_has_the_arithmetic_alone(smoke):
    """Nothing is testable, so there is no column of what was measured."""
    page, number = smoke["index.html"], len(load_claims())
    assert len(squares(page, 1)) == number == page.count('<a class="square ')
    said = f"Not one of the {number} printed claims has been tested by these runs; they are a"
    assert said in page and "leads to the claim's arithmetic" in page
    assert "not tested" not in page and "The squares under Keras" not in page


def test_without_a_testable_run_two_findings_are_left(smoke):
    """They are of the papers and the public images alone."""
    found = re.findall(r'<h2 id="finding-\d">([^<]*)</h2>', smoke["index.html"])
    assert len(found) == 2 and "71 photographs" in found[0] and "contradictions" in found[1]
    assert "Not one of the" in smoke["index.html"].split('class="answer"')[1].split("</p>")[0]


def test_the_matrix_has_a_square_a_claim_and_column(tmp_path):
    plan = [synthetic.spec(framework, "xception", **LAPTOP) for framework in ("keras", "torch")]
    for run in plan:
        synthetic.add(Store(tmp_path), run, epochs=1)
    made(tmp_path, plan, "index.html", "claims.html")
    page, number = pages(tmp_path)["index.html"], len(load_claims())
    for column in (1, 2, 3):
        assert len(squares(page, column)) == number
    assert {sign for _, sign in squares(page, 2)} == {"·", "#"}
    targets = set(re.findall(r'id="([^"]+)"', pages(tmp_path)["claims.html"]))
    links = re.findall(r'class="square \w+" href="claims.html#([^"]+)"', page)
    assert len(links) == 2 * number and set(links) <= targets


def test_the_arithmetic_column_is_the_audit(smoke):
    """A red mark stands on the claims at fault alone, and their number in the sentence."""
    wrong = {
        key
        for found in audit_page.findings().values()
        for one in found
        if one.word == "contradictory"
        for key in one.at_fault or one.claims
    }
    page = smoke["index.html"]
    assert sum(sign == "≠" for _, sign in squares(page, 1)) == len(wrong) > 0
    assert f"They fall on {len(wrong)} of the" in page


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
    made(tmp_path, plan, "index.html")
    page = pages(tmp_path)["index.html"]
    texts = [t for t, sign in squares(page, 2) if sign == "▼"]
    assert any(t.startswith("Xception: ") and t.endswith("below") for t in texts)
    counted = Counter(t.rsplit(": ", 1)[1] for t, _ in squares(page, 2))
    said = re.search(rf"Of {len(load_claims())} printed claims, Keras: ([^;]*);", page)[1]
    assert dict(reversed(part.split(" ", 1)) for part in said.split(", ")) == {
        word: str(number) for word, number in counted.items()
    }


def test_every_assumed_value_stands_with_its_reason(smoke):
    tables = Tables(smoke["assumed.html"])
    for paper, name in (("liang", "Liang 2018"), ("jane", "Jane 2022")):
        rows = tables.find(f"{name}: ")
        assumed = {k: v for k, v in load_recipe(paper).items() if v.source == "assumed"}
        names = [v.name or k.replace("_", " ") for k, v in assumed.items()]
        said = [r[0].partition(" | ")[0] for r in rows[1:]]
        assert said == names
        assert {len(r) for r in rows} == {3}  # no run tries another value
    assert smoke["assumed.html"].count("No run here tries another value") == 2
    assert "X: no such run is stored" in smoke["assumed.html"]


def test_a_sensitivity_run_shows_its_effect(tmp_path):
    store, plan = Store(tmp_path), [synthetic.spec("keras", "xception")]
    synthetic.add(store, plan[0], 0.75)
    other = synthetic.spec("keras", "xception", recipe={"label_smoothing": 0.0})
    synthetic.add(store, other, 0.5)
    made(tmp_path, plan, "assumed.html")
    tables = Tables(pages(tmp_path)["assumed.html"])
    row = next(r for r in tables.find("With label_smoothing = 0.0") if r[0] == "Xception")
    before, after = (scored(tmp_path, s.id)["accuracy"] for s in (plan[0], other))
    assert row[1:3] == [percent(after), f"−{100 * (before - after):.2f}"]
    rows = tables.find("Liang 2018: ")
    assert next(r for r in rows if r[0].startswith("label smoothing"))[3] == "see below"


def test_runs_lead_to_their_files_and_their_command(smoke_report, smoke):
    """That numbers lead to their runs: test_numbers.py."""
    (out, plan), found = smoke_report, smoke
    links = re.findall(r'<a href="(runs-[^"#]+)#keras-xception_lstm-s0">', found["liang.html"])
    block = found[links[0]].split('id="keras-xception_lstm-s0"')[1].split("</details>")[0]
    run = next(
        s for s in plan if (s.framework, s.variant, s.stage) == ("keras", "xception_lstm", "train")
    )
    assert command([run]) in html.unescape(block)
    for path in (out / "runs" / run.id).iterdir():
        assert f'href="runs/{run.id}/{path.name}"' in block
    timed = next(s for s in plan if s.stage == "latency")
    row = found["environment.html"].split(f'id="{timed.id}"')[1].split("</tr>")[0]
    assert command([timed]) in html.unescape(row)
    assert f'href="runs/{timed.id}/timings.json"' in row


def test_the_first_screen_prefers_runs_that_judge(tmp_path):
    """A smoke run after paper runs in one folder: the answer is still that of the paper runs."""
    store, later = Store(tmp_path), [synthetic.spec("torch", "resnet50")]
    for seed in (0, 1, 2):
        run = synthetic.spec("keras", "xception", seed=seed, **PAPER)
        synthetic.add(store, run, 0.8 + 0.001 * seed, epochs=3)
    synthetic.fill(store, later)
    made(tmp_path, later, "index.html")
    page = pages(tmp_path)["index.html"]
    assert "Not one of the" not in page and "1 below" in page
    assert "PyTorch has no column: none of its runs here can stand beside a claim." in page
    said = page.split("The squares under Keras: profile ")[1]
    assert said.startswith("paper") and "beside the claims</a>: profile smoke" in said


def test_a_control_s_first_screen_names_its_runs_and_leads_to_the_arithmetic(tmp_path):
    plan = [synthetic.spec("keras", "efficientnet_lite0", profile="laptop", kind="real")]
    synthetic.fill(Store(tmp_path), plan)
    made(tmp_path, plan, "index.html")
    page = pages(tmp_path)["index.html"]
    assert "Profile laptop, real images, random weights, device cpu" in page
    assert "leads to the claim's arithmetic" in page and "claim's row" not in page


def test_what_to_read_next_names_every_page(smoke):
    page = smoke["index.html"]
    part = page.split('class="findings"')[1].split('id="settings"')[0]
    files = {one.file for one in menu.pages()} & smoke.keys()
    assert len(files) > 12
    assert files - set(re.findall(r'href="([^"#]+)"', part)) == {"index.html"}


def test_profile_data_weights_backend_and_device_stand_on_every_page_with_numbers(smoke):
    line = ("phantom images (drawn), random weights, device cpu, "
            "Keras on TensorFlow, PyTorch")  # fmt: skip
    for name, page in smoke.items():
        place = 'id="settings"' if name == "index.html" else 'class="banner"'
        banner = any(line in text for text in page.split(place)[1:])
        assert banner != (name in ("audit.html", "images.html", "assumed.html")), name


def test_a_run_keeps_its_place_when_something_else_is_asked_for(tmp_path):
    run, other = synthetic.spec("keras", "xception"), synthetic.spec("torch", "resnet50")
    again = synthetic.spec("keras", "xception", threads=9)
    store, places = synthetic.fill(Store(tmp_path), [run, other, again]), {}
    for name, plan in (("both", [run, other]), ("other", [other]), ("again", [again])):
        build(store, plan, tmp_path)
        hold_together(tmp_path)
        for file, page in pages(tmp_path).items():
            if file.startswith("runs-") and run.id in page:
                before = page[: page.index("files-keras-xception-s0")]
                places[name] = file, re.findall(r'<details id="([^"]+)"', before)[-1]
    assert places["both"] == places["other"] and places["again"][0] == places["both"][0]


def test_folds_that_are_not_whole_have_no_confusion_matrix_together(tmp_path):
    plan = [synthetic.spec("torch", "cnn_gru", fold=fold) for fold in (0, 1)]
    synthetic.fill(Store(tmp_path), plan[:1])
    made(tmp_path, plan, "runs.html")
    page = next(text for name, text in pages(tmp_path).items() if name.endswith("cv10.html"))
    assert "confusion matrix: X, 1 of 2\u00a0folds" in page and "Confusion matrix at" not in page
