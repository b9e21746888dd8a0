"""Finds which runs of a plan are to be made, and what these runs need or already have."""

from collections.abc import Callable
from pathlib import Path

from benchmarks.planning.plan import set_request
from benchmarks.store.store import CHECKPOINT, Store
from protocols.errors import RequestError
from protocols.files import Progress, check_cache
from protocols.images import integrity
from protocols.images.dataset import Source
from protocols.images.decoded import image_set
from protocols.images.sets import ImageSet
from protocols.papers.variants import load_variants
from protocols.runs.checkpoint import runs_in
from protocols.spec import RunSpec
from protocols.weights import files as weight_files


def say_regrouped(store: Store, specs: list[RunSpec], say: Callable[[str], None]) -> None:
    """Tells of checkpoints that are of no use, since their runs now train in other groups."""
    own, ids = store.checkpoint(specs), {spec.id for spec in specs}
    for path in store.checkpoints.glob(f".*{CHECKPOINT}"):
        if path != own and ids & set(runs := runs_in(path)):
            say(
                f"the checkpoint {path.name} is of {len(runs)} runs together, of which "
                f"{len(ids & set(runs))} now train among {len(ids)}: they start from the beginning"
            )


def weights_of(todo: list[RunSpec], where: str, cache: Path, progress: Progress) -> dict[str, Path]:
    """Returns backbone -> its verified file, for all backbones that the runs load. `where` is as
    --weights takes it.

    Raises RequestError where a file is neither there nor to be had, and, before any file is read,
    where the cache can't store the features of frozen networks.
    """
    if any(s.stores_features for s in todo if s.stage == "train"):
        check_cache(cache)
    loading = [s for s in todo if s.stage == "train" and s.weights["source"] != "random"]
    names = sorted({name for s in loading for name in load_variants()[s.variant].backbones})
    return weight_files.locate(names, where, cache, progress)


def image_sets(
    specs: list[RunSpec],
    source: Source,
    cache: Path,
    progress: Progress,
    say: Callable[[str], None] | None = None,
) -> dict[str, ImageSet]:
    """Returns the decoded sets of these runs, by digest, from the cache or built there. Raises
    RequestError where `image_set` does."""
    found: dict[str, ImageSet] = {}
    for spec in specs:
        if spec.data["digest"] not in found:
            request = set_request(spec.protocol, spec.fold, spec.data)
            found[spec.data["digest"]] = image_set(source, request, cache, progress, say)
    return found


def check_images(specs: list[RunSpec], source: Source) -> None:
    """Raises RequestError where files that runs need aren't there, or have another size. The
    message tells which files, and what of the request goes without them. Looks at names and sizes
    only; images that are still to be downloaded or drawn lack nothing."""
    if source.root is None:
        return
    lacking: dict[str, RequestError] = {}
    needs: dict[str, set[str]] = {}
    for spec in specs:
        protocol = set_request(spec.protocol, spec.fold, spec.data).protocol
        needs.setdefault(spec.variant, set()).add(protocol)
    for protocol in sorted(set().union(*needs.values()), reverse=True):
        try:
            integrity.quick_check(source, protocol)
        except RequestError as error:
            lacking[protocol] = error
    if not lacking:
        return
    first = next(iter(lacking.values()))  # that of `fixed`, if there is one
    able = [name for name, found in needs.items() if not found & lacking.keys()]
    if not able:
        raise first
    known = load_variants()
    suites = {known[name].suite for name in able}
    alone = len(suites) == 1 and {v.name for v in known.values() if v.suite in suites} == {*able}
    words = f"--suite {suites.pop()}" if alone else f"--variant {' '.join(able)}"
    unable = " and ".join(name for name in needs if name not in able)
    raise RequestError(
        f"{str(first).removesuffix('.')}; without that {unable} can't run, and the rest of this "
        f"request runs with {words}."
    )


def todo_of(plan: list[RunSpec], store: Store, fresh: str) -> list[RunSpec]:
    """Returns the runs of the plan without a result. `fresh`: with "stale", stale results don't
    count; with "all", no result does."""
    counts = {"": ("done", "stale"), "stale": ("done",), "all": ()}[fresh]
    return [s for s in plan if not ((run := store.find(s)) and run.status in counts)]
