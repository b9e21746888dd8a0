"""Which runs may stand in one table: everything that makes two runs different experiments."""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache

from protocols.papers.recipes import OF_PROFILE, load_profiles, load_recipe
from protocols.papers.variants import load_variants
from protocols.spec import RunSpec

SHORTENED = OF_PROFILE | {"folds": "cv_folds_run"}
LONGEST = 100  # characters of a setting in the name of a file
WEIGHTS = {"imagenet": "ImageNet"}  # as written on the pages
_PATH = re.compile(
    r"(?<![\w.:/~])(?:~|[A-Za-z]:[\\/]|/)[^\s'\":,;()\[\]<>]*[\\/]([^\s'\":,;()\[\]<>/\\]*)"
)


@dataclass(frozen=True)
class Setting:
    """What all runs of a table share, but for the protocol. `extra`: what else is unusual."""

    profile: str
    data: str  # "real" or "phantom"
    weights: str
    device: str
    precision: str
    planned: bool
    extra: str = ""
    shadowed: bool = False  # the current request has the same setting

    @property
    def title(self) -> str:
        """All of it in words, for captions."""
        words = [
            f"profile {self.profile}",
            "phantom images (drawn)" if self.data == "phantom" else f"{self.data} images",
            f"{WEIGHTS.get(self.weights, self.weights)} weights",
            f"device {self.device}",
            self.precision,
        ]
        words += [self.extra] if self.extra else []
        return ", ".join(words + ([] if self.planned else ["outside the current request"]))

    @property
    def slug(self) -> str:
        """A part of anchors and of file names, unique for the setting. It stays what it is when the
        runs leave the current request, unless that has runs of the same setting."""
        words = (self.profile, self.data, self.weights, self.device, self.precision, self.extra)
        text = "-".join(w for w in words if w) + ("-beside" if self.shadowed else "")
        found = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
        if len(found) <= LONGEST and text.isascii():
            return found
        return f"{found[:LONGEST]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}".strip("-")

    @property
    def as_published(self) -> bool:
        """Whether no value was changed, so that it may stand beside the papers' tables."""
        return not self.extra or self.extra.startswith("further set")

    @property
    def objections(self) -> list[str]:
        """Why no claim may be judged from these runs; empty if it may."""
        found = []
        if self.profile != "paper":
            found.append(f"profile {self.profile}, not paper")
        if self.data != "real":
            found.append(f"{self.data} images, not the real ones")
        if self.weights != "imagenet":
            found.append(f"{self.weights} weights, not ImageNet's")
        if self.precision != "float32":
            found.append(f"{self.precision}, not float32")
        if not self.as_published:
            found.append(f"not as published: {self.extra}")
        return found


def scrub(text: str) -> str:
    """`text` with the folders of absolute paths left out: no page names a machine's folders."""
    return _PATH.sub(r"…/\1", text)


@cache
def _published(paper: str, profile: str) -> dict[str, tuple[str, ...]]:
    """Each recipe key -> the values, as JSON, that count as unchanged under the profile."""
    numbers = load_profiles().get(profile)
    allowed = {}
    for key, entry in load_recipe(paper).items():
        values = [entry.value]
        if key in SHORTENED and numbers:
            values.append(getattr(numbers, SHORTENED[key]))
            # runs of a setting all have the same schedule, and rows of the same length
            if key.endswith("epochs") or key == "grey_pooling":
                values = values[1:]
        allowed[key] = tuple(json.dumps(v) for v in values)
    return allowed


def changed(spec: RunSpec) -> dict[str, object]:
    """The hyperparameters of a run that are neither the recipe's nor its profile's."""
    allowed = _published(load_variants()[spec.variant].paper, spec.profile)
    return {
        key: value
        for key, value in sorted(spec.recipe.items())
        if key in allowed and json.dumps(value) not in allowed[key]
    }


def extra_of(spec: RunSpec) -> str:
    """In words, what sets the run apart from an as-published one of the same setting."""
    words = [f"{key} = {value}" for key, value in changed(spec).items()]
    if spec.init != "own":
        words.append(f"initialisation {spec.init}")
    return ", ".join(words)


def setting_of(spec: RunSpec, planned: bool, edition: int = 0) -> Setting:
    """The setting of a run. `edition`: from 1 on, a further set of runs of the same setting."""
    words = [extra_of(spec)] if extra_of(spec) else []
    if edition:
        words.append(f"further set {edition + 1}")
    return Setting(
        spec.profile,
        str(spec.data["kind"]),
        scrub(str(spec.weights["source"])),
        spec.device,
        spec.precision,
        planned,
        ", ".join(words),
    )


def signature(spec: RunSpec) -> str:
    """All that no table names and that may still differ: never mixed within one cell."""
    data = None if spec.protocol == "cv10-grouped" else spec.data  # there, one set a fold
    rest = [data, spec.weights, spec.backend, spec.threads, spec.deterministic, spec.contract]
    if spec.stage == "latency":  # one run a cell, whatever its protocol and seed
        rest += [spec.protocol, spec.seed]
    return json.dumps(rest, sort_keys=True)


def folds_needed(spec: RunSpec) -> int:
    """How many folds make a whole cross-validation under the run's profile; 1 for `fixed`."""
    if spec.fold is None:
        return 1
    profile = load_profiles().get(spec.profile)
    return profile.cv_folds_run if profile else int(spec.data.get("n_folds", 10))
