"""On a GPU: the same steps, folds, endings and answers as without, and a small card's sentence.

Each part runs in processes of its own, several at a time (support/gpu_parts.py, or real workers).
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from benchmarks.launch.devices import expected_devices
from benchmarks.launch.worker import Worker, environment
from benchmarks.planning.plan import Device, Selection, make_plan, set_request
from benchmarks.store.store import Store
from protocols import hardware, nvidia
from protocols.files import ROOT
from protocols.images.decoded import image_set
from protocols.runs.worker_loop import Job

GPUS = nvidia.names()
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not GPUS, reason="no NVIDIA GPU here (nvidia-smi lists none)"),
]
FRAMEWORKS = ("keras", "torch")
AT_ONCE = max(1, hardware.cores() // 4)
SMALL, TINY = 12, 1.5  # GiB: the papers' card, and one on which no such step fits
# float32, bounds on what the GPU changes: relative of losses, absolute of answers. Between the two
# frameworks on a CPU it was 3.5e-5 and 2.4e-5 for heads; 1e-5, 5e-4, 8e-4 in the first steps of a
# whole network, whose fourth (4e-2) is not held.
HEAD = 1e-3
WHOLE = (1e-3, 1e-2, 1e-2)


def device_of(framework, gpu=True):
    backend = os.environ.get("KERAS_BACKEND", "")
    found = expected_devices((framework,), GPUS[0], 0, backend)[framework]
    return found if gpu else Device(found.backend, "cpu")


def process(command, framework, gpu=True, **more):
    """Its standard output; AssertionError with the end of its errors."""
    env = environment(device_of(framework, gpu), 2) | more
    answer = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=env,
        encoding="utf-8",
    )
    assert answer.returncode == 0, answer.stdout[-2000:] + answer.stderr[-2000:]
    return answer.stdout


def part(name, framework, *words, gpu=True, **more):
    out = process(["tests.support.gpu_parts", name, framework, *words], framework, gpu, **more)
    return json.loads(out.splitlines()[-1])


def steps_on_both(framework, world):
    return [part("steps", framework, gpu=gpu) for gpu in (False, True)]


def folds(framework, world):
    command = ["pytest", "-q", "-p", "no:cacheprovider", "-k", "as_it_does_alone or replayed"]
    more = {"WBC_TEST_TWIN": framework, "WBC_TEST_DEVICE": device_of(framework).name}
    more["JAX_ENABLE_X64"] = "1"
    return process([*command, "tests/twins/test_together.py"], framework, **more)


def engines(framework, world):
    return part("engines", framework)


def recurrent(framework, world):
    return part("recurrent", framework, "resnet50_lstm", "cnn_lstm", "cnn_gru")


def large(framework, world):
    return part("large", framework)


def memory(framework, world):
    shares = [gib * 2**30 / nvidia.memory("total") for gib in (SMALL, TINY)]
    return [
        part("memory", framework, share, XLA_CLIENT_MEM_FRACTION=str(share)) for share in shares
    ]


class Killed(Exception):
    """The worker was to be killed now."""


def endings(framework, world):
    """Of one run: done twice by one worker, and by one that is killed and another."""
    cache, phantom, folder = world
    device = device_of(framework)
    words = {"variants": ("resnet50",), "frameworks": (framework,), "deterministic": True}
    (run,) = (
        s
        for s in make_plan(Selection(profile="smoke", **words), "phantom", {framework: device}, 4)
        if s.stage == "train"
    )
    images = image_set(phantom, set_request(run.protocol, run.fold, run.data), cache)

    def trained(store, worker, progress=lambda *_: None):
        into = store.begin(run)
        job = Job(
            images.folder, into, images.files[0], folder / "cache" / framework,
            store.checkpoint([run]), pauses=(0.0, 0.0),
        )  # fmt: skip
        worker.run([run], [job], progress, print)
        return store.finish(run, into)

    def blow(what, done, total):
        if what == "images trained":
            raise Killed

    found, stores = [], [Store(folder / f"{framework}-{i}") for i in range(3)]
    worker = Worker(framework, device, run.threads, deterministic=True)
    found = [trained(store, worker) for store in stores[:2]]
    with pytest.raises(Killed):
        trained(stores[2], worker, blow)
    worker.close()  # SIGKILL
    worker = Worker(framework, device, run.threads, deterministic=True)
    found.append(trained(stores[2], worker))
    worker.close()
    return found


PARTS = {f.__name__: f for f in (memory, endings, steps_on_both, folds, engines, recurrent, large)}
of_part = {
    name: pytest.mark.parametrize("which", [(name, f) for f in FRAMEWORKS], ids="-".join)
    for name in PARTS
}


@pytest.fixture(scope="module")
def started(request, cache, phantom, tmp_path_factory):
    """The answers, to come, of all parts that this session's tests ask for."""
    world = cache, phantom, tmp_path_factory.mktemp("gpu")
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(AT_ONCE) as pool:
        patch.setenv("XDG_CACHE_HOME", str(world[2]))
        tests = [i for i in request.session.items if i.path == request.path]
        wanted = dict.fromkeys(i.callspec.params["which"] for i in tests)
        order = sorted(wanted, key=lambda w: list(PARTS).index(w[0]))  # the longest first
        yield {which: pool.submit(PARTS[which[0]], which[1], world) for which in order}


@pytest.fixture
def answer(started, which):
    return started[which].result()


@of_part["steps_on_both"]
def test_steps_on_the_gpu_are_those_on_the_cpu(answer):
    """float32, from the same weights: heads over given features, then a whole network."""
    on_cpu, _ = answer
    for name in on_cpu:
        wanted, found = ([side[name][k] for k in ("losses", "answers")] for side in answer)
        if name.endswith("head"):
            np.testing.assert_allclose(found[0], wanted[0], rtol=HEAD, err_msg=name)
            np.testing.assert_allclose(found[1], wanted[1], rtol=0, atol=HEAD, err_msg=name)
        else:
            for loss, of_cpu, bound in zip(found[0], wanted[0], WHOLE, strict=False):
                assert loss == pytest.approx(of_cpu, rel=bound), name


@of_part["folds"]
def test_folds_together_train_as_alone(answer, which):
    """float64, to 1e-9: tests/twins/test_together.py on the GPU, where PyTorch replays a graph."""
    assert ("4 passed" if which[1] == "torch" else "3 passed, 1 skipped") in answer


@of_part["endings"]
def test_deterministic_runs_end_with_the_same_bits_killed_or_not(answer):
    first, second, killed = answer
    assert first.timings["resumed"] == second.timings["resumed"] == 0
    assert killed.timings["resumed"] == 1
    assert first.timings["device_peak_bytes"] > 0
    for name, value in first.predictions.items():
        assert (value == second.predictions[name]).all(), f"{name}: done again by a used worker"
        assert (value == killed.predictions[name]).all(), f"{name}: killed"
    losses = [[row["train_loss"] for row in run.history] for run in answer]
    assert losses[0] == losses[1] == losses[2]


@of_part["engines"]
def test_every_engine_gives_the_same_answers(answer):
    for size, ways in answer.items():
        eager = np.array(ways["eager"])
        assert eager.shape == (int(size), 4) and len(ways) > 1
        for name, found in ways.items():
            np.testing.assert_allclose(found, eager, atol=1e-4, rtol=0, err_msg=name)


@of_part["memory"]
def test_a_small_card_fits_the_papers_batch_or_ends_with_a_sentence(answer):
    on_small, on_tiny = answer
    for name in ("all layers", "folds"):
        if on_small[name] == "fits":
            assert on_small[f"{name}, bytes"] < SMALL << 30
        else:
            assert "needs more memory than" in on_small[name]
    assert "xception at batch 32 needs more memory than" in on_tiny["all layers"]
    assert "cnn_lstm at batch 32, 30 runs together, needs more" in on_tiny["folds"]


@of_part["recurrent"]
def test_env_json_says_what_computes_recurrent_layers(answer, which):
    """Seen in the step as it was computed or compiled; Keras has no GRU of cuDNN under JAX."""
    assert {variant: words == "cudnn" for variant, (words, _) in answer.items()} == {
        variant: ran for variant, (_, ran) in answer.items()
    }
    lacks = {"keras": ["cnn_gru"], "torch": []}[which[1]]
    assert [variant for variant, (words, _) in answer.items() if words != "cudnn"] == lacks


@of_part["large"]
def test_images_beyond_two_to_the_31_come_back(answer):
    assert answer["numbers"] > 2**31 and answer["equal"]
