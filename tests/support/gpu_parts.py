"""What tests/twins/test_gpu.py runs, each part in a process of its own with the GPU, or without it.

python -m tests.support.gpu_parts PART FRAMEWORK [WORDS]; the last line it prints is JSON.
"""

import gc
import hashlib
import importlib
import json
import sys
from typing import Any

import numpy as np

from protocols.images.pool import Pool
from protocols.runs.latency import BATCH
from protocols.runs.twin import OutOfMemory, begin_epoch, check_memory
from protocols.spec import RunSpec
from protocols.weights.start import OWN, HeadsOnly
from tests.support.synthetic import spec

SIZE, STEPS = 8, 4  # images a step, steps
MAP = (3, 4, 2048)  # of a smoke image
# heads over features given to them, and a whole network
FROZEN = {"resnet50": (2048,), "resnet50_lstm": (2048,), "cnn_lstm": MAP, "cnn_gru": MAP}
THAWED = "resnet50"
IMAGES = 9_957 + 2_487  # that the papers train and test on, in full size


def run_of(framework: str, variant: str, **words: Any) -> RunSpec:
    """Gives a run on the device that this process sees."""
    seen = importlib.import_module(f"impl_{framework}.device").seen()
    here = {"backend": seen["backend"], "device": seen["gpu"] or "cpu", "threads": 1}
    fold = words.pop("fold", 0 if variant.startswith("cnn") else None)
    return spec(framework, variant, fold=fold, deterministic=False, **here | words)


def pool_of(runs: list[RunSpec], n: int, train: int) -> Pool:
    """Gives a pool of n images, all the same if there are many; the first `train` are trained
    on."""
    data, random = runs[0].data, np.random.default_rng(0)
    different = n if n <= BATCH * STEPS else 1
    shape = different, data["height"], data["width"], 3
    return Pool(
        pixels=random.integers(0, 256, shape, dtype=np.uint8),
        rows=np.arange(n) % different,
        ids=[str(i) for i in range(n)],
        labels=np.arange(n) % 4,
        train=[np.arange(train)] * len(runs),
        evaluated=[np.arange(train, n)] * len(runs),
    )


def make(runs: list[RunSpec], pool: Pool, start: Any) -> Any:
    """Makes the twin of one run or several."""
    return importlib.import_module(f"impl_{runs[0].framework}.worker").make_twin(runs, pool, start)


def begun(framework: str, variant: str, frozen: bool, **more: Any) -> tuple[Any, int]:
    """Gives a twin with fixed weights in the first epoch of a phase, and the number of images."""
    words = {"init": "shared", "weights": "fixture" if frozen else "random"}
    run = run_of(framework, variant, **words | more)
    pool = pool_of([run], SIZE * STEPS + SIZE, SIZE * STEPS)
    twin = make([run], pool, HeadsOnly() if frozen else OWN)
    stored = None
    if frozen:
        features = np.random.default_rng(1).random((len(pool), *FROZEN[variant]), dtype=np.float32)
        if framework == "torch" and features.ndim == 4:
            features = np.ascontiguousarray(features.transpose(0, 3, 1, 2))
        stored = [features]
    phase = run.phases[0 if frozen else -1]
    twin.begin_phase(phase, stored)
    return twin, begin_epoch([run], pool, twin, phase["phase"], 1)


def trained(framework: str, variant: str, frozen: bool) -> dict[str, list]:
    """Gives the losses of a few steps from fixed weights, and the answers after the steps."""
    twin, n = begun(framework, variant, frozen)
    figures = twin.read([twin.step(i, i + SIZE) for i in range(0, n, SIZE)])
    return {
        "losses": (figures[:, 0, 0] / SIZE).tolist(),
        "answers": np.exp(twin.log_probabilities()[0]).tolist(),
    }


def steps(framework: str) -> dict[str, Any]:
    """Gives `trained` of heads and of a whole network."""
    found = {f"{name}, head": trained(framework, name, True) for name in FROZEN}
    return found | {f"{THAWED}, all layers": trained(framework, THAWED, False)}


def engines(framework: str) -> dict[str, Any]:
    """Gives the answers of every engine for one image, and for many of those quick to prepare.
    Those of "eager" are there too where it isn't an engine: JAX, operation by operation."""
    run = run_of(framework, "resnet50_lstm", stage="latency")
    module = importlib.import_module(f"impl_{framework}.latency")
    twin = getattr(module, f"{framework.title()}Latency")(run)
    images = pool_of([run], BATCH, BATCH).pixels
    found = {}
    for size, everything in ((1, True), (BATCH, False)):
        ways = twin.engines(everything)
        found[size] = {name: predict(images[:size]).tolist() for name, predict in ways.items()}
        if "eager" not in ways:
            from keras import ops

            probabilities = ops.softmax(twin.network.logits(ops.convert_to_tensor(images[:size])))
            found[size]["eager"] = ops.convert_to_numpy(probabilities).tolist()
    return found


def bits(framework: str, variant: str, frozen: str, at_once: str) -> list[str]:
    """Gives a digest of all that a few steps leave, three times from the same start, by TensorFlow
    on two threads that compute so many operations at once."""
    import tensorflow as tf

    threading = tf.config.threading
    threading.set_inter_op_parallelism_threads(int(at_once))
    threading.set_inter_op_parallelism_threads = lambda number: None
    twin, n = begun(framework, variant, frozen == "head", threads=2)
    start, found = twin.state(), []
    for _ in range(3):
        twin.restore(start)
        twin.read([twin.step(i, i + SIZE) for i in range(0, n, SIZE)])
        state = b"".join(value.tobytes() for value in twin.state().values())
        found.append(hashlib.sha256(state).hexdigest())
    return found


def cudnn_ran(framework: str, twin: Any) -> bool:
    """Tells whether cuDNN's recurrent layer is in a twin's step: as PyTorch computed it, or as XLA
    compiled it."""
    if framework == "torch":
        import torch

        with torch.profiler.profile() as profile:
            twin.step(0, SIZE)
        return any("cudnn_rnn" in event.key for event in profile.key_averages())
    taken, step = [], twin.step_function
    twin.step_function = lambda *arrays: taken.append(arrays)
    twin.step(0, SIZE)
    state = [[variable.value for variable in group] for group in step._variables]
    return "dnn_rnn" in step._step.lower(state, *taken[0]).compile().as_text()


def recurrent(framework: str, *variants: str) -> dict[str, list]:
    """Gives for each of these heads, which have recurrent layers, what env.json says of the layers,
    and `cudnn_ran`."""
    found = {}
    for variant in variants:
        twin, _ = begun(framework, variant, True)
        found[variant] = [twin.environment()["recurrent"], cudnn_ran(framework, twin)]
    return found


def large(framework: str) -> dict[str, Any]:
    """Gives how many numbers the papers' images are, all in the device's memory, and whether the
    last ones, which lie beyond 2^31, come back from there as they are."""
    pixels = np.zeros((IMAGES, 240, 320, 3), np.uint8)
    pixels[-BATCH:] = np.random.default_rng(0).integers(0, 256, pixels[-BATCH:].shape, np.uint8)
    names, labels = [""] * IMAGES, np.arange(IMAGES) % 4
    pool = Pool(pixels, np.arange(IMAGES), names, labels, [], [])
    module = importlib.import_module(f"impl_{framework}.batches")
    if framework == "torch":
        import torch

        there = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
        batches = module.Batches(pool, there, resident=True)
    else:
        batches = module.Batches(pool, on_gpu=True, resident=True)
    positions = np.append(np.arange(IMAGES - BATCH, IMAGES)[::-1], [0, IMAGES // 2])
    found = batches.images(positions)
    assert batches.pixels is not None and not isinstance(found, np.ndarray)
    back = found.cpu() if framework == "torch" else found
    return {"numbers": pixels.size, "equal": bool((np.asarray(back) == pixels[positions]).all())}


def memory(framework: str, share: str) -> dict[str, Any]:
    """Gives what the trial of the papers' sizes says where only a share of the card may be used.

    The environment of the process gives JAX its share.
    """
    thawed = [run_of(framework, "xception", profile="paper")]
    words = {"profile": "paper", "weights": "fixture"}
    folds = [
        run_of(framework, "cnn_lstm", fold=fold, seed=seed, **words)
        for seed in range(3)
        for fold in range(10)
    ]
    if framework == "torch" and thawed[0].device != "cpu":
        import torch

        torch.cuda.set_per_process_memory_fraction(float(share))
    found = {}
    for name, runs, n in (("all layers", thawed, 2 * BATCH), ("folds", folds, 2000)):
        pool = pool_of(runs, n, n - n // 10)
        twin = make(runs, pool, HeadsOnly())
        try:
            check_memory(runs, pool, twin)
            found[name] = "fits"
        except OutOfMemory as error:
            found[name] = str(error)
        found[f"{name}, bytes"] = twin.device_memory()["device_peak_bytes"]
        del twin
        gc.collect()  # its reference cycles hold memory
    return found


if __name__ == "__main__":
    part, *rest = sys.argv[1:]
    parts = (steps, engines, memory, recurrent, large, bits)
    print(json.dumps({one.__name__: one for one in parts}[part](*rest)))
