"""Each twin imports only its own framework; the door and the reports import none."""

import os
import subprocess
import sys
from functools import lru_cache

import pytest

from protocols.files import ROOT
from tests.support.command import printed

FRAMEWORKS = {"torch", "timm", "torchvision", "keras", "tensorflow", "jax", "ray"}
ALLOWED = {
    "runner": set(),
    "benchmarks.launch.command_line": set(),
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
    return {name.split(".")[0] for name in printed(code, **env)}


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


WITHOUT = """\
from importlib.machinery import PathFinder

found = PathFinder.find_spec
def find_spec(cls, name, *more):
    return None if name.partition(".")[0] == "tensorflow" else found(name, *more)
PathFinder.find_spec = classmethod(find_spec)
"""


@pytest.mark.slow
def test_tests_for_a_gpu_are_collected_without_tensorflow(tmp_path):
    """As in the environment of requirements-gpu.txt: Keras then takes JAX."""
    (tmp_path / "sitecustomize.py").write_text(WITHOUT, encoding="utf-8")
    env = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "--collect-only", "-p",
         "no:cacheprovider", "tests/twins"],
        capture_output=True, encoding="utf-8", env=env | {"PYTHONPATH": str(tmp_path)}, cwd=ROOT,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout[-2000:]
    assert "test_gpu.py::" in answer.stdout and "error" not in answer.stdout.splitlines()[-1]
