"""The texts of --list, --plan, --status and --validate."""

import dataclasses
from pathlib import Path

from benchmarks.estimates.estimates import Estimate, Estimates
from benchmarks.planning import disk
from benchmarks.planning.plan import Selection, chosen_variants, suites, together
from benchmarks.store import validation
from benchmarks.store.run import Run
from benchmarks.store.store import Store
from benchmarks.terminal.console import Console, duration
from protocols.errors import RequestError, one_line
from protocols.files import default_cache
from protocols.images import dataset, decoded, integrity
from protocols.images.dataset import Source
from protocols.papers.claims import load_claims
from protocols.papers.papers import load_papers
from protocols.papers.recipes import Profile, load_profiles, load_recipe
from protocols.papers.variants import load_variants
from protocols.spec import PROTOCOLS, RESULTS_VERSION, RunSpec
from protocols.weights.files import IMAGENET, load_pretrained

NO_ESTIMATE = "no estimate for this device"


def known_names() -> list[str]:
    """--list."""
    variants = [f"  {v.name:28}{v.title} ({v.suite})" for v in load_variants().values()]
    profiles = [f"  {p.name:28}{p.about}" for p in load_profiles().values()]
    return [
        f"suites:    {', '.join(suites())}",
        f"protocols: {', '.join(PROTOCOLS)}",
        "variants:",
        *variants,
        "profiles:",
        *profiles,
    ]


def heading(profile: Profile, gpu: str | None, source: Source, wish: Selection) -> list[str]:
    """What a request means: profile and its numbers, device, data, arithmetic."""
    why = f"on {gpu}" if gpu else "on the CPU; --gpu N takes a GPU"
    numbers = dataclasses.asdict(profile)
    shown = ", ".join(f"{k} {v}" for k, v in numbers.items() if k not in ("name", "about"))
    data = one_line(str(source.root or "not here yet"))
    return [
        f"profile {profile.name}: {profile.about} ({why})",
        f"  {shown}",
        *_weights(profile, wish),
        f"data: {source.kind}, from {source.how} ({data}) {source.note}".rstrip(),
        f"arithmetic: {wish.precision}{', deterministic' if wish.deterministic else ''}",
    ]


def _weights(profile: Profile, wish: Selection) -> list[str]:
    where = wish.weights or profile.weights
    if where == "random":
        words = "random, not the papers' ImageNet ones, so no claim is judged"
        return [f"weights: {words}"] if profile.name != "smoke" else []
    table = load_pretrained()
    names = dict.fromkeys(name for v in chosen_variants(wish) for name in v.backbones)
    files = ", ".join(f"{table[name].name} ({size(table[name].size)})" for name in names)
    whence = (
        "an installed package, the cache or a download" if where == IMAGENET else one_line(where)
    )
    return [f"weights: ImageNet's, {files}, from {whence}"]


def done_line(runs: list[RunSpec], todo: list[RunSpec], store: Store) -> str:
    """How many of the runs need not be made; stale ones are named."""
    kept = [spec for spec in runs if spec not in todo]
    stale = sum(_state(store.find(spec))[0] == "stale" for spec in kept)
    line = f"{len(runs)} runs, {len(kept)} of them done"
    if stale:
        line += f" ({stale} stale: of another results version; --fresh stale runs them)"
    return line


def _state(run: Run | None) -> tuple[str, str]:
    if run and run.status == "stale":
        return run.status, f"of results version {run.version}, not {RESULTS_VERSION}"
    return (run.status, one_line(run.reason)) if run else ("to run", "")


def size(count: int) -> str:
    """Bytes in words: "270 MB", "3.4 GB"."""
    return f"{max(1, round(count / 1e6))} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"


def listing(
    runs: list[RunSpec], todo: list[RunSpec], store: Store, estimates: Estimates
) -> list[str]:
    """One line a run of --plan, with what those of `todo` will take, and their sum."""
    groups = together(todo)
    expected = estimates.of(groups)
    lines = []
    for spec in runs:
        (state, reason), name = _state(store.find(spec)), spec.id
        words = [f"{state:8}{name}", f"{spec.backend} on {spec.device}"]
        if name in expected:
            words.append(_cost(expected[name]))
        lines.append("  ".join([*words, reason] if reason else words))
    held = [sum(e.checkpoint_bytes for s in g if (e := expected[s.id])) for g in groups]
    pairs = [(spec, expected[spec.id]) for spec in todo]
    total = _sum(pairs, sorted(held, reverse=True), estimates)
    return [*lines, f"{len(runs)} runs, {total}"]


def _cost(estimate: Estimate | None) -> str:
    if estimate is None:
        return NO_ESTIMATE
    return f"about {duration(estimate.seconds)}, {size(estimate.disk_bytes)}"


def _sum(
    todo: list[tuple[RunSpec, Estimate | None]], checkpoints: list[int], estimates: Estimates
) -> str:
    """Time of computing, time by the number of jobs, and the most disk that is held at once.

    `checkpoints`: bytes of those of each job, the largest first.
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


def status(store: Store) -> list[str]:
    """--status: the last request, counted, and each failure's reason; what is stored is read whole,
    so that a damaged run counts as failed."""
    wanted = store.plan()
    states, done = [], []
    for spec in wanted:
        run = store.find(spec)
        state, reason = _state(run)
        if run and run.done:
            if damage := run.damage:
                state, reason = "failed", one_line(damage)
            else:
                done.append(run)
        states.append((spec, state, reason))
    counts = {
        word: sum(state == word for _, state, _ in states)
        for word in ("done", "stale", "failed", "to run")
    }
    first = ", ".join(f"{n} {word}" for word, n in counts.items())
    spent = sum(run.timings["total_seconds"] for run in done)
    return [
        f"{len(wanted)} runs: {first}; {duration(spent)} of computing stored",
        *(f"failed  {spec.id}: {reason}" for spec, state, reason in states if state == "failed"),
        *(f"stale   {spec.id}: {reason}" for spec, state, reason in states if state == "stale"),
        *_processors(done),
        *(
            f"damaged {one_line(name)}: {one_line(reason)}"
            for name, reason in store.look()[1].items()
        ),
    ]


def _processors(done: list[Run]) -> list[str]:
    """The processors that runs on a CPU were made on, where there are several: one name doesn't
    make them one, for other instructions make other bits."""
    found: dict[tuple[str, str], int] = {}
    for run in (run for run in done if run.spec.device == "cpu"):
        name, known = run.env.get("device_detail"), run.env.get("instruction_set")
        where = str(name or "not recorded"), str(known or "not recorded")
        found[where] = found.get(where, 0) + 1
    if len(found) < 2:
        return []
    return [
        "the runs on a CPU were made on several processors, which may compute other bits:",
        *(f"{n:4} runs  {name}; instructions: {known}" for (name, known), n in found.items()),
    ]


def validate(data: str, cache: Path | None, store: Store) -> tuple[list[str], list[str]]:
    """--validate: protocols, every image, every decoded one, every stored run; lines, and what is
    wrong.

    Raises RequestError where there are no images, TableError where a table of the protocols is
    wrong.
    """
    values = sum(len(load_recipe(paper)) for paper in load_papers())
    lines = [f"protocols: {len(load_claims())} claims, {values} recipe values: whole"]
    cache = cache or default_cache()
    source = dataset.locate(data, True, cache, dry=True)
    if source.root is None:
        raise RequestError("there are no images here to validate; give --data DIR")
    progress, wrong = Console().progress, []
    for protocol, others in (("fixed", "fixed-grouped"), ("cv10", "cv10-grouped")):
        use = f"{protocol} and {others}"
        try:
            integrity.verify(source, progress, protocol)
            count = len(source.entries(protocol))
            lines.append(f"data: the {count:,} files of {use} in {source.root} are the public ones")
        except RequestError as error:
            lines.append(f"data: {use} can't run")
            wrong.append(str(error))
    count, altered = decoded.wrong_sets(source, cache, progress)
    lines.append(f"decoded images: {count} sets in {cache / 'arrays'}, {len(altered)} wrong")
    found = validation.sentences(store)
    lines.append(f"runs: {len(store.runs())} stored, {len(found)} files wrong")
    return lines, [*wrong, *altered, *found]
