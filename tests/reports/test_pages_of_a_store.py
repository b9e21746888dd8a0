"""The report layer on made-up stores: numbers, gaps, verdicts, honesty, bytes."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.store.store import Store
from protocols import metrics
from protocols.files import ROOT
from protocols.papers.claims import load_claims
from reports.build import build
from reports.cells.settings import Setting, scrub, setting_of
from reports.statistics.between_seeds import one_more_run
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


def test_numbers_on_the_pages_are_those_of_the_predictions(smoke_report):
    out, plan = smoke_report
    more = Tables(pages(out)["jane.html"]).find("More measures")
    rows = [row for row in more if "CNN-LSTM" in row[0] or row[0] == "PyTorch"]
    for row, framework in zip(rows[:2], ("keras", "torch"), strict=True):
        folds = [
            scored(out, s.id)
            for s in plan
            if (s.framework, s.variant, s.stage) == (framework, "cnn_lstm", "train")
        ]
        assert len(folds) == 2
        mean = sum(f["precision_macro"] for f in folds) / 2
        assert percent(mean) in [text.split(" | ")[0] for text in row]
    more = Tables(pages(out)["liang.html"]).find("More measures")
    row = next(r for r in more if r[0] == "Xception-LSTM")
    run = next(s for s in plan if s.variant == "xception_lstm")
    assert row[4].split(" | ")[0] == percent(scored(out, run.id, "last")["accuracy"])
    assert row[5] == f"{scored(out, run.id)['log_loss']:.4f}"


def test_numbers_of_smoke_never_stand_beside_a_claim(smoke_report):
    out, _ = smoke_report
    liang, jane = pages(out)["liang.html"], pages(out)["jane.html"]
    rows = Tables(liang).find("Liang 2018, Table 1")[2:]
    rows += [r for t in ("II:", "III:") for r in Tables(jane).find(f"Jane 2022, Table {t}")[2:]]
    claims = [row for row in rows if len(row) > 1 and row[1]]
    assert len(claims) == 7 + 8 + 20
    for row in claims:
        assert (row[2], row[3], row[5], row[6]) == ("–", "", "–", ""), row
    verdicts = Tables(pages(out)["claims.html"]).find("Every claim")
    row = next(row for row in verdicts if row[0].startswith("Xception-LSTM"))
    assert row[1:4] == ["90.79\u202f%", "–", "–"]
    for page in (liang, jane):
        assert "are not set beside the claims (profile smoke, not paper; phantom images" in page
        assert "confirms or refutes no printed number" in page
    assert "100 → 1; 200 → 2; 300 → 3; 400 → 4; 500 → 4" in jane


def test_results_hold_every_number(smoke_report):
    out, plan = smoke_report
    result = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert result["schema_version"] == 1
    lines = list(csv.DictReader((out / "results.csv").open(encoding="utf-8")))
    assert {run["id"] for run in result["runs"]} == {s.id for s in plan}
    numbers = {(r["run"], r["at"], r["metric"]): r["value"] for r in lines if r["scope"] == "run"}
    for run in result["runs"]:
        if run["spec"]["stage"] == "latency":
            assert run["timings"]["cold"]["median"] == 4.2
            continue
        for part in ("selected", "last"):
            for metric, value in scored(out, run["id"], part).items():
                assert run["scores"][part][metric] == value
                assert float(numbers[run["id"], part, metric]) == value
    cell = next(c for c in result["cells"] if c["variant"] == "cnn_gru")
    parts = [np.load(out / "runs" / run / "predictions.npz") for run in cell["runs"]]
    labels = np.concatenate([p["labels"] for p in parts])
    pooled = metrics.score(labels, np.concatenate([p["selected"] for p in parts]))
    assert cell["pooled"]["0"] == pooled
    mean = np.mean([scored(out, run)["f1_weighted"] for run in cell["runs"]])
    assert cell["numbers"]["selected"]["f1_weighted"]["value"] == pytest.approx(mean, abs=1e-15)
    timings = {(r["run"], r["at"]): r["value"] for r in lines if r["scope"] == "timing"}
    latency = next(s for s in plan if s.stage == "latency")
    assert float(timings[latency.id, "cold.p95"]) == pytest.approx(4.2 * 1.3)


def test_phantom_and_smoke_stand_on_every_page_and_nothing_is_judged(smoke_report):
    out, _ = smoke_report
    assert len(pages(out)) == 18  # the recorded ladder has one
    for name, text in pages(out).items():
        assert "<strong>PHANTOM</strong>" in text, name
        if name in ("audit.html", "images.html", "assumed.html"):  # they show no run
            assert "Profile smoke" not in text
        else:
            assert "Profile smoke" in text and "refutes no printed number" in text, name
    result = json.loads((out / "results.json").read_text(encoding="utf-8"))
    words = [v["word"] for claim in result["claims"] for v in claim["verdicts"]]
    assert len(words) == 2 * len(load_claims()) and set(words) == {"not tested"}
    assert "phantom images" in word(result, "liang.t1.xception")[1]


def test_every_table_names_profile_protocol_device_data_and_weights(smoke_report):
    out, _ = smoke_report
    setting = "profile smoke, phantom images (drawn), random weights, device cpu, float32"
    others = ("III.A", "quoted from other papers")  # of the data or of others, not of runs
    with (out / "tables" / "index.csv").open(encoding="utf-8") as file:
        of_runs = [line for line in csv.DictReader(file) if not any(
            text in line["caption"] for text in others)]  # fmt: skip
    found = [
        line["caption"] for line in of_runs if line["page"] in ("Liang 2018", "Jane 2022", "Speed")
    ]
    assert len(found) > 12
    for caption in found:
        if "measured in turn" in caption:  # benchmarks, perhaps the recorded ones
            assert "CPU cores" in caption
            continue
        assert setting in caption.replace("Profile", "profile")
        assert "rotocol" in caption or "Time to an answer" in caption
    for name in ("liang.html", "jane.html"):  # on the page the section says it, for its tables
        above, *sections = pages(out)[name].split('<details class="of-setting"')
        below = sections[-1].partition("</main>")[0].rpartition("</details>")[2]
        assert all(setting in part.partition("</summary>")[0] for part in sections) and sections
        for caption in Tables(above + below).tables:
            assert any(text in caption for text in others), caption


def test_rebuilding_gives_the_same_bytes(smoke_report, tmp_path):
    """In another folder too."""
    built, plan = smoke_report
    out = shutil.copytree(built, tmp_path / "out")
    build(Store(out), plan, out)
    names = sorted(p.name for p in out.iterdir() if p.is_file() and not p.name.startswith("."))
    assert len(names) > 15
    for name in names:
        assert (out / name).read_bytes() == (built / name).read_bytes(), name


def test_pages_load_nothing_and_name_no_folder(smoke_report):
    out, _ = smoke_report
    for name, whole in pages(out).items():
        inline = r'<(img src|image [^>]*href)="data:image/[^"]*"'
        text = re.sub(inline, "<picture", whole)
        assert not re.search(
            r"<(script|link|img|iframe|object|embed|image)\b|@import|url\((?!#)", text
        )
        assert not re.search(r"\ssrc=", text), name
        links = re.findall(r'<(\w+)[^>]*\shref="(\w+:[^"]*)"', text)
        assert all(tag == "a" and url.startswith("https://doi.org/") for tag, url in links), name
        assert len(re.findall(r"https?:", text)) == len(links), name
        assert str(out) not in text and "/tmp" not in text and "/root" not in text
        assert not re.search(r"\b[Nn]a[Nn]\b|\bNone\b", text), name


def test_links_and_ids_of_the_pages_hold_together(smoke_report):
    hold_together(smoke_report[0])


@pytest.fixture
def comparable(monkeypatch):
    """Makes the numbers of small runs stand beside the claims, for tests of the tables alone."""
    monkeypatch.setattr(Setting, "comparable", True)


def test_a_missing_fold_is_an_x_and_no_mean(tmp_path, comparable):
    plan = [synthetic.spec(variant="cnn_lstm", fold=fold) for fold in (0, 1, 2)]
    for run in plan[:2]:
        synthetic.add(Store(tmp_path), run)
    shown = ("jane.html", "runs.html")
    result = made(tmp_path, plan, *shown)
    number = result["cells"][0]["numbers"]["selected"]["accuracy"]
    assert number["value"] is None and number["lack"] == "2 of 3 folds"
    row = Tables(pages(tmp_path)["jane.html"]).row("Jane 2022, Table II:", "accuracy")
    assert row[2] == "X | 2 of 3 folds" and row[3] == ""
    page = pages(tmp_path)["runs-smoke-phantom-random-cpu-float32-cv10.html"]
    assert "line: their mean" not in page and "fold 2: missing" in page
    made(tmp_path, plan[:2], *shown)  # the same store, asked for two: now the set is whole
    assert "line: their mean" in pages(tmp_path)["runs-smoke-phantom-random-cpu-float32-cv10.html"]


def test_a_plan_of_fewer_folds_than_the_profile_is_no_whole_set(tmp_path):
    plan = [synthetic.spec(variant="cnn_lstm", fold=0)]
    synthetic.add(Store(tmp_path), plan[0])
    assert results_of(tmp_path, plan)["cells"][0]["lack"] == "1 of 2 folds"


def test_a_missing_seed_is_an_x(tmp_path, comparable):
    plan = [synthetic.spec(seed=seed) for seed in (0, 1)]
    synthetic.add(Store(tmp_path), plan[0])
    made(tmp_path, plan, "liang.html")
    row = Tables(pages(tmp_path)["liang.html"]).row("Liang 2018, Table 1", "Xception")
    assert row[2] == "X | 1 of 2 seeds"


def test_a_failed_run_shows_its_reason_escaped_and_without_folders(tmp_path, comparable):
    run = synthetic.spec()
    reason = "RuntimeError: <b>no memory</b> in /home/someone/wbc/model.py"
    synthetic.add_failed(Store(tmp_path), run, reason)
    result = made(tmp_path, [run], "runs.html", "environment.html", "liang.html")
    for name in ("runs.html", "environment.html"):
        text = pages(tmp_path)[name]
        assert "RuntimeError: &lt;b&gt;no memory&lt;/b&gt; in …/model.py" in text
        assert "someone" not in text
    assert result["runs"][0]["state"] == "failed" and "someone" not in json.dumps(result)
    assert "1 failed" in Tables(pages(tmp_path)["liang.html"]).row("Liang 2018, T", "Xception")[2]


def test_divergence_is_said_and_never_printed_as_nan(tmp_path, comparable):
    plan = [synthetic.spec(variant="cnn_lstm", fold=fold) for fold in (0, 1)]
    store = Store(tmp_path)
    synthetic.add(store, plan[0])
    recorder = synthetic.recorded(plan[1])
    recorder.epochs[0][:] = np.nan
    recorder.rows[0]["eval_loss"] = float("nan")
    synthetic.keep(store, plan[1], recorder)
    made(tmp_path, plan)
    rows = Tables(pages(tmp_path)["jane.html"]).find("Jane 2022, Table III")
    assert next(r for r in rows if r[0] == "accuracy at epoch 100")[2] == "diverged"
    assert next(r for r in rows if r[0] == "accuracy at epoch 200")[2].endswith("%")
    for text in pages(tmp_path).values():
        assert not re.search(r"\bnan\b", text, re.I)


def test_a_run_that_diverged_altogether(tmp_path, comparable):
    run = synthetic.spec()
    synthetic.add_failed(Store(tmp_path), run, "TrainingDiverged: no epoch has a finite loss")
    made(tmp_path, [run], "liang.html")
    row = Tables(pages(tmp_path)["liang.html"]).row("Liang 2018, Table 1", "Xception")
    assert row[2].startswith("diverged")


def test_a_damaged_run_does_not_stop_the_report(tmp_path):
    run = synthetic.spec()
    (synthetic.add(Store(tmp_path), run).folder / "predictions.npz").write_bytes(b"PK nothing")
    result = made(tmp_path, [run])
    assert result["runs"][0]["state"] == "failed"
    assert "files can't be read" in result["runs"][0]["reason"]


def paper_store(out: Path, accuracies: dict[str, tuple[float, ...]]) -> list:
    """Paper runs of Keras on the real images: one a seed, of few epochs. Returns the plan."""
    plan = []
    for variant, values in accuracies.items():
        for seed, accuracy in enumerate(values):
            plan.append(synthetic.spec(variant=variant, seed=seed, **PAPER))
            synthetic.add(Store(out), plan[-1], accuracy, epochs=1)
    return plan


def test_metric_verdicts_say_what_the_numbers_say(tmp_path):
    plan = paper_store(
        tmp_path,
        {
            "inception_v3": (0.8404, 0.8408, 0.8412),  # printed 84.08
            "resnet50": (0.91, 0.9105, 0.911),  # 87.62
            "xception": (0.80, 0.8005, 0.801),  # 88.70
            "inception_v3_lstm": (0.86, 0.87, 0.885),  # 87.45
            "resnet50_lstm": (0.89, 0.895),  # 89.38
        },
    )
    result = made(tmp_path, plan, "liang.html")
    assert word(result, "liang.t1.inception_v3")[0] == "compatible"
    assert word(result, "liang.t1.resnet50")[0] == "above"
    assert word(result, "liang.t1.xception")[0] == "below"
    assert word(result, "liang.t1.inception_v3_lstm")[0] == "undecided"
    assert word(result, "liang.t1.resnet50_lstm") == ("not tested", "2 of at least 3 seeds")
    assert word(result, "liang.t1.xception_lstm") == ("not tested", "no run planned")
    assert word(result, "liang.t1.xception", "torch")[0] == "not tested"
    assert word(result, "liang.speed.test")[0] == "not tested"
    reason = "counted in the data's manifest, not by runs"
    assert word(result, "liang.data.test.l") == ("not tested", reason)
    counts = Tables(pages(tmp_path)["liang.html"]).row("Liang 2018, III.A", "lymphocyte")
    assert counts[1:] == ["2,483", "2,483", "0"]
    row = Tables(pages(tmp_path)["liang.html"]).row("Liang 2018, Table 1", "ResNet50")
    assert row[4].startswith("above | 91.05 ± ") and row[4].endswith("3\u00a0seeds")
    assert "PHANTOM" not in pages(tmp_path)["liang.html"]


def test_interval_is_that_of_one_more_run():
    mean, half = one_more_run([0.1, 0.2, 0.3])
    assert mean == pytest.approx(0.2)
    assert half == pytest.approx(4.302653 * 0.1 * (4 / 3) ** 0.5, rel=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        {"profile": "smoke"},
        {"kind": "phantom"},
        {"weights": "random"},
        {"recipe": {"label_smoothing": 0.2}},
        {"init": "shared"},
    ],
)
def test_only_paper_runs_as_published_are_judged(tmp_path, change):
    plan = [synthetic.spec(seed=seed, **(PAPER | change)) for seed in range(3)]
    for run in plan:
        synthetic.add(Store(tmp_path), run, 0.887, epochs=1)
    assert word(results_of(tmp_path, plan), "liang.t1.xception")[0] == "not tested"
    if "recipe" in change or "init" in change:  # never in the papers' tables
        made(tmp_path, plan, "liang.html")
        assert not any("Table 1:" in c for c in Tables(pages(tmp_path)["liang.html"]).tables)
        assert "never beside the claims" in pages(tmp_path)["liang.html"]


def test_stale_runs_are_marked_and_never_judged(tmp_path):
    plan = paper_store(tmp_path, {"xception": (0.886, 0.887, 0.888)})
    assert word(results_of(tmp_path, plan), "liang.t1.xception")[0] == "compatible"
    path = tmp_path / "runs" / plan[1].id / "run.json"
    record = json.loads(path.read_text(encoding="utf-8")) | {"results_version": 2}
    path.write_text(json.dumps(record), encoding="utf-8")
    result = made(tmp_path, plan, "liang.html")
    assert word(result, "liang.t1.xception")[0] == "not tested"
    assert "stale" in word(result, "liang.t1.xception")[1]
    row = Tables(pages(tmp_path)["liang.html"]).row("Liang 2018, Table 1", "Xception")
    mean = np.mean([scored(tmp_path, run.id)["accuracy"] for run in plan])
    assert row[2].split(" | ")[0] == f"{percent(mean)} †"


RNN = ("inception_v3", "resnet50", "xception")


@pytest.mark.parametrize(
    ("gaps", "verdict"),
    [
        ((0.02, 0.021, 0.022), "supported"),
        ((-0.02, -0.021, -0.022), "refuted"),
        ((-0.02, 0.0, 0.03), "undecided"),
        ((0.02, 0.021), "not tested"),
    ],
)
def test_ordering_verdicts(tmp_path, gaps, verdict):
    base = {name: (0.85,) * len(gaps) for name in RNN}
    base |= {f"{name}_lstm": tuple(0.85 + gap for gap in gaps) for name in RNN}
    result = results_of(tmp_path, paper_store(tmp_path, base))
    assert word(result, "liang.rank.rnn")[0] == verdict
    assert word(result, "liang.rank.best")[0] == "not tested"  # the seventh network is not there


def test_best_of_seven_needs_every_other(tmp_path):
    names = (*RNN, "inception_v3_lstm", "resnet50_lstm", "xception_resnet50_lstm")
    values = {name: (0.85, 0.851, 0.852) for name in names} | {"xception_lstm": (0.9, 0.901, 0.902)}
    plan = paper_store(tmp_path, values)
    assert word(results_of(tmp_path, plan), "liang.rank.best")[0] == "supported"
    plan.append(synthetic.spec(variant="resnet50", seed=3, **PAPER))  # asked for, not there
    assert word(results_of(tmp_path, plan), "liang.rank.best")[0] == "not tested"


def test_what_is_not_in_the_plan_stands_apart(tmp_path, comparable):
    store = Store(tmp_path)
    plan = [synthetic.spec(seed=0)]
    beside = [
        synthetic.spec(seed=1),
        synthetic.spec(seed=1, threads=4),
        synthetic.spec(seed=1, backend="jax"),
        synthetic.spec(seed=0, device="Some GPU"),
    ]
    for index, run in enumerate(plan + beside):
        synthetic.add(store, run, 0.5 + 0.1 * index)
    result = made(tmp_path, plan, "liang.html")
    assert [s["planned"] for s in result["settings"]].count(True) == 1
    assert sorted(len(c["runs"]) for c in result["cells"]) == [1] * 5
    assert len({(c["setting"], c["protocol"]) for c in result["cells"]}) == 5
    row = Tables(pages(tmp_path)["liang.html"]).row("Liang 2018, Table 1", "Xception")
    assert row[2].split(" | ")[0] == percent(scored(tmp_path, plan[0].id)["accuracy"])


def test_a_paper_set_outside_the_plan_is_still_judged(tmp_path):
    paper_store(tmp_path, {"xception": (0.886, 0.887, 0.888)})
    plan = [synthetic.spec()]
    synthetic.add(Store(tmp_path), plan[0])
    result = made(tmp_path, plan)
    assert word(result, "liang.t1.xception", setting=0)[0] == "not tested"
    assert word(result, "liang.t1.xception", setting=1)[0] == "compatible"
    captions = Tables(pages(tmp_path)["claims.html"]).tables
    assert sum(text.startswith("Every claim") for text in captions) == 1, "smoke is left out"
    index = (tmp_path / "tables" / "index.csv").read_text(encoding="utf-8")
    assert index.count("\nclaims-verdicts-") == 2
    hold_together(tmp_path)


def test_threads_that_differ_within_a_group_are_said(tmp_path):
    plan = [synthetic.spec(threads=2), synthetic.spec("torch", threads=8)]
    for run in plan:
        synthetic.add(Store(tmp_path), run)
    made(tmp_path, plan, "liang.html")
    assert "CPU threads differ between runs: 2, 8." in pages(tmp_path)["liang.html"]


def test_an_empty_store_and_plan(tmp_path):
    assert build(Store(tmp_path), [], tmp_path / "new").is_file()
    assert "No run was planned" in pages(tmp_path / "new")["runs.html"]


def test_pages_of_settings_no_longer_shown_go_away(tmp_path):
    run = synthetic.spec()
    synthetic.add(Store(tmp_path), run)
    made(tmp_path, [], "runs.html")
    made(tmp_path, [run], "runs.html")
    names = [p.name for p in tmp_path.glob("runs-*.html")]
    assert names == ["runs-smoke-phantom-random-cpu-float32-fixed.html"]
    assert not list(tmp_path.glob("*.tmp-*"))


def test_scrub_keeps_words_and_drops_folders():
    assert scrub("no file '/a/b/c.npz' here") == "no file '…/c.npz' here"
    assert scrub("12/34 of images, and/or, 3.8 s/image") == "12/34 of images, and/or, 3.8 s/image"


def test_importing_build_is_light():
    code = (
        "import sys, reports.build;"
        "slow = {'matplotlib', 'sklearn', 'pandas', 'jinja2', 'scipy', 'numpy', 'torch', 'keras'};"
        "print(sorted(slow & set(sys.modules)))"
    )
    root = ROOT
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_verdicts_need_float32():
    words = {"profile": "paper", "kind": "real", "weights": "imagenet"}
    assert setting_of(synthetic.spec(**words), True).objections == []
    found = setting_of(synthetic.spec(**words, precision="bfloat16"), True).objections
    assert found == ["bfloat16, not float32"]


def test_several_processes_write_the_same_pages(tmp_path):
    plan = synthetic.plan_of(["xception", "cnn_gru"], "smoke", (0,))
    store = synthetic.fill(Store(tmp_path / "one"), plan)
    script = (
        "import sys, reports.cells.parallel\n"
        "from pathlib import Path\n"
        "from benchmarks.store.store import Store\n"
        "from reports.build import build\n"
        "store = Store(Path(sys.argv[1]))\n"
        "for jobs in (1, 2):\n"
        "    build(store, store.plan(), Path(sys.argv[1 + jobs]), jobs)\n"
        "    assert not jobs - 1 or reports.cells.parallel.FEW < len(store.plan())\n"
        "assert 'tensorflow' not in sys.modules and 'torch' not in sys.modules\n"
    )
    store.remember(plan)
    outs = [tmp_path / "serial", tmp_path / "parallel"]
    subprocess.run([sys.executable, "-c", script, store.out, *outs], check=True, cwd=ROOT)
    names = sorted(p.relative_to(outs[0]) for p in outs[0].rglob("*") if p.is_file())
    assert len(names) > 10
    for name in names:
        assert (outs[0] / name).read_bytes() == (outs[1] / name).read_bytes(), name
