"""The work of other processes: seen while it is done, not mixed with our own."""

import os
import subprocess
import sys
import time

import pytest

from protocols import load

FIRST = "cpu  1 1 1 1\ncpu0 100 0 50 900 30 0 5 15 7 0\ncpu1 200 0 50 800 0 0 0 0 0 0\nintr 5\n"
SECOND = "cpu  1 1 1 1\ncpu0 350 0 50 900 30 0 5 15 7 0\ncpu1 200 0 50 1050 0 0 0 0 0 0\nintr 5\n"


@pytest.fixture
def stat(monkeypatch, tmp_path):
    """The system's file, written by the test, on a machine that counts hundredths of seconds."""
    path = tmp_path / "stat"
    path.write_text(FIRST, encoding="ascii")
    monkeypatch.setattr(load, "STAT", path)
    monkeypatch.setattr(load.os, "sysconf", lambda name: 100)
    monkeypatch.setattr(load.os, "sched_getaffinity", lambda process: {0, 1})
    return path


def test_busy_is_all_but_idle_and_waiting_with_what_other_virtual_machines_took(stat, monkeypatch):
    assert load.busy_seconds() == pytest.approx(4.2)
    monkeypatch.setattr(load.os, "sched_getaffinity", lambda process: {1})
    assert load.busy_seconds() == pytest.approx(2.5), "other cores than ours don't count"


def test_other_work_is_what_was_busy_less_our_own(stat, monkeypatch):
    clock, own = iter([10.0, 15.0]), iter([1.0, 1.5])
    monkeypatch.setattr(load.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(load, "own_seconds", lambda: next(own))
    watch = load.OtherWork()
    stat.write_text(SECOND, encoding="ascii")
    assert watch.cores() == pytest.approx((2.5 - 0.5) / 5)


@pytest.mark.parametrize("text", ["", "cpu0 0 0 0 0 0 0 0 0\n", None], ids=repr)
def test_a_system_that_does_not_tell_gives_none(stat, text):
    stat.unlink() if text is None else stat.write_text(text, encoding="ascii")
    assert load.busy_seconds() is None and load.OtherWork().cores() is None


def test_our_own_work_and_that_of_our_processes_are_not_other_work():
    """A process counts as ours once it has ended and was waited for."""
    spin = [sys.executable, "-c", "import time\nwhile time.process_time() < 0.5: pass"]
    before = load.own_seconds()
    with load.watched() as found:
        subprocess.run(spin, check=True)
    ours = load.own_seconds() - before
    watch, began = load.OtherWork(), time.perf_counter()
    other = subprocess.Popen(spin)
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and isn't reaped
    theirs, spent = watch.cores(), time.perf_counter() - began
    other.wait()
    assert found.keys() == {"before", "during"}
    assert ours > 0.4
    assert theirs is not None and theirs > 0.4 / spent
