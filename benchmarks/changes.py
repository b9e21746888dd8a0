"""--set key=value: sensitivity runs, which change one assumed value of a recipe."""

from typing import Any

from benchmarks import ranges
from protocols.errors import RequestError
from protocols.recipes import load_recipe
from protocols.variants import Variant

# Numbers that both twins read from the run's recipe; the other assumed values are readings that
# the code has in one form only.
SETTABLE = {
    "liang": (
        "batch_size", "label_smoothing", "phase1_rate", "rmsprop_rho", "adam_beta1", "adam_beta2",
        "epsilon", "calibration_images", "grey_pooling", "lstm_units", "projection_units",
    ),
    "jane": ("adam_beta1", "adam_beta2", "epsilon", "l2", "map_channels"),
}  # fmt: skip


def read(texts: list[str], variants: list[Variant]) -> dict[str, Any]:
    """The changed values. Raises RequestError unless every variant has each as an assumed one."""
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or key in found:
            raise RequestError(f"--set takes key=value, each key once, not {ranges.short(text)}")
        for paper in sorted({v.paper for v in variants}):
            found[key] = _value(paper, key, value)
    _sizes(found, variants)
    return found


def _value(paper: str, key: str, text: str) -> int | float:
    recipe = load_recipe(paper)
    if key not in SETTABLE[paper]:
        known = ", ".join(SETTABLE[paper])
        raise RequestError(
            f"{ranges.short(key)} can't be set for the networks of {paper}: --set takes {known}; "
            "--suite and --variant choose whose networks run"
        )
    read = ranges.whole if isinstance(recipe[key].value, int) else ranges.number
    try:
        return read(text, *ranges.SET[key])
    except RequestError as error:
        raise RequestError(f"--set {key}= {error}") from None


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
