"""Imports both frameworks in the one order that works."""

import os

import impl_keras  # noqa: F401 (before TensorFlow: it asks for oneDNN)

if os.environ.get("KERAS_BACKEND") != "jax":
    import timm  # noqa: F401 (before TensorFlow: imported after it, their two LLVMs end the process)


def pytest_itemcollected(item):
    """Forbids tests marked `alone` here: they are looked for everywhere else.
    Importing both frameworks takes ten seconds."""
    assert not item.get_closest_marker("alone"), f"{item.nodeid} is alone: it lies elsewhere"
