"""Reads --set key=value: a sensitivity run changes a value of a recipe."""

import math
from typing import Any

from benchmarks.planning import ranges
from protocols.errors import RequestError
from protocols.papers.backbones import load_backbones
from protocols.papers.recipes import WORDS, load_recipe, others, values
from protocols.papers.variants import Variant


def reads(variant: Variant, key: str) -> bool:
    """Returns whether a network reads this value of its recipe."""
    if key in ("grey_pooling", "lstm_units"):
        return variant.sequence == "rows"
    if key == "recurrent_activation":
        return variant.cell != "none"
    cnns = load_backbones()
    of = [name for name, backbone in cnns.items() if key in backbone.options]
    return not of or any(name in variant.backbones for name in of)


def settable(paper: str) -> list[str]:
    """Returns the values that --set takes for the networks of a paper: first numbers, then words
    where the code knows others (protocols.papers.recipes.WORDS). Most of these are assumed; a few
    rates and lengths are the paper's own. Every other value has one form only in the code."""
    recipe = load_recipe(paper)
    numbers = [key for key, entry in recipe.items() if entry.settable]
    return numbers + [key for key, entry in recipe.items() if others(key, entry)]


def read(texts: list[str], variants: list[Variant]) -> dict[str, Any]:
    """Returns the changed values. Raises RequestError unless each can be set in the recipe of every
    variant's paper, and at least one variant reads it."""
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or key in found:
            raise RequestError(f"--set takes key=value, each key once, not {ranges.short(text)}")
        for paper in sorted({v.paper for v in variants}):
            found[key] = _value(paper, key, value)
        if not any(reads(variant, key) for variant in variants):
            names = ", ".join(v.name for v in variants)
            raise RequestError(f"{key} changes nothing in {names}, without a part that reads it")
    _sizes(found, variants)
    return found


def of(variant: Variant, found: dict[str, Any]) -> dict[str, Any]:
    """Returns the changed values that this network reads; with none, it runs as published."""
    return {key: value for key, value in found.items() if reads(variant, key)}


def _value(paper: str, key: str, text: str) -> int | float | str:
    recipe = load_recipe(paper)
    if key not in settable(paper):
        raise RequestError(
            f"{ranges.short(key)} can't be set for the networks of {paper}: --set takes "
            f"{', '.join(settable(paper))}; --suite and --variant choose whose networks run"
        )
    if others(key, recipe[key]):
        known = [word for word in WORDS[key] if " " not in word]  # a sentence is only the default
        if text not in known:
            raise RequestError(f"--set {key}= takes {' or '.join(known)}, not {ranges.short(text)}")
        return text
    try:
        if key in ranges.WHOLE:
            return ranges.whole(text, *ranges.WHOLE[key])
        return ranges.number(text, *ranges.REAL[key])
    except RequestError as error:
        raise RequestError(f"--set {key}= {error}") from None


def _sizes(changes: dict[str, Any], variants: list[Variant]) -> None:
    """Raises RequestError where two values don't fit each other: the element-wise product needs
    equal sizes on both sides, and whole batches calibrate a random backbone."""
    for variant in variants:
        recipe = values(variant.paper) | changes
        if recipe.get("calibration_images", math.inf) < recipe["batch_size"]:
            raise RequestError(
                "calibration_images must be no less than batch_size (whole batches calibrate a "
                "random backbone); give --set for both"
            )
        if variant.sequence == "rows" and recipe["projection_units"] != 2 * recipe["lstm_units"]:
            raise RequestError(
                "projection_units must be twice lstm_units where an LSTM reads the rows (the "
                "product of the two branches); give --set for both"
            )
