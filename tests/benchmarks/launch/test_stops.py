"""Ctrl-Z stops the workers too, and no time that was measured across a stop is kept."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.estimates.estimates import Estimates
from benchmarks.launch import latency as cold_starts
from benchmarks.launch import launcher as launch
from benchmarks.launch.launcher import Launcher
from benchmarks.launch.worker import LatencyProcess
from benchmarks.store.store import Store
from benchmarks.terminal.console import Console
from protocols import stops
from protocols.files import ROOT
from protocols.runs import latency
from tests.support.devices import CPU
from tests.support.synthetic import add, spec

LAUNCHER = """
import subprocess, sys, time
from benchmarks.processes.job_control import begins, stopping_together
code = "import time\\nwhile True: time.sleep(0.01)"
worker = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
begins(worker)
with stopping_together():
    print(worker.pid, flush=True)
    while True:
        time.sleep(0.01)
"""
MEASURED = """
import time
from protocols import stops
stops.watch(ticks=True)
times = 0
def slept():
    global times
    times += 1
    begin = time.perf_counter()
    for _ in range(30):
        time.sleep(0.02)
    return time.perf_counter() - begin
print("begins", flush=True)
begin = time.perf_counter(), stops.running_seconds()
one = stops.undisturbed(slept)
gone = time.perf_counter() - begin[0], stops.running_seconds() - begin[1]
print(times, stops.count(), one, *gone)
"""


def started(code, *, group):
    """A process of this session, so that a SIGTSTP isn't ignored; `group`: in one of its own."""
    more = {"process_group": 0} if group else {}
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True,
        encoding="utf-8", **more,
    )  # fmt: skip


def state(pid):
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return "gone"
    return text.rsplit(")", 1)[1].split()[0]


def reach(pids, wanted):
    deadline = time.monotonic() + 20
    while not all(state(pid) in wanted for pid in pids):
        assert time.monotonic() < deadline, [state(pid) for pid in pids]
        time.sleep(0.01)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks /proc")
def test_ctrl_z_stops_the_workers_too_and_fg_lets_all_go_on():
    with started(LAUNCHER, group=True) as process:
        worker = int(process.stdout.readline())
        both = process.pid, worker
        try:
            for _ in range(2):
                process.send_signal(signal.SIGTSTP)
                reach(both, "T")
                process.send_signal(signal.SIGCONT)
                reach(both, "RS")
            process.send_signal(signal.SIGTSTP)
            reach(both, "T")
            process.terminate()  # as a terminal that is closed: both signals at once
            process.send_signal(signal.SIGCONT)
            assert process.wait(20) == -signal.SIGTERM
            assert state(worker) != "T", "it would never learn that its launcher is gone"
        finally:
            process.kill()
            os.kill(worker, signal.SIGKILL)


def test_a_stopped_process_measures_again_and_counts_no_stop():
    with started(MEASURED, group=False) as process:
        assert process.stdout.readline() == "begins\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGSTOP)
        time.sleep(1.5)
        process.send_signal(signal.SIGCONT)
        times, count, one, gone, running = map(float, process.stdout.read().split())
    assert (times, count) == (2, 1)
    assert one < 1.5
    assert 1.0 < gone - running < 2.0


@pytest.fixture
def go_on():
    """Tells this process that it goes on, as after a stop."""
    stops.watch()
    return lambda: os.kill(os.getpid(), signal.SIGCONT)


def test_a_repeat_across_a_stop_is_repeated(go_on):
    calls = []

    def call():
        calls.append(1)
        if len(calls) == 3:
            go_on()
            time.sleep(0.3)

    found = latency.measure(call, repeats=5, warmup=0)
    assert len(calls) == 6 and found["repeats"] == 5
    assert found["p95"] < 0.3


def test_a_machine_that_slept_is_seen(monkeypatch):
    before, slept = stops.count(), stops._slept()
    monkeypatch.setattr(stops, "_slept", lambda: slept + 60)
    assert stops.count() == before + 1
    assert stops.count() == before + 1, "once"


def test_a_cold_start_across_a_stop_is_discarded_and_measured_again(tmp_path, monkeypatch):
    measured = iter([(12.4, True), (2.6, False), (2.7, False), (9.9, True), (2.8, False)])
    ended = []

    class Process:
        def __init__(self, spec, device, job, stage, compiled):
            self.stage = stage

        def cold_seconds(self):
            return next(measured)

        def finish(self):
            (tmp_path / "timings.json").write_text("{}", encoding="utf-8")

        def close(self):
            ended.append(self.stage)

    said = []
    monkeypatch.setattr(cold_starts, "LatencyProcess", Process)
    monkeypatch.setattr(cold_starts, "write_json", lambda path, content, add: said.append(content))
    run = spec("torch", stage="latency", recipe={"cold_repeats": 3, "latency_repeats": 1})
    launcher = Launcher(Store(tmp_path), None, CPU, tmp_path, Console(), 1)
    launcher.console.begin(1.0, 1)
    launcher._works = launch.shares([run], {})
    monkeypatch.setattr(launcher.console, "say", said.append)
    launcher._latency(run, type("Job", (), {"folder": tmp_path}))
    (found,) = [one for one in said if isinstance(one, dict)]
    assert found["cold"] == latency.summary([2.6, 2.7, 2.8])
    assert ended == ["cold", "cold", "cold", "all", "all"]
    assert sum("measured again" in str(line) for line in said) == 2


def test_a_latency_process_knows_that_a_stop_came_before_its_answer(go_on):
    process = LatencyProcess.__new__(LatencyProcess)
    process._stops, process._start = stops.count(), time.perf_counter()
    process.process = type("Answers", (), {"stdout": ["probabilities 0.25\n"] * 2})
    assert process.cold_seconds()[1] is False
    go_on()
    assert process.cold_seconds()[1] is True


def test_nothing_is_learned_from_a_run_that_was_stopped(tmp_path, monkeypatch):
    said = []
    estimates = Estimates(tmp_path / "cache", 1, said.append)
    run = add(Store(tmp_path / "out"), spec())
    estimates.learn(run)
    assert estimates.folder.is_dir() and said == []
    other = Estimates(tmp_path / "other", 1, said.append)
    run.__dict__["timings"] = run.timings | {"stops": 1}
    other.learn(run)
    assert not other.folder.exists() and "it was stopped" in said[0]
