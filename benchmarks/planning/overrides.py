"""--set key=value: sensitivity runs, which change one assumed value of a recipe."""

from typing import Any

from benchmarks.planning import ranges
from protocols.errors import RequestError
from protocols.papers.recipes import WORDS, load_recipe, others
from protocols.papers.variants import Variant

# Numbers that both twins read from the run's recipe. Words are settable where the code knows others
# (protocols.papers.recipes.WORDS); all else that is assumed the code has in one form only.
SETTABLE = {
    "liang": (
        "batch_size", "label_smoothing", "phase1_rate", "rmsprop_rho", "adam_beta1", "adam_beta2",
        "epsilon", "calibration_images", "grey_pooling", "lstm_units", "projection_units",
        "dropout", "l2", "resnet50_epsilon",
    ),
    "jane": ("adam_beta1", "adam_beta2", "epsilon", "l2", "map_channels"),
}  # fmt: skip


def _has_rows(variant: Variant) -> bool:
    return variant.sequence == "rows"


def _has_resnet50(variant: Variant) -> bool:
    return "resnet50" in variant.backbones


# Which networks read a value, where not all do
READ_BY = {
    "grey_pooling": _has_rows,
    "lstm_units": _has_rows,
    "recurrent_activation": lambda variant: variant.cell != "none",
    "resnet50_epsilon": _has_resnet50,
    "resnet50_stem_pooling": _has_resnet50,
}


def settable(paper: str) -> list[str]:
    """The values that --set takes for the networks of a paper: numbers, then words."""
    words = [key for key, entry in load_recipe(paper).items() if others(key, entry)]
    return [*SETTABLE[paper], *words]


def read(texts: list[str], variants: list[Variant]) -> dict[str, Any]:
    """The changed values. Raises RequestError unless every variant has each as an assumed one."""
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or key in found:
            raise RequestError(f"--set takes key=value, each key once, not {ranges.short(text)}")
        for paper in sorted({v.paper for v in variants}):
            found[key] = _value(paper, key, value)
        if key in READ_BY and not any(map(READ_BY[key], variants)):
            names = ", ".join(v.name for v in variants)
            raise RequestError(f"{key} changes nothing in {names}, without a part that reads it")
    _sizes(found, variants)
    return found


def of(variant: Variant, found: dict[str, Any]) -> dict[str, Any]:
    """The changed values that this network reads; without one it is run as published."""
    return {k: value for k, value in found.items() if k not in READ_BY or READ_BY[k](variant)}


def _value(paper: str, key: str, text: str) -> int | float | str:
    recipe = load_recipe(paper)
    if key not in settable(paper):
        known = ", ".join(settable(paper))
        raise RequestError(
            f"{ranges.short(key)} can't be set for the networks of {paper}: --set takes {known}; "
            "--suite and --variant choose whose networks run"
        )
    if others(key, recipe[key]):
        return _word(key, text)
    try:
        if key in ranges.WHOLE:
            return ranges.whole(text, *ranges.WHOLE[key])
        return ranges.number(text, *ranges.REAL[key])
    except RequestError as error:
        raise RequestError(f"--set {key}= {error}") from None


def _word(key: str, text: str) -> str:
    """One of the words that the code knows for a value."""
    known = [word for word in WORDS[key] if " " not in word]  # a sentence is the default's
    if text not in known:
        raise RequestError(f"--set {key}= takes {' or '.join(known)}, not {ranges.short(text)}")
    return text


def _sizes(changes: dict[str, Any], variants: list[Variant]) -> None:
    """What two values must be to each other: the element-wise product needs equal sizes on both
    sides, and whole batches calibrate a random backbone."""
    recipe = {k: v.value for k, v in load_recipe("liang").items()} | changes
    if recipe["calibration_images"] < recipe["batch_size"]:
        raise RequestError(
            "calibration_images must be no less than batch_size (whole batches calibrate a random "
            "backbone); give --set for both"
        )
    rows = any(v.sequence == "rows" for v in variants)
    if rows and recipe["projection_units"] != 2 * recipe["lstm_units"]:
        raise RequestError(
            "projection_units must be twice lstm_units where an LSTM reads the rows (the product "
            "of the two branches); give --set for both"
        )
