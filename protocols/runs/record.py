"""Writes the files that a twin hands back for one run, by contract version 1. The files are:

spec.json         the RunSpec
env.json          versions (earlier runs on JAX lack jaxlib's), device, threads, engine (where a run
                  was killed and its processes differ, each, joined by ", then "); instruction set,
                  and variables of the environment that choose kernels (earlier runs lack the set
                  and the variables);
                  "recurrent", what computes such layers: cudnn, scan (a loop over the steps), aten
                  (PyTorch's own), none (earlier runs lack this); where PyTorch trains, "layouts",
                  the memory layout of each backbone's maps (earlier runs lack it); where weights
                  were loaded, the name and the hash of each backbone's file (training; earlier runs
                  lack them); where a cluster computed it, "ran_on", the name of the node and the
                  UUID of the GPU
history.csv       one row per epoch, with the columns HISTORY
predictions.npz   the arrays in Recorder.write
activations.npz   what the network looks at: see protocols.runs.activations (training; earlier runs
                  lack this file, and stay whole)
timings.json      seconds by part, memory, and how many jobs ran at once (training; a list where a
                  run was killed and its processes differ), or latencies
                  with the engine of each, memory, and the load by other processes (stage
                  "latency"; earlier runs lack jobs and load); "stops" (Ctrl-Z, sleep) are counted,
                  their seconds not
log.txt           what the worker printed
run.json          written last, by benchmarks.store.store: sizes and SHA-256 of each file, the
                  results version, the commit
"""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from protocols.classes import CLASSES
from protocols.papers.recipes import milestones
from protocols.spec import RESULTS_VERSION, RunSpec

HISTORY = (
    "phase",
    "epoch",  # counts from 1 in each phase
    "train_loss",  # the data loss in training mode, mean over images, in nats
    "penalty",  # the L2 term at the epoch's end
    "train_accuracy",
    "eval_loss",  # the data loss on the part that selects the epoch, in inference mode
    "eval_accuracy",
    "train_seconds",
    "eval_seconds",
)
TRAIN_FILES = (
    "spec.json",
    "env.json",
    "history.csv",
    "predictions.npz",
    "activations.npz",
    "timings.json",
)
LATENCY_FILES = ("spec.json", "env.json", "timings.json")


class TrainingDiverged(RuntimeError):
    """A run diverged: no epoch that may be selected has a finite loss."""


def data_loss(log_probabilities: np.ndarray, labels: np.ndarray, smoothing: float) -> float:
    """Gives the mean cross entropy in nats against (1 - s) one-hot + s / 4, where s is `smoothing`.

    log_probabilities (n, 4), labels (n,) int. The arithmetic is in float64.
    """
    logp = log_probabilities.astype(np.float64)
    true = logp[np.arange(len(labels)), labels]
    return float(-np.mean((1 - smoothing) * true + smoothing * logp.mean(axis=1)))


def half(log_probabilities: np.ndarray) -> np.ndarray:
    """Gives log-probabilities in the stored form: float16, of the same shape. The one of a
    probability of 0 is the lowest finite number, -65504. NaN stays NaN."""
    least = np.finfo(np.float16).min
    return np.maximum(log_probabilities, np.float32(least)).astype(np.float16)


def stored_epochs(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Gives the log-probabilities of the test images at every epoch, float32 (rows of history, n,
    4), from the arrays of predictions.npz.

    Earlier runs have float16 probabilities instead (`epochs`): in these 0 counts as the smallest
    positive number, 6e-8, so that no loss is over 16.6 nats.
    """
    if "log_epochs" in arrays:
        return arrays["log_epochs"].astype(np.float32)
    least = np.finfo(np.float16).smallest_subnormal
    return np.log(np.maximum(arrays["epochs"], least).astype(np.float32))


@dataclass
class Recorder:
    """The records of a run's epochs, one of which is selected; alike for both twins."""

    spec: RunSpec
    ids: list[str]  # those of the evaluated images, in the order of their log-probabilities
    labels: np.ndarray  # int64 (n,)
    selecting: int = 0  # so many images, the first, select the epoch, the rest test; 0: all do both
    rows: list[dict[str, float]] = field(default_factory=list)
    epochs: list[np.ndarray] = field(default_factory=list)  # log-probabilities float32 (n, 4)

    def epoch(
        self, phase: int, epoch: int, log_probabilities: np.ndarray, **figures: float
    ) -> None:
        """Adds one epoch; `log_probabilities` (n, 4) come from inference mode, after the epoch, and
        give eval_loss and eval_accuracy. `figures` are the other columns of HISTORY, all of them.
        Raises ValueError if the log-probabilities have another shape."""
        logp = np.asarray(log_probabilities, dtype=np.float32)
        if logp.shape != (len(self.labels), len(CLASSES)):
            raise ValueError(f"log-probabilities of shape {logp.shape}")
        smoothing = self.spec.recipe["label_smoothing"]
        part = slice(self.selecting or None)
        labels, judged = self.labels[part], logp[part]
        row = figures | {
            "phase": phase,
            "epoch": epoch,
            "eval_loss": data_loss(judged, labels, smoothing),
            "eval_accuracy": float(np.mean(judged.argmax(axis=1) == labels)),
        }
        self.rows.append({name: row[name] for name in HISTORY})
        self.epochs.append(logp)

    @property
    def selected(self) -> int:
        """The index of the selected epoch, which has the lowest eval_loss of the last phase; on a
        tie the earlier epoch is selected.

        Raises TrainingDiverged if no eval_loss of the last phase is finite.
        """
        last = max(row["phase"] for row in self.rows)
        losses = [r["eval_loss"] if r["phase"] == last else np.inf for r in self.rows]
        finite = np.where(np.isfinite(losses), losses, np.inf)
        if not np.isfinite(finite.min()):
            raise TrainingDiverged("no epoch has a finite loss on the part that selects it")
        return int(finite.argmin())

    def write(self, folder: Path, env: dict[str, Any], timings: dict[str, Any]) -> None:
        """Writes every file but activations.npz, log.txt and run.json into `folder`."""
        first = self.selecting
        probabilities = [np.exp(logp[first:]) for logp in self.epochs]
        wanted, last = milestones(self.spec), self.spec.phases[-1]["phase"]
        of_last = [p for row, p in zip(self.rows, probabilities, strict=True)
                   if row["phase"] == last]  # fmt: skip
        validation: dict[str, Any] = {
            "validation_ids": np.array(self.ids[:first]),
            "validation_labels": np.asarray(self.labels[:first], dtype=np.int64),
            "validation_log_epochs": half(np.stack(self.epochs)[:, :first]),
        }
        np.savez_compressed(
            folder / "predictions.npz",
            ids=np.array(self.ids[first:]),
            labels=np.asarray(self.labels[first:], dtype=np.int64),
            classes=np.array(CLASSES),
            selected=probabilities[self.selected],  # float32 (n, 4)
            last=probabilities[-1],
            selected_index=self.selected,  # the row of history.csv
            log_epochs=half(np.stack(self.epochs)[:, first:]),  # (rows of history, n, 4)
            milestone_epochs=np.array(list(wanted), dtype=np.int64),  # the paper's epochs
            milestones=np.array([of_last[e - 1] for e in wanted.values()], np.float32),
            **(validation if first else {}),  # where another part than the test part selects
        )
        with (folder / "history.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, HISTORY)
            writer.writeheader()
            writer.writerows(self.rows)
        write_common(folder, self.spec, env, timings)


def phase_timing(
    phase: dict[str, Any], recorder: Recorder, images: int, waited: float
) -> dict[str, Any]:
    """Gives the entry of timings.json for one finished phase.

    `images` is the number trained on per epoch, `waited` the seconds spent fetching batches.
    """
    rows = [r for r in recorder.rows if r["phase"] == phase["phase"]]
    seconds = sum(r["train_seconds"] for r in rows)
    return {
        "phase": phase["phase"],
        "epochs": phase["epochs"],
        "frozen": phase["frozen"],
        "train_seconds": seconds,
        "eval_seconds": sum(r["eval_seconds"] for r in rows),
        "images": images * phase["epochs"],
        "images_per_second": images * phase["epochs"] / seconds,
        "waiting_seconds": waited,
    }


def write_json(path: Path, content: dict[str, Any], add: bool = False) -> None:
    """Writes indented, sorted JSON; with `add`, the keys of the file that is there are kept too."""
    if add:
        content = json.loads(path.read_text(encoding="utf-8")) | content
    path.write_text(json.dumps(content, indent=1, sort_keys=True), encoding="utf-8")


def write_common(folder: Path, spec: RunSpec, env: dict[str, Any], timings: dict[str, Any]) -> None:
    """Writes spec.json, env.json (with the RESULTS_VERSION of this process) and timings.json."""
    (folder / "spec.json").write_text(spec.to_json(), encoding="utf-8")
    write_json(folder / "env.json", env | {"results_version": RESULTS_VERSION})
    write_json(folder / "timings.json", timings)
