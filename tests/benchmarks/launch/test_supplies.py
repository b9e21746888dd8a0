"""What a node must have: packages are compared by version, and no cluster is needed to ask."""

import pytest

from benchmarks.planning.plan import Device

pytest.importorskip("ray", reason="requirements-many.txt isn't installed")
from benchmarks.launch import supplies


class Actor:
    """A node on which some packages are of other versions."""

    def __init__(self, **other):
        self.other, self.versions, self.asked = other, self, ()

    def remote(self, names):
        self.asked = names
        return supplies.versions(names) | {n: v for n, v in self.other.items() if n in names}


@pytest.mark.parametrize(
    ("framework", "backend", "packages"),
    [
        ("torch", "torch", {"torch", "torchvision", "timm"}),
        ("keras", "tensorflow", {"keras", "tensorflow"}),
        ("keras", "jax", {"keras", "jax", "jaxlib"}),
    ],
)
def test_all_that_computes_a_run_is_compared(framework, backend, packages, monkeypatch):
    monkeypatch.setattr(supplies, "got", lambda reference: reference)
    key, unfit = (framework, Device(backend, "cpu"), 1, True), supplies.Supplies().unfit
    alike = Actor()
    assert unfit(alike, key, None, "") == ""
    assert set(alike.asked) == packages | {"numpy", "pillow"}
    for name in alike.asked:
        assert unfit(Actor(**{name: "0.1"}), key, None, "").startswith(f"it has {name} 0.1, and")
