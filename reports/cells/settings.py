"""Says which runs may stand in one table, by all that makes two runs different experiments."""

import hashlib
import json
import re
from dataclasses import dataclass, replace
from functools import cache

from protocols.papers.recipes import OF_PROFILE, load_profiles, load_recipe
from protocols.papers.variants import load_variants
from protocols.spec import RunSpec

SHORTENED = OF_PROFILE | {"folds": "cv_folds_run"}
LONGEST = 100  # the most characters that a setting takes in the name of a file
DEPARTURES = {  # what differs, by the recipe's key: the run's own value, and the published one
    "phase1_epochs": "{} epochs of phase 1, not {}",
    "phase2_epochs": "{} epochs of phase 2, not {}",
    "epochs": "{} epochs, not {}",
    "images_per_class": "{} images a class, not {}",
    "grey_pooling": "rows of means of {0} × {0} pixels",
}
WEIGHTS = dict.fromkeys(("imagenet", "at-hand"), "ImageNet")  # a source's name on the pages
_PATH = re.compile(
    r"(?<![\w.:/~])(?:~|[A-Za-z]:[\\/]|/)[^\s'\":,;()\[\]<>]*[\\/]([^\s'\":,;()\[\]<>/\\]*)"
)


@dataclass(frozen=True)
class Setting:
    """What all runs of a table share, but for the protocol. `extra` says what else is unusual."""

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
        """The setting in words, for captions."""
        words = (
            f"profile {self.profile}",
            "phantom images (drawn)" if self.data == "phantom" else f"{self.data} images",
            f"{WEIGHTS.get(self.weights, self.weights)} weights",
            f"device {self.device}",
            self.precision,
            self.extra,
            "" if self.planned else "not among the planned runs",
        )
        return ", ".join(filter(None, words))

    @property
    def sentence(self) -> str:
        """The setting in words, with which a sentence begins."""
        return self.title[:1].upper() + self.title[1:]

    @property
    def slug(self) -> str:
        """The setting as a unique part of anchors and of file names. It stays the same when the
        runs leave the current request, unless the request has other runs of the same setting."""
        words = (self.profile, self.data, self.weights, self.device, self.precision, self.extra)
        text = "-".join(w for w in words if w) + ("-beside" if self.shadowed else "")
        found = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
        if len(found) <= LONGEST and text.isascii():
            return found
        return f"{found[:LONGEST]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}".strip("-")

    @property
    def as_published(self) -> bool:
        """Whether no value was changed, so that the runs may stand beside the papers' tables."""
        return not self.extra or self.extra.startswith("further set")

    @property
    def whole(self) -> bool:
        """Whether the profile is one of today's, and trains and tests on all images."""
        profile = load_profiles().get(self.profile)
        return profile is not None and not profile.train_per_class and not profile.test_per_class

    @property
    def measures(self) -> bool:
        """Whether these runs measure anything: on all of the real images, or by a profile that is
        unknown today. Others test the machinery alone."""
        return self.data == "real" and (self.whole or self.profile not in load_profiles())

    @property
    def comparable(self) -> bool:
        """Whether a number of these runs may stand beside a printed one: as published but for the
        precision, the image size and the schedule, on all of the real images."""
        right = (self.data, self.weights) == ("real", "imagenet")
        return self.whole and right and self.as_published

    @property
    def objections(self) -> list[str]:
        """The reasons why these runs may judge no claim; empty if they may."""
        found = {  # each, and whether it holds
            f"profile {self.profile}, not paper": self.profile != "paper",
            f"{self.data} images, not the real ones": self.data != "real",
            f"{self.weights} weights, not ImageNet's": self.weights != "imagenet",
            f"{self.precision}, not float32": self.precision != "float32",
            f"not as published: {self.extra}": not self.as_published,
        }
        return [reason for reason, holds in found.items() if holds]


def scrub(text: str) -> str:
    """Returns `text` with the folders of absolute paths left out: no page names them."""
    return _PATH.sub(r"…/\1", text)


def departures(spec: RunSpec) -> list[str]:
    """Tells, in words, in what a comparable run differs from the published protocol."""
    published, variant = load_profiles()["paper"], load_variants()[spec.variant]
    height, width = spec.data["height"], spec.data["width"]
    found = []
    if (height, width) != (published.height, published.width):
        size = f"{published.width} × {published.height}"
        found.append(f"images of {width} × {height} pixels, not {size}")
    for key, entry in load_recipe(variant.paper).items():
        unread = key == "grey_pooling" and variant.sequence != "rows"
        value = spec.recipe.get(key, entry.value)  # a specification may leave it out
        if key in DEPARTURES and value != entry.value and not unread:
            found.append(DEPARTURES[key].format(value, entry.value))
    if spec.precision != "float32":
        found.append(f"arithmetic in {spec.precision}, not float32")
    return found


@cache
def _published(paper: str, suite: str, profile: str) -> dict[str, tuple[str, ...]]:
    """Gives by recipe key the values, as JSON, that count as unchanged under the profile."""
    numbers = load_profiles().get(profile)
    allowed = {}
    for key, entry in load_recipe(paper).items():
        values = [entry.value]
        if key in SHORTENED and numbers:
            values.append(numbers.number(SHORTENED[key], suite))
            # all runs of a setting have the same schedule, and rows of the same length
            if key.endswith("epochs") or key == "grey_pooling":
                values = values[1:]
        allowed[key] = tuple(json.dumps(v) for v in values)
    return allowed


def changed(spec: RunSpec) -> dict[str, object]:
    """Returns the hyperparameters of a run that are neither the recipe's nor the profile's."""
    variant = load_variants()[spec.variant]
    allowed = _published(variant.paper, variant.suite, spec.profile)
    return {
        key: value
        for key, value in sorted(spec.recipe.items())
        if key in allowed and json.dumps(value) not in allowed[key]
    }


def _in_words(values: dict[str, object]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in values.items())


def _other_images(spec: RunSpec) -> dict[str, object]:
    """Returns what a run says of its images that isn't as its profile has it today: a profile of
    this name may have had another size, or other counts, where the run was made."""
    profile = load_profiles().get(spec.profile)
    usual = profile.of_images(spec.protocol) if profile else {}
    return {key: spec.data.get(key) for key, value in usual.items() if spec.data.get(key) != value}


def extra_of(spec: RunSpec) -> str:
    """Says in words what sets the run apart from one with every value as published, or gives ""."""
    init = f"initialisation {spec.init}" if spec.init != "own" else ""
    words = (_in_words(changed(spec)), _in_words(_other_images(spec)), init)
    return ", ".join(filter(None, words))


def unchanged(setting: Setting, spec: RunSpec) -> Setting:
    """Returns the planned setting of the same runs with no value changed. `spec` is one of the
    runs of `setting`; what else is unusual, as another initialisation, stays."""
    rest = setting.extra.removeprefix(_in_words(changed(spec))).removeprefix(", ")
    return replace(setting, planned=True, extra=rest, shadowed=False)


def setting_of(spec: RunSpec, planned: bool, edition: int = 0) -> Setting:
    """Returns the setting of a run. An `edition` from 1 on sets the run apart as one of a further
    set of runs, which are otherwise of the same setting."""
    words = filter(None, (extra_of(spec), f"further set {edition + 1}" if edition else ""))
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
    """Returns, as JSON, all that no table names and that may still differ between two runs: runs
    that differ in it are kept in cells apart."""
    grouped = spec.protocol == "cv10-grouped"  # there each fold has its own set of images
    data = {key: value for key, value in spec.data.items() if not (grouped and key == "digest")}
    rest = [data, spec.weights, spec.backend, spec.threads, spec.deterministic, spec.contract]
    if spec.stage == "latency":  # a cell has one such run, whatever its protocol and seed
        rest += [spec.protocol, spec.seed]
    return json.dumps(rest, sort_keys=True)


def folds_needed(spec: RunSpec) -> int:
    """Returns how many folds make a whole cross-validation under the run's profile; 1 where the
    protocol has no folds."""
    if spec.fold is None:
        return 1
    profile = load_profiles().get(spec.profile)
    return profile.cv_folds_run if profile else int(spec.data.get("n_folds", 10))
