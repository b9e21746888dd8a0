"""Writes and reads checkpoints, by which a killed run goes on where it was, or says why it can't.

Each job has one .npz, which is read without unpickling: it holds every array of the twin's state,
the history so far, and a JSON text. The file is written aside and renamed. A file that is cut short
or altered is found by its checksums, a file that was written anew with other arrays by the arrays'
names, types, shapes and values.
"""

import json
import os
import shutil
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

FORMAT = 1
AT_EPOCH, INSIDE_EPOCH = 30.0, 300.0  # seconds since the last checkpoint, after which one is due
META = "meta"
Layout = dict[str, tuple[str, tuple[int, ...]]]  # the dtype and the shape of each array, by name
Doubt = Callable[[dict[str, np.ndarray], dict[str, Any]], str]
WORDS = {
    "format": "is of another format",
    "runs": "is of another run",
    "pixels": "was made from other images",
    "results_version": "was written by another results version of this suite",
    "versions": "was written with other versions",
    "processor": "was written on another processor",
    "instructions": "was written on a processor with other instructions",
    "variables": "was written under other variables that choose how libraries compute",
}


class CheckpointRefused(RuntimeError):
    """A checkpoint is not of this run, these images or these versions, or it is damaged."""


@dataclass
class Checkpoints:
    """The checkpoint file of one job.

    `identity` holds what must be equal for the runs to go on: their ids (several if they are
    trained together), the SHA-256 of the pixels, RESULTS_VERSION, the versions of the packages, the
    processor, its instructions (for a run on a CPU), and the variables that choose kernels.
    """

    path: Path
    identity: dict[str, Any]
    pauses: tuple[float, float] = (AT_EPOCH, INSIDE_EPOCH)
    last: float = field(default_factory=lambda: time.monotonic())

    def due(self, inside: bool) -> bool:
        """Tells whether a checkpoint is due, `inside` an epoch or at its beginning."""
        return time.monotonic() - self.last >= self.pauses[inside]

    def save(self, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
        """Writes `arrays` and the JSON `meta` whole, or leaves the file as it was. A folder in the
        file's place, which `load` refuses, is removed."""
        words = {"format": FORMAT, **self.identity}
        text = json.dumps({"identity": words, "meta": meta})
        content: dict[str, Any] = arrays | {META: np.frombuffer(text.encode(), np.uint8)}
        part = self.path.with_name(self.path.name + ".part")
        try:
            with part.open("wb") as file:
                np.savez(file, **content)
            if self.path.is_dir():
                remove(self.path)
            os.replace(part, self.path)
        finally:
            part.unlink(missing_ok=True)
        self.last = time.monotonic()

    def load(self, doubt: Doubt = lambda *_: "") -> tuple[dict[str, np.ndarray], dict] | None:
        """Gives the arrays and the meta; None if there is no file. Raises CheckpointRefused.

        `doubt(arrays, meta)` tells why the runs can't go on from a whole file, or gives "".
        """
        try:
            if not stat.S_ISREG(self.path.stat().st_mode):
                raise self._refused("is no file")
            with np.load(self.path, allow_pickle=False) as file:
                text = json.loads(file[META].tobytes())
                self._check(text["identity"])
                arrays = {name: file[name] for name in file.files if name != META}
            if why := doubt(arrays, text["meta"]):
                raise ValueError(why)
            return arrays, text["meta"]
        except CheckpointRefused:
            raise
        except FileNotFoundError:
            if not os.path.lexists(self.path):
                return None
            raise self._refused("is a link to nothing") from None
        except OSError as error:
            if error.errno is None:  # numpy raises it for a file that isn't an .npz
                raise self._refused(f"is damaged ({error})") from error
            raise self._refused(f"can't be read ({error.strerror})") from error
        except Exception as error:  # zipfile and numpy raise many kinds of errors
            why = " ".join(str(error).split())
            raise self._refused(f"is damaged ({why})") from error

    def _check(self, written: dict[str, Any]) -> None:
        for key, expected in {"format": FORMAT, **self.identity}.items():
            if written.get(key) != expected:
                raise self._refused(WORDS[key] + _difference(written.get(key), expected))

    def _refused(self, why: str) -> CheckpointRefused:
        return CheckpointRefused(f"the checkpoint {self.path.name} {why}")


def remove(path: Path) -> None:
    """Removes a checkpoint, or a folder in its place, if one is there. Raises OSError."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def layout_of(arrays: dict[str, np.ndarray]) -> Layout:
    """Gives the dtype and the shape of each array."""
    return {name: (str(value.dtype), value.shape) for name, value in arrays.items()}


def layout_difference(found: Layout, expected: Layout) -> str:
    """Tells of the first array, by name, that is missing, doesn't belong, or has another dtype or
    shape; gives "" if there is none."""
    for name in sorted({*found, *expected}):
        if name not in found:
            return f"{name} is lacking"
        if name not in expected:
            return f"{name} doesn't belong to the run"
        if found[name] != expected[name]:
            is_, wanted = (f"{dtype} {shape}" for dtype, shape in (found[name], expected[name]))
            return f"{name} is {is_}, not {wanted}"
    return ""


def not_finite(arrays: dict[str, np.ndarray]) -> str:
    """Tells of the first array, by name, that holds NaN or an infinity; gives "" if none does."""
    for name, value in sorted(arrays.items()):
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            return f"{name} isn't finite, though every loss so far is"
    return ""


def runs_in(path: Path) -> list[str]:
    """Gives the ids of the runs of a checkpoint; none if the checkpoint can't be read."""
    if not path.is_file():  # reading a pipe would wait
        return []
    try:
        with np.load(path, allow_pickle=False) as file:
            return json.loads(file[META].tobytes())["identity"]["runs"]
    except Exception:  # zipfile and numpy raise many kinds of errors
        return []


def _difference(written: Any, expected: Any) -> str:
    """Tells in words what isn't alike in two tables; gives "" for values that aren't tables."""
    if not (isinstance(written, dict) and isinstance(expected, dict)):
        return ""
    found = [
        f"{name} {written.get(name, 'none')}, here {expected.get(name, 'none')}"
        for name in sorted({*written, *expected})
        if written.get(name) != expected.get(name)
    ]
    return f" ({'; '.join(found)})"
