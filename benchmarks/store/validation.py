"""Finds what is missing, altered or damaged in the run folders of a store."""

from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.store.run import Run
from benchmarks.store.store import Store
from protocols.boundary import Damaged
from protocols.files import sha256_of


class Fault(NamedTuple):
    """A fault of a run folder (then `file` is empty), or of a file in the folder."""

    folder: Path
    file: str
    why: str

    @property
    def short(self) -> str:
        """The fault without the name of the folder."""
        return f"{self.file}: {self.why}" if self.file else self.why

    def __str__(self) -> str:
        return f"{self.folder / self.file}: {self.why}"


def faults_of(store: Store) -> dict[str, list[Fault]]:
    """Returns run folder's name -> what in the folder is missing, altered or damaged. Sound folders
    are left out."""
    return _faults(store, *store.look())


def _faults(store: Store, runs: list[Run], others: dict[str, str]) -> dict[str, list[Fault]]:
    found = {name: [Fault(store.runs_folder / name, "", why)] for name, why in others.items()}
    for run in runs:
        if wrong := _wrong_files(run):
            found[run.folder.name] = wrong
        elif why := run.damage if run.done else run.reason if run.damaged else "":
            found[run.folder.name] = [Fault(run.folder, "", why)]
    return found


def sentences(store: Store) -> list[str]:
    """Returns a sentence for each of `faults_of`, and for each file not listed in a run.json."""
    runs, others = store.look()
    found = _faults(store, runs, others)
    for run in runs:
        found[run.folder.name] = found.get(run.folder.name, []) + _unlisted(run)
    return [str(fault) for name in sorted(found) for fault in found[name]]


def _wrong_files(run: Run) -> list[Fault]:
    """Returns which files in the run.json of a finished run are missing or altered."""
    wrong = []
    for name, entry in _listed(run).items():
        path = run.folder / name
        try:
            if not path.is_file():
                wrong.append(Fault(run.folder, name, "missing"))
            elif path.stat().st_size != entry["size"] or sha256_of(path) != entry["sha256"]:
                wrong.append(Fault(run.folder, name, "altered since the run was finished"))
        except OSError as error:
            wrong.append(Fault(run.folder, name, f"can't be read ({error.strerror})"))
    return wrong


def _unlisted(run: Run) -> list[Fault]:
    """Returns which files in the folder of a finished run its run.json doesn't list."""
    listed = _listed(run)
    names = sorted({path.name for path in run.folder.iterdir()} - {*listed, "run.json"})
    return [Fault(run.folder, name, "not listed in run.json") for name in names if listed]


def _listed(run: Run) -> dict[str, Any]:
    """Returns the files that run.json lists; none where there is no run.json that can be read."""
    try:
        return run.record["files"]
    except Damaged:
        return {}
