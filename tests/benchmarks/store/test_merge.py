"""--report --from: runs of other folders are checked, taken in, and reported."""

import json

import numpy as np
import pytest

from benchmarks.store import validation
from benchmarks.store.merge import merge
from benchmarks.store.store import Store
from protocols.errors import RequestError
from tests.support.command import runner
from tests.support.synthetic import add, add_failed, raise_version, spec

KERAS, TORCH = spec(), spec("torch")


@pytest.fixture
def store_of(tmp_path):
    def make(name, *runs, accuracy=0.75):
        store = Store(tmp_path / name)
        for run in runs:
            add(store, run, accuracy)
        return store

    return make


def ids(plan):
    return [wanted.id for wanted in plan]


def test_runs_and_plans_of_several_folders_come_together(store_of):
    ours, one, two = store_of("ours", KERAS), store_of("one", KERAS), store_of("two", TORCH)
    ours.remember([KERAS])
    missing = spec("torch", "resnet50")
    two.remember([TORCH, missing])
    add_failed(one, missing, "made up")
    assert merge([one.out, two.out], ours) == 1
    assert ids(ours.plan()) == ids([KERAS, TORCH, missing])
    assert [run.status for run in ours.runs()] == ["done", "done"]
    assert validation.sentences(ours) == []
    taken, original = ours.find(TORCH), two.find(TORCH)
    assert taken.record == original.record
    np.testing.assert_array_equal(taken.predictions["selected"], original.predictions["selected"])
    assert merge([one.out, two.out], ours) == 0


@pytest.mark.parametrize("name", ["history.csv", "predictions.npz", "spec.json"])
def test_an_altered_file_is_refused(store_of, name):
    sent = store_of("sent", KERAS)
    path = sent.find(KERAS).folder / name
    path.write_bytes(path.read_bytes() + b" ")
    ours = store_of("ours")
    with pytest.raises(RequestError, match=f"{name}: altered"):
        merge([sent.out], ours)
    assert not ours.out.exists()


def test_a_missing_file_is_refused(store_of):
    sent = store_of("sent", KERAS)
    (sent.find(KERAS).folder / "env.json").unlink()
    with pytest.raises(RequestError, match=r"env\.json: missing"):
        merge([sent.out], store_of("ours"))


def test_two_results_of_one_run_are_refused(store_of):
    one, two = store_of("one", KERAS), store_of("two", KERAS, accuracy=0.5)
    with pytest.raises(RequestError, match="different results of one run"):
        merge([one.out, two.out], store_of("ours"))
    assert merge([two.out], store_of("ours")) == 1
    with pytest.raises(RequestError, match="different results of one run"):
        merge([one.out], store_of("ours"))


def test_a_stale_result_gives_way_to_one_of_today_s_version(store_of, monkeypatch):
    old = store_of("old", KERAS)
    ours = store_of("ours")
    assert merge([old.out], ours) == 1
    raise_version(monkeypatch)
    new = store_of("new", KERAS, accuracy=0.5)
    assert ours.find(KERAS).status == "stale"
    assert merge([new.out], ours) == 1
    for _ in range(2):
        assert ours.find(KERAS).status == "done"
        assert ours.find(KERAS).record == new.find(KERAS).record
        assert merge([old.out, new.out], ours) == 0
    both = store_of("both")
    assert merge([old.out, new.out], both) == merge([new.out, old.out], store_of("turned")) == 1
    assert both.find(KERAS).record == new.find(KERAS).record


@pytest.mark.parametrize("change", [{"id": TORCH.id}, {"files": {"../../escaped": {}}}])
def test_a_record_of_something_else_is_refused(store_of, tmp_path, change):
    sent = store_of("sent", KERAS)
    path = sent.find(KERAS).folder / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    if "files" in change:
        (tmp_path / "sent" / "escaped").write_text("x", encoding="utf-8")
        digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"  # of x
        change = {"files": record["files"] | {"../../escaped": {"sha256": digest}}}
    path.write_text(json.dumps(record | change), encoding="utf-8")
    with pytest.raises(RequestError, match=r"is damaged: run\.json"):
        merge([sent.out], store_of("ours"))


def test_a_report_is_made_from_other_folders(store_of, tmp_path):
    sent = store_of("sent", KERAS, TORCH)
    out = tmp_path / "fresh"
    answer = runner("--report", "--from", sent.out, "--out", out)
    assert answer.returncode == 0, answer.stderr
    assert "runs taken in: 2" in answer.stdout
    found = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert sorted(run["id"] for run in found["runs"]) == sorted([KERAS.id, TORCH.id])
