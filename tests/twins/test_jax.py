"""The Keras twin on its other backend: the same tests, in a process of its own.

What every backend has in common isn't asked again: how many parameters there are; and that each
network answers alike on both is a rung of the ladder. What XLA compiled is kept on disk, so that a
network that a test makes again isn't compiled again, only traced; and the machine code needn't be
fast, for it computes little.
"""

import os
import subprocess
import sys

import pytest

from tests.support.command import printed

QUICK = (
    "assign_variables or plain_fit or optimiser_steps or data_loss or (frozen_phase and cnn_gru) "
    "or engines_answer or grey"
)
REST = f"not ({QUICK} or parameter_counts or networks_answer or pytorch_s)"


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """The variables that have JAX keep all that it compiles, in a new folder."""
    folder = str(tmp_path_factory.mktemp("compiled"))
    return {
        "JAX_COMPILATION_CACHE_DIR": folder,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "XLA_FLAGS": "--xla_backend_optimization_level=0",
    }


KERAS, RECURRENT = "tests/twins/test_keras_twin.py", "tests/twins/test_recurrent.py"
GREY = "tests/twins/test_grey.py"


def on_jax(select, compiled, *files, **more):
    jax = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1", **more}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", select]
    return subprocess.run(
        [*command, *files],
        capture_output=True,
        text=True,
        env=os.environ | jax | compiled,
        encoding="utf-8",
    )


def test_quick_part(compiled):
    answer = on_jax(QUICK, compiled, KERAS, GREY)
    assert answer.returncode == 0, answer.stdout[-3000:]
    assert "15 passed" in answer.stdout


@pytest.mark.slow
def test_the_rest(compiled):
    answer = on_jax(REST, compiled, KERAS, RECURRENT)
    assert answer.returncode == 0, answer.stdout[-3000:]
    assert "12 passed" in answer.stdout


@pytest.mark.slow
def test_folds_together(compiled):
    once = "not hard_sigmoid and not nothing[stand-in-1]"  # the same code with fewer of the parts
    answer = on_jax(once, compiled, "tests/twins/test_together.py", WBC_TEST_TWIN="keras")
    assert answer.returncode == 0, answer.stdout[-3000:]
    assert "7 passed" in answer.stdout


def test_a_run_names_the_version_of_xla_too():
    """XLA is in jaxlib, a package of its own: checkpoints and features compare versions."""
    code = (
        "import importlib.metadata, json\n"
        "from impl_keras import device\n"
        "from tests.support.synthetic import spec\n"
        "named = device.environment(spec('keras', backend='jax'))['versions']\n"
        "print(json.dumps([named, {n: importlib.metadata.version(n) for n in named}]))\n"
    )
    named, installed = printed(code, KERAS_BACKEND="jax", JAX_PLATFORMS="cpu")
    assert named == installed and {"keras", "jax", "jaxlib"} <= named.keys()
