"""Makes the records of results.json in which cells, runs or times are held against each other.

Each record has an `id`, by which the pages' numbers name it.
"""

import dataclasses
from typing import Any

import numpy as np

from protocols.spec import FRAMEWORKS
from reports.cells.answers import answers, comparable
from reports.cells.answers import photographs as photographs_of
from reports.cells.cell import Group
from reports.cells.collect import Collected
from reports.cells.settings import Setting, changed
from reports.cells.twin_times import Pace, Spell, twin_times
from reports.judging import pairings
from reports.judging.contrasts import Contrast, effect_key, twins_apart
from reports.judging.questions import ROWS
from reports.judging.shared_starts import pairs
from reports.statistics.comparisons import Difference


def comparisons(group: Group) -> list[dict[str, Any]]:
    """Returns the comparisons of a group: accuracies on the same images, the differences of means
    of networks whose order is asked for, and how far the twins differ in these."""
    found: dict[str, dict[str, Any]] = {}
    for one in pairings.on_the_same_images(group):
        found[one.key] = _of_group(group, one.key) | _sides(one)
        found[one.key] |= _on_images(one, one.on_images) if one.on_images else {}
    for names in pairings.ordered_pairs(group):
        cells = [[group.cells.get((f, name)) for name in names] for f in FRAMEWORKS]
        both = [[Contrast(a, b, *row[:2]) for row in ROWS] for a, b in cells if a and b]
        for own in both:
            record = found.setdefault(own[0].key, _of_group(group, own[0].key) | _sides(own[0]))
            means = {
                one: {"value": one.value, "lack": one.lack, "by_seed": list(one.by_seed)}
                for one in own
            }
            record["means"] = _by_place(means)
        if len(both) == len(FRAMEWORKS):
            apart = {keras: twins_apart(keras, torch) for keras, torch in zip(*both, strict=True)}
            (key,) = {key for key, _ in apart.values()}
            values = _by_place({one: {"value": value} for one, (_, value) in apart.items()})
            found[key] = _of_group(group, key) | {"means": values}
    return list(found.values())


def _of_group(group: Group, key: str) -> dict[str, Any]:
    return {"id": key, "setting": group.setting.slug, "protocol": group.protocol}


def _sides(one: Contrast) -> dict[str, Any]:
    return {"a": one.a.key, "b": one.b.key}


def _on_images(one: Contrast, found: Difference) -> dict[str, Any]:
    """Returns a difference over all images, with its intervals and its p-values."""
    estimate = found.estimate
    return {
        "value": estimate.value, "se": estimate.se, "df": estimate.df,
        "linearised": dataclasses.asdict(estimate.linearised),
        "bootstrap_t": dataclasses.asdict(estimate.bootstrap_t),
        "p": found.p, "p_holm": one.p_holm, "mcnemar": one.mcnemar, "detectable": one.detectable,
    }  # fmt: skip


def _by_place(records: dict[Contrast, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Returns the records of contrasts by point of the schedule, then by metric."""
    found: dict[str, dict[str, Any]] = {}
    for one, record in records.items():
        found.setdefault(one.at, {})[one.metric] = record
    return found


def both_wrong(group: Group) -> list[dict[str, Any]]:
    """Counts for each network the images that both twins get wrong, in all and by photograph."""
    found = []
    for variant in group.variants:
        own = [one for one in map(answers, group.twins(variant)) if one is not None]
        if not comparable(own):
            continue
        wrong = ~own[0].right & ~own[1].right
        names, count = np.unique(photographs_of(own[0].ids)[wrong], return_counts=True)
        found.append({
            "id": f"{group.place}/both-wrong/{variant}", "setting": group.setting.slug,
            "protocol": group.protocol, "variant": variant, "tests": len(wrong),
            "both": int(wrong.sum()), "one_alone": int((own[0].right != own[1].right).sum()),
            "photographs": {str(n): int(c) for n, c in zip(names, count, strict=True)},
        })  # fmt: skip
    return found


def leak_free_records(collected: Collected) -> list[dict[str, Any]]:
    """Returns the numbers of each network as published and leak-free, and their difference."""
    return [
        {"id": one.key, "metric": one.metric, "at": one.at,
         "published": one.b.key, "leak_free": one.a.key,
         "values": [number.value for number in reversed(one.numbers)], "difference": one.value}
        for found in pairings.leak_free(collected) for one in found.contrasts
    ]  # fmt: skip


def sensitivity(collected: Collected) -> list[dict[str, Any]]:
    """Returns what a changed value does to the accuracy, for each cell that has one."""
    return [
        {"id": effect_key(cell), "cell": cell.key, "without": one.b.key if one else "",
         "changes": changed(cell.slots[0].spec), "value": cell.number("accuracy").value,
         "before": one.numbers[1].value if one else None, "difference": one.value if one else None}
        for group in pairings.sensitivity_groups(collected)
        for cell, one in pairings.effects(collected, group).items()
    ]  # fmt: skip


def shared_starts(collected: Collected) -> list[dict[str, Any]]:
    """Returns how far the twins come apart in pairs of runs that began with the same weights."""
    found = []
    for pair in pairs(collected.slots):
        same, kappa = pair.agreement if pair.same_images else (None, None)
        found.append({
            "id": pair.key, "keras": pair.keras.spec.id, "torch": pair.torch.spec.id,
            "loss_gap": None if pair.widest is None else pair.gaps[pair.widest],
            "same_class": same, "kappa": kappa,
        })  # fmt: skip
    return found


def speed(collected: Collected, setting: Setting) -> list[dict[str, Any]]:
    """Returns, for each network of a setting, its times in both twins and PyTorch's by Keras's."""
    return [
        {"id": one.key, "setting": setting.slug, "variant": one.variant,
         "times": {what: _pace(pace) for what, pace in one.paces.items()}}
        for one in twin_times(collected, setting)
    ]  # fmt: skip


def _pace(pace: Pace) -> dict[str, Any]:
    ratio, low, high = pace.ratio or (None, None, None)
    return {"keras": _spell(pace.keras), "torch": _spell(pace.torch),
            "ratio": ratio, "low": low, "high": high}  # fmt: skip


def _spell(spell: Spell | None) -> dict[str, Any] | None:
    names = ("median", "low", "high", "disturbed")
    return {name: getattr(spell, name) for name in names} if spell else None
