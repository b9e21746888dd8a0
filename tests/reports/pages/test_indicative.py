"""The papers' own networks by a smaller protocol: beside the claims, apart from verdicts."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.store.store import Store
from protocols import metrics
from protocols.papers.claims import load_claims
from protocols.spec import FRAMEWORKS, RunSpec
from reports.cells.settings import Setting, departures
from reports.pages.overview.tested import gaps
from reports.tables.formats import title
from tests.support import synthetic
from tests.support.data_keys import agrees
from tests.support.reading import (
    LAPTOP,
    PAPER,
    Tables,
    made,
    pages,
    percent,
    results_of,
    scored,
    word,
)

LESS = "images of 160 × 120 pixels, not 320 × 240"
AVERAGES = {"precision": "precision_macro", "recall": "recall_macro", "F-measure": "f1_macro"}
NETWORKS = {"xception": 0.86, "xception_lstm": 0.88}


@pytest.fixture(scope="module")
def laptop(tmp_path_factory):
    """Liang's two networks in both twins, Jane's two in PyTorch, and all of them free of leaks."""
    out = tmp_path_factory.mktemp("laptop")
    store, plan = Store(out), []
    for protocol in ("fixed", "fixed-grouped"):
        for framework in FRAMEWORKS:
            for name, accuracy in NETWORKS.items():
                run = synthetic.spec(framework, name, protocol=protocol, **LAPTOP)
                synthetic.add(store, run, accuracy - 0.1 * (protocol != "fixed"), epochs=1)
                plan.append(run)
    for name, accuracy in (("cnn_lstm", 0.9), ("cnn_gru", 0.93)):
        for fold in range(10):
            plan.append(synthetic.spec("torch", name, fold=fold, **LAPTOP))
            synthetic.add(store, plan[-1], accuracy - 0.01 * (fold % 3))
    shown = ("index.html", "liang.html", "jane.html", "claims.html")
    return out, plan, made(out, plan, *shown)


def test_the_word_and_what_differs_from_the_protocol(laptop):
    _, _, result = laptop
    found = {
        c["id"]: v
        for c in result["claims"]
        for v in c["verdicts"]
        if (v["framework"], v["word"]) == ("torch", "indicative")
    }
    of_jane = [f"{v}.{m}" for v in ("cnn_lstm", "cnn_gru") for m in ("accuracy", "log_loss")]
    expected = {"liang.t1", "liang.fig6", "jane.t2.cnn_lstm", "jane.t2.cnn_gru", "jane.rank"}
    expected |= {f"jane.t3.{name}" for name in of_jane}
    assert {key.rsplit(".", 1)[0] for key in found} == expected
    said = found["liang.t1.xception"]["reason"]
    assert said == f"{LESS}; 6 epochs of phase 2, not 70; 1 seed"
    said = found["liang.t1.xception_lstm"]["reason"]
    assert said == f"{LESS}; 6 epochs of phase 2, not 70; rows of means of 4 × 4 pixels; 1 seed"
    assert found["jane.t2.cnn_gru.accuracy"]["reason"] == f"{LESS}; 1 seed"
    assert all(v["half_width"] is None and v["comparable"] for v in found.values())
    words = {c["id"]: v["word"] for c in result["claims"] for v in c["verdicts"]}
    assert words["liang.t1.resnet50"] == words["liang.speed.train"] == "not tested"


def test_a_measured_number_stands_beside_the_claim(laptop):
    out, plan, _ = laptop
    tables = Tables(pages(out)["liang.html"])
    row = tables.row("Liang 2018, Table 1", "Xception-LSTM")
    run = next(s for s in plan if (s.framework, s.variant) == ("torch", "xception_lstm"))
    score = scored(out, run.id)
    assert row[1] == "90.79\u202f%" and row[5].split(" | ")[0] == percent(score["accuracy"])
    assert row[5].split(" | ")[1].startswith("new cells: ")
    assert row[6] == f"{100 * score['accuracy'] - 90.79:+.2f}".replace("-", "−")
    assert row[7].startswith("indicative")
    assert "the footnote says what differs" in pages(out)["claims.html"]
    assert LESS in pages(out)["liang.html"]


def test_table_three_is_read_at_the_published_epochs(laptop):
    out, plan, _ = laptop
    runs = [s for s in plan if s.variant == "cnn_gru"]
    arrays = [np.load(out / "runs" / s.id / "predictions.npz") for s in runs]
    losses = [metrics.score(a["labels"], a["milestones"][1])["log_loss"] for a in arrays]
    page = pages(out)["jane.html"]
    rows = [r for r in Tables(page).find("Jane 2022, Table III") if r[0] == "log loss at epoch 200"]
    assert rows[1][5].split(" | ")[0] == f"{np.mean(losses):.4f}"
    assert rows[1][2] == "–" and "a published epoch is read as" not in page


def test_an_interval_stands_beside_the_number_that_it_is_of(laptop):
    """A mean of the folds' precisions or F1 is not that of all folds together."""
    out, plan, result = laptop
    table = Tables(pages(out)["jane.html"]).find("Jane 2022, Table II:")
    rows = {row[0]: row[5] for row in table if len(row) > 5}
    runs = [out / "runs" / s.id / "predictions.npz" for s in plan if s.variant == "cnn_gru"]
    arrays = [np.load(path) for path in runs]
    folds = [metrics.score(a["labels"], a["selected"]) for a in arrays]
    labels, given = (np.concatenate([a[key] for a in arrays]) for key in ("labels", "selected"))
    together = metrics.score(labels, given)
    (cell,) = [c for c in result["cells"] if c["variant"] == "cnn_gru"]
    seen = set()
    for name, metric in AVERAGES.items():
        mean, one = np.mean([f[metric] for f in folds]), cell["intervals"]["selected"][metric]
        assert one["value"] == pytest.approx(together[metric], rel=1e-12)
        text, note = rows[name].split(" | ")
        ends = f"{one['low']:.4f} to {one['high']:.4f}"
        value = f"{together[metric]:.4f}"
        same = text == value
        seen.add(same)
        assert text == f"{mean:.4f}"
        assert note == (
            f"new cells: {ends}" if same else f"new cells, all folds together: {value} ({ends})"
        )
        assert agrees(note, one) and not agrees(note, one | {"high": one["high"] + 0.001})
        assert same or not agrees(note, one | {"value": one["value"] + 0.001})
    assert seen == {True, False}, "the test shows one of the two alone"
    assert "that of all folds together" in pages(out)["jane.html"]


def test_the_first_page_answers_the_questions(laptop):
    out, plan, result = laptop
    page = pages(out)["index.html"]
    tables = Tables(page)
    beside = result["claims"]
    count = sum(
        any(v["word"] == "indicative" for v in c["verdicts"] if v["framework"] == "torch")
        for c in beside
    )
    assert f"None of the {len(load_claims())} printed claims is confirmed or refuted yet" in page
    assert f"; beside {count} of them stand numbers" in page
    shown = tables.find("Accuracies that the papers print")
    assert [row[0] for row in shown if len(row) > 2 and "%" in row[1]] == [
        "Xception: accuracy", "Xception-LSTM: accuracy", "CNN-LSTM: accuracy", "CNN-GRU: accuracy",
    ]  # fmt: skip
    asked = tables.find("Does the one network beat the other?")
    by_name = dict(zip([row[0] for row in asked[1::]], asked[1:], strict=True))
    assert "Xception-LSTM minus Xception" in by_name and "CNN-LSTM minus CNN-GRU" in by_name
    fixed = next(row for row in asked if row[0] == "fixed")
    assert "under all protocols but fixed-grouped the tested images choose it" in page
    runs = {(s.framework, s.variant): s for s in plan if s.protocol == "fixed"}
    for place, framework in enumerate(FRAMEWORKS, 1):
        one, other = (
            scored(out, runs[framework, v].id)["accuracy"] for v in ("xception_lstm", "xception")
        )
        text, between = fixed[place].split(" | ")
        assert text == f"{100 * (one - other):+.2f}".replace("-", "−") and " to " in between
    free = tables.find("The same networks under fixed and fixed-grouped")
    assert any(row[0] == "Xception-LSTM" for row in free)
    assert {"#"} < set(page[page.index('class="matrix"') :])


@pytest.mark.parametrize(
    "change",
    [{"profile": "smoke"}, {"kind": "phantom"}, {"weights": "random"}, {"init": "shared"},
     {"recipe": {"label_smoothing": 0.2}}],
    ids=str,
)  # fmt: skip
def test_other_runs_are_not_indicative(tmp_path, change):
    run = synthetic.spec(**(LAPTOP | change))
    synthetic.add(Store(tmp_path), run, epochs=1)
    result = results_of(tmp_path, [run])
    assert word(result, "liang.t1.xception")[0] == "not tested"
    assert "indicative" not in json.dumps(result["claims"])


def test_a_missing_or_stale_run_is_not_indicative(tmp_path):
    plan = [synthetic.spec(seed=seed, **LAPTOP) for seed in (0, 1)]
    folder = synthetic.add(Store(tmp_path), plan[0], epochs=1).folder
    missing = ("not tested", "incomplete: 1 of 2 seeds")
    assert word(results_of(tmp_path, plan), "liang.t1.xception") == missing
    assert word(results_of(tmp_path, plan[:1]), "liang.t1.xception")[0] == "indicative"
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    changed = json.dumps(record | {"results_version": 2})
    (folder / "run.json").write_text(changed, encoding="utf-8")
    found = word(results_of(tmp_path, plan[:1]), "liang.t1.xception")
    assert found == ("not tested", "stale: of another results version of this suite")


def test_a_paper_run_departs_from_nothing():
    run = synthetic.spec(**PAPER)
    assert departures(run) == []
    assert Setting("paper", "real", "imagenet", "cpu", "float32", True).comparable
    assert not Setting("unknown", "real", "imagenet", "cpu", "float32", True).comparable


@pytest.mark.parametrize(
    ("variant", "key"), [("cnn_lstm", "images_per_class"), ("xception_lstm", "grey_pooling")]
)
def test_a_value_that_a_specification_leaves_out_is_the_recipe_s(variant, key):
    """The schema lets both be absent: such a run, of somebody else, must not end the report."""
    run = synthetic.spec("torch", variant, fold=0 if variant == "cnn_lstm" else None, **PAPER)
    content = json.loads(run.to_json())
    assert content["recipe"].pop(key)
    assert departures(RunSpec.from_json(json.dumps(content))) == departures(run) == []


def test_the_first_finding_is_how_far_from_print_the_networks_end(laptop):
    out, plan, _ = laptop
    page = pages(out)["index.html"]
    card = page.split('id="finding-1"')[1].split("</section>")[0]
    claims, apart = load_claims(), []
    for framework in FRAMEWORKS:
        for name in NETWORKS:
            run = next(
                s for s in plan
                if (s.framework, s.variant, s.protocol) == (framework, name, "fixed")
            )  # fmt: skip
            value = scored(out, run.id)["accuracy"]
            printed = claims[f"liang.t1.{name}"].printed
            assert f"{title(name)}: printed {printed}%" in card
            assert f"{framework} {100 * value:.2f}%" in card
            apart.append(100 * value - float(printed))
    for name in ("cnn_lstm", "cnn_gru"):
        runs = [s for s in plan if s.variant == name]
        mean = np.mean([scored(out, run.id)["accuracy"] for run in runs])
        apart.append(100 * (mean - claims[f"jane.t2.{name}.accuracy"].number))
    low, high = (f"{value:+.1f}".replace("-", "−") for value in (min(apart), max(apart)))
    assert min(apart) < 0 < max(apart), "so the sentence has both signs"
    said = f"{low} to {high} points from the printed accuracies"
    assert card.startswith(f">{said}</h2>") and f", which end {said}.</p>" in page
    assert "Xception-LSTM minus Xception: " in card and card.count("<use ") + card.count("M ") > 8


def test_gaps_of_one_side_have_a_word_instead_of_a_sign():
    claim = next(c for c in load_claims().values() if c.id == "liang.t1.xception")
    one = [SimpleNamespace(claim=claim, cells=["torch"], value=lambda _, v=v: claim.number + v)
           for v in (-0.031, -0.046)]  # fmt: skip
    assert gaps(one) == "3.1 to 4.6 points below the printed accuracies"
    assert gaps(one[:1]) == "3.1 points below the printed accuracies"
    other = SimpleNamespace(claim=claim, cells=["torch"], value=lambda _: claim.number + 0.002)
    assert gaps([other]) == "0.2 points above the printed accuracies"
