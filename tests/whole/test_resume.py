"""Real workers, real kills: a run ends with the same bits whatever happened on the way."""

import json

import pytest

from benchmarks.launch.worker import Worker
from benchmarks.planning.plan import set_request
from benchmarks.store.store import Store
from protocols.images.decoded import image_set
from protocols.runs.worker_loop import Job
from tests.support.devices import CPU
from tests.whole import kills

pytestmark = pytest.mark.slow


def test_six_kills_six_equal_endings(cache):
    variants = ("inception_v3", "efficientnet_lite0_cnn_gru")
    assert kills.stress(6, cache, "phantom", seed=1, variants=variants) == []


def test_a_kill_of_keras_on_jax(cache, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    variants = ("efficientnet_lite0_cnn_gru",)
    assert kills.stress(1, cache, "phantom", 1, ("keras",), variants) == []


@pytest.mark.parametrize("framework", ["keras", "torch"])
def test_deterministic_runs_are_the_same_in_a_fresh_worker_and_in_a_used_one(
    framework, plan_of, phantom, cache, tmp_path
):
    """The whole network is trained: depthwise and other convolutions, and a GRU."""
    words = {"frameworks": (framework,), "deterministic": True}
    plan = plan_of("efficientnet_lite0_cnn_gru", "efficientnet_lite0", folds=(0,), **words)
    other, gru = sorted((s for s in plan if s.stage == "train"), key=lambda s: s.variant)
    assert not any(phase["frozen"] for phase in gru.phases)

    def finished(worker, run, out):
        images = image_set(phantom, set_request(run.protocol, run.fold, run.data), cache)
        store = Store(tmp_path / out)
        folder = store.begin(run)
        job = Job(images.folder, folder, images.files[0], cache, store.checkpoint([run]))
        worker.run([run], [job], lambda *_: None, print)
        return store.finish(run, folder)

    results = []
    for out, before in (("fresh", None), ("used", other)):
        worker = Worker(framework, CPU[framework], gru.threads, deterministic=True)
        if before:
            finished(worker, before, "before")
        results.append(finished(worker, gru, out))
        worker.close()
    fresh, used = results
    assert fresh.env["repeatable"].startswith("bit for bit, enforced")
    assert fresh.spec.to_dict() == json.loads(fresh.spec.to_json())
    for name, value in fresh.predictions.items():
        assert (value == used.predictions[name]).all(), name
    for one, other in zip(fresh.history, used.history, strict=True):
        assert {k: v for k, v in one.items() if "seconds" not in k} == {
            k: v for k, v in other.items() if "seconds" not in k
        }
