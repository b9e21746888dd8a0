"""Both frameworks, in the order that they bear."""

import os

import impl_keras  # noqa: F401 (before TensorFlow: it asks for oneDNN)

if os.environ.get("KERAS_BACKEND") != "jax":
    import timm  # noqa: F401 (before TensorFlow: imported after it, their two LLVMs end the process)


def pytest_itemcollected(item):
    """Those that run alone are looked for everywhere but here: importing both frameworks takes ten
    seconds."""
    assert not item.get_closest_marker("alone"), f"{item.nodeid} is alone: it lies elsewhere"
