"""One launch at a time writes into an output folder; readers and the dead keep nobody out."""

import errno
import fcntl
import os
import signal
import subprocess
import sys

import pytest

from benchmarks.store.store import Store
from protocols.errors import RequestError
from protocols.files import ROOT
from tests.support.command import runner
from tests.support.synthetic import add, spec

HOLD = """
import subprocess, sys, time
from pathlib import Path
from benchmarks.store.store import Store
with Store(Path(sys.argv[1])).locked():
    kind = sys.argv[2]
    if kind == "worker":
        child = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL).pid
    elif kind == "fork":
        import os
        there, say = os.pipe()
        child = os.fork()
        if not child:
            os.write(say, b"!")
            time.sleep(60)
            os._exit(0)
        os.read(there, 1)  # it has begun, and let go of the lock
    else:
        child = 0
    print(child, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Starts a launch into tmp_path/out that has a process of its own, or none; their ids."""
    started = []

    def hold(kind=""):
        words = [sys.executable, "-c", HOLD, str(tmp_path / "out"), kind]
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, text=True, cwd=ROOT, encoding="utf-8"
        )
        started.append(process)
        child = int(process.stdout.readline())
        return process, child

    yield hold
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_second_launch_is_refused_and_readers_are_not(tmp_path, holder, cache):
    out = tmp_path / "out"
    holder()
    words = ["--variant", "resnet50", "--framework", "torch", "--data", "phantom", "--gpu", "none"]
    words += ["--cache", cache, "--out", out]
    answer = runner(*words)
    assert answer.returncode == 2
    said = f"another launch is writing into {out}; wait for it, or give another with --out DIR"
    assert answer.stderr == f"runner.py: {said}\n"
    assert runner("--plan", *words).returncode == 0
    store = Store(out)
    store.remember([add(store, spec()).spec])
    assert runner("--status", "--out", out).returncode == 0
    assert [run.spec for run in store.runs()] == [spec()]


@pytest.mark.parametrize("kind", ["", "worker", "fork"])
def test_a_killed_launch_keeps_nobody_out(tmp_path, holder, kind):
    process, child = holder(kind)
    store = Store(tmp_path / "out")
    with pytest.raises(RequestError, match="another launch"), store.locked():
        pass
    process.kill()
    process.wait()
    try:
        with store.locked():
            pass
    finally:
        if child:
            os.kill(child, signal.SIGKILL)


def test_it_ends_with_the_launch_and_leaves_no_empty_folder(tmp_path):
    store = Store(tmp_path / "out")
    with pytest.raises(RequestError, match="wrong data"), store.locked():
        raise RequestError("wrong data")
    assert not store.out.exists()
    for _ in range(2):
        with store.locked():
            store.remember([spec()])
    assert sorted(path.name for path in store.out.iterdir()) == [".lock", "plan.json"]


def test_where_there_are_no_locks_it_goes_on(tmp_path, monkeypatch):
    def none(*_):
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", none)
    with Store(tmp_path / "out").locked(), Store(tmp_path / "out").locked():
        assert (tmp_path / "out").is_dir()
