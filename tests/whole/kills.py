"""Kills training at random moments and looks whether it ends as if nothing had happened.

python -m tests.whole.kills --kills 50

Each trial starts a short run, sends SIGKILL to its launcher or its worker at a random moment,
starts it again until it is done, and compares history and predictions bit by bit with a run never
killed. Each trial computes its features anew, so that kills come then too. Both twins go on side by
side, on the CPU; KERAS_BACKEND=jax puts Keras on JAX.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.launch.devices import expected_devices
from benchmarks.launch.launcher import Launcher
from benchmarks.launch.pending import todo_of, weights_of
from benchmarks.planning.plan import Selection, make_plan
from benchmarks.processes.children import common
from benchmarks.store.store import Store
from benchmarks.terminal.console import Console
from protocols import hardware
from protocols.files import ROOT, default_cache
from protocols.images import dataset
from protocols.papers.variants import load_variants
from protocols.runs.activations import FILE
from protocols.runs.features import UNFINISHED
from protocols.weights import files as weight_files

# A CNN alone, with an LSTM over the rows, a thawed head of Jane's, and one over a frozen CNN
VARIANTS = ("resnet50", "inception_v3", "resnet50_lstm", "cnn_gru", "efficientnet_lite0_cnn_gru")
PAUSES = ((0.0, 0.0), (0.0, 1e9), (1e9, 0.0), (2.0, 1.0))  # of checkpoints: epoch, inside one


@dataclass(frozen=True)
class Trial:
    """One short run into a folder, started as often as it takes; `lent`: the cache it takes all
    but features from."""

    framework: str
    variant: str
    out: Path
    lent: Path
    data: str
    pauses: tuple[float, float] = (1e9, 1e9)

    @property
    def cache(self) -> Path:
        """Its own cache, within `out`."""
        return self.out / "cache"

    def begin(self) -> "Trial":
        """With nothing of it there."""
        shutil.rmtree(self.out, ignore_errors=True)
        self.cache.mkdir(parents=True)
        for path in self.lent.iterdir():
            if path.name != "features":
                (self.cache / path.name).symlink_to(path)
        return self

    def at_features(self) -> bool:
        """Whether some of its features are computed, and not all."""
        return any(self.cache.glob(f"features/*{UNFINISHED}"))

    def start(self) -> subprocess.Popen:
        """A process that does what is left of the run."""
        words = json.dumps([self.framework, self.variant, str(self.out), str(self.cache),
                            self.data, self.pauses])  # fmt: skip
        code = "import sys, json; from tests.whole import kills; kills.go(*json.loads(sys.argv[1]))"
        return subprocess.Popen([sys.executable, "-c", code, words], cwd=ROOT,
                                env=os.environ | common(self.cache),
                                stdout=subprocess.DEVNULL)  # fmt: skip

    def result(self) -> dict[str, bytes] | None:
        """What must be the same to the last bit; None while the run isn't done."""
        runs = Store(self.out).runs()
        if not runs or not runs[0].done:
            return None
        kept = [
            {k: v for k, v in row.items() if not k.endswith("seconds")} for row in runs[0].history
        ]
        arrays = {k: v.tobytes() for k, v in runs[0].predictions.items()}
        seen = runs[0].activations.items()
        arrays |= {f"{FILE}/{k}": v.tobytes() for k, v in seen}
        return arrays | {"history": json.dumps(kept).encode()}

    def resumed(self) -> int:
        """How often the done run went on from a checkpoint."""
        return Store(self.out).runs()[0].timings["resumed"]

    def finish(self) -> dict[str, bytes]:
        """Starts it until it is done. RuntimeError if it doesn't come to an end."""
        for _ in range(3):
            if found := self.result():
                return found
            self.start().wait()
        if found := self.result():
            return found
        raise RuntimeError(f"{self.framework} {self.variant} in {self.out} comes to no end")


def go(framework: str, variant: str, out: str, cache: str, data: str,
       pauses: list[float]) -> None:  # fmt: skip
    """The process of a trial: an ordinary launch of one run."""
    devices = expected_devices((framework,), None, None, os.environ.get("KERAS_BACKEND", ""))
    source = dataset.locate(data, True, Path(cache))
    weights = weight_files.IMAGENET if load_variants()[variant].suite == "control" else "random"
    selection = Selection(frameworks=(framework,), variants=(variant,), weights=weights)
    plan = make_plan(selection, source.kind, devices, hardware.cores())
    store = Store(Path(out))
    first = [s for s in plan if s.stage == "train" and not s.fold]
    todo = todo_of(first, store, fresh="")
    launcher = Launcher(store, source, devices, Path(cache), Console(), 1, pauses=tuple(pauses))
    launcher.weights = weights_of(todo, weights, Path(cache), lambda *_: None)
    launcher.prepare(todo)
    launcher.run(todo)


def children(pid: int) -> list[int]:
    """The processes that `pid` started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(path.read_text(encoding="utf-8").rsplit(")", 1)[1].split()[1]) == pid:
                found.append(int(path.parent.name))
    return found


def kill(trial: Trial, seconds: float, worker: bool) -> bool:
    """Starts the trial and kills its launcher, or its worker, after so long; whether it hit."""
    process = trial.start()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
        return False  # done before
    workers = children(process.pid)
    for pid in workers if worker and workers else [process.pid]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in workers):  # its stdin is closed
        if time.monotonic() > deadline:
            raise RuntimeError("a worker outlived its launcher")
        time.sleep(0.05)
    return True


def lane(framework: str, kills: int, root: Path, cache: Path, data: str, seed: int,
         variants: tuple[str, ...] = VARIANTS) -> list[str]:  # fmt: skip
    """All trials of one twin, one after the other; a sentence for each that ended otherwise."""
    rng, wrong, references = random.Random(f"{seed} {framework}"), [], {}
    for variant in variants:
        trial = Trial(framework, variant, root / f"{framework}-{variant}", cache, data).begin()
        start = time.perf_counter()
        references[variant] = trial.finish(), time.perf_counter() - start
        shutil.rmtree(trial.out)
    for number in range(1, kills + 1):
        variant = variants[number % len(variants)]
        expected, seconds = references[variant]
        out = root / f"{framework}-{number}"
        trial = Trial(framework, variant, out, cache, data, rng.choice(PAUSES))
        worker, hit, at = rng.random() < 0.5, False, 0.0
        while not hit:  # or it was faster than the blow
            at = rng.uniform(0.1, 1.0) * seconds
            hit = kill(trial.begin(), at, worker)
        when = ", its features half computed" if trial.at_features() else ""
        before, found = trial.result(), trial.finish()
        same = [
            k for k in expected if (expected[k] != found[k]) or (before or found)[k] != found[k]
        ]
        text = (
            f"{framework} {number}/{kills}: {variant}, {'worker' if worker else 'launcher'} "
            f"killed after {at:.1f} s of {seconds:.1f} s{when}, checkpoints {trial.pauses}, "
            f"{'went on' if trial.resumed() else 'began anew'}: "
        )
        print(text + (f"DIFFERENT in {', '.join(same)}" if same else "the same bits"), flush=True)
        wrong += [text + ", ".join(same)] if same else []
        shutil.rmtree(out)
    return wrong


def stress(kills: int, cache: Path, data: str, seed: int = 0,
           frameworks: tuple[str, ...] = ("keras", "torch"),
           variants: tuple[str, ...] = VARIANTS) -> list[str]:  # fmt: skip
    """`kills` trials over the twins; a sentence for each that ended otherwise."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(len(frameworks)) as pool:
        shares = [len(range(i, kills, len(frameworks))) for i in range(len(frameworks))]
        lanes = [
            pool.submit(lane, framework, share, Path(folder), cache, data, seed, variants)
            for framework, share in zip(frameworks, shares, strict=True)
        ]
        return [sentence for found in lanes for sentence in found.result()]


def main() -> int:
    """0 if every trial ended with the same bits."""
    parser = argparse.ArgumentParser(prog="python -m tests.whole.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=int(np.random.default_rng().integers(1000)))
    parser.add_argument("--data", default="auto")
    parser.add_argument("--cache", type=Path)
    args = parser.parse_args()
    args.cache = args.cache or default_cache()
    args.cache.mkdir(parents=True, exist_ok=True)
    print(f"{args.kills} kills, seed {args.seed}")
    wrong = stress(args.kills, args.cache, args.data, args.seed)
    print(f"{args.kills - len(wrong)} of {args.kills} ended with the same bits")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
