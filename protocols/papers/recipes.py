"""Hyperparameters with their sources (recipes.toml) and the profiles (profiles.toml)."""

from dataclasses import dataclass
from typing import Any

from protocols.errors import TableError
from protocols.papers import toml_rows
from protocols.spec import IMPLIED, RunSpec

# The words that the code knows, where it has more than one form of a value
WORDS = {
    "phase1_optimizer": ("rmsprop", "adam"),
    "phase2_optimizer": ("rmsprop", "adam"),
    "optimizer": ("adam",),  # RMSProp's numbers are Liang's
    "frozen_batch_norm": ("inference", "batch"),
    "cnn_trained": ("frozen with ImageNet weights, trained from random ones", "trained"),
    "recurrent_activation": ("sigmoid", "hard_sigmoid"),
    "resnet50_stem_pooling": ("padded", "unpadded"),
}


@dataclass(frozen=True)
class Value:
    """One hyperparameter: what it is, whether the paper states it, and why."""

    value: Any
    source: str  # "paper" or "assumed"
    reason: str
    reading: bool = False  # told only: the code has it in one form, and no run's recipe names it


@dataclass(frozen=True)
class Profile:
    """The numbers in which one profile differs from another. Sizes in pixels."""

    name: str
    about: str
    height: int
    width: int
    train_per_class: int  # 0: all
    test_per_class: int
    phase1_epochs: int
    phase2_epochs: int
    cv_per_class: int
    cv_grouped_train_per_class: int
    cv_folds_run: int
    cv_epochs: int
    grey_pooling: int  # means of so many pixels square make the rows that an LSTM reads
    suites: tuple[str, ...]  # whose variants it is for; empty: all
    seeds: tuple[int, ...]
    weights: str
    phantom_allowed: bool
    latency_repeats: int
    latency_warmup: int
    latency_engines: str  # "all": measured, the fastest quoted; "default": each twin's usual one
    cold_repeats: int  # processes started for the cold latency


def load_recipe(paper: str) -> dict[str, Value]:
    """The recipe of `paper` ("liang" or "jane"). Raises TableError on a wrong entry."""
    table = toml_rows.raw(toml_rows.FOLDER / "recipes.toml")[paper]
    recipe = {
        key: toml_rows.record(f"recipes.toml [{paper}] {key}", Value, v) for key, v in table.items()
    }
    for key, entry in recipe.items():
        if entry.source not in ("paper", "assumed") or not entry.reason:
            raise TableError(f"recipes.toml [{paper}] {key}: source or reason is missing")
        if entry.reading and (entry.source != "assumed" or key in {*IMPLIED, *WORDS}):
            raise TableError(
                f"recipes.toml [{paper}] {key}: a reading is assumed, and has one form only"
            )
        if key in WORDS and entry.value not in WORDS[key]:
            raise TableError(
                f"recipes.toml [{paper}] {key}: {entry.value!r} is none of {', '.join(WORDS[key])}"
            )
    return recipe


def others(key: str, entry: Value) -> tuple[str, ...]:
    """The other words that may be tried for an assumed value."""
    words = WORDS.get(key, ()) if entry.source == "assumed" else ()
    return tuple(word for word in words if word != entry.value)


def values(paper: str) -> dict[str, Any]:
    """What a run's recipe names, readings left out; lists as JSON has them."""
    return {
        key: list(entry.value) if isinstance(entry.value, tuple) else entry.value
        for key, entry in load_recipe(paper).items()
        if not entry.reading
    }


def load_profiles() -> dict[str, Profile]:
    """All profiles by name."""
    return toml_rows.rows(toml_rows.FOLDER / "profiles.toml", Profile, "name")


TABLE3_EPOCHS = (100, 200, 300, 400, 500)  # Jane, Table III


def milestones(spec: RunSpec) -> dict[int, int]:
    """Table III's epoch -> the epoch of this run at the same fraction of the schedule.

    Empty for Liang. At `paper` both are equal; below it the fraction is rounded up.
    """
    if "epochs" not in spec.recipe:
        return {}
    return {e: -(-e * spec.recipe["epochs"] // TABLE3_EPOCHS[-1]) for e in TABLE3_EPOCHS}
