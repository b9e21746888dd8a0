#!/usr/bin/env python3
"""Runs the suite and writes the report: python runner.py --suite all --gpu 0

No deep-learning framework is imported here: each twin computes in worker processes. Nothing of ours
is imported above `refuse`: a Python or a system that can't run the suite must say so.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.launch import Launcher
    from protocols.dataset import Source
    from protocols.errors import RequestError

PYTHONS = (3, 11), (3, 13)  # from and to: the versions that every pin of requirements.txt is for
HELP = "-h", "--help"
OURS = "benchmarks", "impl_keras", "impl_torch", "protocols", "reports"


def refusal(words: list[str]) -> str:
    """Why the suite can't run the command line `words` here, as a sentence; "" if it can."""
    oldest, newest = PYTHONS
    here = tuple(sys.version_info[:2])
    if here < oldest or (here > newest and not set(HELP) & set(words)):
        found, first, last = (".".join(map(str, version)) for version in (here, oldest, newest))
        return (
            "the suite runs on Python " + first + " to " + last + " and this is " + found + ": "
            "TensorFlow's pinned version is to be had for no other; make the environment with "
            "one of them (make run PYTHON=python" + first + ")"
        )
    try:
        import fcntl  # noqa: F401
        import resource  # noqa: F401
    except ImportError:
        if not set(HELP) & set(words):
            return (
                "the suite runs on Linux and macOS, and this system (" + sys.platform + ") lacks "
                "what it needs of them, file locks above all; on Windows take WSL 2"
            )
    return ""


def refuse(words: list[str]) -> None:
    """Ends the process with the sentence and exit code 2 where the suite can't run."""
    why = refusal(words)
    if why:
        sys.stderr.write("runner.py: " + why + "\n")
        sys.exit(2)


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
        init=args.init,
        precision=args.precision,
        deterministic=args.deterministic,
        changes=tuple(args.changes),
    )


def run(args: argparse.Namespace) -> int:
    """Plans, and unless --plan or --calibrate, runs and reports."""
    from benchmarks import launch, lock, plan
    from benchmarks.calibrate import calibrate
    from benchmarks.console import Console
    from benchmarks.devices import chosen_gpu, expected_devices, real_devices
    from benchmarks.estimates import Estimates
    from benchmarks.store import Store
    from benchmarks.todo import check_images, todo_of, weights_of
    from benchmarks.words import done_line, heading, listing
    from protocols import dataset, hardware
    from protocols.files import default_cache

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
    check_images(runs if args.calibrate else todo, source)  # and so does one without its images
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
    launcher.store.remember(runs)
    failed = [r for r in launcher.run(todo) if r.status == "failed"] if todo else []
    if launcher.store.page_is_current(args.out / "index.html"):
        launcher.console.say(report_line(args.out / "index.html"))
    else:
        report(args, launcher.source)
    return 1 if failed else 0


def report(args: argparse.Namespace, source: Source | None = None) -> int:
    """Writes the report of the last request from what is stored, and from what --from brings;
    with pictures of images if `source` (or --data, WBC_DATA, the cache) has them."""
    from benchmarks.merge import merge
    from benchmarks.store import Store
    from protocols.files import default_cache
    from protocols.hardware import cores
    from reports.build import build
    from reports.photographs import at_hand

    store, cache = Store(args.out), args.cache or default_cache()
    store.check_writable()
    if args.sources:
        print(f"runs taken in: {merge(args.sources, store)}")
    source = source or at_hand(args.data, cache)
    page = build(store, store.plan(), args.out, cores(), source, cache)
    print(report_line(page))
    return 0


def report_line(page: Path) -> str:
    """Where the report is."""
    from protocols.errors import one_line

    return one_line(f"report: {page}")


def compare(args: argparse.Namespace) -> int:
    """Sets two output folders beside each other."""
    from benchmarks.merge import checked
    from benchmarks.store import Store
    from reports import compare_page

    Store(args.out).check_writable()
    print(*compare_page.compare(*map(checked, args.compare), args.out), sep="\n")
    return 0


def measure(args: argparse.Namespace) -> int:
    """--parity or --provenance, and the report anew if there is one."""
    from benchmarks import parity, plan, provenance
    from benchmarks.store import Store

    Store(args.out).check_writable()
    source = None
    if args.parity:
        named = args.suite or args.variant
        chosen = plan.chosen_variants(selection(args, None)) if named else []
        names = [variant.name for variant in chosen]
        wish = args.data, args.cache, args.jobs
        code = parity.start(args.out, names, *wish, changes=args.changes)
    else:
        code, source = provenance.start(args.data, args.out, args.cache, args.jobs)
    if (args.out / "plan.json").is_file():
        report(args, source)
    return code


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


def asked(args: argparse.Namespace) -> Callable[[argparse.Namespace], int]:
    """What the command line asks for."""
    if args.report:
        return report
    if args.compare:
        return compare
    if args.parity or args.provenance:
        return measure
    if args.list or args.status or args.validate:
        return instead_of_running
    return run


def keep_below(cache: Path | None) -> None:
    """Has Matplotlib keep its list of fonts in the cache too. A user without a home hears of it
    where a cache is needed."""
    from protocols.errors import RequestError
    from protocols.files import default_cache

    with contextlib.suppress(RequestError):
        os.environ["MPLCONFIGDIR"] = str((cache or default_cache()) / "matplotlib")


def sentence(error: RequestError | OSError, args: argparse.Namespace) -> str:
    """What is told of it. The system names no file where writing into an open one failed."""
    if not isinstance(error, OSError) or error.filename:
        return str(error)
    return f"{error.strerror}, while writing into {args.out}, the cache or the standard output"


def drop_output() -> None:
    """Lets go of what was printed and can't be written, so that the end of the process doesn't try
    it again."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> int:
    """Exit codes: 0 done, 1 a run failed, 2 a wrong request or a full disk, 130 interrupted."""
    refuse(sys.argv[1:])
    here = os.path.dirname(os.path.abspath(__file__))
    if here not in sys.path:  # python -P, PYTHONSAFEPATH
        sys.path.insert(0, here)
    from benchmarks.cli import BY_THE_SYSTEM, open_streams, parsed
    from protocols.errors import RequestError, one_line

    open_streams()
    args = parsed()

    try:
        keep_below(args.cache)
        if args.sources and not args.report:
            raise RequestError("--from goes with --report")
        code = asked(args)(args)
        sys.stdout.flush()  # what its file can't hold is told here
        return code
    except BrokenPipeError:  # `| head` has seen enough
        drop_output()
        return 1
    except (RequestError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in BY_THE_SYSTEM:
            raise
        print(f"runner.py: {one_line(sentence(error, args))}", file=sys.stderr)
        drop_output()
        return 2
    except ModuleNotFoundError as error:
        if not error.name or error.name.split(".")[0] in OURS:
            raise
        print(
            f"runner.py: this Python lacks the package {error.name}; take the environment's, "
            ".venv/bin/python, which `make run` makes from requirements.txt",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print("runner.py: interrupted; what was done is kept, the rest left out", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
