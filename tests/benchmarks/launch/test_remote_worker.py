"""A worker on a node that lacks something; no cluster is started."""

import types
from importlib.util import find_spec
from pathlib import Path

import pytest

from protocols.errors import RequestError
from tests.support.devices import CPU

pytestmark = [
    pytest.mark.slow,  # Ray is slow to import
    pytest.mark.skipif(not find_spec("ray"), reason="Ray isn't installed here"),
]


@pytest.mark.parametrize(
    ("kind", "shared", "why"),
    [
        ("NVIDIA A", None, "it has NVIDIA B, and NVIDIA A computes"),
        ("", Path("/shared"), "it doesn't see the folder /shared (--checkpoints)"),
    ],
)
def test_a_node_that_lacks_what_the_launch_needs_is_left_out(kind, shared, why, monkeypatch):
    """It may have joined later: the GPU of each node is asked for before its first run. And Ray,
    which no longer runs when the worker ends its process there, isn't started for that."""
    from benchmarks.launch import cluster as module

    class There:
        """A node that has an NVIDIA B and sees no folder; `ray.kill` takes it for gone."""

        def __getattr__(self, name):
            answer = {"where": "2", "gpu": "NVIDIA B", "sees": False}[name]
            return types.SimpleNamespace(remote=lambda *_: answer)

    left_out, actors = [], [There()]

    def actor(*_):
        if not actors:
            raise RequestError("no node is left")
        return actors.pop()

    of_two = types.SimpleNamespace(id="2", name="two")
    cluster = types.SimpleNamespace(
        kind=kind, shared=shared, own="1", actor=actor, machine=lambda _: of_two,
        leave_out=lambda machine, why: left_out.append((machine.name, why)),
    )  # fmt: skip
    monkeypatch.setattr(module, "got", lambda answer: answer)
    worker = module.RemoteWorker(cluster, ("torch", CPU["torch"], 1, False), alone=False)
    with pytest.raises(RequestError, match="no node is left"):
        worker.run([], [types.SimpleNamespace(images=Path("x"))], print, print)
    worker.close()
    assert left_out == [("two", why)] and not module.ray.is_initialized()
