"""Takes the runs of other output folders into a store: other people's, or reports/published/."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from benchmarks.store.run import Run
from benchmarks.store.store import Store
from benchmarks.store.validation import faults_of
from protocols.errors import RequestError
from protocols.spec import RunSpec

NEWER = ("stale", "done")


def merge(folders: list[Path], store: Store, say: Callable[[str], None] = print) -> int:
    """Copies every sound run that `store` lacks, and adds the plans of `folders` to the store's.

    Each file is checked first, against its schema and the digests of its run. A run with a file
    that is missing, altered or damaged is left out, and `say` is told. Raises RequestError, before
    anything is written, if a folder has no sound run, or if two folders hold different results of
    one run, neither or both of today's results version. A stale result gives way to one of today's
    version, and is kept aside. Returns how many runs were copied.
    """
    sources = [checked(folder, say) for folder in folders]
    plan = _plan(store, needed=False)
    new: dict[str, Run] = {}
    for source in sources:
        for run in (run for run in source.runs() if run.done):
            there = new.get(run.spec.id) or store.find(run.spec)
            if there is None or not there.done or (there.status, run.status) == NEWER:
                new[run.spec.id] = run
            elif (run.status, there.status) == NEWER:
                continue
            elif there.record["files"] != run.record["files"]:
                raise RequestError(
                    f"{there.folder} and {run.folder} are different results of one run; give "
                    "them reports of their own with --out"
                )
        plan += _plan(source, needed=True, say=say)
    for run in new.values():
        folder = store.begin(run.spec)
        for name in (*run.record["files"], "run.json"):
            shutil.copy2(run.folder / name, folder / name)
        store.publish(run.spec, folder)
    store.remember(list({spec.id: spec for spec in plan}.values()))
    return len(new)


def checked(folder: Path, say: Callable[[str], None] = print) -> Store:
    """Returns the store of an output folder after checking its runs against their digests and
    schemas. A run that doesn't fit counts as failed in this store, and `say` is told why. Raises
    RequestError if no run is left."""
    source = Store(folder)
    faults = [found[0] for found in faults_of(source).values()]
    source.refused = {fault.folder.name: fault.short for fault in faults}
    if not any(run.done for run in source.runs()):
        if faults:
            raise RequestError(f"{faults[0]}; nothing is taken from there")
        raise RequestError(f"there is no finished run in {source.runs_folder}")
    for fault in faults:
        say(f"left out: {fault}")
    return source


def _plan(store: Store, needed: bool, say: Callable[[str], None] = print) -> list[RunSpec]:
    """Returns the plan of a store; if it isn't known, and `needed`, the runs that the store has."""
    if os.path.lexists(store.out / "plan.json"):
        try:
            return store.plan()
        except RequestError as error:
            if not needed:
                raise
            say(f"left out: {error}")
    return [run.spec for run in store.runs() if run.done] if needed else []
