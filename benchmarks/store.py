"""Run folders: `<out>/runs/<id>/`. Done is written last, by rename, and believed."""

import contextlib
import hashlib
import json
import os
import platform
import shutil
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.run import Run
from benchmarks.sources import ROOT
from protocols.checkpoint import remove
from protocols.contract import LATENCY_FILES, TRAIN_FILES
from protocols.errors import RequestError
from protocols.files import sha256_of, write_whole
from protocols.spec import RESULTS_VERSION, RunSpec

CHECKPOINT = ".checkpoint.npz"
DAMAGED = "its record (run.json or failed.json) is damaged"
SOURCES = (
    *("protocols", "impl_keras", "impl_torch", "benchmarks", "reports", "reports/templates"),
    "reports/published",
)
PACKAGES = ("numpy", "scipy", "scikit-learn", "matplotlib", "jinja2", "pillow")


class Store:
    """The runs under one output folder."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.runs_folder = out / "runs"

    def check_writable(self) -> None:
        """Raises RequestError unless `out` and its runs can be written; creates nothing."""
        for wanted in (self.out, self.runs_folder):
            folder = wanted
            while not os.path.lexists(folder) and folder != folder.parent:
                folder = folder.parent
            if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK):
                raise RequestError(
                    f"the output folder {wanted} can't be written; give another with --out DIR"
                )

    def find(self, spec: RunSpec) -> Run | None:
        """The run of exactly this spec, done, stale or failed; None if there is none."""
        return self._read(self.runs_folder / spec.id)

    def runs(self) -> list[Run]:
        """Every done, stale or failed run, by id."""
        if not self.runs_folder.is_dir():
            return []
        folders = sorted(self.runs_folder.iterdir())
        found = (self._read(f) for f in folders if f.is_dir() and not f.name.startswith("."))
        return [run for run in found if run]

    def _read(self, folder: Path) -> Run | None:
        try:
            spec = RunSpec.from_json((folder / "spec.json").read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError):
            return None  # unfinished, or of another contract
        try:
            if (folder / "run.json").exists():
                record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
                _ = [entry["sha256"] for entry in record["files"].values()]
                version = int(record["results_version"])
                state = "done" if version == RESULTS_VERSION else "stale"
                return Run(spec, folder, state, version=version)
            if (folder / "failed.json").exists():
                reason = json.loads((folder / "failed.json").read_text(encoding="utf-8"))["reason"]
                return Run(spec, folder, "failed", reason)
        except (ValueError, TypeError, KeyError, AttributeError):
            return Run(spec, folder, "failed", DAMAGED)
        return None

    def remember(self, plan: list[RunSpec]) -> bool:
        """Keeps the request's plan, which --report and --status speak of; whether it was known."""
        content = {"runs": [spec.to_dict() for spec in plan]}
        path = self.out / "plan.json"
        if path.is_file() and path.read_text(encoding="utf-8") == _pretty(content):
            return True
        self.out.mkdir(parents=True, exist_ok=True)
        _write(path, content)
        return False

    def plan(self) -> list[RunSpec]:
        """The last request's plan. Raises RequestError if there is none."""
        try:
            content = json.loads((self.out / "plan.json").read_text(encoding="utf-8"))
            return [RunSpec(**spec) for spec in content["runs"]]
        except OSError:
            raise RequestError(
                f"nothing has been run into {self.out}; run a suite first, or give --out DIR"
            ) from None
        except (ValueError, TypeError, KeyError):
            raise RequestError(
                f"{self.out / 'plan.json'} is of another version; run the suite again"
            ) from None

    def made_from(self) -> str:
        """SHA-256 of what a page of this store is made from, by content: the last request, the
        runs, benchmarks and the parity ladder, and all that computes and writes it."""
        digest = hashlib.sha256(platform.python_version().encode())
        for name in PACKAGES:
            digest.update(f"{name} {version(name)}\n".encode())
        paths = [self.out / name for name in ("plan.json", "benchmarks.json", "parity.json")]
        for folder in sorted(self.runs_folder.glob("[!.]*/")):
            with contextlib.suppress(OSError):  # what can't be read is shown as unreadable
                sizes = sorted((f.name, f.stat().st_size) for f in folder.iterdir() if f.is_file())
                digest.update(repr(sizes).encode())
            paths += [folder / name for name in ("spec.json", "run.json", "failed.json")]
        paths += (path for folder in SOURCES for path in sorted(ROOT.glob(f"{folder}/*.*")))
        return _digest(paths, digest)

    def page_is_current(self, page: Path) -> bool:
        """Whether `page` is as it was written and would be made from the same today; file times
        are not asked."""
        try:
            return self._built(page).read_text(encoding="utf-8") == self._state(page)
        except (OSError, ValueError):
            return False

    def page_is_built(self, page: Path, made_from: str) -> None:
        """Keeps beside `page` what it was made from, as `made_from` said before it was begun."""
        write_whole(self._built(page), self._state(page, made_from).encode())

    def _built(self, page: Path) -> Path:
        return page.with_name(f".{page.name}.made-from")

    def _state(self, page: Path, made_from: str = "") -> str:
        """Digests of what is shown, of the pictures that lie beside the page, and of the page."""
        pictures = _digest(sorted(page.parent.glob("*-pictures.json")), hashlib.sha256())
        return f"{made_from or self.made_from()} {pictures} {sha256_of(page)}\n"

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
        record = {
            "id": spec.id,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "files": {
                path.name: {"size": path.stat().st_size, "sha256": sha256_of(path)}
                for path in sorted(folder.iterdir())
            },
            "results_version": json.loads((folder / "env.json").read_text(encoding="utf-8"))[
                "results_version"
            ],
            "commit": commit,
        }
        _write(folder / "run.json", record)
        self.publish(spec, folder)
        return Run(spec, self.runs_folder / spec.id, "done")

    def fail(self, spec: RunSpec, folder: Path, reason: str) -> Run:
        """Keeps a failed run visible: spec, log and reason. A done run stays where it is.

        Where that can't be written, the failure is in what this returns only.
        """
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

    def validate(self) -> list[str]:
        """One sentence for every file of a done run that is missing or altered."""
        wrong = []
        for run in self.runs():
            if run.reason == DAMAGED:
                wrong.append(f"{run.folder}: {DAMAGED}")
            for name, entry in run.record["files"].items() if run.done else ():
                path = run.folder / name
                if not path.is_file():
                    wrong.append(f"{path}: missing")
                elif sha256_of(path) != entry["sha256"]:
                    wrong.append(f"{path}: altered since the run was finished")
        return wrong


def _digest(paths: list[Path], digest: Any) -> str:
    """SHA-256 hex over `digest`, and the place and content of each of `paths` that can be read."""
    for path in paths:
        with contextlib.suppress(OSError):
            content = hashlib.sha256(path.read_bytes()).digest() if path.is_file() else b""
            digest.update(os.fsencode(f"{path.parent.name}/{path.name}") + content)
    return digest.hexdigest()


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
