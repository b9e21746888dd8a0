"""The devices of a test's runs, on the CPU, and what skips where TensorFlow isn't installed."""

from importlib.util import find_spec

import pytest

from benchmarks.planning.plan import Device

TENSORFLOW = find_spec("tensorflow") is not None
needs_tensorflow = pytest.mark.skipif(not TENSORFLOW, reason="TensorFlow isn't installed here")
CPU = {
    "keras": Device("tensorflow" if TENSORFLOW else "jax", "cpu"),
    "torch": Device("torch", "cpu"),
}


def skip_without_tensorflow() -> None:
    """Skips the test that asks, or the tests of the fixture that does."""
    if not TENSORFLOW:
        pytest.skip("TensorFlow isn't installed here")
