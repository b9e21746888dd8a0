#!/usr/bin/env python3
"""Runs the suite and writes the report: python runner.py --suite all --gpu 0

It reads from `main` on. No framework is imported here: each twin computes in worker processes.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.store.store import Store
    from benchmarks.terminal.console import Console
    from protocols.images.dataset import Source
    from protocols.spec import RunSpec

    Answer = Callable[[argparse.Namespace, Console], int]


def main() -> int:
    """Returns the exit code: 0 done, 1 a run failed, 2 a wrong request or refused, 130 stopped."""
    here = os.path.dirname(os.path.abspath(__file__))
    if here not in sys.path:  # left out by python -P and PYTHONSAFEPATH
        sys.path.insert(0, here)
    from benchmarks.terminal.supported import refuse

    refuse(sys.argv[1:])
    from benchmarks.terminal.endings import exit_code
    from benchmarks.terminal.flags import goes_on, parsed

    args = parsed()
    answer = asked(args)
    return exit_code(lambda console: answer(args, console), args.out, args.cache, goes_on(args))


def asked(args: argparse.Namespace) -> Answer:
    """Gives the function that does what the command line asks for."""
    if args.list or args.status or args.validate:
        return tell
    if args.parity or args.provenance:
        return measure
    answers = {"plan": plan, "calibrate": calibrate, "report": report_again, "compare": compare}
    return next((answers[flag] for flag in answers if getattr(args, flag)), run)


def run(args: argparse.Namespace, console: Console) -> int:
    """Makes the runs of the request that aren't done yet, and writes the report."""
    from benchmarks.estimates.estimates import Estimates
    from benchmarks.launch.command_line import connected, requested
    from benchmarks.launch.devices import devices_and_images
    from benchmarks.launch.launcher import Launcher
    from benchmarks.launch.pending import check_images, todo_of, weights_of
    from benchmarks.store.store import Store
    from benchmarks.terminal.plan_text import data_line, done_line, heading

    cluster = connected(args, console)
    request, store = requested(args, cluster), Store(args.out, args.checkpoints)
    store.check_writable()
    with store.locked():
        console.say("\n".join(heading(request)))
        devices, source = devices_and_images(request, console, cluster)
        if source != request.source:  # the images were downloaded or drawn
            console.say(data_line(source))
        runs = request.plan(devices, source)
        todo = todo_of(runs, store, args.fresh)
        check_images(todo, source)
        console.say(done_line(runs, todo, store))
        weights = weights_of(todo, request.weights, request.cache, console.progress)
        launcher = Launcher(
            store, source, devices, request.cache, console, request.jobs, weights, args.fresh,
            Estimates(request.cache, request.jobs, console.say, out=args.out), cluster=cluster,
        )  # fmt: skip
        launcher.prepare(todo)  # wrong data ends here, before anything is written
        store.remember(runs)
        failed = [run for run in launcher.run(todo) if run.status == "failed"]
        report(store, runs, request.cache, console, source, anew=False)
    return 1 if failed else 0


def report(
    store: Store, runs: list[RunSpec], cache: Path, console: Console, source: Source | None,
    anew: bool = True,
) -> None:  # fmt: skip
    """Writes the report (`anew`, or if it isn't current), with pictures of images of `source`."""
    from benchmarks.store.current_page import page_is_current
    from protocols.hardware import cores
    from reports.build import build, where_it_is

    page = store.out / "index.html"
    console.doing("writing the report")
    if anew or not page_is_current(store, page):
        build(store, runs, store.out, cores(), source, cache)
    console.say(where_it_is(page))


def plan(args: argparse.Namespace, console: Console) -> int:
    """Answers --plan: prints what a request would run, and changes nothing."""
    from benchmarks.estimates.estimates import Estimates
    from benchmarks.launch.command_line import connected, requested
    from benchmarks.launch.pending import check_images, todo_of
    from benchmarks.store.store import Store
    from benchmarks.terminal.plan_text import heading, listing

    request, store = requested(args, connected(args, console)), Store(args.out)
    runs = request.plan(request.devices, request.source)
    todo = todo_of(runs, store, args.fresh)
    check_images(todo, request.source)
    print(*heading(request, args.verbose), sep="\n")
    estimates = Estimates(request.cache, request.jobs, out=args.out)
    print(*listing(runs, todo, store, estimates, args.verbose), sep="\n")
    return 0


def calibrate(args: argparse.Namespace, console: Console) -> int:
    """Answers --calibrate: measures how long the runs of a request take on this machine."""
    from benchmarks.launch import calibrate
    from benchmarks.launch.command_line import requested
    from benchmarks.launch.devices import devices_and_images

    request = requested(args)
    return calibrate.calibrate(request, *devices_and_images(request, console), console)


def report_again(args: argparse.Namespace, console: Console, source: Source | None = None) -> int:
    """Answers --report: writes the report of the last request, from the stored runs and those that
    --from brings, with pictures of images if `source` (or --data, WBC_DATA, the cache) has them."""
    from benchmarks.store.merge import merge
    from benchmarks.store.store import Store
    from protocols.files import default_cache
    from reports.figures.photographs import at_hand

    store, cache = Store(args.out), args.cache or default_cache()
    store.check_writable()
    if args.sources:
        console.doing("checking the runs to take in")
        console.say(f"runs taken in: {merge(args.sources, store)}")
    report(store, store.plan(), cache, console, source or at_hand(args.data, cache))
    return 0


def compare(args: argparse.Namespace, console: Console) -> int:
    """Answers --compare: sets two output folders beside each other."""
    from benchmarks.store.merge import checked
    from benchmarks.store.store import Store
    from reports.comparison import page as comparison_page

    Store(args.out).check_writable()
    console.doing("setting the two folders side by side")
    first, second = map(checked, args.compare)
    console.say("\n".join(comparison_page.compare(first, second, args.out)))
    return 0


def measure(args: argparse.Namespace, console: Console) -> int:
    """Answers --parity or --provenance, and writes the report anew if a request was made before."""
    from benchmarks.launch.command_line import selection
    from benchmarks.parity import climb
    from benchmarks.photographs import search
    from benchmarks.planning.plan import chosen_variants
    from benchmarks.store.store import Store

    Store(args.out).check_writable()
    source, named = None, args.suite or args.variant
    if args.parity:
        names = [v.name for v in chosen_variants(selection(args, None))] if named else []
        how = args.data, args.cache, args.jobs, console, args.changes, args.weights
        code = climb.start(args.out, names, *how)
    else:
        code, source = search.start(args.data, args.out, args.cache, args.jobs, console)
    if (args.out / "plan.json").is_file():
        report_again(args, console, source)
    return code


def tell(args: argparse.Namespace, console: Console) -> int:
    """Answers --list, --status or --validate: prints names, the state of the runs, or faults."""
    from benchmarks.store.store import Store
    from benchmarks.terminal import texts

    console.doing("looking at what is stored")
    store, wrong = Store(args.out), list[str]()
    if args.list:
        lines = texts.known_names()
    elif args.status:
        lines = texts.status(store)
    else:
        lines, wrong = texts.validate(args.data, args.cache, store, console.progress)
    print("\n".join([*lines, *wrong]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
