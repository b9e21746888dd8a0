"""Pairs of runs that began with the same bytes in both twins: how far training led them apart."""

import dataclasses
import json
import math
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property

from protocols.spec import PROTOCOLS, RunSpec
from protocols.variants import load_variants
from reports import figures
from reports.collect import Collected
from reports.curves import boundary, column
from reports.figures import Curve, Panel
from reports.groups import Setting, setting_of
from reports.papers import Drawn
from reports.slots import Slot
from reports.tables import (
    FIRM,
    NAMES,
    STALE,
    STALE_NOTE,
    Table,
    Td,
    framework_heads,
    head,
    label,
    number_text,
    title,
)

COMMAND = "python runner.py --variant efficientnet_lite0 --profile laptop --init shared"
A_ROW = 2  # panels side by side


@dataclass(frozen=True)
class Pair:
    """Two finished training runs that differ in the twin alone."""

    keras: Slot
    torch: Slot

    @property
    def key(self) -> str:
        """Its id in results.json."""
        return f"{self.keras.spec.id}={self.torch.spec.id}"

    @property
    def stale(self) -> bool:
        """Whether either was of another results version."""
        return "stale" in (self.keras.state, self.torch.state)

    @property
    def same_images(self) -> bool:
        """Whether both were tested on the same images in the same order."""
        return self.keras.measured.images == self.torch.measured.images

    @cached_property
    def gaps(self) -> list[float]:
        """Keras's evaluation loss less PyTorch's, nats, epoch by epoch."""
        losses = zip(column(self.keras, "eval_loss"), column(self.torch, "eval_loss"), strict=False)
        return [a - b for a, b in losses]

    @property
    def widest(self) -> int | None:
        """The row of history where the losses lie furthest apart; None if a run diverged."""
        if any(gap != gap for gap in self.gaps):
            return None
        return max(range(len(self.gaps)), key=lambda i: abs(self.gaps[i]))

    @cached_property
    def agreement(self) -> tuple[float, float]:
        """Share of test images to which both give one class, and Cohen's kappa (or NaN)."""
        from sklearn.metrics import cohen_kappa_score  # noqa: PLC0415 (slow import)

        one, two = (s.measured.selected.argmax(axis=1) for s in (self.keras, self.torch))
        several = len({*one.tolist(), *two.tolist()}) > 1  # else kappa is 0 / 0
        kappa = float(cohen_kappa_score(one, two)) if several else math.nan
        return float((one == two).mean()), kappa


@dataclass(frozen=True)
class Block:
    """The pairs of one setting and protocol: a table and its figures."""

    setting: Setting
    parts: list[Table | Drawn]


def blocks(collected: Collected) -> list[Block]:
    """A block for each setting and protocol that has pairs, planned ones first."""
    found: dict[tuple[Setting, str], list[Pair]] = defaultdict(list)
    for pair in pairs(collected.slots):
        spec = pair.keras.spec
        planned = pair.keras.planned and pair.torch.planned
        found[_setting(collected, spec, planned), spec.protocol].append(pair)
    order = sorted(found, key=lambda k: (not k[0].planned, k[0].title, PROTOCOLS.index(k[1])))
    return [_block(*key, found[key], collected.blocks) for key in order]


def _setting(collected: Collected, spec: RunSpec, planned: bool) -> Setting:
    """That of the pair; shadowed where the request has runs of the same setting."""
    found = setting_of(spec, planned)
    shadowed = not planned and replace(found, planned=True) in collected.settings
    return replace(found, shadowed=shadowed)


def pairs(slots: list[Slot]) -> list[Pair]:
    """Finished runs with shared initial weights, each with its twin, in the papers' order."""
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


def _block(setting: Setting, protocol: str, found: list[Pair], places: dict[str, str]) -> Block:
    caption = f"Protocol {protocol}, {setting.title}."
    name, part = f"{setting.slug}-{protocol}", found[0].keras.measured.part
    table = Table(
        f"agreement-{name}",
        f"Both twins’ runs from the same bytes. Loss: on the {part} part, Keras less PyTorch, where"
        " the two lie furthest apart. Same class: test images to which both selected epochs give "
        f"one class. Kappa: Cohen’s, the same beyond chance. {caption}",
        [
            [head("Run", rows=2, kind="headtext"), head("Selected epoch", span=2)]
            + [head("Loss, nat", rows=2), head("Same class", rows=2), head("Kappa", rows=2)],
            framework_heads(),
        ],
        [],
        [STALE_NOTE] if any(p.stale for p in found) else [],
    )
    of: dict[str, list[Pair]] = defaultdict(list)
    for pair in found:
        of[pair.keras.spec.variant].append(pair)
    table.bodies = [(title(v), [_row(p, places) for p in own]) for v, own in of.items()]
    text = (
        f"How far the twins’ losses on the {part} part lie apart, without the sign, on a "
        "logarithmic scale; epochs with equal losses are left out. Thin: single pairs; thick: the "
        f"largest of them. {caption}"
    )
    drawn = [v for v in of if any(gap for p in of[v] for gap in p.gaps if gap == gap)]
    figures_ = [
        Drawn(_figure({v: of[v] for v in drawn[i : i + A_ROW]}, f"apart-{i}-{name}"), text)
        for i in range(0, len(drawn), A_ROW)
    ]
    return Block(setting, [table, *figures_])


def _row(pair: Pair, places: dict[str, str]) -> list[Td]:
    """The numbers of both twins lead to Keras's run, PyTorch's epoch to PyTorch's."""
    hrefs = [places.get(s.spec.id, "") for s in (pair.keras, pair.torch)]
    first, *cells = _cells(pair)
    linked = [hrefs[0], hrefs[1], *[hrefs[0]] * (len(cells) - 2)]
    return [first, *(replace(td, href=href) for td, href in zip(cells, linked, strict=True))]


def _cells(pair: Pair) -> list[Td]:
    spec = pair.keras.spec
    text = f"Seed {spec.seed}" + ("" if spec.fold is None else f", fold {spec.fold}")
    backend = "" if spec.backend == "tensorflow" else f"{NAMES['keras']} on {spec.backend}"
    row = [label(text + (f" {STALE}" if pair.stale else ""), backend)]
    row += [Td(_epoch(s, s.measured.row)) for s in (pair.keras, pair.torch)]
    row.append(_furthest(pair))
    if not pair.same_images:
        return [*row, Td("X", "not the same test images"), Td("X")]
    same, kappa = pair.agreement
    n = pair.keras.measured.n
    note = f"{round(same * n):,} of {n:,}"
    last = Td("–", "one class only") if math.isnan(kappa) else Td(f"{kappa:.3f}")
    last = replace(last, key=f"{pair.key}:kappa")
    return [
        *row,
        Td(number_text("accuracy", same), note, key=f"{pair.key}:same_class", scale=100),
        last,
    ]


def _epoch(slot: Slot, row: int) -> str:
    """An epoch's number; with its phase, where there are several."""
    there = slot.run.history[row]
    if boundary(slot) == 0:
        return f"{there['epoch']:.0f}"
    return f"{there['epoch']:.0f} of phase{FIRM}{there['phase']:.0f}"


def _furthest(pair: Pair) -> Td:
    index = pair.widest
    if index is None:
        return Td("diverged")
    text = f"{pair.gaps[index]:+.2g}".replace("-", "−")
    return Td(text, f"epoch {_epoch(pair.keras, index)}", key=f"{pair.key}:loss_gap")


def _figure(of: dict[str, list[Pair]], name: str) -> "figures.Markup":
    panels = []
    for variant, found in of.items():
        rows = [[abs(gap) or math.nan for gap in pair.gaps] for pair in found]
        drawn = [Curve("", row, thin=True) for row in rows] if len(rows) > 1 else []
        longest = max(map(len, rows))
        most = [max((r[i] for r in rows if i < len(r) and r[i] == r[i]), default=math.nan)
                for i in range(longest)]  # fmt: skip
        drawn.append(Curve("", most))
        phases = boundary(found[0].keras)
        panels.append(Panel(title(variant), "difference, nat", drawn, phases, log=True))
    return figures.curves(name, "Absolute difference of the twins' losses, by epoch", panels)
