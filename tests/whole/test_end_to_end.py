"""The main job through the front door: images in, both twins, a report out."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.store.store import Store
from protocols.files import ROOT
from tests.support.command import runner

# The cheapest to train: one of two phases on the phantom, one of a fold on the real images. Every
# other network goes through the door in tests/golden.
CNN, CNN_LSTM = "efficientnet_lite0", "efficientnet_lite0_cnn_lstm"


@pytest.fixture(scope="module")
def phantom_run(tmp_path_factory, cache):
    """One network, both twins, on the phantom, without network."""
    out = tmp_path_factory.mktemp("phantom") / "out"
    words = ["--variant", CNN, "--data", "phantom", "--gpu", "none", "--cache", cache]
    words += ["--out", out]
    return runner(*words), out, words


def test_it_ends_well_and_says_where_the_report_is(phantom_run):
    answer, out, _ = phantom_run
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert f"report: {out / 'index.html'}" in answer.stdout
    assert answer.stdout.count("accuracy") == 2
    assert answer.stdout.count(", cold ") == 2
    assert {run.status for run in Store(out).runs()} == {"done"}


def test_every_page_says_phantom(phantom_run):
    _, out, _ = phantom_run
    pages = list(out.glob("*.html"))
    assert len(pages) >= 6
    for page in pages:
        assert "PHANTOM" in page.read_text(encoding="utf-8"), page.name


def test_both_twins_saw_the_same_images_in_the_same_order(phantom_run):
    runs = {r.spec.framework: r for r in Store(phantom_run[1]).runs() if r.spec.stage == "train"}
    keras, torch = runs["keras"], runs["torch"]
    assert (keras.predictions["ids"] == torch.predictions["ids"]).all()
    assert (keras.predictions["labels"] == torch.predictions["labels"]).all()
    assert len(keras.history) == len(torch.history) == 4


def test_numbers_are_in_csv_and_json(phantom_run):
    _, out, _ = phantom_run
    document = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert document["schema_version"] == 1
    done = [run for run in document["runs"] if run["state"] == "done"]
    assert len(done) == 4
    with (out / "results.csv").open(encoding="utf-8") as file:
        assert sum(row["metric"] == "accuracy" for row in csv.DictReader(file)) >= 2


def test_latencies_are_measured_as_the_profile_says(phantom_run):
    runs = [r for r in Store(phantom_run[1]).runs() if r.spec.stage == "latency"]
    assert len(runs) == 2
    for run in runs:
        assert run.timings["single"]["repeats"] == run.timings["jpeg"]["repeats"] == 10
        assert run.timings["cold"]["median"] > run.timings["single"]["median"] > 0
        assert run.timings["batch32"]["p95"] >= run.timings["batch32"]["median"]


def test_a_second_time_there_is_nothing_to_do(phantom_run):
    _, out, words = phantom_run
    runs = {f: f.stat().st_mtime_ns for f in (out / "runs").rglob("*")}
    answer = runner(*words)
    assert answer.returncode == 0
    assert "4 runs, 4 of them done" in answer.stdout
    assert {f: f.stat().st_mtime_ns for f in (out / "runs").rglob("*")} == runs


def test_a_deleted_run_is_made_again_and_alone(phantom_run):
    _, out, words = phantom_run
    run = next(r for r in Store(out).runs() if r.spec.id.startswith(f"torch-{CNN}-fixed"))
    before = run.predictions["selected"]
    (run.folder / "run.json").unlink()
    answer = runner(*words)
    assert "4 runs, 3 of them done" in answer.stdout
    assert (Store(out).find(run.spec).predictions["selected"] == before).all()


def test_status_and_report_speak_of_the_last_request(phantom_run):
    _, out, _ = phantom_run
    assert runner("--status", "--out", out).stdout.startswith("4 runs: 4 done")
    index = out / "index.html"
    text = index.read_text(encoding="utf-8")
    index.unlink()
    assert runner("--report", "--out", out).returncode == 0
    assert index.read_text(encoding="utf-8") == text


def test_ctrl_c_leaves_nothing_half_written(tmp_path, cache):
    words = ["--variant", CNN, "--framework", "torch", "--data", "phantom", "--gpu", "none"]
    process = subprocess.Popen(
        [sys.executable, ROOT / "runner.py", *words, "--cache", cache, "--out", tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        encoding="utf-8",
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("runs/.*/log.txt")) and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(1)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert [p.name for p in (tmp_path / "runs").iterdir()] == []


@pytest.mark.real
@pytest.mark.skipif("WBC_DATA" not in os.environ, reason="WBC_DATA doesn't name the images")
def test_the_real_images(tmp_path, cache):
    data = Path(os.environ["WBC_DATA"])
    words = ["--variant", CNN_LSTM, "--folds", "1", "--framework", "torch", "--gpu", "none"]
    words += ["--cache", cache, "--out", tmp_path, "--set", "epochs=2"]  # no times to an answer
    answer = runner(*words, WBC_DATA=data)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "data: real, from WBC_DATA" in answer.stdout
    assert "PHANTOM" not in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert runner("--validate", "--data", data, "--out", tmp_path).returncode == 0
