"""Pairs of runs that began with the same bytes in both twins: how far training led them apart."""

import math
from collections import defaultdict
from dataclasses import replace

from protocols.spec import PROTOCOLS
from reports.cells.collect import Collected
from reports.cells.planned_run import Slot
from reports.cells.settings import Setting, setting_of
from reports.data.numbers import Numbers, Recorded
from reports.figures import panels
from reports.figures.drawing import Drawing
from reports.figures.panels import ACROSS, Panel, together
from reports.judging.shared_starts import Pair, pairs
from reports.pages.content import Drawn, Section
from reports.tables.builder import numbers, over, table, texts, twins
from reports.tables.cell_text import number
from reports.tables.formats import FIRM, MISSING, NAMES, marked, minus, title
from reports.tables.table import Td, label

COMMAND = "python runner.py --variant efficientnet_lite0 --profile laptop --init shared"


def blocks(collected: Collected, known: Numbers) -> list[Section]:
    """Return a section for each setting and protocol that has pairs, planned ones first."""
    found: dict[tuple[Setting, str], list[Pair]] = defaultdict(list)
    for pair in pairs(collected.slots):
        planned = pair.keras.planned and pair.torch.planned
        setting = setting_of(pair.keras.spec, planned)
        shadowed = not planned and replace(setting, planned=True) in collected.settings
        found[replace(setting, shadowed=shadowed), pair.keras.spec.protocol].append(pair)
    order = sorted(found, key=lambda k: (not k[0].planned, k[0].title, PROTOCOLS.index(k[1])))
    return [_block(*key, found[key], collected.blocks, known) for key in order]


def _block(
    setting: Setting, protocol: str, found: list[Pair], places: dict[str, str], known: Numbers
) -> Section:
    caption = f"Protocol {protocol}, {setting.title}."
    name, part = f"{setting.slug}-{protocol}", found[0].keras.scored.part
    of: dict[str, list[Pair]] = defaultdict(list)
    for pair in found:
        of[pair.keras.spec.variant].append(pair)
    shown = table(
        f"agreement-{name}",
        f"Runs of Keras and PyTorch from the same bytes. Loss: on the {part} part, Keras minus "
        "PyTorch, where the two lie furthest apart. Same class: test images to which both selected "
        "epochs give one class. Kappa: Cohen's, the same beyond chance.",
        [*texts("Run"), over("Selected epoch", twins()),
         *numbers("Loss, nat", "Same class", "Kappa")],
        {title(v): [_row(p, places, known[p.key]) for p in own] for v, own in of.items()},
        setting=caption,
    )  # fmt: skip
    text = (
        f"The difference of Keras's and PyTorch's losses on the {part} part, without its sign, "
        "on a logarithmic scale; epochs with equal losses are left out."
    )
    drawn = [v for v in of if any(gap for p in of[v] for gap in p.gaps if gap == gap)]
    figures_ = [
        Drawn(_figure({v: of[v] for v in drawn[i : i + ACROSS]}, f"apart-{i}-{name}"), text)
        for i in range(0, len(drawn), ACROSS)
    ]
    return Section(caption, [shown, *figures_])


def _row(pair: Pair, places: dict[str, str], record: Recorded) -> list[Td]:
    """Return the row of a pair; PyTorch's epoch is linked to PyTorch's run, all else to Keras's."""
    hrefs = [places.get(s.spec.id, "") for s in (pair.keras, pair.torch)]
    first, *cells = _cells(pair, record)
    linked = [hrefs[0], hrefs[1], *[hrefs[0]] * (len(cells) - 2)]
    return [first, *(replace(td, href=href) for td, href in zip(cells, linked, strict=True))]


def _cells(pair: Pair, record: Recorded) -> list[Td]:
    spec = pair.keras.spec
    text = f"Seed {spec.seed}" + ("" if spec.fold is None else f", fold {spec.fold}")
    backend = "" if spec.backend == "tensorflow" else f"{NAMES['keras']} on {spec.backend}"
    row = [label(marked(text, pair.stale), backend)]
    row += [Td(_epoch(s, s.scored.row)) for s in (pair.keras, pair.torch)]
    row.append(_furthest(pair, record["loss_gap"]))
    if not pair.same_images:
        return [*row, Td(MISSING, "not the same test images"), Td(MISSING)]
    same, kappa, n = record["same_class"], record["kappa"], pair.keras.scored.n
    note = f"{round(same.value * n):,} of {n:,}"
    last = Td("–", "one class only") if math.isnan(kappa.value) else Td(f"{kappa.value:.3f}")
    agree = number("accuracy", same.value, same.key, note)
    return [*row, agree, replace(last, key=kappa.key)]


def _epoch(slot: Slot, row: int) -> str:
    """Return an epoch's number; with its phase, where there are several phases."""
    there = slot.stored.history[row]
    if slot.boundary == 0:
        return f"{there['epoch']:.0f}"
    return f"{there['epoch']:.0f} of phase{FIRM}{there['phase']:.0f}"


def _furthest(pair: Pair, gap: Recorded) -> Td:
    if pair.widest is None:
        return Td("diverged")
    return Td(minus(f"{gap.value:+.2g}"), f"epoch {_epoch(pair.keras, pair.widest)}", key=gap.key)


def _figure(of: dict[str, list[Pair]], name: str) -> Drawing:
    shown = []
    for variant, found in of.items():
        curve = together("", [[abs(gap) or math.nan for gap in pair.gaps] for pair in found])
        phases = found[0].keras.boundary
        shown.append(Panel(title(variant), "difference, nat", [curve], phases, log=True))
    said = "Absolute difference of Keras's and PyTorch's losses, by epoch"
    return panels.curves(name, said, shown, "pairs")
