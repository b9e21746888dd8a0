"""Tells what a request means: its heading, and for --plan a line for each network and the sum."""

import dataclasses

from benchmarks.estimates.estimates import Estimate, Estimates
from benchmarks.planning import disk
from benchmarks.planning.plan import recipe_of, trained_together
from benchmarks.planning.request import Request
from benchmarks.store.run import Run
from benchmarks.store.store import Store
from benchmarks.terminal.console import counted, duration, size
from protocols.errors import one_line
from protocols.images.dataset import Source
from protocols.papers.recipes import fold_count
from protocols.papers.variants import load_variants
from protocols.spec import FIXED, RESULTS_VERSION, RunSpec, schedule
from protocols.weights.files import AT_HAND, IMAGENET
from protocols.weights.table import load_pretrained

NO_ESTIMATE = "no estimate for this device"


def heading(request: Request, verbose: bool = False) -> list[str]:
    """Returns what a request means: its profile, device, weights, data and precision."""
    profile, wish = request.profile, request.wish
    parts = {"": dataclasses.asdict(profile)}
    parts |= {f"{suite}: ": own for suite, own in parts[""].pop("of_suite").items()}
    every = "; ".join(
        suite + ", ".join(f"{k} {v}" for k, v in numbers.items() if k not in ("name", "about"))
        for suite, numbers in parts.items()
    )
    return [
        f"profile {profile.name}: {profile.about} ({request.where})",
        f"  {_numbers(request)}",
        *([f"  {every}"] if verbose else []),
        *_weights(request, verbose),
        data_line(request.source),
        f"arithmetic: {wish.precision}{', deterministic' if wish.deterministic else ''}",
        "twins: " + ", ".join(f"{f} ({d.backend} on {d.name})" for f, d in request.devices.items()),
    ]


def _numbers(request: Request) -> str:
    """Returns the numbers of a profile that a reader of the papers asks for first."""
    profile, variants = request.profile, request.variants
    protocols = {request.wish.protocol or v.published_protocol for v in variants}
    words = [f"images of {profile.height} x {profile.width} pixels"]
    if protocols & set(FIXED):
        few = f"{profile.train_per_class} training and {profile.test_per_class} test images a class"
        words.append(few if profile.train_per_class else "the whole split")
    if protocols - set(FIXED):
        folds = f"{profile.cv_folds_run} of {fold_count()} folds"
        words.append(f"{folds} of a pool of {profile.cv_per_class} images a class")
    schedules = [[phase["epochs"] for phase in schedule(recipe_of(v, profile))] for v in variants]
    epochs = dict.fromkeys(
        f"{' + '.join(map(str, each))} in {counted(len(each), 'phase')}" for each in schedules
    )
    return "; ".join([*words, f"epochs: {', '.join(epochs)}"])


def data_line(source: Source) -> str:
    """Returns the line that tells which images a request reads."""
    where = one_line(str(source.root or "not here yet"))
    return f"data: {source.kind}, from {source.how} ({where}) {source.note}".rstrip()


def _weights(request: Request, verbose: bool) -> list[str]:
    """Returns lines on the weights: where they come from, and which networks lack theirs."""
    if request.weights == "random":
        words = "random, not the papers' ImageNet ones, so no claim is judged"
        return [f"weights: {words}"] if request.profile.name != "smoke" else []
    table = load_pretrained()
    sizes = {name: table[name].official.size for v in request.variants for name in v.backbones}
    said = f"{counted(len(sizes), 'file')} ({size(sum(sizes.values()))})"
    if verbose:
        said = ", ".join(f"{name} ({size(count)})" for name, count in sizes.items())
    whence = {
        IMAGENET: "an installed package, the cache or a download",
        AT_HAND: "an installed package or the cache",
    }.get(request.weights, one_line(request.weights))
    lines = [f"weights: ImageNet's, {said}, from {whence}"]
    reasons: dict[str, list[str]] = {}
    for name, reason in request.skipped.items():
        reasons.setdefault(reason, []).append(load_variants()[name].title)
    return lines + [f"left out: {', '.join(t)}: {reason}" for reason, t in reasons.items()]


def done_line(runs: list[RunSpec], todo: list[RunSpec], store: Store) -> str:
    """Returns the line that tells how many runs are done, and how many of these are stale."""
    kept = [spec for spec in runs if spec not in todo]
    stale = sum(state_of(store.find(spec))[0] == "stale" for spec in kept)
    line = f"{counted(len(runs), 'run')}, {len(kept)} of them done"
    if stale:
        line += f" ({stale} stale: of another results version; --fresh stale runs them)"
    return line


def state_of(run: Run | None) -> tuple[str, str]:
    """Returns the state of a wanted run, and the reason if the run is failed or stale."""
    if run and run.status == "stale":
        return run.status, f"of results version {run.version}, not {RESULTS_VERSION}"
    return (run.status, one_line(run.reason)) if run else ("to run", "")


def listing(
    runs: list[RunSpec], todo: list[RunSpec], store: Store, estimates: Estimates, verbose: bool
) -> list[str]:
    """Returns the lines of --plan: one for each network, with `verbose` one for each run too, and
    the sum of the runs to make."""
    groups = trained_together(todo)
    expected = estimates.by_run(groups)
    states = {spec.id: state_of(store.find(spec)) for spec in runs}
    networks: dict[str, list[RunSpec]] = {}
    for spec in runs:
        networks.setdefault(spec.variant, []).append(spec)
    lines = []
    for name, specs in networks.items():
        lines.append(_network(name, specs, states, expected))
        if verbose:
            lines += [_run(spec, *states[spec.id], expected) for spec in specs]
    held = [sum(e.checkpoint_bytes for s in g if (e := expected[s.id])) for g in groups]
    pairs = [(spec, expected[spec.id]) for spec in todo]
    total = _sum(pairs, sorted(held, reverse=True), estimates)
    return [*lines, f"{counted(len(runs), 'run')}, {total}"]


def _network(
    name: str,
    specs: list[RunSpec],
    states: dict[str, tuple[str, str]],
    expected: dict[str, Estimate | None],
) -> str:
    """Returns the line of a network: how it is trained, what is done, and what the rest takes."""
    training = [spec for spec in specs if spec.stage == "train"]
    folds = sorted({spec.fold for spec in training if spec.fold is not None})
    seeds = sorted({spec.seed for spec in training})
    how = [
        training[0].protocol,
        *([f"folds {_range(folds)}"] if folds else []),
        f"seeds {_range(seeds)}" if len(seeds) > 1 else f"seed {seeds[0]}",
    ]
    latency = len(specs) - len(training)
    made_of = f"{counted(len(training), 'run')}{f' and {latency} of latency' if latency else ''}"
    found = [states[spec.id][0] for spec in specs]
    counts = {state: found.count(state) for state in ("done", "stale", "failed") if state in found}
    left = [spec.id for spec in specs if spec.id in expected]
    known = [cost for run in left if (cost := expected[run])]
    words = [
        f"{name:28}{', '.join(how)}: {made_of}",
        *(f"{count} {state}" for state, count in counts.items()),
        *([f"{len(left)} to make"] if left else []),
    ]
    if known:
        seconds, room = sum(c.seconds for c in known), sum(c.stored_bytes for c in known)
        words.append(f"about {duration(seconds)} of computing, {size(room)} stored")
    if left and len(known) < len(left):
        words.append(f"{len(left) - len(known)} with {NO_ESTIMATE}" if known else NO_ESTIMATE)
    return ", ".join(words)


def _run(spec: RunSpec, state: str, reason: str, expected: dict[str, Estimate | None]) -> str:
    """Returns the line of a run for --plan --verbose."""
    words = [f"  {state:8}{spec.id}", f"{spec.backend} on {spec.device}"]
    if spec.id in expected:
        cost = expected[spec.id]
        about = f"about {duration(cost.seconds)}, {size(cost.disk_bytes)}" if cost else NO_ESTIMATE
        words.append(about)
    return "  ".join([*words, reason] if reason else words)


def _range(numbers: list[int]) -> str:
    """Returns whole numbers in ascending order as a user types them: "0-2", or "0,3"."""
    low, high = numbers[0], numbers[-1]
    if len(numbers) > 1 and high - low == len(numbers) - 1:
        return f"{low}-{high}"
    return ",".join(map(str, numbers))


def _sum(
    todo: list[tuple[RunSpec, Estimate | None]], checkpoints: list[int], estimates: Estimates
) -> str:
    """Returns the computing time of all runs, the time with this number of jobs, and the most disk
    held at once.

    `checkpoints`: the bytes of each job's checkpoints, the largest first.
    """
    if not todo:
        return "all of them done"
    train, latency = (
        [e for spec, e in todo if spec.stage == stage and e] for stage in ("train", "latency")
    )
    lacking = len(todo) - len(train) - len(latency)
    if lacking == len(todo):
        return f"{len(todo)} to make; {NO_ESTIMATE}, --calibrate makes one"
    more = f" ({lacking} of them, with {NO_ESTIMATE}, not counted)" if lacking else ""
    jobs, alone = estimates.jobs, sum(e.seconds for e in latency)
    seconds = [e.seconds for e in train]
    beside = max([sum(seconds) / jobs, *seconds])  # no shorter than the longest run
    held = sum(e.stored_bytes for e in train + latency) + sum(checkpoints[:jobs])
    held += sum(disk.shared([spec for spec, _ in todo], estimates.cache).values())
    return (
        f"{len(todo)} to make{more}: about "
        f"{duration(sum(seconds) + alone)} of computing, {duration(beside + alone)} with {jobs} at "
        f"a time, {size(held)} of disk"
    )
