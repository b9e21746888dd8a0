"""The records of results.json in which two cells, or two runs, are held against each other.

Each has an `id`, by which the pages' numbers name it.
"""

import dataclasses
from typing import Any

import numpy as np

from protocols.spec import FRAMEWORKS
from reports.cells.answers import answers, comparable
from reports.cells.answers import photographs as photographs_of
from reports.cells.cell import Cell, Group
from reports.cells.collect import Collected
from reports.cells.settings import changed
from reports.judging import contrasts, effects, leak_free
from reports.judging.questions import ROWS
from reports.judging.shared_starts import pairs


def comparisons(group: Group) -> list[dict[str, Any]]:
    """Accuracies on the same images, and the means of the networks whose order is asked for."""
    found: dict[str, dict[str, Any]] = {}
    for one in contrasts.comparisons(group):
        estimate = one.difference.estimate
        found[one.key] = _sides(group, one.key, one.a, one.b) | {
            "value": estimate.value, "se": estimate.se, "df": estimate.df,
            "linearised": dataclasses.asdict(estimate.linearised),
            "bootstrap_t": dataclasses.asdict(estimate.bootstrap_t),
            "p": one.difference.p, "p_holm": one.adjusted, "mcnemar": one.mcnemar,
            "detectable": one.detectable,
        }  # fmt: skip
    for names in contrasts.asked(group):
        cells = {f: [group.cells.get((f, name)) for name in names] for f in FRAMEWORKS}
        for a, b in (both for both in cells.values() if None not in both):
            key = contrasts.gap_key(a, b)
            found.setdefault(key, _sides(group, key, a, b))["means"] = _gaps(a, b)
        if all(None not in both for both in cells.values()):
            key = f"{group.place}/{contrasts.BETWEEN}/{'-'.join(names)}"
            found[key] = {"id": key, "setting": group.setting.slug, "protocol": group.protocol}
            found[key]["means"] = _between(*(_gaps(*both) for both in cells.values()))
    return list(found.values())


def _sides(group: Group, key: str, a: Cell, b: Cell) -> dict[str, Any]:
    return {"id": key, "setting": group.setting.slug, "protocol": group.protocol,
            "a": a.key, "b": b.key}  # fmt: skip


def _gaps(a: Cell, b: Cell) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for metric, at, _ in ROWS:
        gap = contrasts.gap(a, b, metric, at)
        record = {"value": gap.value, "lack": gap.lack, "by_seed": list(gap.by_seed)}
        found.setdefault(at, {})[metric] = record
    return found


def _between(keras: dict[str, Any], torch: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """PyTorch's difference less Keras's."""
    return {
        at: {
            metric: {"value": _less(torch[at][metric]["value"], one["value"])}
            for metric, one in numbers.items()
        }
        for at, numbers in keras.items()
    }


def _less(a: float | None, b: float | None) -> float | None:
    return None if None in (a, b) else a - b


def both_wrong(group: Group) -> list[dict[str, Any]]:
    """By network: images that both twins get wrong, in all and by photograph."""
    found = []
    for variant in group.variants:
        both = (answers(group.cells.get((f, variant))) for f in FRAMEWORKS)
        own = [one for one in both if one is not None]
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
    """As published and leak-free, side by side."""
    return [
        {"id": one.key, "metric": one.metric, "published": one.a.key, "leak_free": one.b.key,
         "values": one.values, "difference": one.difference}
        for sides in leak_free.sides(collected) for one in sides.pairs
    ]  # fmt: skip


def sensitivity(collected: Collected) -> list[dict[str, Any]]:
    """What a changed value does to the accuracy."""
    return [
        {"id": one.key, "cell": one.cell.key, "without": one.base.key if one.base else "",
         "changes": changed(one.cell.slots[0].spec), "value": one.value, "before": one.before,
         "difference": one.gap.value}
        for group in effects.tried(collected) for one in effects.effects(collected, group)
    ]  # fmt: skip


def shared_starts(collected: Collected) -> list[dict[str, Any]]:
    """Pairs of runs that began with the same bytes in both twins."""
    found = []
    for pair in pairs(collected.slots):
        same, kappa = pair.agreement if pair.same_images else (None, None)
        found.append({
            "id": pair.key, "keras": pair.keras.spec.id, "torch": pair.torch.spec.id,
            "loss_gap": None if pair.widest is None else pair.gaps[pair.widest],
            "same_class": same, "kappa": kappa,
        })  # fmt: skip
    return found
