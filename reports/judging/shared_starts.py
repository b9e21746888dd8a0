"""Pairs the runs, one in each twin, that began with the same initial weights."""

import dataclasses
import json
import math
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from protocols.papers.variants import load_variants
from reports.cells.planned_run import Slot


@dataclass(frozen=True)
class Pair:
    """Two finished training runs that differ in the twin alone."""

    keras: Slot
    torch: Slot

    @property
    def key(self) -> str:
        """The pair's id in results.json."""
        return f"{self.keras.spec.id}={self.torch.spec.id}"

    @property
    def stale(self) -> bool:
        """Whether either run is of another results version."""
        return "stale" in (self.keras.state, self.torch.state)

    @property
    def same_images(self) -> bool:
        """Whether both were tested on the same images in the same order."""
        return np.array_equal(self.keras.scored.ids, self.torch.scored.ids)

    @cached_property
    def gaps(self) -> list[float]:
        """Keras's evaluation loss less PyTorch's, epoch by epoch, in nats."""
        losses = (slot.column("eval_loss") for slot in (self.keras, self.torch))
        return [a - b for a, b in zip(*losses, strict=False)]

    @property
    def widest(self) -> int | None:
        """The row of history where the losses lie furthest apart; None if a difference is NaN."""
        if any(gap != gap for gap in self.gaps):
            return None
        return max(range(len(self.gaps)), key=lambda i: abs(self.gaps[i]))

    @cached_property
    def agreement(self) -> tuple[float, float]:
        """The share of test images to which both twins give the same class, and Cohen's kappa; NaN
        if all answers of both are one class."""
        from sklearn.metrics import cohen_kappa_score  # noqa: PLC0415 (slow import)

        one, two = (s.scored.selected.argmax(axis=1) for s in (self.keras, self.torch))
        several = len({*one.tolist(), *two.tolist()}) > 1  # else kappa is 0 / 0
        kappa = float(cohen_kappa_score(one, two)) if several else math.nan
        return float((one == two).mean()), kappa


def pairs(slots: list[Slot]) -> list[Pair]:
    """Returns the finished runs with shared initial weights, each Keras run with the PyTorch run of
    the same specification, in the papers' order."""
    twins: dict[str, dict[str, list[Slot]]] = defaultdict(lambda: defaultdict(list))
    for slot in slots:
        spec = slot.spec
        if spec.init == "shared" and slot.measured and spec.variant in load_variants():
            rest = dataclasses.asdict(spec) | {"framework": "", "backend": ""}
            twins[json.dumps(rest, sort_keys=True)][spec.framework].append(slot)
    found = [Pair(a, b) for both in twins.values() for a in both["keras"] for b in both["torch"]]
    order = list(load_variants())
    return sorted(found, key=lambda p: (order.index(p.keras.spec.variant), _key(p)))


def _key(pair: Pair) -> tuple[int, int, str]:
    spec = pair.keras.spec
    return spec.seed, -1 if spec.fold is None else spec.fold, spec.backend
