"""Stores the features that frozen backbones give of images, computed once for all runs that need
them.

The features are float32, in `cache/features/<subject>-<state>/`: the subject is what the numbers
mean, the state the versions and the processor that computed them. Features of another state of a
subject are replaced.
"""

import contextlib
import hashlib
import io
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from protocols.files import LEFT_OVER, aside, digest_of, sha256_of, write_whole
from protocols.papers.backbones import load_backbones
from protocols.papers.variants import load_variants
from protocols.spec import IMPLIED, RunSpec
from protocols.weights.start import loaded

VALUES, INDEX = "features.npy", "index.json"
UNFINISHED = ".batches"  # the end of the name of the folder with the batches computed so far


def subject(spec: RunSpec, backbone: str, rows: np.ndarray, train: np.ndarray) -> dict[str, Any]:
    """Gives everything on which one backbone's features of the set's images number `rows` depend.

    Random weights depend on the seed and, through their calibration, on the training part.
    """
    random = spec.weights["digest"] is None
    weights = {"init": spec.init} if random else {"digest": loaded(spec, backbone)}
    words = {
        "backbone": backbone,
        "pooled": load_variants()[spec.variant].pooled,
        "data": spec.data["digest"],
        "rows": _sha256(rows),
        "weights": weights,
        "batch_size": spec.recipe["batch_size"],
    }
    own = {key: spec.recipe[key] for key in load_backbones()[backbone].options}
    words |= {key: value for key, value in own.items() if value != IMPLIED.get(key)}
    for name in ("framework", "backend", "device", "precision", "threads", "deterministic"):
        words[name] = getattr(spec, name)
    if random:
        words["seed"] = spec.seed
        words["train"] = _sha256(train)
        words["calibration_images"] = spec.recipe.get("calibration_images")
    return words


def stored(
    cache: Path,
    subject: dict[str, Any],
    state: dict[str, Any],
    batches: list[np.ndarray],
    compute: Callable[[np.ndarray], np.ndarray],
) -> tuple[np.ndarray, bool]:
    """Gives features, float32 (n, ...) memory-mapped, and whether any of them were there before.

    `compute` gives the features of one of the `batches`, which hold the positions of all n images
    in order. It is called only if features are missing, or if their SHA-256 is not the recorded
    one. Each batch is kept, whole, until all are there: a process that was killed goes on after its
    last batch, and another process takes the batches that it finds. While the batches are put
    together, the features lie on the disk twice. The returned array stays readable when another
    process removes the file.
    """
    name, root = digest_of(subject)[:16], cache / "features"
    folder = root / f"{name}-{digest_of(state)[:16]}"
    if (values := _opened(folder)) is not None:
        return values, True
    if folder.exists() and not _whole(folder):  # another process may have put the features there
        shutil.rmtree(folder, ignore_errors=True)
    _drop_others(root, name, folder)
    parts = _Parts(folder, batches, compute)
    found = parts.complete()
    if (values := _opened(folder)) is None:  # no other process was faster
        with aside(folder, finished=_whole) as work:
            words = {"subject": subject, "state": state}
            _write(work, parts.all(), sum(map(len, batches)), words)
            values = np.load(work / VALUES, mmap_mode="r")
    shutil.rmtree(parts.folder, ignore_errors=True)
    return values, found


def _drop_others(root: Path, name: str, folder: Path) -> None:
    """Removes a subject's features of other states; unfinished folders only if they are old."""
    for old in root.glob(f"{name}-*"):
        if old.suffix == "" and old != folder:
            shutil.rmtree(old, ignore_errors=True)
        elif old.suffix == UNFINISHED and old.stem != folder.name:
            with contextlib.suppress(OSError):
                if time.time() - old.stat().st_mtime > LEFT_OVER:
                    shutil.rmtree(old, ignore_errors=True)


@dataclass(frozen=True)
class _Parts:
    """The batches of features that will be put together in `final`. Each batch is one file, an
    .npz, which has checksums."""

    final: Path
    batches: list[np.ndarray]
    compute: Callable[[np.ndarray], np.ndarray]

    @property
    def folder(self) -> Path:
        return self.final.with_name(self.final.name + UNFINISHED)

    def complete(self) -> bool:
        """Computes the batches that are missing, and tells whether any batch was there."""
        there = False
        for number in range(len(self.batches)):
            if (self.final / INDEX).exists():  # another process was faster
                return True
            if self._read(number) is None:
                self._make(number)
            else:
                there = True
        return there

    def all(self) -> Iterator[np.ndarray]:
        """Gives every batch, in order."""
        for number in range(len(self.batches)):
            values = self._read(number)
            yield self._make(number) if values is None else values

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:05}.npz"

    def _read(self, number: int) -> np.ndarray | None:
        """Reads a batch; gives None if the file is missing or damaged."""
        try:
            with np.load(self._path(number), allow_pickle=False) as file:
                return file["values"]
        except Exception:  # zipfile and numpy raise many kinds of errors
            return None

    def _make(self, number: int) -> np.ndarray:
        values = np.ascontiguousarray(self.compute(self.batches[number]), dtype="<f4")
        if len(values) != len(self.batches[number]):
            raise ValueError(
                f"features of {len(values)} images, {len(self.batches[number])} wanted"
            )
        file = io.BytesIO()
        np.savez(file, values=values)
        write_whole(self._path(number), file.getbuffer())
        return values


def _opened(folder: Path) -> np.ndarray | None:
    """Opens the features, and checks them then; gives None if they are missing or damaged."""
    try:
        values = np.load(folder / VALUES, mmap_mode="r")
    except (OSError, ValueError):
        return None
    return values if _whole(folder) else None


def _whole(folder: Path) -> bool:
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        return index.get("sha256") == sha256_of(folder / VALUES)
    except (OSError, ValueError):
        return False


def _write(folder: Path, batches: Iterator[np.ndarray], n: int, words: dict[str, Any]) -> None:
    with (folder / VALUES).open("wb") as file:
        for number, batch in enumerate(batches):
            if number == 0:
                shape = (n, *batch.shape[1:])
                header = {"descr": "<f4", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
            file.write(batch.data)
    index = {"n": n, "sha256": sha256_of(folder / VALUES), **words}
    (folder / INDEX).write_text(json.dumps(index, indent=1, sort_keys=True), encoding="utf-8")


def _sha256(positions: np.ndarray) -> str:
    return hashlib.sha256(positions.astype(np.int64).tobytes()).hexdigest()
