"""Climbs the parity ladder: the same networks in both twins, compared rung by rung on the CPU.

python -m benchmarks.parity --json parity.json [--variant xception ...] [--data DIR|phantom]
                            [--set KEY=VALUE ...] [--weights random|imagenet|at-hand|DIR]

Two networks at a time if the memory allows it, each in a process of its own with both frameworks.
Exit codes: 0 every rung holds, 1 one is broken or a process died, 2 the request is wrong.
"""

import argparse
import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.parity import ladder
from benchmarks.parity.ladder import Pools
from benchmarks.parity.twin_pair import TEST, TRAIN, Files, spec_of
from benchmarks.planning import ranges
from benchmarks.planning.overrides import read
from benchmarks.planning.request import without_weights
from benchmarks.processes.children import common, piped
from benchmarks.processes.job_control import begins, ends, stopping_together
from benchmarks.terminal.console import Console, counted
from benchmarks.terminal.endings import exit_code
from benchmarks.terminal.flags import Parser, folder, typed, weights
from protocols.classes import CLASSES
from protocols.errors import RequestError
from protocols.files import ROOT, default_cache, write_whole
from protocols.hardware import cores, cpu_name, free_memory
from protocols.images import dataset
from protocols.images.pool import Pool
from protocols.images.set_rows import fixed_arrays, fixed_rows
from protocols.images.sets import SetRequest
from protocols.papers.variants import load_variants
from protocols.runs import parity
from protocols.runs.parity import RUNGS, SIZES, Result
from protocols.stops import running_seconds, watch
from protocols.streams import print_anything
from protocols.weights.files import AT_HAND, locate

JOBS = 2  # the most networks at a time
MEMORY = 6 << 30  # bytes that one network takes at most (measured: 5.4 GB)
DIED = f"each takes up to {MEMORY >> 30} GiB; fewer at a time: runner.py --parity --jobs 1"
CPU_ONLY = {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}


def start(
    out: Path,
    variants: Iterable[str] = (),
    data: str = "auto",
    cache: Path | None = None,
    jobs: int = 0,
    console: Console | None = None,
    changes: Iterable[str] = (),
    weights: str = "",
) -> int:
    """Climbs in a process of its own, prints the lines of that process, and writes out/parity.json,
    or, where the CNNs' weights are loaded, out/parity-imagenet.json.

    `data`, `cache`, `jobs` and `weights` are as the runner's, but no image is downloaded (see
    `images`); `changes` are the "key=value" words of --set. Returns the exit code.
    """
    console = console or Console()
    console.doing("comparing the twins' networks")
    weights = weights or "random"
    file = out / ("parity.json" if weights == "random" else "parity-imagenet.json")
    command = [sys.executable, "-m", "benchmarks.parity", "--json", str(file)]
    command += ["--weights", weights, "--data", data]
    command += ["--cache", str(cache)] if cache else []
    command += ["--jobs", str(jobs)] if jobs else []
    command += ["--variant", *variants] if variants else []
    command += ["--set", *changes] if changes else []
    environment = os.environ | CPU_ONLY | common(cache)
    with (
        stopping_together(),
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            bufsize=1,
            text=True,
            errors="surrogateescape",  # a path is printed as its bytes, see protocols.streams
            start_new_session=True,
        ) as process,
    ):
        begins(process)
        try:
            for line in piped(process.stdout):
                console.say(line.rstrip())
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)  # it ends its own processes too
            raise
        finally:
            ends(process)
    return process.returncode if process.returncode >= 0 else 1  # 1 if a signal ended it


def images(data: str, cache: Path) -> tuple[Pools, str]:
    """Returns two images of each class, one to train on and one to test on, by precision, and
    "real" or "phantom". Where "auto" would download all the images, these few are drawn."""
    source = dataset.locate(data, True, cache)
    if source.root is None:
        source = dataset.made(dataset.locate("phantom", True, cache), True, cache)
    first = {(row.part, row.label): row for row in reversed(fixed_rows(source))}
    order = [first[part, label] for part in ("train", "test") for label in range(len(CLASSES))]
    labels, ids = np.array([row.label for row in order]), [row.id for row in order]
    pools = {}
    for precision, size in SIZES.items():
        pixels = np.stack([*fixed_arrays(source, SetRequest("fixed", *size), order, None)])
        parts = [TRAIN], [TEST]
        pools[precision] = Pool(pixels, np.arange(len(ids)), ids, labels, *parts)
    return pools, source.kind


def shown(result: Result) -> Result:
    """Prints the line of one measured rung, and returns the rung."""
    word, rung = "ok" if result.ok else "BROKEN", RUNGS[result.rung]
    figures = f"{result.value:9.2g} (at most {rung.bound:g})"
    print(f"{word:6} {result.variant:26} {rung.title:30} {figures}  {result.detail}", flush=True)
    return result


def _climbers(jobs: int, kept: dict[str, str]) -> ProcessPoolExecutor:
    """Returns a pool with one process for each network, since TensorFlow keeps what it compiled.
    All are forked from a process that has imported both frameworks, PyTorch before TensorFlow, and
    computed nothing, for importing takes as long as a rung."""
    os.environ.update(CPU_ONLY | kept | {"KERAS_BACKEND": "tensorflow"})
    context = get_context("forkserver")
    context.set_forkserver_preload(["impl_torch.parity", "impl_keras.parity"])
    return ProcessPoolExecutor(jobs, context, max_tasks_per_child=1)


def _backends(jobs: int, folder: Path, kept: dict[str, str]) -> ProcessPoolExecutor:
    """Returns a pool of processes with Keras on JAX, which share what they compiled in `folder`."""
    compiled = {"JAX_COMPILATION_CACHE_DIR": str(folder / "compiled")}
    compiled |= {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    words = CPU_ONLY | kept | {"KERAS_BACKEND": "jax"} | compiled
    return ProcessPoolExecutor(jobs, get_context("spawn"), _set, (words,))


def _set(words: dict[str, str]) -> None:
    os.environ.update(words)


def _versions(framework: str) -> dict[str, str]:
    backend = "torch" if framework == "torch" else os.environ["KERAS_BACKEND"]
    spec = spec_of(framework, next(iter(load_variants())), "float32", backend)
    return importlib.import_module(f"impl_{framework}.device").environment(spec)["versions"]


Climbed = tuple[list[Result], dict[str, str]]  # the results, and the versions of what was compared


def _climb(
    variant: str, pools: Pools, folder: Path, changes: tuple[str, ...], files: Files
) -> Climbed:
    results = [shown(result) for result in ladder.climb(variant, pools, folder, changes, files)]
    gc.collect()
    return results, _versions("torch") | _versions("keras")


def _on_jax(
    variant: str, pools: Pools, folder: Path, changes: tuple[str, ...], _: Files
) -> Climbed:
    result = ladder.backend_rung(variant, pools, folder, changes)
    if result is None:
        return [], {}
    return [shown(result)], _versions("keras")


def climb_all(
    variants: list[str],
    pools: Pools,
    jobs: int,
    cache: Path,
    changes: tuple[str, ...],
    files: Files,
) -> Climbed:
    """Returns the results of every rung of `variants`, and the versions of what was compared. What
    the frameworks keep goes below `cache`; `files` are those of `make_pair`. Raises RequestError
    without TensorFlow."""
    if find_spec("tensorflow") is None:
        raise RequestError(
            "the ladder compares PyTorch with Keras on TensorFlow, which isn't installed here: "
            "take the environment of requirements.txt"
        )
    known = load_variants()  # the longest first, so that none is left to climb alone
    longest = sorted(variants, key=lambda v: (-len(known[v].backbones), not parity.trains_whole(v)))
    results: list[Result] = []
    versions: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder, kept = Path(temporary), common(cache)
        stages = (  # processes start with the first submission
            (_climbers(jobs, kept), _climb, longest),
            (_backends(jobs, folder, kept), _on_jax, variants),
        )
        for processes, work, names in stages:
            with processes:
                waiting = [processes.submit(work, v, pools, folder, changes, files) for v in names]
                for done in as_completed(waiting):
                    found, seen = done.result()
                    results += found
                    versions |= seen
    order = list(known), list(RUNGS)
    results.sort(key=lambda r: (order[0].index(r.variant), order[1].index(r.rung)))
    return results, versions


def jobs_for(memory: int, cores: int) -> int:
    """Returns the number of networks at a time, from the free bytes (0: unknown) and the cores."""
    return min(JOBS, cores, max(1, memory // MEMORY) if memory else JOBS)


def main() -> int:
    """Reads the command line that the module's docstring describes, and returns the exit code."""
    print_anything()
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=folder, required=True, metavar="FILE")
    parser.add_argument("--variant", nargs="+", choices=load_variants(), default=[])
    parser.add_argument("--data", default="auto", metavar="DIR|phantom|auto")
    parser.add_argument("--cache", type=folder, metavar="DIR")
    jobs = typed(ranges.whole, *ranges.JOBS)
    parser.add_argument("--jobs", type=jobs, default=jobs_for(free_memory(), cores()), metavar="N")
    parser.add_argument("--weights", type=weights, default="random", metavar="WHICH")
    parser.add_argument("--set", dest="changes", nargs="+", default=[], metavar="KEY=VALUE")
    asked = parser.parse_args()
    watch(ticks=True)
    return exit_code(lambda _: climbed(asked), asked.json.parent, asked.cache)


def loading(variants: list[str], where: str, cache: Path) -> tuple[list[str], Files]:
    """Returns the networks that can climb from the weights that `where` asks for (see
    weights.files.locate), and the files of their CNNs by backbone; none for random weights. A line
    names what is left out. Raises RequestError where a file is missing, or nothing is left."""
    if where == "random":
        return variants, {}
    known = load_variants()
    lacking = without_weights([known[v] for v in variants], cache) if where == AT_HAND else {}
    able = [v for v in variants if v not in lacking]
    if not able:
        raise RequestError(f"No weights are at hand: {'; '.join(dict.fromkeys(lacking.values()))}.")
    if lacking:
        print(f"left out, for want of their weights: {', '.join(lacking)}", flush=True)
    return able, locate([name for v in able for name in known[v].backbones], where, cache)


def climbed(asked: argparse.Namespace) -> int:
    """Climbs, writes what was measured, and returns the exit code."""
    begun, cache = running_seconds(), asked.cache or default_cache()
    variants, files = loading(asked.variant or list(load_variants()), asked.weights, cache)
    read(asked.changes, [load_variants()[name] for name in variants])
    pools, kind = images(asked.data, cache)
    words = tuple(asked.changes)
    try:
        results, versions = climb_all(variants, pools, asked.jobs, cache, words, files)
    except BrokenProcessPool:
        print(f"a process that climbed died: memory? {DIED}", file=sys.stderr)
        return 1
    seconds = running_seconds() - begun
    more = asked.changes, "imagenet" if files else "random"
    found = parity.report(results, cpu_name(), versions, kind, seconds, *more)
    write_whole(asked.json, json.dumps(found, indent=1).encode())
    broken = [result for result in results if not result.ok]
    print(f"{counted(len(results), 'rung')}, {len(broken)} broken, {seconds:.0f} s: {asked.json}")
    return 1 if broken else 0
