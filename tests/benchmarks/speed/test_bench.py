"""The benchmarks: ratios, samples, and peers that really train."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.speed.harness import decoded, device_of, pool_of, take_sample
from benchmarks.speed.peers import ours
from benchmarks.speed.peers.process import PeerProcess, environment
from benchmarks.speed.side_by_side import compared, paired, timed
from protocols import nvidia
from protocols.classes import CLASSES
from protocols.files import ROOT
from protocols.images import dataset
from reports.pages.speed import benchmarks
from tests.support import synthetic


class Fixture:
    """pytest-benchmark's fixture with a clock of its own."""

    def __init__(self, own, off=False):
        self.own, self.off, self.extra_info, self.stats = iter(own), off, {}, None

    def pedantic(self, target, setup, teardown, rounds, warmup_rounds):
        data = []
        for _ in range(warmup_rounds + rounds):
            setup()
            target()
            teardown()
            data.append(next(self.own))
        if not self.off:
            self.stats = SimpleNamespace(stats=SimpleNamespace(data=data[warmup_rounds:]))


def test_ratios_are_those_of_each_round():
    peer = iter([50.0, 1.0, 4.0, 2.0])  # the first is the warm-up
    fixture = Fixture([100.0, 2.0, 2.0, 6.0])
    paired(fixture, lambda: None, {"other": lambda: next(peer)}, 3, aims={"other": 1.5}, what="x")
    (found,) = fixture.extra_info.pop("peers")
    assert found["ratio"] == {"median": 2.0, "low": 0.5, "high": 3.0}  # 2/1, 2/4, 6/2
    assert (found["name"], found["aim"], found["seconds"]) == ("other", 1.5, 2.0)
    assert fixture.extra_info == {"what": "x", "rounds": 3, "ours": 2.0}


def test_the_median_ratio_is_not_the_ratio_of_the_medians():
    found = compared([1.0, 10.0, 100.0], [1.0, 1.0, 200.0])
    assert found["ratio"]["median"] == 1.0
    assert found["seconds"] == 1.0  # ours: 10


def test_who_comes_first_changes_with_the_rounds():
    played = []
    peers = {name: lambda name=name: played.append(name) or 1.0 for name in "ab"}
    paired(Fixture([1.0] * 4), lambda: played.append("ours"), peers, 3)
    assert "".join(n[0] for n in played) == "abo" + "oab" + "abo" + "oab"


def test_a_turn_of_two_calls_counts_the_second():
    played = []
    peers = {name: lambda name=name: played.append(name) or len(played) for name in "ab"}
    fixture = Fixture([1.0] * 3)
    paired(fixture, lambda: played.append("ours"), peers, 2, again=True)
    assert "".join(n[0] for n in played) == "aabboo" + "ooaabb" + "aabboo"
    assert [peer["seconds"] for peer in fixture.extra_info["peers"]] == [(10 + 14) / 2, 14]


def test_without_measuring_everything_runs_once():
    fixture = Fixture([1.0] * 9, off=True)
    paired(fixture, lambda: None, {"other": timed(lambda: None)}, 1)
    assert fixture.extra_info == {}


def test_a_peer_that_fails_says_why():
    peer = PeerProcess("process", "missing")
    with pytest.raises(RuntimeError, match="no attribute 'missing'"):
        peer()
    peer.close()


def test_ours_answers_by_the_engine_that_is_asked_for(monkeypatch):
    asked = []

    def engine(name):
        return lambda images: asked.append((name, images.shape, images.dtype))

    latency = SimpleNamespace(
        TorchLatency=lambda run: SimpleNamespace(network=run.variant),
        engines=lambda network, run, compile_too: {network: engine("a"), compile_too: engine("b")},
    )
    monkeypatch.setitem(sys.modules, "impl_torch.latency", latency)
    spec = synthetic.spec("torch", "resnet50", stage="latency")
    answer = ours.answers(spec, "every")
    assert answer(1, None, 3, 1).keys() == {"resnet50", "every"}
    assert {name for name, shape, _ in asked if shape[0] == 1} == {"a", "b"}
    answer(32, "every")
    assert asked[-1] == ("b", (32, spec.data["height"], spec.data["width"], 3), np.uint8)


@pytest.fixture(scope="module")
def sample(phantom, tmp_path_factory):
    return take_sample(phantom, 8, tmp_path_factory.mktemp("sample"))


def test_ours_and_the_peers_get_the_same_files(sample, tmp_path):
    links = sorted(sample.folder.rglob("*.jpeg"))
    assert sample.count == len(links) == 8
    assert {path.parent.name for path in links} == set(CLASSES)
    found = decoded(sample, synthetic.spec("torch"), tmp_path)
    assert np.bincount(found.labels[found.part == "train"]).tolist() == [2, 2, 2, 2]
    served = {
        Path(p).name for p, part in zip(found.files, found.part, strict=True) if part == "train"
    }
    assert served == {path.name for path in links}


def test_samples_of_one_cache_keep_their_sizes(phantom, sample, tmp_path):
    """A benchmark of 64 images after one of 128 in the same session."""
    larger = take_sample(phantom, 16, tmp_path / "larger")
    spec = synthetic.spec("torch")
    spec = replace(spec, data=spec.data | {"train_per_class": 0, "test_per_class": 0})  # all
    sizes = [len(pool_of(s, spec, tmp_path).train[0]) for s in (larger, sample)]
    assert sizes == [16, 8]


def test_a_sample_is_never_larger_than_the_images(phantom, tmp_path):
    assert take_sample(phantom, 10_000, tmp_path).count == 4 * dataset.PHANTOM_TRAIN


def losses(module, function, epochs=6, **words):
    """In a process of its own, as the benchmarks have it."""
    peer = PeerProcess(module, function, **words)
    try:
        return [peer.run()[1] for _ in range(epochs)]
    finally:
        peer.close()


def tiny(framework, variant):
    run = synthetic.spec(framework, variant, fold=0 if variant.startswith("cnn") else None)
    values = json.loads(run.to_json())
    values["data"] |= {"height": 80, "width": 80}
    return json.dumps(values)


@pytest.mark.parametrize(
    "framework, variant, phase",
    [
        ("torch", "resnet50", 0),
        pytest.param("torch", "resnet50", 1, marks=pytest.mark.slow),
        pytest.param("torch", "cnn_gru", 0, marks=pytest.mark.slow),
        pytest.param("keras", "xception_resnet50_lstm", 0, marks=pytest.mark.slow),
    ],
)
def test_plain_epochs_learn(framework, variant, phase, sample):
    words = {"spec": tiny(framework, variant), "phase": phase, "folder": str(sample.folder)}
    found = losses(f"plain_{framework}", "epoch", **words)
    assert np.isfinite(found).all()
    assert min(found[1:]) < found[0]


def test_only_plain_peers_are_kept_from_what_our_twin_sets(monkeypatch):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")
    assert "TF_ENABLE_ONEDNN_OPTS" not in environment("plain_keras", {})
    assert environment("bare", {})["TF_ENABLE_ONEDNN_OPTS"] == "1"
    asked = environment("plain_keras", {"TF_ENABLE_ONEDNN_OPTS": "1"})
    assert asked["TF_ENABLE_ONEDNN_OPTS"] == "1"


@pytest.mark.slow
@pytest.mark.alone
def test_plain_keras_does_not_wait_at_the_end_of_an_epoch(sample):
    """As it would for tf.data's tuner: it sleeps 10 ms, 20 ms ... 1.28 s, from 1.27 s on."""
    code = (
        "import sys, time; from protocols.spec import RunSpec\n"
        "from benchmarks.speed.peers.plain_keras import dataset\n"
        "batches = iter(dataset(RunSpec.from_json(sys.argv[1]), sys.argv[2])); next(batches)\n"
        "time.sleep(1.5); start = time.perf_counter(); del batches\n"
        "print(time.perf_counter() - start)"
    )
    command = [sys.executable, "-c", code, tiny("keras", "resnet50"), str(sample.folder)]
    waited = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=ROOT, encoding="utf-8"
    ).stdout
    assert float(waited.splitlines()[-1]) < 0.4


@pytest.mark.parametrize(
    "module", ["plain_torch", pytest.param("plain_keras", marks=pytest.mark.slow)]
)
def test_heads_alone_learn_what_they_are_given(module):
    spec = tiny(module.removeprefix("plain_"), "resnet50_lstm")
    found = losses(module, "head_alone", spec=spec, images=8)
    assert min(found[1:]) < found[0]


@pytest.mark.slow
def test_timms_steps_train():
    found = losses("timm_script", "train_steps", epochs=3, spec=tiny("torch", "resnet50"), steps=1)
    assert np.isfinite(found).all()
    assert len(set(found)) == 3


def measured(path, *words):
    """What `make bench` with these words writes into `path`. Beside other tests pytest-benchmark
    measures nothing, by what pytest-xdist leaves in the environment."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_XDIST")}
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words,
         f"--benchmark-json={path}"],
        capture_output=True, text=True, cwd=ROOT, encoding="utf-8", env=env,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout[-2000:]
    return json.loads(path.read_text(encoding="utf-8"))["benchmarks"]


@pytest.mark.slow
def test_a_benchmark_runs_and_writes_its_json(tmp_path):
    path = tmp_path / "found.json"
    words = ["--bench-size", "64x64", "--bench-frozen-images", "8", "--bench-rounds", "2"]
    (found,) = measured(path, *words, "--bench-data", "phantom", "benchmarks/speed/bench_data.py")
    assert found["extra_info"]["data"] == "phantom"
    assert found["extra_info"]["ours"] == found["stats"]["median"]
    path.rename(tmp_path / benchmarks.NAME)
    (table,) = benchmarks.read(tmp_path).tables  # of the report
    assert "Decode and build the cache" in str(table)


@pytest.mark.slow
@pytest.mark.alone
def test_the_controls_answers_are_measured_too(tmp_path):
    words = ["--bench-size", "96x128", "--bench-calls", "1", "--bench-rounds", "1"]
    words += ["benchmarks/speed/bench_latency.py", "-k", "efficientnet_lite0-"]
    beside = {
        (found["extra_info"]["framework"], found["extra_info"]["unit"]): [
            peer["name"] for peer in found["extra_info"]["peers"]
        ]
        for found in measured(tmp_path / "found.json", *words)
    }
    plain = ["raw call", "timm's benchmark"]
    assert beside == {  # keras.applications doesn't have the network
        ("keras", "1 image"): [], ("keras", "32 images"): [],
        ("torch", "1 image"): plain, ("torch", "32 images"): plain,
    }  # fmt: skip


def test_a_gpu_that_a_framework_does_not_see_ends_the_benchmark(monkeypatch):
    seen = SimpleNamespace(seen=lambda: {"gpu": None, "backend": "tensorflow"})
    monkeypatch.setitem(sys.modules, "impl_keras.device", seen)
    monkeypatch.setattr(nvidia, "names", lambda: [])
    assert device_of("keras").name == "cpu"
    monkeypatch.setattr(nvidia, "names", lambda: ["NVIDIA H100"])
    with pytest.raises(RuntimeError, match="keras on tensorflow doesn't see the GPU"):
        device_of("keras")
