#!/usr/bin/env python3
"""Runs the suite and writes the report: python runner.py --suite all --gpu 0

No deep-learning framework is imported here: each twin computes in worker processes.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent


class Parser(argparse.ArgumentParser):
    """Errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"runner.py: {message}; see runner.py --help\n")


def numbers(text: str) -> tuple[int, ...]:
    """Reads "0,1,2"."""
    return tuple(dict.fromkeys(int(part) for part in text.split(",")))


def parser() -> Parser:
    """The command line."""
    p = Parser(
        prog="runner.py",
        description="Reproduces Liang 2018 (Table 1) and Jane 2022 (Tables I-III) in Keras and "
        "PyTorch and reports claimed beside measured.",
        epilog="Exit codes: 0 all done, 1 a run failed, 2 the request is wrong.",
    )
    choose = p.add_argument_group("what to run")
    choose.add_argument("--suite", default="all", help="liang, jane or all (default)")
    choose.add_argument("--framework", default="both", choices=["keras", "torch", "both"])
    choose.add_argument("--variant", nargs="+", default=[], metavar="NAME", help="see --list")
    choose.add_argument("--protocol", default="", metavar="NAME",
                        help="instead of the published one: fixed, cv10, cv10-grouped")  # fmt: skip
    choose.add_argument("--profile", default="", metavar="NAME",
                        help="paper (default on a GPU) or smoke (default on a CPU)")  # fmt: skip
    choose.add_argument("--seeds", type=numbers, default=(), metavar="0,1,2")
    choose.add_argument("--folds", type=numbers, default=(), metavar="0,1", help="of 0 to 9")
    choose.add_argument("--weights", default="", metavar="SOURCE", help="random")
    where = p.add_argument_group("with what, and where to")
    where.add_argument("--data", default="auto", metavar="DIR|phantom|auto",
                       help="auto: WBC_DATA, the cache, a download; smoke: else drawn")  # fmt: skip
    where.add_argument("--gpu", default="auto", metavar="N|auto|none")
    where.add_argument("--jobs", type=int, default=0, metavar="N",
                       help="runs at a time (default 2 on a CPU, 1 on a GPU)")  # fmt: skip
    where.add_argument("--out", type=Path, default=ROOT / "reports" / "out", metavar="DIR")
    where.add_argument("--cache", type=Path, metavar="DIR", help="default: the user's cache")
    where.add_argument("--fresh", action="store_true", help="run again what is done")
    instead = p.add_argument_group("instead of running").add_mutually_exclusive_group()
    for name, text in (
        ("list", "suites, variants, protocols, profiles"),
        ("plan", "the runs this request means; changes nothing"),
        ("status", "how far the last request into --out is"),
        ("report", "write the report of the last request again"),
        ("validate", "check protocols, every image, every stored run"),
    ):
        instead.add_argument(f"--{name}", action="store_true", help=text)
    return p


def chosen_gpu(wish: str) -> tuple[str | None, int | None]:
    """Name and number of the GPU to use, or None. Raises RequestError if it isn't there."""
    from benchmarks.launch import GPU_HELP
    from protocols.errors import RequestError
    from protocols.hardware import gpus

    if wish == "none":
        return None, None
    if wish != "auto" and not wish.isdigit():
        raise RequestError(f"--gpu takes a number, auto or none, not {wish!r}")
    found = gpus()
    if wish == "auto" and not found:
        return None, None
    index = 0 if wish == "auto" else int(wish)
    if index >= len(found):
        listed = ", ".join(found) or "none"
        raise RequestError(f"there is no GPU {index}: nvidia-smi lists {listed}; {GPU_HELP}")
    return found[index], index


def selection(args: argparse.Namespace, gpu: str | None):  # noqa: ANN201
    """The Selection of the command line."""
    from benchmarks.plan import Selection
    from protocols.spec import FRAMEWORKS

    return Selection(
        suite=args.suite,
        frameworks=FRAMEWORKS if args.framework == "both" else (args.framework,),
        variants=tuple(args.variant),
        protocol=args.protocol,
        profile=args.profile or ("paper" if gpu else "smoke"),
        seeds=args.seeds,
        folds=args.folds,
        weights=args.weights,
    )


def run(args: argparse.Namespace) -> int:
    """Plans, and unless --plan, runs and reports."""
    from benchmarks import launch, plan
    from benchmarks.console import Console
    from benchmarks.store import Store
    from benchmarks.words import done_line, heading, listing
    from protocols import dataset, hardware
    from protocols.errors import RequestError
    from protocols.files import default_cache

    if args.jobs < 0:
        raise RequestError("--jobs takes a positive number")
    gpu, index = chosen_gpu(args.gpu)
    wish, store, cores = selection(args, gpu), Store(args.out), hardware.cores()
    profile = plan.chosen_profile(wish.profile)
    backend = os.environ.get("KERAS_BACKEND", "")
    devices = launch.expected_devices(wish.frameworks, gpu, index, backend)
    cache = args.cache or default_cache()
    source = dataset.locate(args.data, profile.phantom_allowed, cache, dry=True)
    runs = plan.make_plan(wish, source.kind, devices, cores)  # a wrong request ends here
    if args.plan:
        print("\n".join([*heading(profile, gpu, source), *listing(runs, store)]))
        return 0
    store.check_writable()
    console = Console()
    devices = launch.real_devices(devices, backend, max(1, cores // 2))
    source = dataset.locate(args.data, profile.phantom_allowed, cache, progress=console.progress)
    runs = plan.make_plan(wish, source.kind, devices, cores)
    todo = launch.todo_of(runs, store, args.fresh)
    for line in heading(profile, gpu, source):
        console.say(line)
    console.say(done_line(runs, todo, store))
    jobs = args.jobs or (1 if gpu else 2)
    launcher = launch.Launcher(store, source, devices, cache, console, jobs)
    launcher.prepare(todo)  # wrong data ends here, before anything is written
    store.remember(runs)
    failed = [r for r in launcher.run(todo) if r.status == "failed"] if todo else []
    if not store.page_is_current(args.out / "index.html"):
        report(args)
    else:
        console.say(f"report: {args.out / 'index.html'}")
    return 1 if failed else 0


def report(args: argparse.Namespace) -> int:
    """Writes the report of the last request from what is stored."""
    from benchmarks.store import Store
    from reports.build import build

    store = Store(args.out)
    plan = store.plan()
    store.check_writable()
    print(f"report: {build(store, plan, args.out)}")
    return 0


def instead_of_running(args: argparse.Namespace) -> int:
    """--list, --status, --validate."""
    from benchmarks import words
    from benchmarks.store import Store

    if args.list:
        lines, wrong = words.known_names(), []
    elif args.status:
        lines, wrong = words.status(Store(args.out)), []
    else:
        lines, wrong = words.validate(args.data, args.cache, Store(args.out))
    print("\n".join([*lines, *wrong]))
    return 1 if wrong else 0


def main() -> int:
    """Exit codes: 0 all done, 1 a run failed, 2 the request is wrong, 130 interrupted."""
    args = parser().parse_args()
    from protocols.errors import RequestError

    try:
        if args.report:
            return report(args)
        if args.list or args.status or args.validate:
            return instead_of_running(args)
        return run(args)
    except RequestError as error:
        print(f"runner.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("runner.py: interrupted; what was done is kept, the rest is left out",
              file=sys.stderr)  # fmt: skip
        return 130


if __name__ == "__main__":
    sys.exit(main())
