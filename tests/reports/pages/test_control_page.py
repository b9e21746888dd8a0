"""The control's networks: a page of their own, and never in the papers' tables or verdicts."""

import csv
import dataclasses
import json
import re

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from benchmarks.store.store import Store
from protocols.papers.claims import load_claims
from protocols.papers.variants import load_variants
from reports.cells.environment import short
from reports.judging.verdicts import contests
from tests.support import synthetic
from tests.support.reading import (
    PAPER,
    Tables,
    hold_together,
    made,
    pages,
    percent,
    results_of,
    scored,
    word,
)

CNN, LSTM = "efficientnet_lite0", "efficientnet_lite0_lstm"
CNN_LSTM, CNN_GRU = "efficientnet_lite0_cnn_lstm", "efficientnet_lite0_cnn_gru"
ACCURACIES = {CNN: (0.7, 0.75), LSTM: (0.95, 0.8), CNN_LSTM: (1.0, 0.75), CNN_GRU: (0.5, 0.5)}
TITLES = ("EfficientNet-Lite0", "EfficientNet-Lite0-LSTM")


@pytest.fixture(scope="module")
def control(tmp_path_factory):
    """The whole control at smoke's size, beside nothing else, built once."""
    out = tmp_path_factory.mktemp("control")
    plan = synthetic.control("smoke")
    for run in plan:
        synthetic.add(Store(out), run, ACCURACIES[run.variant][run.framework == "torch"])
    made(out, plan)
    return out, plan


def accuracy(out, run_id: str, part: str) -> float:
    """By scikit-learn alone."""
    arrays = np.load(out / "runs" / run_id / "predictions.npz")
    return accuracy_score(arrays["labels"], arrays[part].argmax(axis=1))


def runs(plan, framework: str, variant: str) -> list[str]:
    return [
        s.id for s in plan if (s.framework, s.variant, s.stage) == (framework, variant, "train")
    ]


def test_differences_on_the_page_are_those_of_the_predictions(control):
    out, plan = control
    page = Tables(pages(out)["control.html"])
    for first, second in ((LSTM, CNN), (CNN_LSTM, CNN_GRU)):
        names = [load_variants()[v].title for v in (first, second)]
        table = f"{names[0]} minus {names[1]}:"
        for row, part in (("Accuracy, selected", "selected"), ("Accuracy, last", "last")):
            gaps = []
            for framework in ("keras", "torch"):
                means = [
                    np.mean([accuracy(out, run, part) for run in runs(plan, framework, variant)])
                    for variant in (first, second)
                ]
                gaps.append(100 * (means[0] - means[1]))
            gaps.append(gaps[1] - gaps[0])
            shown = next(r for r in page.find(table) if r[0].startswith(row))[1:]
            numbers = [float(text.split(" | ")[0].replace("−", "-")) for text in shown]
            assert numbers == pytest.approx(gaps, abs=0.00501)
            assert all(gaps)
    assert "One seed decides nothing" in pages(out)["control.html"]
    assert "<em>not tested</em>" in pages(out)["control.html"]


def test_measures_on_the_page_are_those_of_the_predictions(control):
    out, plan = control
    row = Tables(pages(out)["control.html"]).row("More measures", TITLES[1])
    (run,) = runs(plan, "keras", LSTM)
    selected, last = scored(out, run), accuracy(out, run, "last")
    assert last != selected["accuracy"]
    gap = f"{100 * (last - selected['accuracy']):+.2f} points".replace("-", "−")
    assert row[2] == percent(selected["accuracy"])
    assert row[4] == f"{percent(last)} | {gap}"
    assert row[5] == f"{selected['log_loss']:.4f}"
    assert row[6:9] == [percent(selected[f"{m}_macro"]) for m in ("precision", "recall", "f1")]
    assert "svg" in pages(out)["control.html"]


def test_the_profile_stands_on_the_page(tmp_path):
    plan = synthetic.control(kind="real", weights="imagenet")
    made(tmp_path, plan, "control.html")  # planned, nothing run
    rows = Tables(pages(tmp_path)["control.html"]).find("The profiles' numbers")
    numbers = {row[0]: row[1:] for row in rows[1:]}
    assert numbers["image height, pixels"] == ["240", "120"]
    assert numbers["epochs of phase 1 (Liang)"] == ["100", "100"]
    assert numbers["folds run, of 10"] == ["10", "10"]
    assert numbers["grey rows for the LSTM (Liang): means of so many pixels square"] == ["1", "4"]
    assert numbers["epochs of phase 2 (Liang)"][1] == "4"  # the control's own, not the profile's
    assert numbers["epochs (Jane)"][1] == "80"
    assert numbers["weights"] == ["ImageNet", "ImageNet"]
    row = Tables(pages(tmp_path)["control.html"]).find("EfficientNet-Lite0-LSTM minus")[1]
    assert row[1].startswith("X | EfficientNet-Lite0-LSTM: 0 of 1 runs")


def test_no_claim_is_shown_beside_the_control_alone(control):
    out, _ = control
    result = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert all(claim["verdicts"] == [] for claim in result["claims"])
    index, claims = pages(out)["index.html"], pages(out)["claims.html"]
    assert not any(text.startswith("Every claim") for text in Tables(claims).tables)
    assert "not tested" not in index and "None of the papers' networks" in claims
    assert 'href="control.html"' in index
    for name in ("liang.html", "jane.html"):
        assert "EfficientNet" not in pages(out)[name]
        assert "No run was asked for" in pages(out)[name]
    speed = pages(out)["speed.html"]
    assert "EfficientNet-Lite0" in speed and "3.8 s" not in speed and "Tesla" not in speed
    hold_together(out)


def test_results_name_the_suite(control):
    out, _ = control
    result = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert {r["suite"] for r in result["runs"]} == {"control"}
    assert {c["suite"] for c in result["cells"]} == {"control"}
    lines = list(csv.DictReader((out / "results.csv").open(encoding="utf-8")))
    assert {line["suite"] for line in lines} == {"control"}
    assert {line["scope"] for line in lines} == {"run", "cell", "pooled", "timing"}


PAPERS_SEVEN = [v.name for v in load_variants().values() if v.suite == "liang"]


def paper_runs(out, names: list[str], values: dict[str, tuple[float, ...]]) -> list:
    """Runs that may judge claims, both the papers' and, were they theirs, the control's."""
    plan = []
    for name in names:
        for seed, value in enumerate(values.get(name, (0.85, 0.851, 0.852))):
            run = synthetic.spec(variant=name, seed=seed, **PAPER)
            synthetic.add(Store(out), run, value, epochs=1)
            plan.append(run)
    return plan


def test_a_better_control_run_changes_no_verdict(tmp_path):
    values = {"xception_lstm": (0.9, 0.901, 0.902), LSTM: (0.99, 0.991, 0.992)}
    plan = paper_runs(tmp_path, [*PAPERS_SEVEN, LSTM], values)
    shown = ("index.html", "liang.html", "jane.html", "control.html")
    result = made(tmp_path, plan, *shown)
    assert word(result, "liang.rank.best")[0] == "supported"
    texts = pages(tmp_path)
    for name in shown[:3]:
        for caption, rows in Tables(texts[name]).tables.items():
            assert not any("EfficientNet" in cell for row in rows for cell in row), caption
    notes = re.findall(r'<div class="notes">.*?</div>', texts["liang.html"], re.S)
    assert notes and "EfficientNet" not in "".join(notes)
    assert "99.1" in texts["control.html"]


def test_no_contest_is_with_a_control_network():
    control = {v.name for v in load_variants().values() if v.suite == "control"}
    found = [c for c in load_claims().values() if c.kind == "ordering"]
    assert {c.paper for c in found} == {"liang", "jane"}
    assert not control & {name for c in found for pair in contests(c) for name in pair}


def test_a_missing_fold_is_an_x(tmp_path):
    plan = [
        synthetic.spec(variant=variant, fold=fold)
        for variant in (CNN_LSTM, CNN_GRU)
        for fold in (0, 1)
    ]
    for run in plan[:3]:
        synthetic.add(Store(tmp_path), run)
    made(tmp_path, plan, "control.html")
    page = Tables(pages(tmp_path)["control.html"])
    row = next(
        r for r in page.find("EfficientNet-Lite0 CNN-LSTM minus") if r[0].startswith("Accuracy, s")
    )
    assert row[1:] == [
        "X | EfficientNet-Lite0 CNN-GRU: 1 of 2 folds", "– | no run planned", "X"
    ]  # fmt: skip
    row = next(r for r in page.find("More measures") if r[0] == "EfficientNet-Lite0 CNN-GRU")
    assert row[2] == "X" and row[-1] == "1 of 2 folds"


def test_where_one_network_was_asked_for_no_difference_is_shown(tmp_path):
    plan = [synthetic.spec(variant=CNN)]
    synthetic.add(Store(tmp_path), plan[0])
    made(tmp_path, plan, "control.html")
    page = pages(tmp_path)["control.html"]
    assert Tables(page).row("More measures", "EfficientNet-Lite0")
    assert "the difference that the question asks for" not in page


def test_three_seeds_give_an_interval_and_folds_are_counted(tmp_path):
    plan = paper_runs(tmp_path, [CNN, LSTM], {LSTM: (0.86, 0.871, 0.867)})
    made(tmp_path, plan, "control.html")
    row = Tables(pages(tmp_path)["control.html"]).find("EfficientNet-Lite0-LSTM minus")[1]
    gaps = [
        accuracy(tmp_path, b.id, "selected") - accuracy(tmp_path, a.id, "selected")
        for a, b in zip(plan[:3], plan[3:], strict=True)
    ]
    half = 4.302653 * np.std(gaps, ddof=1) / 3**0.5  # t of 2 degrees of freedom
    assert row[1] == f"{100 * np.mean(gaps):+.2f} | ± {100 * half:.2f}"
    assert "One seed" not in pages(tmp_path)["control.html"]


def test_stale_control_runs_are_marked(tmp_path):
    plan = [synthetic.spec(variant=variant) for variant in (CNN, LSTM)]
    for run in plan:
        synthetic.add(Store(tmp_path), run, 0.75 if run.variant == CNN else 1.0)
    path = tmp_path / "runs" / plan[1].id / "run.json"
    record = json.loads(path.read_text(encoding="utf-8")) | {"results_version": 2}
    path.write_text(json.dumps(record), encoding="utf-8")
    made(tmp_path, plan, "control.html")
    row = Tables(pages(tmp_path)["control.html"]).find("EfficientNet-Lite0-LSTM minus")[1]
    assert row[1] == "+25.00 †"


def test_without_control_runs_there_is_no_page(tmp_path):
    made(tmp_path, [synthetic.spec(variant=CNN)], "control.html")
    assert "control.html" in pages(tmp_path)
    made(tmp_path, [synthetic.spec()])
    assert "control.html" not in pages(tmp_path)
    assert not any("control.html" in text for text in pages(tmp_path).values())


def test_unlike_profiles_of_grey_pooling_never_share_a_table(tmp_path):
    run = synthetic.spec(variant=LSTM, profile="laptop")
    other = dataclasses.replace(run, recipe=run.recipe | {"grey_pooling": 1})
    for spec in (run, other):
        synthetic.add(Store(tmp_path), spec, epochs=1)
    result = results_of(tmp_path, [run, other])
    assert {s["extra"] for s in result["settings"]} == {"", "grey_pooling = 1"}


def test_digests_of_several_backbones_are_shortened_each():
    assert short("md5:" + "b" * 32 + "+md5:" + "4" * 32) == "MD5 bbbbbbbbbbbb + MD5 444444444444"
    assert short("sha256:" + "5" * 64) == "SHA-256 555555555555"
    assert short("d" * 64) == "dddddddddddd"


def test_environment_names_the_kind_of_a_digest(tmp_path):
    digest = "md5:" + "b" * 32 + "+md5:" + "4" * 32
    weights = {"source": "imagenet", "digest": digest}
    made(tmp_path, [dataclasses.replace(synthetic.spec(), weights=weights)], "environment.html")
    rows = Tables(pages(tmp_path)["environment.html"]).find("Images and weights")
    row = next(r for r in rows if r[0] == "ImageNet, Keras, Xception")
    assert row[1] == "MD5 bbbbbbbbbbbb + MD5 444444444444"


def test_environment_names_the_results_versions_that_made_runs(tmp_path, monkeypatch):
    store, runs = Store(tmp_path), [synthetic.spec("keras"), synthetic.spec("torch")]
    synthetic.add(store, runs[0])
    synthetic.raise_version(monkeypatch)
    synthetic.add(store, runs[1])
    made(tmp_path, runs, "environment.html")
    rows = Tables((tmp_path / "environment.html").read_text(encoding="utf-8")).find(
        "The state of this suite"
    )
    assert [row[:3] for row in rows[1:3]] == [
        ["1", "not recorded", "stale †"],
        ["2", "not recorded", "as today's"],
    ]
