#!/usr/bin/env python3
"""Runs the suite and writes the report: python runner.py --suite all --gpu 0

No deep-learning framework is imported here: each twin computes in worker processes.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.launch.launcher import Launcher
    from benchmarks.planning.plan import Selection
    from protocols.images.dataset import Source


def selection(args: argparse.Namespace, gpu: str | None) -> Selection:
    """The Selection of the command line."""
    from benchmarks.planning.plan import Selection
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
        init=args.init,
        precision=args.precision,
        deterministic=args.deterministic,
        changes=tuple(args.changes),
    )


def run(args: argparse.Namespace) -> int:
    """Plans, and unless --plan or --calibrate, runs and reports."""
    from benchmarks.estimates.estimates import Estimates
    from benchmarks.launch import launcher as launch
    from benchmarks.launch.calibrate import calibrate
    from benchmarks.launch.devices import chosen_gpu, expected_devices, real_devices
    from benchmarks.launch.pending import check_images, todo_of, weights_of
    from benchmarks.planning import plan
    from benchmarks.processes import lock
    from benchmarks.store.store import Store
    from benchmarks.terminal.console import Console
    from benchmarks.terminal.texts import done_line, heading, listing
    from protocols import hardware
    from protocols.files import default_cache
    from protocols.images import dataset

    gpu, index = chosen_gpu(args.gpu)
    wish, store, cores = selection(args, gpu), Store(args.out), hardware.cores()
    profile = plan.chosen_profile(wish.profile)
    backend = os.environ.get("KERAS_BACKEND", "")
    devices = expected_devices(wish.frameworks, gpu, index, backend)
    cache = args.cache or default_cache()
    source = dataset.locate(args.data, profile.phantom_allowed, cache, dry=True)
    runs = plan.make_plan(wish, source.kind, devices, cores)  # a wrong request ends here
    jobs = args.jobs or (1 if gpu else 2)
    console = Console()
    estimates = Estimates(cache, jobs, console.say)
    todo = todo_of(runs, store, args.fresh)
    check_images(runs if args.calibrate else todo, source)  # and one whose images lack
    if args.plan:
        print(*heading(profile, gpu, source, wish), sep="\n")
        print(*listing(runs, todo, store, estimates), sep="\n")
        return 0
    weights = {}
    if not args.calibrate:
        store.check_writable()
        lock.check_free(args.out)
        weights = weights_of(todo, wish.weights, cache, console.progress)
    devices = real_devices(devices, backend, max(1, cores // 2), cache)
    source = dataset.locate(args.data, profile.phantom_allowed, cache, progress=console.progress)
    if args.calibrate:
        return calibrate(wish, source, devices, cores, console, estimates)
    runs = plan.make_plan(wish, source.kind, devices, cores)
    todo = todo_of(runs, store, args.fresh)
    for line in heading(profile, gpu, source, wish):
        console.say(line)
    console.say(done_line(runs, todo, store))
    launcher = launch.Launcher(store, source, devices, cache, console, jobs, args.fresh, estimates)
    launcher.weights = weights
    launcher.prepare(todo)  # wrong data ends here, before anything is written
    with lock.locked(args.out):  # another launch may have made some of them until here
        return compute(args, launcher, runs, todo_of(todo, store, args.fresh))


def compute(args: argparse.Namespace, launcher: Launcher, runs: list, todo: list) -> int:
    """Runs what is to do of the plan, and reports."""
    from benchmarks.store.current_page import page_is_current
    from reports.build import where_it_is

    launcher.store.remember(runs)
    failed = [r for r in launcher.run(todo) if r.status == "failed"] if todo else []
    if page_is_current(launcher.store, args.out / "index.html"):
        launcher.console.say(where_it_is(args.out / "index.html"))
    else:
        report(args, launcher.source)
    return 1 if failed else 0


def report(args: argparse.Namespace, source: Source | None = None) -> int:
    """Writes the report of the last request from what is stored, and from what --from brings;
    with pictures of images if `source` (or --data, WBC_DATA, the cache) has them."""
    from benchmarks.store.merge import merge
    from benchmarks.store.store import Store
    from protocols.files import default_cache
    from protocols.hardware import cores
    from reports.build import build, where_it_is
    from reports.figures.photographs import at_hand

    store, cache = Store(args.out), args.cache or default_cache()
    store.check_writable()
    if args.sources:
        print(f"runs taken in: {merge(args.sources, store)}")
    source = source or at_hand(args.data, cache)
    page = build(store, store.plan(), args.out, cores(), source, cache)
    print(where_it_is(page))
    return 0


def compare(args: argparse.Namespace) -> int:
    """Sets two output folders beside each other."""
    from benchmarks.store.merge import checked
    from benchmarks.store.store import Store
    from reports.comparison import page as comparison_page

    Store(args.out).check_writable()
    one, other = map(checked, args.compare)
    print(*comparison_page.compare(one, other, args.out), sep="\n")
    return 0


def measure(args: argparse.Namespace) -> int:
    """--parity or --provenance, and the report anew if there is one."""
    from benchmarks.parity import climb
    from benchmarks.photographs import search
    from benchmarks.planning import plan
    from benchmarks.store.store import Store

    Store(args.out).check_writable()
    source = None
    if args.parity:
        named = args.suite or args.variant
        chosen = plan.chosen_variants(selection(args, None)) if named else []
        names = [variant.name for variant in chosen]
        wish = args.data, args.cache, args.jobs
        code = climb.start(args.out, names, *wish, changes=args.changes)
    else:
        code, source = search.start(args.data, args.out, args.cache, args.jobs)
    if (args.out / "plan.json").is_file():
        report(args, source)
    return code


def instead_of_running(args: argparse.Namespace) -> int:
    """--list, --status, --validate."""
    from benchmarks.store.store import Store
    from benchmarks.terminal import texts

    wrong: list[str] = []
    if args.list:
        lines = texts.known_names()
    elif args.status:
        lines = texts.status(Store(args.out))
    else:
        lines, wrong = texts.validate(args.data, args.cache, Store(args.out))
    print("\n".join([*lines, *wrong]))
    return 1 if wrong else 0


def asked(args: argparse.Namespace) -> Callable[[argparse.Namespace], int]:
    """What the command line asks for."""
    if args.report:
        return report
    if args.compare:
        return compare
    if args.parity or args.provenance:
        return measure
    return instead_of_running if args.list or args.status or args.validate else run


def main() -> int:
    """Exit codes: 0 done, 1 a run failed, 2 a wrong request or refused, 130 interrupted."""
    here = os.path.dirname(os.path.abspath(__file__))
    if here not in sys.path:  # python -P, PYTHONSAFEPATH
        sys.path.insert(0, here)
    from benchmarks.terminal.supported import refuse

    refuse(sys.argv[1:])
    from benchmarks.terminal.endings import exit_code
    from benchmarks.terminal.flags import parsed

    args = parsed()
    return exit_code(asked(args), args)


if __name__ == "__main__":
    sys.exit(main())
