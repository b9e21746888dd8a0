"""A worker keeps the memory that it frees, from its first step on."""

import platform
import subprocess
import sys

import pytest

from benchmarks.launch.worker import KEEPS_FREED, Child, Worker
from tests.support.devices import CPU

STEPS = 20
# A step of training that takes 5 MB of features and gives them back; it prints the pages per step
# that the system had to hand out.
STEP = f"""
import resource
def step():
    features, copy = bytearray(5 << 20), bytearray(5 << 20)
pages = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
step()
before = pages()
for _ in range({STEPS}):
    step()
print((pages() - before) / {STEPS})
"""


def pages(variables: dict[str, str]) -> float:
    """Pages that the system hands out per step, in a process with these variables."""
    command = [sys.executable, "-c", STEP]
    done = subprocess.run(command, env=variables, capture_output=True, check=True)
    return float(done.stdout)


@pytest.fixture
def variables(monkeypatch):
    """Gives a function: the variables that a new worker gives its process."""
    given = []
    monkeypatch.setattr(Child, "__init__", lambda self, words, own, errors: given.append(own))
    for name in KEEPS_FREED:
        monkeypatch.delenv(name, raising=False)

    def of_a_worker():
        Worker("torch", CPU["torch"], 1)
        return given.pop()

    return of_a_worker


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the variables are glibc's")
def test_a_worker_keeps_what_it_frees(variables):
    own = variables()
    assert pages(own) < 20
    assert pages({k: v for k, v in own.items() if k not in KEEPS_FREED}) > 1000  # it is needed


def test_what_the_user_sets_stays(variables, monkeypatch):
    for name in KEEPS_FREED:
        monkeypatch.setenv(name, "4096")
    assert {variables()[name] for name in KEEPS_FREED} == {"4096"}
