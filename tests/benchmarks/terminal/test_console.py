"""What a user is told of the time left."""

import subprocess
import sys
import time
import types

import pytest

from benchmarks.estimates.progress import Work, rough, shares
from benchmarks.store.store import Store
from benchmarks.terminal import console as module
from benchmarks.terminal.console import Console
from protocols.files import ROOT
from tests.support.published import PUBLISHED
from tests.support.synthetic import spec


def test_the_time_left_counts_what_this_launch_did(monkeypatch, capsys):
    clock = types.SimpleNamespace(now=100.0)
    monkeypatch.setattr(module, "time", types.SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(module, "running_seconds", lambda: clock.now)
    console = Console()
    console.begin(100, 1)
    progress = console.run_progress(spec(), lambda share: 100 * share)
    progress("images trained", 900, 1000)  # where its checkpoint was
    assert "not known yet" in capsys.readouterr().out
    clock.now += 40
    progress("images trained", 950, 1000)
    assert "about 40 s left" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("share", "done"), [(0, 10), (0.25, 11), (0.5, 12), (0.75, 62), (0.999999, 112), (1, 112)]
)
def test_an_epoch_of_a_thawed_network_is_not_one_on_stored_features(share, done):
    work = Work(before=10, epochs=(1, 1, 50, 50), after=5)
    assert work.total == 117
    assert work.at(share) == pytest.approx(done, abs=1e-3)


def test_what_is_known_of_all_is_taken_else_the_rough_shares():
    specs = [spec(variant="xception"), spec(variant="resnet50")]
    known = {s.id: Work(5.0) for s in specs}
    assert shares(specs, known) == known
    one = {specs[0].id: Work(5.0)}
    assert shares(specs, one) == {s.id: rough(s) for s in specs}


def test_the_rough_shares_are_those_of_the_recorded_laptop_runs():
    """Recorded seconds against rough ones, each over its sum: no run is off by half of its own."""
    recorded = [
        run
        for run in Store(PUBLISHED / "laptop").runs()
        if run.spec.stage == "train" and run.spec.framework == "keras"
    ]
    seconds = [run.timings["total_seconds"] for run in recorded]
    parts = [rough(run.spec).total for run in recorded]
    for run, took, part in zip(recorded, seconds, parts, strict=True):
        assert part / sum(parts) == pytest.approx(took / sum(seconds), rel=0.5), run.spec.id


def test_what_takes_long_is_said_again_and_again(monkeypatch, capsys):
    """And what is told of by lines of its own is not."""
    for name, seconds in (("FIRST", 0.1), ("LINE_EVERY", 0.1), ("LOOK_EVERY", 0.01)):
        monkeypatch.setattr(module, name, seconds)
    with Console() as console:
        time.sleep(0.3)
        assert capsys.readouterr().out == "", "nobody said what is being done"
        console.doing("reading all of it")
        time.sleep(0.5)
        lines = capsys.readouterr().out.splitlines()
        assert 2 <= len(lines) <= 5
        assert all("reading all of it" in line for line in lines)
        monkeypatch.setattr(module, "LINE_EVERY", 60.0)
        console.say("a line of its own")
        capsys.readouterr()
        time.sleep(0.3)
        assert capsys.readouterr().out == ""


FORKS = """
import os, signal
from benchmarks.terminal import console as module

module.FIRST = module.LINE_EVERY = 0.0
module.LOOK_EVERY = 0.0001
with module.Console() as console:
    console.doing("much")
    for _ in range(200):
        child = os.fork()
        if not child:
            signal.alarm(5)
            with module._printing:
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
"""


def test_a_forked_process_can_print():
    """The stream isn't held by a thread that the child doesn't have. This process itself may hold
    gigabytes, and forks slowly then."""
    how = {"cwd": ROOT, "capture_output": True, "text": True, "encoding": "utf-8"}
    answer = subprocess.run([sys.executable, "-c", FORKS], **how)
    assert answer.returncode == 0, answer.stderr
    assert "much" in answer.stdout
