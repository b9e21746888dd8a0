"""Defines RunSpec, which holds everything that decides what a run computes, and nothing else."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from protocols.boundary import Content, decoded
from protocols.spec_schema import Spec

CONTRACT_VERSION = 1
# This number is raised in the commit that changes what any run computes: runs of another version
# are stale. The golden short runs of every network (tests/golden) fail where that is forgotten.
RESULTS_VERSION = 1
PROTOCOLS = ("fixed", "fixed-grouped", "cv10", "cv10-grouped")
FIXED = ("fixed", "fixed-grouped")  # the protocols that divide the images of the public set
FRAMEWORKS = ("keras", "torch")
# The values that every run had before recipes named them. A run with these values keeps the id that
# it had then: the values stand in its recipe, not in its JSON. Never change one for any recipe.
IMPLIED = {
    "recurrent_activation": "sigmoid",
    "resnet50_epsilon": 1.001e-5,
    "resnet50_stem_pooling": "padded",
}


def schedule(recipe: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Gives the `epochs`, `optimizer` and `rate` of each training phase of a recipe, in order."""
    prefixes = [prefix for prefix in ("phase1_", "phase2_") if f"{prefix}epochs" in recipe] or [""]
    return [{key: recipe[p + key] for key in ("epochs", "optimizer", "rate")} for p in prefixes]


@dataclass(frozen=True)
class RunSpec:
    """The complete specification of one run, which JSON can hold and whose content gives the run's
    id. It has no path, no clock and no number of jobs."""

    stage: str  # "train", or "latency" (timing only; a freshly made network)
    framework: str  # "keras" or "torch"
    backend: str  # "tensorflow", "jax" or "torch"
    variant: str
    protocol: str
    fold: int | None  # None for FIXED
    seed: int
    profile: str
    recipe: dict[str, Any]  # resolved hyperparameters, epochs of the profile in place
    data: dict[str, Any]  # kind, digest, height, width, counts per class, n_folds
    weights: dict[str, Any]  # source, digest
    init: str  # "own": each twin draws its own random weights
    device: str  # "cpu", or the GPU's name
    precision: str
    threads: int  # CPU threads
    deterministic: bool
    contract: int = CONTRACT_VERSION

    def __post_init__(self) -> None:
        """Completes the recipe of a run that was recorded before a value had a name."""
        object.__setattr__(self, "recipe", IMPLIED | self.recipe)

    def to_dict(self) -> dict[str, Any]:
        """Gives the fields as they are written to JSON: the recipe without implied values."""
        implied = IMPLIED.items()
        recipe = {k: v for k, v in self.recipe.items() if (k, v) not in implied}
        return dataclasses.asdict(self) | {"recipe": recipe}

    def to_json(self) -> str:
        """Gives the canonical JSON of `to_dict`: with sorted keys and without spaces."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "RunSpec":
        """Reads what `to_json` gave. Raises Damaged, a ValueError, if `text` doesn't fit
        `spec_schema.Spec`."""
        data = text.encode("utf-8", "surrogatepass")
        decoded(data, Spec, "the specification")
        return cls(**decoded(data, Content, "the specification"))

    @cached_property
    def id(self) -> str:
        """The run's name: a readable prefix, and 12 hex digits of the canonical JSON's SHA-256."""
        fold = "" if self.fold is None else f"-fold{self.fold}"
        latency = "-latency" if self.stage == "latency" else ""
        digest = hashlib.sha256(self.to_json().encode()).hexdigest()[:12]
        return (
            f"{self.framework}-{self.variant}-{self.protocol}{fold}"
            f"-s{self.seed}-{self.profile}{latency}-{digest}"
        )

    @property
    def phases(self) -> list[dict[str, Any]]:
        """The training phases in order. Each has its number, epochs, optimiser and rate, and says
        whether the CNNs are `frozen`; whether the CNNs normalise by the batch's own statistics in
        training (`batch_statistics`); and whether the CNNs' features are constants, which are
        `stored` for the heads to train on.

        By a recipe of two phases the CNNs are frozen, then thawed; by a recipe of a single phase
        they are frozen only with ImageNet weights, unless the recipe says that the CNN trains.
        """
        first, *later = schedule(self.recipe)
        loaded = self.weights["source"] != "random"
        frozen = bool(later) or (loaded and self.recipe.get("cnn_trained") != "trained")
        rest = [self._phase(number, words, False) for number, words in enumerate(later, 2)]
        return [self._phase(1, first, frozen), *rest]

    def _phase(self, number: int, words: dict[str, Any], frozen: bool) -> dict[str, Any]:
        by_batch = not frozen or self.recipe.get("frozen_batch_norm") == "batch"
        return {
            "phase": number,
            **words,
            "frozen": frozen,
            "batch_statistics": by_batch,
            "stored": frozen and not by_batch,
        }

    @property
    def calibrated(self) -> bool:
        """Whether the CNNs' moving statistics are set before training: those of random CNNs that
        begin frozen are."""
        return self.weights["source"] == "random" and self.phases[0]["frozen"]

    @property
    def stores_features(self) -> bool:
        """Whether a phase of training runs on stored features."""
        return self.stage == "train" and any(phase["stored"] for phase in self.phases)

    @property
    def heads_only(self) -> bool:
        """Whether in all phases only the heads are trained, on stored features."""
        return all(phase["stored"] for phase in self.phases)
