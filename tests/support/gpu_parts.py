"""What tests/twins/test_gpu.py runs, each part in a process of its own with the GPU, or without it.

python -m tests.support.gpu_parts PART FRAMEWORK [WORDS]; the last line it prints is JSON.
"""

import gc
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


def trained(framework: str, variant: str, frozen: bool) -> dict[str, list]:
    """Gives the losses of a few steps from fixed weights, and the answers after the steps."""
    words = {"init": "shared", "weights": "fixture" if frozen else "random"}
    run = run_of(framework, variant, **words)
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
    n = begin_epoch([run], pool, twin, phase["phase"], 1)
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
    """Gives the answers of every engine for one image, and for many of those quick to prepare."""
    run = run_of(framework, "resnet50_lstm", stage="latency")
    module = importlib.import_module(f"impl_{framework}.latency")
    twin = getattr(module, f"{framework.title()}Latency")(run)
    images = pool_of([run], BATCH, BATCH).pixels
    found = {}
    for size, everything in ((1, True), (BATCH, False)):
        ways = twin.engines(everything)
        found[size] = {name: predict(images[:size]).tolist() for name, predict in ways.items()}
    return found


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
    print(json.dumps({"steps": steps, "engines": engines, "memory": memory}[part](*rest)))
