"""Writes the texts of --list, --status and --validate."""

from pathlib import Path

from benchmarks.planning.plan import suites
from benchmarks.store import validation
from benchmarks.store.run import Run
from benchmarks.store.store import Store
from benchmarks.terminal.console import counted, duration
from benchmarks.terminal.plan_text import state_of
from protocols.errors import RequestError, one_line
from protocols.files import Progress, default_cache
from protocols.images import dataset, decoded, integrity
from protocols.papers.claims import load_claims
from protocols.papers.papers import load_papers
from protocols.papers.recipes import load_profiles, load_recipe
from protocols.papers.variants import load_variants
from protocols.spec import PROTOCOLS

# What each protocol does, for --list
PROTOCOLS_ARE = {
    "fixed": "trains on the public TRAIN images and tests on the TEST images",
    "fixed-grouped": "as fixed, without the training images of tested or overlapping photographs",
    "cv10": "ten folds over one pool of augmented images",
    "cv10-grouped": "ten folds of whole photographs, tested as they are; overlapping ones together",
}


def known_names() -> list[str]:
    """Returns the lines of --list: what can be asked for, each name with a sentence."""
    variants, profiles = load_variants().values(), load_profiles().values()
    whose = {key: f"the networks of {paper.name}" for key, paper in load_papers().items()}
    whose["all"] = "the networks of all papers; the default"
    parts = {
        "suites (--suite)": {s: whose.get(s, "networks of ours, in no paper") for s in suites()},
        "networks (--variant)": {v.name: f"{v.title} ({v.suite})" for v in variants},
        "protocols (--protocol)": {name: PROTOCOLS_ARE[name] for name in PROTOCOLS},
        "profiles (--profile)": {p.name: p.about for p in profiles},
    }
    return [
        line
        for title, words in parts.items()
        for line in (f"{title}:", *(f"  {name:28}{what}" for name, what in words.items()))
    ]


def status(store: Store) -> list[str]:
    """Returns the lines of --status: the last request's runs, counted, and each failure's reason.
    What is stored is read whole, so that a damaged run counts as failed."""
    wanted = store.plan()
    states, done = [], []
    for spec in wanted:
        run = store.find(spec)
        state, reason = state_of(run)
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
        f"{counted(len(wanted), 'run')}: {first}; {duration(spent)} of computing stored",
        *(f"failed  {spec.id}: {reason}" for spec, state, reason in states if state == "failed"),
        *(f"stale   {spec.id}: {reason}" for spec, state, reason in states if state == "stale"),
        *_processors(done),
        *(
            f"damaged {one_line(name)}: {one_line(reason)}"
            for name, reason in store.look()[1].items()
        ),
    ]


def _processors(done: list[Run]) -> list[str]:
    """Returns lines that name the processors of the runs on a CPU, where there are several. One
    name doesn't make them one, for other instructions make other bits."""
    found: dict[tuple[str, str], int] = {}
    for run in (run for run in done if run.spec.device == "cpu"):
        name, known = run.env.get("device_detail"), run.env.get("instruction_set")
        where = str(name or "not recorded"), str(known or "not recorded")
        found[where] = found.get(where, 0) + 1
    if len(found) < 2:
        return []
    return [
        "the runs on a CPU were made on several processors, which may compute other bits:",
        *(
            f"{counted(n, 'run'):>9}  {name}; instructions: {known}"
            for (name, known), n in found.items()
        ),
    ]


def validate(
    data: str, cache: Path | None, store: Store, progress: Progress | None = None
) -> tuple[list[str], list[str]]:
    """Checks the protocols, every image, every decoded one and every stored run, for --validate.
    Returns the lines to print, and what is wrong. Raises RequestError where there are no images,
    TableError where a table of the protocols is wrong."""
    values = sum(len(load_recipe(paper)) for paper in load_papers())
    lines = [f"protocols: {len(load_claims())} claims, {values} recipe values: whole"]
    cache = cache or default_cache()
    source = dataset.locate(data, True, cache)
    if source.root is None:
        raise RequestError("there are no images here to validate; give --data DIR")
    wrong = []
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
    sets = f"{counted(count, 'set')} in {cache / 'arrays'}"
    lines.append(f"decoded images: {sets}, {len(altered)} wrong")
    found = validation.sentences(store)
    lines.append(f"runs: {len(store.runs())} stored, {counted(len(found), 'file')} wrong")
    return lines, [*wrong, *altered, *found]
