"""Reads hyperparameters with their sources (each paper's recipe.toml) and profiles (profiles.toml).

The epoch counts and image sizes of shortened profiles stand in profiles.toml and are never called
the paper's.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from protocols.errors import TableError
from protocols.papers import papers, toml_rows
from protocols.papers.variants import load_variants
from protocols.spec import FIXED, IMPLIED, RunSpec

PROFILES = Path(__file__).with_name("profiles.toml")
# The values of a recipe that a profile replaces, and the profile's own names for them
OF_PROFILE = {
    "phase1_epochs": "phase1_epochs",
    "phase2_epochs": "phase2_epochs",
    "epochs": "cv_epochs",
    "images_per_class": "cv_per_class",
    "grey_pooling": "grey_pooling",
}
# The words that the code knows for a value of which it has more than one form
WORDS = {
    "phase1_optimizer": ("rmsprop", "adam"),
    "phase2_optimizer": ("rmsprop", "adam"),
    "optimizer": ("adam",),  # a recipe of one phase has no numbers of RMSProp
    "frozen_batch_norm": ("inference", "batch"),
    "cnn_trained": ("frozen with ImageNet weights, trained from random ones", "trained"),
    "recurrent_activation": ("sigmoid", "hard_sigmoid"),
    "resnet50_stem_pooling": ("padded", "unpadded"),
}


@dataclass(frozen=True)
class Value:
    """One hyperparameter: its value, whether the paper states or we assume it, and the reason."""

    value: Any
    source: str  # "paper" or "assumed"
    reason: str
    name: str = ""  # for people, where the key with spaces doesn't tell enough
    reading: bool = False  # only told: the code has one form of it, and no run's recipe names it
    settable: bool = False  # a number that both twins read from the recipe: --set takes it


@dataclass(frozen=True)
class Profile:
    """The numbers in which one profile differs from another. Sizes are in pixels."""

    name: str
    about: str
    height: int
    width: int
    train_per_class: int  # 0 means all
    test_per_class: int
    phase1_epochs: int
    phase2_epochs: int
    cv_per_class: int
    cv_grouped_train_per_class: int
    cv_folds_run: int
    cv_epochs: int
    grey_pooling: int  # the side in pixels of the squares whose means make an LSTM's rows
    with_control: bool  # a request that names no suite runs the suites beside the papers' too
    seeds: tuple[int, ...]
    weights: str  # as --weights takes them
    phantom_allowed: bool
    latency_repeats: int
    latency_warmup: int
    latency_engines: str  # "all": all are measured, the fastest counts; "default": the usual one
    cold_repeats: int  # how many processes are started for the cold latency
    of_suite: dict[str, dict[str, int]] = field(default_factory=dict)  # its own numbers

    def number(self, name: str, suite: str) -> Any:
        """Gives the value of a field, as the networks of a suite have it."""
        return self.of_suite.get(suite, {}).get(name, getattr(self, name))

    def of_images(self, protocol: str) -> dict[str, int]:
        """Gives what a run under the protocol says of its images: their size in pixels, and how
        many of a class there are (0: all)."""
        size = {"height": self.height, "width": self.width}
        if protocol in FIXED:
            counts = ("train_per_class", "test_per_class")
            return size | {name: getattr(self, name) for name in counts}
        grouped = protocol == "cv10-grouped"
        wanted = self.cv_grouped_train_per_class if grouped else self.cv_per_class
        return size | {"per_class": wanted}


def load_recipe(paper: str) -> dict[str, Value]:
    """Gives the recipe of the paper with the key `paper`. Raises TableError on a wrong entry."""
    path = papers.folders()[paper] / "recipe.toml"
    place = toml_rows.place(path)
    recipe = {
        key: toml_rows.record(f"{place} {key}", Value, v) for key, v in toml_rows.raw(path).items()
    }
    for key, entry in recipe.items():
        if entry.source not in ("paper", "assumed") or not entry.reason:
            raise TableError(f"{place} {key}: source or reason is missing")
        if entry.reading and (entry.source != "assumed" or key in {*IMPLIED, *WORDS}):
            raise TableError(f"{place} {key}: a reading is assumed, and has one form only")
        if entry.settable and (entry.reading or key in WORDS or isinstance(entry.value, str)):
            raise TableError(f"{place} {key}: --set takes numbers, and words by themselves")
        if key in WORDS and entry.value not in WORDS[key]:
            raise TableError(f"{place} {key}: {entry.value!r} is none of {', '.join(WORDS[key])}")
    return recipe


def others(key: str, entry: Value) -> tuple[str, ...]:
    """Gives the other words that may be tried in place of an assumed value."""
    words = WORDS.get(key, ()) if entry.source == "assumed" else ()
    return tuple(word for word in words if word != entry.value)


def values(paper: str) -> dict[str, Any]:
    """Gives the values that a run's recipe names, without readings, and with lists as JSON has
    them."""
    return {
        key: list(entry.value) if isinstance(entry.value, tuple) else entry.value
        for key, entry in load_recipe(paper).items()
        if not entry.reading
    }


def load_profiles() -> dict[str, Profile]:
    """Gives all profiles by name. Raises TableError where a suite has a number of its own that is
    none of OF_PROFILE."""
    found = toml_rows.rows(PROFILES, Profile, "name")
    for profile in found.values():
        own = {key for numbers in profile.of_suite.values() for key in numbers}
        if unknown := own - set(OF_PROFILE.values()) | profile.of_suite.keys() - papers.folders():
            place = toml_rows.place(PROFILES)
            raise TableError(f"{place} [{profile.name}.of_suite]: unknown {sorted(unknown)}")
    return found


def fold_count() -> int:
    """Gives the number of parts into which cross-validation divides the images, for every network:
    the number in the recipe of the first paper that states one."""
    recipes = map(load_recipe, papers.load_papers())
    return next(recipe["folds"].value for recipe in recipes if "folds" in recipe)


def milestones(spec: RunSpec) -> dict[int, int]:
    """Gives, for each epoch for which the paper prints numbers, the epoch of this run's last phase
    at the same fraction of the schedule.

    The table is empty where the paper prints no such numbers. In profile `paper` both epochs are
    equal; in a shorter profile the run's epoch is rounded up.
    """
    published = papers.load_papers()[load_variants()[spec.variant].paper].milestones
    return {e: -(-e * spec.phases[-1]["epochs"] // published[-1]) for e in published}
