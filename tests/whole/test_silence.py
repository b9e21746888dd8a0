"""A user is never left without a sign of life: within two seconds of starting, then every ten."""

import os
import sys

import pytest

from protocols.files import ROOT
from tests.support.timed import outputs, silences

FIRST, EVERY = 2.0, 10.0  # seconds
SMALL = ["--variant", "efficientnet_lite0", "--data", "phantom", "--gpu", "none"]


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize(("terminal", "framework"), [(False, "keras"), (True, "torch")])
def test_a_launch_is_never_silent_for_long(terminal, framework, tmp_path):
    """With nothing in its cache: the phantom is drawn, decoded, trained on, measured, reported."""
    words = [sys.executable, str(ROOT / "runner.py"), *SMALL, "--framework", framework]
    words += ["--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]
    code, seen = outputs(words, terminal, os.environ | {"TERM": "xterm"})
    text = "".join(said for _, said in seen)
    assert code == 0, text
    assert seen[0][0] < FIRST
    longest, behind = max(silences(seen))
    assert longest < EVERY, behind
    assert "report: " in text and "[2/2]" in text
