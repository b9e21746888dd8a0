"""Takes the runs of other output folders into a store: sent by others, or reports/published/."""

import shutil
from pathlib import Path

from benchmarks.run import Run
from benchmarks.store import Store
from protocols.errors import RequestError
from protocols.spec import RunSpec

NEWER = ("stale", "done")


def merge(folders: list[Path], store: Store) -> int:
    """Copies every done run that `store` lacks, and adds to its plan what theirs wanted.

    Each file is checked against the digests of its run first. Raises RequestError, before anything
    is written, if one is missing or altered, or if two folders hold different results of one run,
    neither or both of today's results version: a stale one gives way, and is kept aside. Returns
    how many runs were copied.
    """
    sources = [checked(folder) for folder in folders]
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
        plan += _plan(source, needed=True)
    for run in new.values():
        folder = store.begin(run.spec)
        for name in (*_files(run), "run.json"):
            shutil.copy2(run.folder / name, folder / name)
        store.publish(run.spec, folder)
    store.remember(list({spec.id: spec for spec in plan}.values()))
    return len(new)


def checked(folder: Path) -> Store:
    """An output folder. Raises RequestError if no run is done there, or a file of one is missing
    or altered."""
    source = Store(folder)
    done = [run for run in source.runs() if run.done]
    if not done:
        raise RequestError(f"there is no finished run in {source.runs_folder}")
    if wrong := source.validate():
        raise RequestError(f"{wrong[0]}; nothing is taken from there")
    for run in done:
        if run.record["id"] != run.spec.id or any(Path(n).name != n for n in _files(run)):
            raise RequestError(f"{run.folder / 'run.json'} belongs to no run of this suite")
    return source


def _files(run: Run) -> list[str]:
    return list(run.record["files"])


def _plan(store: Store, needed: bool) -> list[RunSpec]:
    """What was wanted there; where that isn't known, and `needed`, what there is."""
    if (store.out / "plan.json").is_file():
        return store.plan()
    return [run.spec for run in store.runs() if run.done] if needed else []
