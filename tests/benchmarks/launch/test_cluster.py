"""Runs on the nodes of a Ray cluster of this machine: the ids and bits are those without Ray,
whatever happens to a node or to the process that launches."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.launch.launcher import Launcher
from benchmarks.launch.node import AUTH
from benchmarks.planning.plan import set_request
from benchmarks.store import validation
from benchmarks.store.store import Store
from benchmarks.terminal.console import Console
from protocols.errors import RequestError
from protocols.files import ROOT
from protocols.images.decoded import PIXELS, image_set
from tests.support import nvidia_smi
from tests.support.command import asked, runner
from tests.support.devices import CPU

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not find_spec("ray"), reason="Ray isn't installed here"),
]
CNN = "efficientnet_lite0"
OF_A_NODE = {"object_store_memory": 80_000_000}
SHORT = {"phase1_epochs": 1, "phase2_epochs": 1}
ONE_CALL = {"latency_repeats": 2, "latency_warmup": 0, "cold_repeats": 1}


@pytest.fixture(scope="module")
def ray_cluster():
    """A cluster with the node "one", on which the tests launch; it has room for one run. It asks
    for no token, whatever this user has."""
    from ray.cluster_utils import Cluster as RayCluster

    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0", AUTH: "disabled"}
    first = {"num_cpus": 1, "num_gpus": 0, "node_name": "one", "include_dashboard": False}
    made = RayCluster(initialize_head=True, head_node_args=first | OF_A_NODE)
    yield made
    made.shutdown()


@pytest.fixture
def second(ray_cluster, tmp_path):
    """Gives second(**words): adds the node "two", which has a cache of its own, `tmp_path`/two."""
    added = []

    def add(**words):
        env = {"XDG_CACHE_HOME": str(tmp_path / "two")} | words.pop("env_vars", {})
        how = OF_A_NODE | {"num_cpus": 2, "num_gpus": 0} | words
        added.append(ray_cluster.add_node(node_name="two", env_vars=env, **how))
        return added[-1]

    yield add
    for node in added:
        if node in ray_cluster.list_all_nodes():
            ray_cluster.remove_node(node, allow_graceful=False)


@pytest.fixture
def launched(ray_cluster, phantom, cache, tmp_path):
    """Gives launched(todo): the results by run id, and the store."""
    import ray

    def go(todo, out="out", jobs=2, checkpoints=None, **more):
        from benchmarks.launch.cluster import Cluster
        from benchmarks.launch.machines import join

        join(ray_cluster.address, "none")
        cluster = Cluster(print)
        cluster.cache, cluster.shared = cache, checkpoints
        store = Store(tmp_path / out, checkpoints)
        launcher = Launcher(store, phantom, CPU, cache, Console(), jobs, cluster=cluster, **more)
        try:
            launcher.prepare(todo)
            return {r.spec.id: r for r in launcher.run(todo)}, store
        finally:
            ray.shutdown()  # where `prepare` refused, as the end of the process does

    return go


@pytest.fixture(scope="module")
def here(phantom, cache, plan_of, tmp_path_factory):
    """Three short runs, seeds 0 to 2, without a cluster, and the bits of each."""
    todo = trained(cut(plan_of(CNN, frameworks=("torch",), seeds=(0, 1, 2)), **SHORT))
    store = Store(tmp_path_factory.mktemp("here"))
    launcher = Launcher(store, phantom, CPU, cache, Console(), 1)
    launcher.prepare(todo)
    found = {run.spec.id: run for run in launcher.run(todo)}
    assert not any(run.node for run in found.values())
    return todo, bits(found)


def cut(plan, **values):
    return [replace(spec, recipe=spec.recipe | values) for spec in plan]


def trained(plan):
    return [spec for spec in plan if spec.stage == "train"]


def bits(results):
    """What of training runs must be the same to the last bit."""
    return {
        name: {key: value.tobytes() for key, value in run.predictions.items()}
        | {"history": [[v for k, v in r.items() if "seconds" not in k] for r in run.history]}
        for name, run in results.items()
        if run.spec.stage == "train"
    }


def ended(pids):
    """Waits until none of the processes is there."""
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < deadline, "a process outlived its launch"
        time.sleep(0.1)


def workers(of="impl_"):
    """The ids of the worker processes of twins that run on this machine for this user's Ray."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
            env = (path / "environ").read_bytes()
        except OSError:
            continue
        if any(w.startswith(of.encode()) for w in words) and b"RAY_JOB_ID" in env:
            found.append(int(path.name))
    return found


def test_a_cluster_gives_the_ids_and_bits_of_one_machine(launched, second, here, plan_of, tmp_path):
    """Both nodes train; latency is alone on the machine that launches, which has the room."""
    second()
    plan = cut(plan_of(CNN, frameworks=("torch",)), **SHORT, **ONE_CALL)
    todo = here[0] + [replace(spec, threads=1) for spec in plan if spec.stage == "latency"]
    there, store = launched(todo, jobs=3)
    assert there.keys() == {spec.id for spec in todo} and bits(there) == here[1]
    assert {run.node for run in there.values()} == {"one", "two"}, "there is room for 1 and 2"
    assert there[todo[-1].id].node == "one"
    assert validation.sentences(store) == []
    (arrays,) = (tmp_path / "two").glob("*/arrays/*")
    assert {p.name for p in arrays.iterdir()} == {"pixels.npy", "index.json"}, "sent whole"


def test_a_killed_node_loses_nothing(launched, second, here, ray_cluster, tmp_path, capsys):
    """The run goes to the other node, and on from its checkpoint in a folder that both see."""
    todo = here[0][:2]
    node, shared = second(num_cpus=1), tmp_path / "shared"
    killed = []

    def two_computes():
        """Both nodes do, or node one has ended its run before node two, begun later, came to it."""
        runs = Store(tmp_path / "out", shared)
        ended = [run.spec for run in runs.runs() if run.done and run.node == "one"]
        begun = {*shared.glob("*.npz")} - {runs.checkpoint([spec]) for spec in ended}
        return len(begun) + len(ended) == 2

    def kill():
        while not two_computes():
            time.sleep(0.05)
        ray_cluster.remove_node(node, allow_graceful=False)
        killed.append(True)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    there, store = launched(todo, checkpoints=shared, pauses=(0.0, 0.0))
    thread.join(1)
    assert killed and bits(there) == {spec.id: here[1][spec.id] for spec in todo}
    assert "the node two was lost; " in capsys.readouterr().out
    assert {run.node for run in there.values()} == {"one"}
    assert sum(run.timings["resumed"] for run in there.values()) >= 1
    assert list(shared.iterdir()) == [] and validation.sentences(store) == []


def test_a_node_with_other_images_is_left_out(
    launched, second, here, phantom, cache, tmp_path, capsys
):
    run = here[0][0]
    whole = image_set(phantom, set_request(run.protocol, run.fold, run.data), cache).folder
    arrays = tmp_path / "two" / "wbc-reproduction-benchmark" / "arrays" / whole.name
    shutil.copytree(whole, arrays)
    pixels = bytearray((arrays / PIXELS).read_bytes())
    pixels[-1] ^= 1
    (arrays / PIXELS).write_bytes(pixels)
    second()
    there, _ = launched(here[0][:2])
    said = f"node two is left out: its {arrays / PIXELS} is another file"
    assert said in capsys.readouterr().out
    assert {r.status for r in there.values()} == {"done"}
    assert {r.node for r in there.values()} == {"one"}
    with pytest.raises(RequestError, match=f"{said}.*no node is left for the runs"):
        launched([replace(run, threads=2)], "none")  # there is room for it on node two alone
    with pytest.raises(RequestError, match="takes 3 CPUs, and no node of the cluster has so many"):
        launched([replace(run, threads=3)], "none")
    assert not (tmp_path / "none" / "runs" / run.id).exists()


def test_a_node_with_other_packages_is_left_out(launched, here, monkeypatch):
    from benchmarks.launch import supplies

    found = supplies.versions
    monkeypatch.setattr(supplies, "versions", lambda names: found(names) | {"timm": "0.1"})
    with pytest.raises(RequestError, match=r"node one is left out: it has timm .*has timm 0.1"):
        launched(here[0])


def test_a_stopped_or_killed_launch_goes_on(ray_cluster, cache, tmp_path):
    """Ctrl-C, then a kill of the process that launches; --status tells meanwhile."""
    words = ["--variant", CNN, "--framework", "torch", "--seeds", "0,1", "--data", "phantom"]
    words += [
        "--set",
        "phase1_epochs=1",
        "phase2_epochs=10",  # long enough to be stopped before it ends
        "--gpu",
        "none",
        "--cache",
        str(cache),
        "--out",
        str(tmp_path / "out"),
    ]
    command = [sys.executable, str(ROOT / "runner.py"), *words, "--ray", ray_cluster.address]
    store = Store(tmp_path / "out")

    def begin():
        how = {"stdout": subprocess.PIPE, "text": True, "encoding": "utf-8"}
        env = {k: v for k, v in os.environ.items() if k != "WBC_DATA"}
        return subprocess.Popen(command, env=env, **how)

    def told(process, word):
        lines = []
        for line in process.stdout:
            lines.append(line)
            if word in line:
                return lines
        raise AssertionError("".join(lines))

    first = begin()
    said = told(first, "[1/2]")
    assert " on one; " in said[-1], "".join(said)
    ask = [sys.executable, str(ROOT / "runner.py"), "--status", "--out", str(tmp_path / "out")]
    state = subprocess.run(ask, capture_output=True, text=True, encoding="utf-8").stdout
    assert state.startswith("2 runs: 1 done")
    first.send_signal(signal.SIGINT)
    assert first.wait(60) == 130
    ended(workers())
    assert not [p for p in store.runs_folder.iterdir() if p.is_dir() and p.name.startswith(".")]
    assert len(store.runs()) == 1 and store.runs()[0].done
    again = begin()
    told(again, "a worker process for torch starts")
    limit = time.monotonic() + 60
    while not (computing := workers()):
        assert time.monotonic() < limit, "nothing is computed"
        time.sleep(0.1)
    again.kill()
    again.wait()
    ended(computing)
    last = begin()
    assert "2 runs, 1 of them done\n" in told(last, "[1/1]")
    last.send_signal(signal.SIGINT)  # the report isn't asked for
    last.wait(60)
    assert sum(run.done for run in store.runs()) == 2 and validation.sentences(store) == []


def test_a_cluster_without_the_token_of_this_user_is_refused(ray_cluster, cache):
    """Ray's own processes would call this one without it, be refused, and take it for dead."""
    words = ["--ray", ray_cluster.address, "--framework", "torch", "--profile", "smoke", "--plan"]
    words += ["--data", "phantom", "--cache", cache]
    answer = runner(*words, RAY_AUTH_TOKEN="0" * 64, **{AUTH: "token"})
    assert answer.returncode == 2
    assert "the Ray of node one was started without a token, and this user has" in answer.stderr


def test_gpu_all_starts_a_ray_for_the_gpus_of_one_kind(cache, tmp_path, monkeypatch):
    nvidia_smi.put(monkeypatch, tmp_path)
    words = ["--gpu", "all:NVIDIA B", "--framework", "torch", "--profile", "smoke"]
    words += ["--data", "phantom", "--cache", cache, "--out", tmp_path / "out"]
    answer = runner(*words, HOME=str(tmp_path), **{AUTH: "token"})
    assert not (tmp_path / ".ray").exists(), "a token that later clusters would be asked for"
    assert "(on NVIDIA B, 1 of them on 1 node, by Ray)" in answer.stdout
    assert answer.returncode == 2
    assert "torch doesn't see GPU 0 (NVIDIA B; torch sees no GPU)" in answer.stderr


@pytest.mark.parametrize("gpus", ["one kind", "two kinds"])
def test_the_gpus_of_nodes_have_one_name(gpus, ray_cluster, second, cache, tmp_path, monkeypatch):
    """Ray only counts GPUs; their names are those that the nodes' own nvidia-smi lists."""
    import ray

    kinds = nvidia_smi.TWO if gpus == "two kinds" else nvidia_smi.TWO.replace("IA B", "IA A")
    with monkeypatch.context() as patch:
        nvidia_smi.put(patch, tmp_path, kinds)
        second(num_gpus=2, env_vars={"PATH": os.environ["PATH"]})
    words = ["--ray", ray_cluster.address, "--cache", cache, "--data", "phantom"]
    words += ["--profile", "smoke", "--framework", "torch", "--out", tmp_path / "out"]

    def said(*more):
        answer = asked(*words, *more)
        ray.shutdown()  # as the end of the process does
        return answer

    if gpus == "two kinds":
        answer = said("--plan")
        assert answer.returncode == 2
        assert "several kinds of GPU (NVIDIA A, NVIDIA B)" in answer.stderr
        answer = said("--plan", "--gpu", "all:NVIDIA B")
        assert "no node of the cluster has GPUs of the kind NVIDIA B alone" in answer.stderr
        assert "leave --gpu 0 out" in said("--plan", "--gpu", "0").stderr
    else:
        assert "(on NVIDIA A, 2 of them on 1 node, by Ray)" in said("--plan").stdout
        assert "torch doesn't see GPU 0 (NVIDIA A; torch sees no GPU)" in said().stderr
        assert not (tmp_path / "out").exists()
