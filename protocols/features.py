"""What frozen backbones say of the images: computed once, stored, shared by the runs that need it.

float32, in `cache/features/<subject>-<state>/`: the subject is what the numbers mean, the state
the versions and sources that computed them; another state of a subject replaces it.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from protocols.files import aside, sha256_of
from protocols.spec import RunSpec
from protocols.weights import loaded

VALUES, INDEX = "features.npy", "index.json"


def subject(spec: RunSpec, backbone: str, rows: np.ndarray, train: np.ndarray) -> dict[str, Any]:
    """What one backbone's features of the set's images number `rows` depend on.

    Random weights depend on the seed, and through their calibration on the training part.
    """
    random = spec.weights["source"] == "random"
    weights = {"init": spec.init} if random else {"digest": loaded(spec, backbone)}
    words = {
        "backbone": backbone,
        "pooled": spec.phases[-1]["phase"] == 2,  # Liang's heads read the mean, Jane's the map
        "data": spec.data["digest"],
        "rows": _sha256(rows.astype(np.int64).tobytes()),
        "weights": weights,
        "batch_size": spec.recipe["batch_size"],
    }
    for name in ("framework", "backend", "device", "precision", "threads", "deterministic"):
        words[name] = getattr(spec, name)
    if random:
        words["seed"] = spec.seed
        words["train"] = _sha256(train.astype(np.int64).tobytes())
        words["calibration_images"] = spec.recipe["calibration_images"]
    return words


def stored(
    cache: Path,
    subject: dict[str, Any],
    state: dict[str, Any],
    compute: Iterator[np.ndarray],
    n: int,
) -> tuple[np.ndarray, bool]:
    """float32 (n, ...) memory-mapped, and whether it was there.

    `compute` gives the features of the n images in order, batch by batch; it is read only if
    they are not there, or if their SHA-256 is not the one written down with them.
    """
    name, root = _digest(subject), cache / "features"
    folder = root / f"{name}-{_digest(state)}"
    found = _whole(folder)
    if not found:
        for old in root.glob(f"{name}-*"):
            if old != folder and old.suffix == "":  # a folder that is being written has one
                shutil.rmtree(old, ignore_errors=True)
        with aside(folder, finished=_whole) as work:
            _write(work, compute, n, {"subject": subject, "state": state})
    return np.load(folder / VALUES, mmap_mode="r"), found


def _whole(folder: Path) -> bool:
    try:
        index = json.loads((folder / INDEX).read_text())
        return index.get("sha256") == sha256_of(folder / VALUES)
    except (OSError, ValueError):
        return False


def _write(folder: Path, compute: Iterator[np.ndarray], n: int, words: dict[str, Any]) -> None:
    done = 0
    with (folder / VALUES).open("wb") as file:
        for batch in compute:
            if done == 0:
                shape = (n, *batch.shape[1:])
                header = {"descr": "<f4", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
            file.write(np.ascontiguousarray(batch, dtype="<f4"))
            done += len(batch)
    if done != n:
        raise ValueError(f"features of {done} images, {n} wanted")
    index = {"n": n, "sha256": sha256_of(folder / VALUES), **words}
    (folder / INDEX).write_text(json.dumps(index, indent=1, sort_keys=True))


def _digest(words: dict[str, Any]) -> str:
    return _sha256(json.dumps(words, sort_keys=True).encode())[:16]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
