"""The Keras twin on its other backend: the same tests, in a process of its own.

What every backend has in common isn't asked again: how many parameters there are; and that each
network answers alike on both is a rung of the ladder.
"""

import os
import subprocess
import sys

import pytest

QUICK = (
    "assign_variables or plain_fit or optimiser_steps or data_loss or (frozen_phase and cnn_gru)"
)
REST = f"not ({QUICK} or parameter_counts or networks_answer)"


def on_jax(select, file="tests/twins/test_keras_twin.py"):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", select]
    return subprocess.run(
        [*command, file],
        capture_output=True,
        text=True,
        env=os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1"},
        encoding="utf-8",
    )


def test_quick_part():
    answer = on_jax(QUICK)
    assert answer.returncode == 0, answer.stdout[-3000:]
    assert "7 passed" in answer.stdout


@pytest.mark.slow
def test_the_rest():
    answer = on_jax(REST)
    assert answer.returncode == 0, answer.stdout[-3000:]
    assert "10 passed" in answer.stdout


@pytest.mark.slow
def test_folds_together():
    answer = on_jax("test", "tests/twins/test_together.py")
    assert answer.returncode == 0, answer.stdout[-3000:]
    assert "9 passed" in answer.stdout
