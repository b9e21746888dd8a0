"""Keeps the run folders `<out>/runs/<id>/`: each gets this name last, when it is whole."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.store import records
from benchmarks.store.run import DAMAGED, UNREADABLE, Run
from protocols.boundary import Damaged, clean
from protocols.errors import RequestError
from protocols.files import locked, sha256_of, unwritable, write_whole
from protocols.runs.checkpoint import remove
from protocols.runs.record import LATENCY_FILES, TRAIN_FILES
from protocols.spec import RESULTS_VERSION, RunSpec

CHECKPOINT = ".checkpoint.npz"
LOCK = ".lock"


class Store:
    """The runs under one output folder."""

    def __init__(self, out: Path, checkpoints: Path | None = None) -> None:
        """Keeps checkpoints beside the runs, or in the folder `checkpoints`."""
        self.out = out
        self.runs_folder = out / "runs"
        self.checkpoints = checkpoints or self.runs_folder
        self.refused: dict[str, str] = {}  # run id -> why the run's record isn't believed

    def check_writable(self) -> None:
        """Raises RequestError unless `out`, its runs and their checkpoints can be written. Creates
        nothing."""
        for wanted in (self.out, self.runs_folder):
            if unwritable(wanted):
                raise RequestError(
                    f"the output folder {wanted} can't be written; give another with --out DIR"
                )
        if why := unwritable(self.checkpoints):
            raise RequestError(f"{why}; give another folder with --checkpoints DIR")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other launches out of the output folder, which is made if need be. A launch that is
        refused within the block leaves no folder behind that it has made. Raises RequestError if
        another launch writes there."""
        lock, made = self.out / LOCK, not self.out.exists()
        self.out.mkdir(parents=True, exist_ok=True)
        instead = "wait for it, or give another with --out DIR"
        busy = RequestError(f"another launch is writing into {self.out}; {instead}")
        with locked(lock, busy):
            try:
                yield
            finally:
                if made and {*self.out.iterdir()} <= {lock}:
                    lock.unlink(missing_ok=True)
                    self.out.rmdir()

    def find(self, spec: RunSpec) -> Run | None:
        """Returns the run of exactly this spec, done, stale or failed; None if there is none."""
        return self._read(self.runs_folder / spec.id)

    def runs(self) -> list[Run]:
        """Returns every done, stale or failed run, ordered by id."""
        return self.look()[0]

    def look(self) -> tuple[list[Run], dict[str, str]]:
        """Returns `runs`, and folder's name -> why no run is in it, for every other folder beside
        theirs.

        Raises RequestError if the folders can't be read.
        """
        found, others = [], {}
        try:
            there = self.runs_folder.iterdir() if self.runs_folder.is_dir() else ()
            folders = sorted(f for f in there if f.is_dir() or f.is_symlink())
        except OSError as error:
            raise RequestError(f"{self.runs_folder} can't be read ({error.strerror})") from None
        for folder in (f for f in folders if not f.name.startswith(".")):
            try:
                found.append(self._run(folder))
            except Damaged as damaged:
                others[folder.name] = str(damaged)
        return found, others

    def _read(self, folder: Path) -> Run | None:
        try:
            return self._run(folder)
        except Damaged:  # the run is unfinished, or of another version
            return None

    def _run(self, folder: Path) -> Run:
        """Returns the run in a folder, failed if it is damaged. Raises Damaged if there is no
        run."""
        spec = records.spec(folder / "spec.json")
        if folder.name != spec.id:
            raise Damaged(f"spec.json is of another run ({spec.id})")
        if reason := self.refused.get(spec.id):
            return Run(spec, folder, "failed", reason)
        done = os.path.lexists(folder / "run.json")
        if not done and not os.path.lexists(folder / "failed.json"):
            raise Damaged("there is neither run.json nor failed.json")
        try:
            if not done:
                return Run(spec, folder, "failed", records.reason(folder / "failed.json"))
            record = records.record(folder / "run.json", spec)
        except Damaged as damaged:
            return Run(spec, folder, "failed", f"{DAMAGED}: {damaged}")
        try:
            records.env(folder / "env.json")
            records.timings(folder / "timings.json", spec.stage)
        except Damaged as damaged:
            return Run(spec, folder, "failed", f"{UNREADABLE}: {damaged}")
        version = record["results_version"]
        return Run(spec, folder, "done" if version == RESULTS_VERSION else "stale", version=version)

    def remember(self, plan: list[RunSpec]) -> bool:
        """Stores the plan of a request, of which --report and --status speak. Returns whether it
        was stored already. Raises RequestError if a folder has the name plan.json."""
        content = {"runs": [spec.to_dict() for spec in plan]}
        path = self.out / "plan.json"
        if path.is_file() and path.read_bytes() == _pretty(content):
            return True
        if path.is_dir():
            raise RequestError(f"{path} is a folder, where the plan of a request belongs; move it")
        write_whole(path, _pretty(content))
        return False

    def plan(self) -> list[RunSpec]:
        """Returns the last request's plan. Raises RequestError if there is none, or none that is
        whole."""
        try:
            return records.plan(self.out / "plan.json")
        except Damaged as damaged:
            if not os.path.lexists(self.out / "plan.json"):
                raise RequestError(
                    f"nothing has been run into {self.out}; run a suite first, or give --out DIR"
                ) from None
            raise RequestError(
                f"{self.out / 'plan.json'} is damaged or of another version ({damaged}); run the "
                "suite again"
            ) from None

    def working_folder(self, spec: RunSpec) -> Path:
        """Returns the hidden folder into which this process writes the run."""
        return self.runs_folder / f".{spec.id}.{os.getpid()}"

    def begin(self, spec: RunSpec) -> Path:
        """Makes `working_folder` anew, and removes what a killed launch left of this run."""
        folder = self.working_folder(spec)
        for old in self.runs_folder.glob(f".{spec.id}.[0-9]*"):
            if old == folder or not _alive(int(old.name.rsplit(".", 1)[1])):
                shutil.rmtree(old, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def finish(self, spec: RunSpec, folder: Path, commit: str = "") -> Run:
        """Checks what the twin wrote, adds run.json and publishes the run. Raises ValueError if the
        run isn't whole. `commit`: the commit of the sources when the launch began."""
        (folder / "run.json").unlink(missing_ok=True)  # a first try may have left it
        if RunSpec.from_json((folder / "spec.json").read_text(encoding="utf-8")) != spec:
            raise ValueError("the worker answered with another spec")
        needed = TRAIN_FILES if spec.stage == "train" else LATENCY_FILES
        lacking = [name for name in needed if not (folder / name).is_file()]
        if lacking:
            raise ValueError(f"the worker left out {', '.join(lacking)}")
        try:
            version = records.env(folder / "env.json").get("results_version")
        except Damaged as damaged:
            raise ValueError(f"what the worker wrote is no result: {damaged}") from None
        if version is None:
            raise ValueError("the worker left out the results version in env.json")
        record = {
            "id": spec.id,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "files": {
                path.name: {"size": path.stat().st_size, "sha256": sha256_of(path)}
                for path in sorted(folder.iterdir())
            },
            "results_version": version,
            "commit": commit,
        }
        write_whole(folder / "run.json", _pretty(record))
        if damage := Run(spec, folder, "done").damage:
            raise ValueError(f"what the worker wrote is no result: {damage}")
        self.publish(spec, folder)
        return Run(spec, self.runs_folder / spec.id, "done")

    def fail(self, spec: RunSpec, folder: Path, reason: str) -> Run:
        """Keeps a failed run visible: its spec, log and reason. A done run stays where it is.

        Where the failure can't be written, only the returned run tells of it.
        """
        reason = clean(reason)
        failed = Run(spec, self.runs_folder / spec.id, "failed", reason)
        if (failed.folder / "run.json").exists():
            self.discard(folder)
            return failed
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "run.json").unlink(missing_ok=True)  # the run was whole, but unpublished
            (folder / "spec.json").write_text(spec.to_json(), encoding="utf-8")
            write_whole(folder / "failed.json", _pretty({"id": spec.id, "reason": reason}))
            self.publish(spec, folder)
        except OSError as error:
            self.discard(folder)
            why = error.strerror or error
            return Run(spec, failed.folder, "failed", f"{reason}; this can't be stored ({why})")
        return failed

    def publish(self, spec: RunSpec, folder: Path) -> None:
        """Writes a run's files to the disk for good, then renames its folder into place: no power
        cut leaves a done run empty. A done run that stood there is kept aside; a failed one
        isn't."""
        final = self.runs_folder / spec.id
        if final.is_symlink():
            final.unlink()
        for path in folder.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        if (final / "run.json").exists():
            number = 1
            while (kept := self.runs_folder / f".{spec.id}.old{number}").exists():
                number += 1
            final.rename(kept)
        else:
            shutil.rmtree(final, ignore_errors=True)
        folder.rename(final)

    def checkpoint(self, specs: list[RunSpec]) -> Path:
        """Returns the path of the checkpoint of a run, or of several that train together."""
        together = f".with-{len(specs) - 1}-more" if len(specs) > 1 else ""
        return self.checkpoints / f".{specs[0].id}{together}{CHECKPOINT}"

    def drop_checkpoints(self, fresh: list[RunSpec]) -> None:
        """Makes their folder, and removes the checkpoints of runs that are done, and of those that
        begin afresh. Those of stale runs stay, for such a run may be running again."""
        ids = {spec.id for spec in fresh}
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        for path in self.checkpoints.glob(f".*{CHECKPOINT}*"):
            name = path.name[1:].split(".")[0]
            run = self._read(self.runs_folder / name)
            if name in ids or (run and run.status == "done"):
                remove(path)

    def discard(self, folder: Path) -> None:
        """Removes what an interrupted run wrote."""
        shutil.rmtree(folder, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _pretty(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=1, sort_keys=True).encode()
