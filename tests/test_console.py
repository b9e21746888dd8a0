"""What a user is told of the time left."""

import types

from benchmarks import console as module
from benchmarks.console import Console
from tests.synthetic import spec


def test_the_time_left_counts_what_this_launch_did(monkeypatch, capsys):
    clock = types.SimpleNamespace(now=100.0)
    monkeypatch.setattr(module, "time", types.SimpleNamespace(monotonic=lambda: clock.now))
    console = Console()
    console.begin(100, 1)
    progress = console.run_progress(spec(), 100)
    progress("images trained", 900, 1000)  # where its checkpoint was
    assert "not known yet" in capsys.readouterr().out
    clock.now += 40
    progress("images trained", 950, 1000)
    assert "about 40 s left" in capsys.readouterr().out
