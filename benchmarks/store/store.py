"""Run folders: `<out>/runs/<id>/`. Done is written last, by rename, and believed."""

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.store import records
from benchmarks.store.run import DAMAGED, UNREADABLE, Run
from protocols.boundary import Damaged, clean
from protocols.errors import RequestError
from protocols.files import sha256_of, unwritable
from protocols.runs.checkpoint import remove
from protocols.runs.record import LATENCY_FILES, TRAIN_FILES
from protocols.spec import RESULTS_VERSION, RunSpec

CHECKPOINT = ".checkpoint.npz"


class Store:
    """The runs under one output folder."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.runs_folder = out / "runs"
        self.refused: dict[str, str] = {}  # run id -> why its record isn't believed

    def check_writable(self) -> None:
        """Raises RequestError unless `out` and its runs can be written; creates nothing."""
        for wanted in (self.out, self.runs_folder):
            if unwritable(wanted):
                raise RequestError(
                    f"the output folder {wanted} can't be written; give another with --out DIR"
                )

    def find(self, spec: RunSpec) -> Run | None:
        """The run of exactly this spec, done, stale or failed; None if there is none."""
        return self._read(self.runs_folder / spec.id)

    def runs(self) -> list[Run]:
        """Every done, stale or failed run, by id."""
        return self.look()[0]

    def look(self) -> tuple[list[Run], dict[str, str]]:
        """`runs`, and the name of every other folder among theirs: why there is no run in it.

        Raises RequestError if they can't be read.
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
        except Damaged:  # unfinished, or of another contract
            return None

    def _run(self, folder: Path) -> Run:
        """The run in a folder; a damaged one has failed. Raises Damaged if there is none."""
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
        """Keeps the request's plan, which --report and --status speak of; whether it was known."""
        content = {"runs": [spec.to_dict() for spec in plan]}
        path = self.out / "plan.json"
        if path.is_file() and path.read_bytes() == _pretty(content).encode():
            return True
        if path.is_dir():
            raise RequestError(f"{path} is a folder, where the plan of a request belongs; move it")
        self.out.mkdir(parents=True, exist_ok=True)
        _write(path, content)
        return False

    def plan(self) -> list[RunSpec]:
        """The last request's plan. Raises RequestError if there is none."""
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

    def place(self, spec: RunSpec) -> Path:
        """The hidden folder that this process writes the run into."""
        return self.runs_folder / f".{spec.id}.{os.getpid()}"

    def begin(self, spec: RunSpec) -> Path:
        """Makes `place` anew; what a killed launch left is removed."""
        folder = self.place(spec)
        for old in self.runs_folder.glob(f".{spec.id}.[0-9]*"):
            if old == folder or not _alive(int(old.name.rsplit(".", 1)[1])):
                shutil.rmtree(old, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def finish(self, spec: RunSpec, folder: Path, commit: str = "") -> Run:
        """Checks what the twin wrote, adds run.json, renames. ValueError if it's not whole.

        `commit`: of the sources when the launch began.
        """
        for name in ("run.json", "run.part"):  # of a first try
            (folder / name).unlink(missing_ok=True)
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
        _write(folder / "run.json", record)
        if damage := Run(spec, folder, "done").damage:
            raise ValueError(f"what the worker wrote is no result: {damage}")
        self.publish(spec, folder)
        return Run(spec, self.runs_folder / spec.id, "done")

    def fail(self, spec: RunSpec, folder: Path, reason: str) -> Run:
        """Keeps a failed run visible: spec, log and reason. A done run stays where it is.

        Where that can't be written, the failure is in what this returns only.
        """
        reason = clean(reason)
        failed = Run(spec, self.runs_folder / spec.id, "failed", reason)
        if (failed.folder / "run.json").exists():
            self.discard(folder)
            return failed
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "run.json").unlink(missing_ok=True)  # it was whole, but couldn't be published
            (folder / "spec.json").write_text(spec.to_json(), encoding="utf-8")
            _write(folder / "failed.json", {"id": spec.id, "reason": reason})
            self.publish(spec, folder)
        except OSError as error:
            self.discard(folder)
            why = error.strerror or error
            return Run(spec, failed.folder, "failed", f"{reason}; this can't be stored ({why})")
        return failed

    def publish(self, spec: RunSpec, folder: Path) -> None:
        """Renames into place what is on the disk for good: no power cut leaves a done run empty.

        A done run that stands there is kept aside, a failed one is not.
        """
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
        """Where the checkpoint of a run, or of several trained together, lies until it is done."""
        together = f".with-{len(specs) - 1}-more" if len(specs) > 1 else ""
        return self.runs_folder / f".{specs[0].id}{together}{CHECKPOINT}"

    def drop_checkpoints(self, fresh: list[RunSpec]) -> None:
        """Removes those of runs that are done, and of those that begin afresh; a stale run may be
        at its second time."""
        ids = {spec.id for spec in fresh}
        for path in self.runs_folder.glob(f".*{CHECKPOINT}*"):
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


def _pretty(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, sort_keys=True)


def _write(path: Path, content: dict[str, Any]) -> None:
    part = path.with_suffix(".part")
    part.write_text(_pretty(content), encoding="utf-8")
    part.rename(path)
