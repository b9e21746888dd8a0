"""Reads what is stored of one run, when it is asked for."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.store import records, run_arrays
from protocols.boundary import Damaged
from protocols.runs.activations import FILE, turned
from protocols.spec import RESULTS_VERSION, RunSpec

DAMAGED = "its record (run.json or failed.json) is damaged"
UNREADABLE = "its files can't be read"


@dataclass(frozen=True)
class Run:
    """One stored run. `status`: "done", "stale" (of another results version) or "failed"."""

    spec: RunSpec
    folder: Path
    status: str
    reason: str = ""  # why it failed
    version: int = RESULTS_VERSION  # of the code that computed the run

    @property
    def done(self) -> bool:
        """Whether the run's results may be read (stale ones may; they are marked)."""
        return self.status in ("done", "stale")

    @property
    def damaged(self) -> bool:
        """Whether the run counts as failed because what is stored of it can't be read."""
        return self.status == "failed" and self.reason.startswith((DAMAGED, UNREADABLE))

    def checked(self) -> dict[str, np.ndarray] | None:
        """Reads every file of a finished run. Returns the arrays of predictions.npz, or None for a
        latency run. Raises Damaged where a file can't be used."""
        try:
            _ = (self.record, self.env, self.timings)
            if self.spec.stage != "train":
                return None
            arrays = self.predictions
            rows, epochs = len(self.history), run_arrays.epochs_of(arrays)
            if rows != epochs:
                raise Damaged(f"history.csv has {rows} rows, and {epochs} epochs are stored")
            _ = self.seen_ids
        except Damaged as damaged:
            raise Damaged(f"{UNREADABLE}: {damaged}") from damaged
        return arrays

    @property
    def damage(self) -> str:
        """The reason why a finished run's files can't be used, or ""; all of them are read."""
        try:
            self.checked()
        except Damaged as damaged:
            return str(damaged)
        return ""

    @cached_property
    def env(self) -> dict[str, Any]:
        """The versions, device, threads and engine. Raises Damaged, as do all properties below."""
        return records.env(self.folder / "env.json")

    @property
    def node(self) -> str:
        """The name of the node on which the run was computed; "" where no cluster was asked."""
        return self.env.get("ran_on", {}).get("node", "")

    @cached_property
    def timings(self) -> dict[str, Any]:
        """The seconds of each part of a training run, or the latencies."""
        return records.timings(self.folder / "timings.json", self.spec.stage)

    @cached_property
    def record(self) -> dict[str, Any]:
        """The content of run.json: when the run finished, file sizes and SHA-256, results
        version."""
        return records.record(self.folder / "run.json", self.spec)

    @cached_property
    def history(self) -> list[dict[str, float]]:
        """One dictionary for each epoch, with the keys of protocols.runs.record.HISTORY."""
        return records.history(self.folder / "history.csv")

    @property
    def predictions(self) -> dict[str, np.ndarray]:
        """The arrays of predictions.npz. They take megabytes, so each access reads them anew."""
        return run_arrays.predictions(self.folder / "predictions.npz")

    @property
    def activations(self) -> dict[str, np.ndarray] | None:
        """The arrays of activations.npz; None for runs from before this file existed."""
        if FILE not in self.record["files"]:
            return None
        return run_arrays.activations(self.folder / FILE, self.spec.variant)

    @cached_property
    def seen_ids(self) -> list[str]:
        """The names of the images in activations.npz; none where there is no such file."""
        arrays = self.activations
        return [] if arrays is None else arrays["ids"].tolist()

    @property
    def pictured_ids(self) -> list[str]:
        """The images to draw of a finished training run: those in activations.npz, and some that
        show the same photograph as the first of them."""
        ids = self.seen_ids if self.done and self.spec.stage == "train" else []
        near = [row.file for image in ids[:1] for row in turned(image)]
        return list(dict.fromkeys([*ids, *near]))
