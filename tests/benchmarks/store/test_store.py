"""Done is written last and believed; failures stay visible; a run of another version is stale."""

import dataclasses
import errno
import json
import os

import pytest

from benchmarks.launch.pending import todo_of
from benchmarks.store import store as store_module
from benchmarks.store import validation
from benchmarks.store.run import DAMAGED
from benchmarks.store.store import Store
from benchmarks.terminal.texts import status
from protocols.errors import RequestError
from tests.support.synthetic import add, add_failed, raise_version, spec


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def test_a_finished_run_is_found_again(store):
    run = spec()
    assert store.find(run) is None
    add(store, run, 0.75)
    found = Store(store.out).find(run)
    assert found.status == "done"
    assert found.spec == run
    assert len(found.history) == 4
    assert found.predictions["selected"].shape == (16, 4)
    assert todo_of([run], store, fresh="") == []
    assert todo_of([run], store, fresh="all") == [run]


def test_after_a_cpu_run_nothing_counts_as_done_for_a_gpu(store):
    run = spec()
    add(store, run)
    on_gpu = dataclasses.replace(run, device="NVIDIA H100 80GB HBM3")
    assert store.find(on_gpu) is None
    assert todo_of([run, on_gpu], store, fresh="") == [on_gpu]


def test_a_folder_without_run_json_is_unfinished(store):
    run = spec()
    stored = add(store, run)
    (stored.folder / "run.json").unlink()
    assert store.find(run) is None
    assert store.runs() == []


def test_hidden_folders_are_not_runs(store):
    folder = store.begin(spec())
    (folder / "spec.json").write_text(spec().to_json(), encoding="utf-8")
    assert store.runs() == []
    store.discard(folder)
    assert not folder.exists()


def test_what_a_killed_launch_left_is_removed(store):
    dead = store.runs_folder / f".{spec().id}.99999999"
    living = store.runs_folder / f".{spec().id}.1"
    for folder in (dead, living):
        folder.mkdir(parents=True)
    store.begin(spec())
    assert not dead.exists()
    assert living.exists()


def test_a_failure_stays_visible_and_is_tried_again(store):
    run = spec()
    add_failed(store, run, "MemoryError: too big")
    found = store.find(run)
    assert (found.status, found.reason) == ("failed", "MemoryError: too big")
    assert todo_of([run], store, fresh="") == [run]
    add(store, run)
    assert store.find(run).status == "done"


def test_running_again_keeps_the_old_folder_aside(store):
    run = spec()
    add(store, run)
    add(store, run)
    kept = [f.name for f in store.runs_folder.iterdir() if f.name.startswith(".")]
    assert kept == [f".{run.id}.old1"]
    assert len(store.runs()) == 1


def test_a_run_is_on_the_disk_before_it_has_its_name(store, monkeypatch):
    written = set()

    def fsync(descriptor):
        written.add(os.fstat(descriptor).st_ino)
        assert not (store.runs_folder / spec().id).exists()

    monkeypatch.setattr(store_module.os, "fsync", fsync)
    folder = add(store, spec()).folder
    assert {path.stat().st_ino for path in folder.iterdir()} == written


@pytest.mark.parametrize("missing", ["env.json", "predictions.npz", "spec.json"])
def test_an_incomplete_answer_is_refused(store, missing):
    run = spec()
    stored = add(store, run)
    folder = store.begin(run)
    for file in stored.folder.iterdir():
        if file.name not in (missing, "run.json"):
            (folder / file.name).write_bytes(file.read_bytes())
    with pytest.raises((ValueError, FileNotFoundError)):
        store.finish(run, folder)


def test_another_spec_is_refused(store):
    folder = add(store, spec()).folder
    with pytest.raises(ValueError, match="another spec"):
        store.finish(spec(seed=1), folder)


def test_validate_names_what_was_altered(store):
    stored = add(store, spec())
    assert validation.sentences(store) == []
    (stored.folder / "history.csv").write_text("phase\n", encoding="utf-8")
    (stored.folder / "env.json").unlink()
    assert [line.rsplit("/", 1)[1] for line in validation.sentences(store)] == [
        "env.json: missing",
        "history.csv: altered since the run was finished",
    ]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"results_version": 1}'])
@pytest.mark.parametrize("name", ["run.json", "failed.json"])
def test_a_damaged_record_is_a_failure_that_is_named(store, name, text):
    """As an empty file is what a power cut leaves."""
    run = add(store, spec())
    if name != "run.json":
        (run.folder / "run.json").unlink()
    (run.folder / name).write_text(text, encoding="utf-8")
    (found,) = store.runs()
    assert (found.status, found.done) == ("failed", False)
    assert found.reason.startswith(f"{DAMAGED}: {name}")
    assert validation.sentences(store) == [f"{run.folder}: {found.reason}"]
    assert add(store, spec()).status == store.find(spec()).status == "done"
    assert validation.sentences(store) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"total_seconds": null}'])
def test_status_speaks_of_a_run_whose_times_are_damaged(store, text):
    run = add(store, spec())
    store.remember([spec()])
    (run.folder / "timings.json").write_text(text, encoding="utf-8")
    first, reason = status(store)
    assert first == "1 runs: 0 done, 0 stale, 1 failed, 0 to run; 0 s of computing stored"
    assert "its files can't be read: timings.json" in reason


def test_runs_of_another_results_version_are_stale_not_current(store, monkeypatch):
    add(store, spec())
    raise_version(monkeypatch)
    found = Store(store.out).find(spec())
    assert (found.status, found.done) == ("stale", True)
    store.remember([spec()])
    assert status(store)[1] == f"stale   {spec().id}: of results version 1, not 2"


def test_a_run_from_before_there_were_versions_is_stale_not_damaged(store):
    path = add(store, spec()).folder / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    del record["results_version"], record["commit"]
    path.write_text(json.dumps(record | {"sources": {}, "modules": {}}), encoding="utf-8")
    found = store.find(spec())
    assert (found.status, found.version, found.damage) == ("stale", 0, "")


def test_stale_ones_alone_are_made_again_and_gone_on_with(store, monkeypatch):
    stale, failed, new = spec(), spec(seed=1), spec(seed=2)
    add(store, stale)
    raise_version(monkeypatch)
    add_failed(store, failed, "MemoryError: too big")
    add(store, new)
    plan = [stale, failed, new]
    assert todo_of(plan, store, fresh="") == [failed]
    assert todo_of(plan, store, fresh="stale") == [stale, failed]
    assert todo_of(plan, store, fresh="all") == plan
    for run in plan:
        store.checkpoint([run]).write_bytes(b"x")
    store.drop_checkpoints(fresh=[])
    assert [store.checkpoint([run]).exists() for run in plan] == [True, True, False]


def test_the_last_plan_is_kept(store):
    with pytest.raises(RequestError, match="nothing has been run"):
        store.plan()
    assert not store.remember([spec(), spec(seed=1)])
    assert store.remember([spec(), spec(seed=1)])
    assert store.plan() == [spec(), spec(seed=1)]
    (store.out / "plan.json").write_text(json.dumps({"runs": [{"old": 1}]}), encoding="utf-8")
    with pytest.raises(RequestError, match="another version"):
        store.plan()


def test_an_output_folder_under_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(RequestError, match="can't be written"):
        Store(tmp_path / "file" / "out").check_writable()
    assert [f.name for f in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("kind", ["file", "dangling link"])
def test_runs_that_cannot_be_written_are_refused(store, kind):
    if kind == "file":
        store.runs_folder.write_text("", encoding="utf-8")
    else:
        store.runs_folder.symlink_to("nowhere")
    with pytest.raises(RequestError, match="runs can't be written"):
        store.check_writable()


def test_a_failure_that_cannot_be_stored_is_still_told(store, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store_module, "_write", full)
    failed = add_failed(store, spec(), "MemoryError: too big")
    assert failed.status == "failed"
    assert failed.reason.startswith("MemoryError: too big; this can't be stored (No space")
    assert list(store.runs_folder.iterdir()) == []
