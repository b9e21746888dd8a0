"""The Keras twin on its other backend: the same tests, in a process of its own."""

import os
import subprocess
import sys

import pytest

QUICK = (
    "assign_variables or plain_fit or optimiser_steps or data_loss or seed_decides or frozen_phase "
    "or grad_cam"
)


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
    assert "11 passed" in answer.stdout


@pytest.mark.slow
def test_all_of_it():
    answer = on_jax("test")
    assert answer.returncode == 0, answer.stdout[-3000:]


@pytest.mark.slow
def test_folds_together():
    answer = on_jax("test", "tests/twins/test_together.py")
    assert answer.returncode == 0, answer.stdout[-3000:]
    assert "9 passed" in answer.stdout
