"""Each twin imports only its own framework; the door and the reports import none."""

import json
import os
import subprocess
import sys
from functools import lru_cache

import pytest

FRAMEWORKS = {"torch", "timm", "torchvision", "keras", "tensorflow", "jax"}
ALLOWED = {
    "runner": set(),
    "benchmarks.launch.launcher": set(),
    "benchmarks.terminal.texts": set(),
    "reports.build": set(),
    "reports.pages.menu": set(),
    "protocols.runs.course": set(),
    "protocols.runs.worker_loop": set(),
    "impl_torch.worker": {"torch", "timm", "torchvision"},
    "impl_keras.worker": {"keras", "tensorflow", "jax"},  # TensorFlow imports jax where it is
}


@lru_cache
def imported(module, **env):
    code = f"import {module}, sys, json; print(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | env,
        encoding="utf-8",
    )
    assert answer.returncode == 0, answer.stderr
    return {name.split(".")[0] for name in json.loads(answer.stdout.splitlines()[-1])}


@pytest.mark.parametrize("module", ALLOWED)
def test_only_its_own_framework(module):
    assert imported(module) & FRAMEWORKS <= ALLOWED[module]


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_the_twins_do_import_their_framework(framework):
    """Guards the test above against passing because nothing was imported."""
    assert framework in imported(f"impl_{framework}.worker")


def test_keras_on_jax_leaves_tensorflow_alone():
    found = imported("impl_keras.worker", KERAS_BACKEND="jax")
    assert "jax" in found
    assert not found & {"tensorflow", "torch"}
