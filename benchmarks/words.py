"""The texts of --list, --plan, --status and --validate."""

import dataclasses
from pathlib import Path

from benchmarks.console import Console, duration
from benchmarks.plan import SUITES
from benchmarks.store import Store
from protocols import dataset
from protocols.claims import load_claims
from protocols.dataset import Source
from protocols.errors import RequestError
from protocols.files import default_cache
from protocols.recipes import Profile, load_profiles, load_recipe
from protocols.spec import PROTOCOLS, RunSpec
from protocols.variants import load_variants


def known_names() -> list[str]:
    """--list."""
    variants = [f"  {v.name:24}{v.title} ({v.paper})" for v in load_variants().values()]
    profiles = [f"  {p.name:24}{p.about}" for p in load_profiles().values()]
    return [
        f"suites:    {', '.join(SUITES)}",
        f"protocols: {', '.join(PROTOCOLS)}",
        "variants:",
        *variants,
        "profiles:",
        *profiles,
    ]


def heading(profile: Profile, gpu: str | None, source: Source) -> list[str]:
    """What a request means: profile and its numbers, device, data."""
    why = f"on {gpu}" if gpu else "on the CPU; --gpu N takes a GPU"
    numbers = dataclasses.asdict(profile)
    shown = ", ".join(f"{k} {v}" for k, v in numbers.items() if k not in ("name", "about"))
    data = source.root or "not here yet"
    return [
        f"profile {profile.name}: {profile.about} ({why})",
        f"  {shown}",
        *(
            ["weights: random, not the papers' ImageNet ones, so no claim is judged"]
            if profile.name == "paper"
            else []
        ),
        f"data: {source.kind}, from {source.how} ({data}) {source.note}".rstrip(),
    ]


def done_line(runs: list[RunSpec], todo: list[RunSpec], store: Store) -> str:
    """How many of the runs need not be made; stale ones are named."""
    kept = [spec for spec in runs if spec not in todo]
    stale = sum(_state(spec, store)[0] == "stale" for spec in kept)
    line = f"{len(runs)} runs, {len(kept)} of them done"
    return f"{line} ({stale} stale: made by other sources; --fresh runs them)" if stale else line


def _state(spec: RunSpec, store: Store) -> tuple[str, str]:
    run = store.find(spec)
    return (run.status, run.reason) if run else ("to run", "")


def listing(runs: list[RunSpec], store: Store) -> list[str]:
    """One line a run of --plan, and their sum."""
    lines = []
    for spec in runs:
        state, reason = _state(spec, store)
        where = f"{spec.backend} on {spec.device}"
        lines.append(f"{state:8}{spec.id}  {where}{'  ' + reason if reason else ''}")
    return [*lines, f"{len(runs)} runs"]


def status(store: Store) -> list[str]:
    """--status: the last request, counted, and each failure's reason."""
    runs = store.plan()
    states = [(spec, *_state(spec, store)) for spec in runs]
    counts = {
        word: sum(state == word for _, state, _ in states)
        for word in ("done", "stale", "failed", "to run")
    }
    spent = sum(
        run.timings.get("total_seconds", 0.0)
        for spec in runs
        if (run := store.find(spec)) and run.done
    )
    first = ", ".join(f"{n} {word}" for word, n in counts.items())
    return [
        f"{len(runs)} runs: {first}; {duration(spent)} of training stored",
        *(f"failed  {spec.id}: {reason}" for spec, state, reason in states if state == "failed"),
        *(f"stale   {spec.id}: made by other sources" for spec, s, _ in states if s == "stale"),
    ]


def validate(data: str, cache: Path | None, store: Store) -> tuple[list[str], list[str]]:
    """--validate: protocols, every image, every stored run; lines, and what is wrong.

    Raises RequestError on wrong or missing data.
    """
    papers = sorted({v.paper for v in load_variants().values()})
    values = sum(len(load_recipe(paper)) for paper in papers)
    lines = [f"protocols: {len(load_claims())} claims, {values} recipe values: whole"]
    cache = cache or default_cache()
    source = dataset.locate(data, True, cache, dry=True)
    if source.root is None:
        raise RequestError("there are no images here to validate; give --data DIR")
    dataset.verify(source, Console().progress)
    lines.append(f"data: every required file in {source.root} is the public one")
    wrong = store.validate()
    lines.append(f"runs: {len(store.runs())} stored, {len(wrong)} files wrong")
    return lines, wrong
