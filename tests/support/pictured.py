"""Recorded runs on the public set, and a folder of stand-ins for its images under their names."""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.store.store import Store
from protocols.files import ROOT
from protocols.photographs import provenance
from protocols.runs import activations

PUBLISHED = ROOT / "reports" / "published" / "smoke"
SOME = ("xception_lstm-fixed", "cnn_lstm-cv10")
SHADE = (200, 120, 160)  # of every image


def some_runs(out: Path) -> Store:
    """Makes a store of the recorded smoke runs of two networks, which are all that was asked
    for."""
    (out / "runs").mkdir(parents=True)
    for run in (PUBLISHED / "runs").iterdir():
        if any(name in run.name for name in SOME) and "latency" not in run.name:
            shutil.copytree(run, out / "runs" / run.name)
    store = Store(out)
    store.remember([run.spec for run in store.runs()])
    return store


def image_folder(store: Store, root: Path) -> Path:
    """Makes files for every tested image and photograph, and for those that Liang's Fig. 4 asks
    for."""
    (root / "images" / "TRAIN").mkdir(parents=True)
    ids = {str(i) for run in store.runs() for i in run.predictions["ids"]}
    ids |= {row.file for run in store.runs() for i in run.seen_ids for row in activations.turned(i)}
    names = {i for i in ids if "#" not in i}
    shown = {row.original for row in provenance.shown() if row.file in names}
    shown |= {i.partition("#")[0] for i in ids if "#" in i}
    for name in names:
        _save(root / "images" / name, (320, 240))
    for name in shown:
        _save(root / "Original_Images" / name, (640, 480))
    return root


def _save(path: Path, size: tuple[int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size[::-1], 3), SHADE, np.uint8)).save(path)
