"""What is stored of one run, read when it is asked for."""

import csv
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from protocols.activations import FILE, turned
from protocols.spec import RESULTS_VERSION, RunSpec


@dataclass(frozen=True)
class Run:
    """One stored run. `status`: "done", "stale" (of another results version) or "failed"."""

    spec: RunSpec
    folder: Path
    status: str
    reason: str = ""  # of a failure
    version: int = RESULTS_VERSION  # of what computed it

    @property
    def done(self) -> bool:
        """Whether its results may be read (stale ones may; they are marked)."""
        return self.status in ("done", "stale")

    def _json(self, name: str) -> dict[str, Any]:
        return json.loads((self.folder / name).read_text(encoding="utf-8"))

    @cached_property
    def env(self) -> dict[str, Any]:
        """Versions, device, threads, engine."""
        return self._json("env.json")

    @cached_property
    def timings(self) -> dict[str, Any]:
        """Seconds by part, or latencies."""
        return self._json("timings.json")

    @cached_property
    def record(self) -> dict[str, Any]:
        """run.json: when it finished, file sizes and SHA-256, the results version."""
        return self._json("run.json")

    @cached_property
    def history(self) -> list[dict[str, float]]:
        """One dictionary an epoch, keys of contract.HISTORY."""
        with (self.folder / "history.csv").open(newline="", encoding="utf-8") as file:
            return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]

    @cached_property
    def predictions(self) -> dict[str, np.ndarray]:
        """The arrays of predictions.npz."""
        with np.load(self.folder / "predictions.npz", allow_pickle=False) as arrays:
            return dict(arrays)

    @property
    def activations(self) -> dict[str, np.ndarray] | None:
        """The arrays of activations.npz; None for runs made before there was any."""
        path = self.folder / FILE
        if not path.is_file():
            return None
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)

    @property
    def seen_ids(self) -> list[str]:
        """The images in activations.npz; none where it lacks or can't be read."""
        try:
            with np.load(self.folder / FILE, allow_pickle=False) as arrays:
                return arrays["ids"].tolist()
        except Exception:  # zipfile, zlib and numpy raise many kinds for broken files
            return []

    @property
    def pictured_ids(self) -> list[str]:
        """The images to draw of a training run that is done: those its network looked at, and some
        that show the first one's photograph."""
        ids = self.seen_ids if self.done and self.spec.stage == "train" else []
        near = [row.file for image in ids[:1] for row in turned(image)]
        return list(dict.fromkeys([*ids, *near]))
