"""Workers: reused, lost with one run only, never half-written; the GPU is really asked for."""

import _thread
import dataclasses
import errno
import io
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import types
from pathlib import Path

import pytest

from benchmarks.estimates.estimates import Estimate, Estimates
from benchmarks.estimates.progress import Work, rough
from benchmarks.launch import latency as cold_starts
from benchmarks.launch import launcher as launch
from benchmarks.launch.launcher import Launcher
from benchmarks.launch.worker import RunFailed, Worker, WorkerDied, keeping
from benchmarks.store import validation
from benchmarks.store.store import Store
from benchmarks.terminal.console import Console, duration
from protocols import load
from protocols.files import ROOT
from protocols.runs.record import write_common
from tests.support.devices import CPU
from tests.support.synthetic import add, env, timings


class FakeWorker:
    """Answers as a worker does, without a framework; its runs do what `acts` says."""

    made: list["FakeWorker"] = []
    acts: dict[str, object] = {}
    at_once: list[int] = []

    def __init__(self, framework, device, threads, deterministic, cache):
        self.key = (framework, device, threads, deterministic)
        self.open = True
        self.ran = []
        FakeWorker.made.append(self)

    def run(self, specs, jobs, progress, note):
        FakeWorker.at_once += [job.at_once for job in jobs]
        for number, (spec, job) in enumerate(zip(specs, jobs, strict=True)):
            if number == FakeWorker.acts.get("diverges"):
                continue
            self.run_one(spec, job, progress)
        if "diverges" in FakeWorker.acts:
            raise RunFailed("TrainingDiverged: no epoch has a finite loss")

    def run_one(self, spec, job, progress):
        self.ran.append(spec)
        act = FakeWorker.acts.get(spec.variant)
        if isinstance(act, Exception):
            raise act
        if act == "interrupt":
            _thread.interrupt_main()
            deadline = time.monotonic() + 10
            while self.open:
                assert time.monotonic() < deadline, "nobody ended the worker"
                time.sleep(0.01)
            raise WorkerDied("killed")
        progress("images trained", 1, 1)
        made = add(Store(job.folder / "elsewhere"), spec)
        for file in made.folder.iterdir():
            if file.name != "run.json":
                file.rename(job.folder / file.name)
        subprocess.run(["rm", "-r", job.folder / "elsewhere"], check=True)

    def close(self):
        self.open = False


class FakeLatency:
    """Answers after four seconds that nobody waited for."""

    made: list[tuple[str, str, str, Path | None]] = []

    def __init__(self, spec, device, job, stage, compiled):
        FakeLatency.made.append((spec.variant, spec.framework, stage, compiled))
        write_common(job.folder, spec, env(spec), timings(spec))

    def cold_seconds(self):
        return 4.0, False

    def finish(self):
        pass

    def close(self):
        pass


@pytest.fixture
def launched(tmp_path, phantom, cache, monkeypatch):
    """Launches runs with fake workers; gives the results by variant."""
    monkeypatch.setattr(launch, "Worker", FakeWorker)
    monkeypatch.setattr(cold_starts, "LatencyProcess", FakeLatency)
    monkeypatch.setattr(load, "BEFORE", 0.01)
    FakeWorker.made, FakeWorker.acts, FakeLatency.made = [], {}, []
    FakeWorker.at_once = []
    store = Store(tmp_path / "out")

    def go(todo, jobs=1, **more):
        launcher = Launcher(store, phantom, CPU, cache, Console(), jobs, **more)
        launcher.prepare(todo)
        return launcher.run(todo), store

    return go


def test_one_worker_serves_many_runs(launched, plan_of):
    todo = [s for s in plan_of("xception", "resnet50") if s.stage == "train"]
    results, store = launched(todo)
    assert [r.status for r in results] == ["done"] * 4
    assert [len(w.ran) for w in FakeWorker.made] == [2, 2]
    assert not any(w.open for w in FakeWorker.made)
    assert {r.spec.id for r in store.runs()} == {s.id for s in todo}


def test_latency_comes_after_the_training_and_gets_its_cold_figure(launched, plan_of):
    results, _ = launched(plan_of("xception", frameworks=("torch",)), jobs=2)
    assert [r.spec.stage for r in results] == ["train", "latency"]
    assert results[1].timings["cold"]["median"] == 4.0


def test_the_twins_of_a_network_are_measured_in_turn(launched, plan_of):
    """What else runs on the machine then hits both twins, not the one that is measured second."""
    latency = [s for s in plan_of("xception", "resnet50") if s.stage == "latency"]
    launched([on_tensorflow(spec) for spec in latency])
    turns = [(variant, framework) for variant, framework, *_ in FakeLatency.made]
    networks = list(dict.fromkeys(variant for variant, _ in turns))
    assert turns == [(variant, twin) for variant in networks for twin in ("keras", "torch")]
    assert len(networks) == 2


def on_tensorflow(run):
    """JAX has cold starts of its own."""
    return dataclasses.replace(run, backend="tensorflow") if run.framework == "keras" else run


def test_a_training_run_tells_how_many_were_made_at_once(launched, plan_of):
    todo = [s for s in plan_of("xception", "resnet50") if s.stage == "train"]
    launched(todo, jobs=2)
    launched(todo[:1], jobs=2)
    assert FakeWorker.at_once == [2] * 4 + [1], "one run alone has no other beside it"


def on_jax(run):
    return dataclasses.replace(run, backend="jax", recipe=run.recipe | {"cold_repeats": 2})


def test_cold_starts_of_jax_are_timed_without_and_with_compiled_programs(launched, plan_of):
    (run,) = [s for s in plan_of("xception", frameworks=("keras",)) if s.stage == "latency"]
    (result,), _ = launched([on_jax(run)])
    kept = [compiled for *_, compiled in FakeLatency.made]
    assert kept[:2] == [None, None], "the programs of a start before would serve these"
    assert len(set(kept[2:])) == 1 and len(kept) == 2 + 3, "the first fills the folder"
    assert not kept[-1].exists()
    assert result.timings["cold"]["repeats"] == result.timings["cold_cached"]["repeats"] == 2
    variables = keeping(Path("kept"))
    assert variables["JAX_COMPILATION_CACHE_DIR"] == "kept"
    assert variables["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] == "0"


def test_other_backends_keep_no_programs(launched, plan_of):
    latency = [s for s in plan_of("xception") if s.stage == "latency"]
    (result, *_), _ = launched([on_tensorflow(spec) for spec in latency])
    assert "cold_cached" not in result.timings


@pytest.mark.parametrize(("busy", "told"), [(0.1, False), (1.4, True), (None, False)])
def test_work_beside_a_latency_measurement_is_recorded_and_told(
    launched, plan_of, monkeypatch, busy, told, capsys
):
    monkeypatch.setattr(load.OtherWork, "cores", lambda self: busy)
    (result,), _ = launched([s for s in plan_of("xception", frameworks=("torch",))][1:])
    assert result.timings["load"] == {"before": busy, "during": busy}
    assert ("other processes kept 1.4 cores busy" in capsys.readouterr().out) is told


def test_a_failed_run_keeps_its_reason_and_its_worker(launched, plan_of):
    FakeWorker.acts["xception"] = RunFailed("MemoryError: too big")
    todo = [s for s in plan_of("xception", "resnet50", frameworks=("torch",))][:2]
    results, _ = launched(todo)
    assert [(r.status, r.reason) for r in results] == [
        ("failed", "MemoryError: too big"),
        ("done", ""),
    ]
    assert len(FakeWorker.made) == 1


def test_a_worker_that_dies_loses_one_run(launched, plan_of):
    FakeWorker.acts["xception"] = WorkerDied("the worker was killed by signal 9")
    todo = [s for s in plan_of("xception", "resnet50", frameworks=("torch",))][:2]
    results, store = launched(todo)
    assert [(r.spec.variant, r.status) for r in results] == [
        ("xception", "failed"),
        ("resnet50", "done"),
    ]
    assert len(FakeWorker.made) == 2
    assert store.find(results[0].spec).reason == "the worker was killed by signal 9"


def test_a_run_is_recorded_with_the_version_of_its_own_process_and_the_launch_s_commit(
    launched, plan_of, monkeypatch
):
    """An evening's launch outlives an edit: a later worker may be of another results version."""
    monkeypatch.setattr("benchmarks.launch.launcher.commit", lambda: "a" * 40)
    monkeypatch.setattr("protocols.runs.record.RESULTS_VERSION", 7)  # of the process that computes
    results, _ = launched([s for s in plan_of("xception", frameworks=("torch",))])
    assert {r.status for r in results} == {"done"}
    assert [(r.record["results_version"], r.record["commit"]) for r in results] == [
        (7, "a" * 40)
    ] * 2


@pytest.mark.parametrize("where", ["begin", "finish"])
def test_a_full_disk_loses_one_run(launched, plan_of, monkeypatch, where):
    todo = [s for s in plan_of("xception", "resnet50", frameworks=("torch",))][:2]
    wanted = getattr(Store, where)

    def full(store, spec, *rest):
        if spec.variant == "xception" and store.out.name == "out":
            raise OSError(errno.ENOSPC, "No space left on device", "/some/file")
        return wanted(store, spec, *rest)

    monkeypatch.setattr(Store, where, full)
    results, store = launched(todo)
    assert {r.spec.variant: r.status for r in results} == {"xception": "failed", "resnet50": "done"}
    (lost,) = [r for r in results if r.status == "failed"]
    assert "(No space left on device: /some/file)" in store.find(lost.spec).reason
    assert not [p.name for p in store.runs_folder.iterdir() if p.name.startswith(".")]


def test_a_fold_that_cannot_be_stored_does_not_take_the_others_with_it(
    launched, plan_of, monkeypatch
):
    todo, publish = frozen_folds(plan_of), Store.publish

    def full(store, spec, folder):
        if spec == todo[0] and store.out.name == "out" and (folder / "run.json").exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        publish(store, spec, folder)

    monkeypatch.setattr(Store, "publish", full)
    results, store = launched(todo)
    assert [r.status for r in results] == ["failed", "done"]
    assert [store.find(spec).status for spec in todo] == ["failed", "done"]
    assert validation.sentences(store) == []


def test_an_interrupt_leaves_nothing_half_written(launched, plan_of, tmp_path):
    FakeWorker.acts["xception"] = "interrupt"
    with pytest.raises(KeyboardInterrupt):
        launched(plan_of("xception", "resnet50"), jobs=2)
    runs = (tmp_path / "out" / "runs").iterdir()
    assert not [p.name for p in runs if p.name.startswith(".") or "xception" in p.name]


def frozen_folds(plan_of):
    """Two folds that train together, on a GPU."""
    frozen = {"device": "NVIDIA X", "weights": {"source": "fixture", "digest": None}}
    plan = plan_of("cnn_gru", frameworks=("torch",))
    return [dataclasses.replace(s, **frozen) for s in plan if s.stage == "train"]


def test_folds_that_train_together_are_stored_one_by_one(launched, plan_of, cache, phantom):
    todo = frozen_folds(plan_of)
    results, store = launched(todo)
    assert len(FakeWorker.made) == 1
    assert sorted(r.spec.fold for r in results) == [0, 1]
    assert all(store.find(spec).done for spec in todo)
    assert f"trained together with {todo[0].id}" in (results[1].folder / "log.txt").read_text(
        encoding="utf-8"
    )


def test_a_fold_that_diverges_does_not_take_the_others_with_it(launched, plan_of):
    FakeWorker.acts["diverges"] = 0
    todo = frozen_folds(plan_of)
    results, store = launched(todo)
    assert [r.status for r in results] == ["failed", "done"]
    assert "TrainingDiverged" in store.find(todo[0]).reason
    assert store.find(todo[1]).done


def test_checkpoints_of_done_runs_are_removed(launched, plan_of, tmp_path):
    done, other = (s for s in plan_of("xception", frameworks=("torch", "keras"))
                   if s.stage == "train")  # fmt: skip
    store = Store(tmp_path / "out")
    store.runs_folder.mkdir(parents=True)
    for spec in (done, other):
        store.checkpoint([spec]).write_bytes(b"x")
    launched([done])
    assert not store.checkpoint([done]).exists()
    assert store.checkpoint([other]).exists()
    store.drop_checkpoints(fresh=[other])
    assert not store.checkpoint([other]).exists()


def test_a_real_worker_that_is_killed_is_noticed(plan_of, job_of):
    (run,) = [s for s in plan_of("resnet50", frameworks=("torch",)) if s.stage == "train"]
    worker = Worker("torch", CPU["torch"], 1)
    assert worker.hello == {"event": "hello", "backend": "torch", "gpu": None}

    def kill(what, done, total):
        worker.process.kill()

    with pytest.raises(WorkerDied, match="killed by signal 9"):
        worker.run([run], [job_of(run)], kill, print)
    worker.close()


def test_a_worker_that_died_between_two_runs_can_be_closed(plan_of, job_of):
    """What is written to it then stays in the pipe's buffer, which closing would send."""
    (run,) = [s for s in plan_of("resnet50", frameworks=("torch",)) if s.stage == "train"]
    worker = Worker.__new__(Worker)
    worker._hello, worker._stderr = {}, tempfile.TemporaryFile()  # noqa: SIM115 (closed in close)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    worker.process = subprocess.Popen([sys.executable, "-c", "pass"], **pipes)
    worker.process.wait()
    with pytest.raises(WorkerDied, match="had ended before the run"):
        worker.run([run], [job_of(run)], lambda *_: None, print)
    worker.close()
    assert worker.process.stdin.closed and worker._stderr.closed


def test_the_time_left_is_told_by_what_is_known_of_the_device(
    launched, plan_of, monkeypatch, tmp_path
):
    known = Estimate(Work(1.0, (2.0, 4.0)), 0, 0)
    monkeypatch.setattr(Estimates, "estimate", lambda *_: known)
    totals, begin = [], Console.begin
    monkeypatch.setattr(Console, "begin", lambda *a: (totals.append(a[1]), begin(*a)))
    todo = [s for s in plan_of("xception", frameworks=("torch",)) if s.stage == "train"]
    launched(todo)
    launched(todo, estimates=Estimates(tmp_path, 1))
    assert totals == [rough(todo[0]).total, 7.0]


def test_an_interrupt_does_not_wait_for_a_worker_to_start(
    plan_of, phantom, cache, tmp_path, monkeypatch
):
    """A first import of a framework takes up to 14 s."""
    slow = tmp_path / "python"
    slow.write_text("#!/bin/sh\nexec sleep 60\n", encoding="utf-8")
    slow.chmod(0o755)
    monkeypatch.setattr("benchmarks.launch.worker.sys", types.SimpleNamespace(executable=str(slow)))
    todo = [s for s in plan_of("resnet50", frameworks=("torch",)) if s.stage == "train"]
    launcher = Launcher(Store(tmp_path / "out"), phantom, CPU, cache, Console(), 1)
    launcher.prepare(todo)
    sent = []

    def interrupt():
        while not launcher._workers:
            time.sleep(0.1)
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        launcher.run(todo)
    assert time.monotonic() - sent[0] < 20
    assert launcher.store.runs() == [] and not launcher._workers


def test_a_real_worker_reports_a_failure_and_goes_on(plan_of, job_of):
    (run,) = [s for s in plan_of("resnet50", frameworks=("torch",)) if s.stage == "train"]
    worker = Worker("torch", CPU["torch"], 1)
    for _ in range(2):
        with pytest.raises(RunFailed, match="the run is for NVIDIA X, PyTorch sees cpu"):
            job = job_of(run)
            other = dataclasses.replace(run, device="NVIDIA X")
            worker.run([other], [job], lambda *a: None, print)
    assert "RuntimeError" in (job.folder / "log.txt").read_text(encoding="utf-8")
    worker.close()


def test_a_worker_ends_with_its_launcher():
    code = (
        "import time; from benchmarks.planning.plan import Device;"
        "from benchmarks.launch.worker import Worker;"
        "w = Worker('torch', Device('torch', 'cpu'), 1); w.hello; print(w.process.pid, flush=True);"
        "time.sleep(60)"
    )
    launcher = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        encoding="utf-8",
    )
    worker = int(launcher.stdout.readline())
    launcher.send_signal(signal.SIGKILL)
    launcher.wait()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        state = (
            Path(f"/proc/{worker}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
        )
        if state == "Z":
            break
        time.sleep(0.1)
    else:
        assert not Path(f"/proc/{worker}").exists()


def test_a_log_on_a_full_disk_loses_lines_only(monkeypatch):
    class Log(io.StringIO):
        error = OSError(errno.ENOSPC, "No space left on device")

        def flush(self):
            raise self.error

    monkeypatch.setattr(sys, "stdout", Log())
    Console().say("a line")
    monkeypatch.setattr(Log, "error", BrokenPipeError())  # a reader who left
    with pytest.raises(BrokenPipeError):
        Console().say("a line")


def test_durations_in_words():
    assert [duration(s) for s in (42, 420, 12600)] == ["42 s", "7 min", "3.5 h"]
