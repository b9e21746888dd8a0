"""RunSpec: everything that decides what a run computes, and nothing else."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from protocols.boundary import Content, decoded
from protocols.spec_schema import Spec

CONTRACT_VERSION = 1
# Raised in the commit that changes what any run computes: runs of another version are stale. Golden
# short runs of every network (tests/test_results_version.py) turn red where that is forgotten.
RESULTS_VERSION = 1
PROTOCOLS = ("fixed", "fixed-grouped", "cv10", "cv10-grouped")
FIXED = ("fixed", "fixed-grouped")  # those that divide the public set's own images
FRAMEWORKS = ("keras", "torch")


@dataclass(frozen=True)
class RunSpec:
    """One run: complete, JSON, content-named. No path, no clock, no number of jobs."""

    stage: str  # "train", or "latency" (timing only; a freshly made network)
    framework: str  # "keras" or "torch"
    backend: str  # "tensorflow", "jax" or "torch"
    variant: str
    protocol: str
    fold: int | None  # None for FIXED
    seed: int
    profile: str
    recipe: dict[str, Any]  # resolved hyperparameters, epochs of the profile in place
    data: dict[str, Any]  # kind, digest, height, width, counts a class, n_folds
    weights: dict[str, Any]  # source, digest
    init: str  # "own": each twin draws its own random weights
    device: str  # "cpu", or the GPU's name
    precision: str
    threads: int  # CPU threads
    deterministic: bool
    contract: int = CONTRACT_VERSION

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "RunSpec":
        """Reads `to_json`. Raises Damaged, a ValueError, for what isn't in `spec_schema.Spec`."""
        data = text.encode("utf-8", "surrogatepass")
        decoded(data, Spec, "the specification")
        return cls(**decoded(data, Content, "the specification"))

    @cached_property
    def id(self) -> str:
        """A readable prefix and the SHA-256 of the canonical spec."""
        fold = "" if self.fold is None else f"-fold{self.fold}"
        latency = "-latency" if self.stage == "latency" else ""
        digest = hashlib.sha256(self.to_json().encode()).hexdigest()[:12]
        return (
            f"{self.framework}-{self.variant}-{self.protocol}{fold}"
            f"-s{self.seed}-{self.profile}{latency}-{digest}"
        )

    @property
    def phases(self) -> list[dict[str, Any]]:
        """The training phases in order: number, epochs, optimiser, rate, whether CNNs are frozen.

        Liang (III.D): frozen, then thawed. Jane: one phase; frozen only with ImageNet weights.
        """
        r = self.recipe
        if "phase1_epochs" in r:
            return [
                {
                    "phase": phase,
                    "epochs": r[f"phase{phase}_epochs"],
                    "optimizer": r[f"phase{phase}_optimizer"],
                    "rate": r[f"phase{phase}_rate"],
                    "frozen": phase == 1,
                }
                for phase in (1, 2)
            ]
        return [
            {
                "phase": 1,
                "epochs": r["epochs"],
                "optimizer": r["optimizer"],
                "rate": r["rate"],
                "frozen": self.weights["source"] != "random",
            }
        ]
