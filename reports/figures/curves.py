"""Draws what sets of runs reached: curves over the epochs from the histories, bars and dots."""

from collections.abc import Sequence
from typing import Any

from protocols.papers.claims import Claim, load_claims, of_network
from protocols.papers.recipes import milestones
from protocols.spec import FRAMEWORKS
from reports.cells.cell import Cell, Group
from reports.cells.planned_run import Slot
from reports.figures import kinds, panels
from reports.figures.drawing import Drawing
from reports.figures.kinds import Bar
from reports.figures.panels import Curve, Panel, together
from reports.tables.formats import MISSING, NAMES, number_text, title

SELECTING = {"loss": "eval_loss", "accuracy": "eval_accuracy"}  # on the part that selects
TRAIN = {"loss": "train_loss", "accuracy": "train_accuracy"}
QUANTITIES = {"loss": "loss, nat", "accuracy": "accuracy, %"}
MEASURES = {
    "precision_macro": "precision", "recall_macro": "recall", "f1_macro": "F",
    "accuracy": "accuracy",
}  # fmt: skip
PROTOCOLS = ("as published", "leak-free")
WORDS = {"accuracy": "accuracy", "validation_loss": "loss"}
PARTS = ((TRAIN, "training"), (SELECTING, "test"))


def run_figure(cell: Cell, seed: int, name: str) -> Drawing | None:
    """Draws loss and accuracy, in training and on the part that selects the epoch, of one run or of
    all folds of a seed; None without a run. There are too many of them to write files of each."""
    slots = [s for s in cell.of_seed(seed) if s.usable]
    if not slots:
        return None
    part = slots[0].scored.part
    parts = [
        Panel(
            "", QUANTITIES[what],
            [_course(cell, slots, columns[what], text, cell.folds)
             for columns, text in ((TRAIN, "training"), (SELECTING, part))],
            slots[0].boundary,
        )
        for what in ("loss", "accuracy")
    ]  # fmt: skip
    description = (
        f"{NAMES[cell.framework]} {title(cell.variant)}, seed {seed}: loss and accuracy over the "
        f"epochs, in training and on the {part} part{_folded(slots, cell.whole(seed))}"
    )
    return panels.curves(name, description, parts, "folds", pdf=False)


def _folded(slots: list[Slot], whole: bool) -> str:
    """Says which folds a figure shows; returns "" for runs without folds."""
    if slots[0].spec.fold is None:
        return ""
    if len(slots) == 1:
        return f"; fold {slots[0].spec.fold}"
    return f"; the span of {len(slots)} folds" + (" and their mean" if whole else "")


def _course(cell: Cell, slots: list[Slot], name: str, label: str, needed: int) -> Curve:
    """Returns the curve of a column of the histories of these runs, with the selected epochs unless
    it is of training. Runs of which `needed` are needed have no mean if one is missing, and the
    label says how many there are."""
    training, whole = name in TRAIN.values(), len(slots) == needed
    marks = () if training else tuple(s.scored.row for s in slots)
    if not whole:
        label = f"{label}, {len(slots)} of {needed}"
    runs = [slot.column(name) for slot in slots]
    return together(cell.framework, runs, label, marks, whole=whole, training=training)


def _compared(
    cell: Cell | None, what: str, columns: dict[str, str] = SELECTING, part: str = ""
) -> list[Curve]:
    """Returns the curve of a cell, if it has runs: by default that of the part that selects the
    epoch; `part` is its word beside the twin's name."""
    slots = [s for s in cell.slots if s.usable] if cell else []
    if cell is None or not slots:
        return []
    label = " ".join(filter(None, (NAMES[cell.framework], part)))
    return [_course(cell, slots, columns[what], label, cell.folds * len(cell.seeds))]


def _runs(cells: Sequence[Cell | None]) -> str:
    """Returns the word for the single runs of cells: folds of one seed, seeds, or runs."""
    there = [cell for cell in cells if cell]
    if all(len(cell.seeds) == 1 for cell in there):
        return "folds"
    return "seeds" if all(cell.folds == 1 for cell in there) else "runs"


def fine_tuning_figure(group: Group, claims: Sequence[Claim], name: str) -> Drawing | None:
    """Draws loss and accuracy of the claims' network over the epochs of fine-tuning, in training
    and on the part that selects the epoch, for both twins; None where no run is there. Diamonds are
    the claims (the selected epoch, the loss and the accuracy there), for runs of profile paper."""
    variant = claims[0].variant
    cells = group.twins(variant)
    first = next((s for c in cells if c for s in c.slots if s.usable), None)
    if first is None:
        return None
    before, parts = first.boundary, []
    printed = {claim.metric: claim.number for claim in claims}
    reached = {"loss": printed["validation_loss"], "accuracy": 100 * printed["accuracy"]}
    for what, value in reached.items():
        found = [c for x in cells for part in PARTS for c in _compared(x, what, *part)]
        own = [curve.within(before, curve.epochs) for curve in found]
        points = ((printed["selected_epoch"], value),) * (first.spec.profile == "paper")
        parts.append(Panel("", QUANTITIES[what], own, points=points))
    description = (
        f"{title(variant)}: training and test loss and accuracy over the epochs of fine-tuning. "
        + _results(cells, ("validation_loss", "accuracy"))
    )
    return panels.curves(name, description, parts, _runs(cells))


def _results(cells: list[Cell | None], metrics: tuple[str, ...]) -> str:
    """Says in words what the cells reached at their selected epochs."""
    said = []
    for cell in filter(None, cells):
        texts = [f"{WORDS[name]} {number_text(name, cell.number(name).value)}" for name in metrics]
        said.append(f"{NAMES[cell.framework]} {title(cell.variant)}: {', '.join(texts)}")
    return f"At the selected epochs: {'; '.join(said)}." if said else ""


def leak_free(
    variant: str, cells: dict[str, tuple[Cell, Cell]], name: str, at: str
) -> Drawing | None:
    """Draws the accuracy on test images over the epochs, as published and leak-free, in a panel for
    each twin; None where a cell has no run. `cells` has both cells of a network by twin; the text
    beside the figure has their accuracies `at` the selected or the last epoch."""
    parts = []
    for framework, both in cells.items():
        own, phases = [], 0
        for colour, cell, text in zip((framework, ""), both, PROTOCOLS, strict=True):
            slots = [s for s in cell.slots if s.usable]
            if not slots:
                return None
            phases = slots[0].boundary
            runs = [[100 * float(v) for v in slot.scored.by_epoch] for slot in slots]
            marks = tuple(slot.scored.row for slot in slots)
            own.append(together(colour, runs, text, marks, whole=not cell.lack))
        parts.append(Panel(NAMES[framework], "accuracy on test images, %", own, phases))
    said = [
        f"{NAMES[framework]}, {text}: {number_text('accuracy', cell.number('accuracy', at).value)}"
        for framework, both in cells.items()
        for text, cell in zip(PROTOCOLS, both, strict=True)
    ]
    description = (
        f"{title(variant)}: accuracy on the test images over the epochs. "
        f"{'In the last epoch' if at == 'last' else 'At the selected epochs'}: " + "; ".join(said)
    )
    every = [cell for both in cells.values() for cell in both]
    return panels.curves(name, description, parts, _runs(every))


def network_figure(group: Group, variants: Sequence[str], what: str, name: str) -> Drawing | None:
    """Draws accuracy or loss on the part that selects the epoch, a panel for each network, with
    both twins; diamonds are what a paper prints for single epochs. Returns None without a run."""
    parts = []
    for variant in variants:
        cells = group.twins(variant)
        own = [curve for cell in cells for curve in _compared(cell, what)]
        slots = [s for cell in cells if cell for s in cell.slots]
        same = slots and all(a == b for a, b in milestones(slots[0].spec).items())
        there = next((s for s in slots if s.usable), None)
        phases = there.boundary if there else 0
        printed = _claimed(variant, what) if same else ()  # at epochs of the last phase
        points = tuple((phases + epoch, value) for epoch, value in printed)
        parts.append(Panel(title(variant), QUANTITIES[what], own, phases, points))
    if not any(panel.curves for panel in parts):
        return None
    cells = [cell for variant in variants for cell in group.twins(variant)]
    names = " and ".join(title(variant) for variant in variants)
    metric = "accuracy" if what == "accuracy" else "validation_loss"
    said = f"{names}: {what} on the {group.part} part over the epochs. {_results(cells, (metric,))}"
    return panels.curves(name, said, parts, _runs(cells))


def _claimed(variant: str, what: str) -> tuple[tuple[float, float], ...]:
    metric = "log_loss" if what == "loss" else "accuracy"
    claims = [c for c in load_claims().values() if (c.variant, c.metric) == (variant, metric)]
    scale = 1 if what == "loss" else 100
    return tuple((c.epoch, scale * c.number) for c in claims if c.epoch is not None)


def bars_figure(group: Group, table: Sequence[Claim], name: str) -> Drawing | None:
    """Draws the measures of a table of claims as bars, printed beside measured, with a panel for
    each network; returns None where nothing was measured."""
    parts, variants = [], list(dict.fromkeys(claim.variant for claim in table))
    for variant in variants:
        about = of_network(table, variant)
        claims = [c for metric in MEASURES for c in about if c.metric == metric]
        panel = {"printed": [Bar(MEASURES[c.metric], c.value, _printed(c)) for c in claims]}
        for framework, cell in zip(FRAMEWORKS, group.twins(variant), strict=True):
            values = [cell.number(c.metric, c.at).value if cell else None for c in claims]
            panel[framework] = [
                Bar(MEASURES[c.metric], value, _bar_text(value))
                for c, value in zip(claims, values, strict=True)
            ]
        parts.append(panel)
    if not any(bar.value is not None for p in parts for f in FRAMEWORKS for bar in p[f]):
        return None
    heads = [title(variant) for variant in variants]
    said = "; ".join(
        f"{heading}, {NAMES.get(key, key)}: "
        + ", ".join(f"{bar.measure} {bar.text}" for bar in some)
        for heading, panel in zip(heads, parts, strict=True)
        for key, some in panel.items()
    )
    return kinds.bars(name, f"Precision, recall, F and accuracy. {said}", heads, parts)


def _printed(claim: Claim) -> str:
    """Returns the claim as a share, with three digits for one in % and else with the paper's."""
    return f"{claim.value:.3f}" if claim.unit == "%" else claim.printed


def _bar_text(value: float | None) -> str:
    if value is None:
        return MISSING
    return "diverged" if value != value else f"{value:.3f}"


def dots_figure(group: Group, claims: Sequence[Claim], name: str) -> Drawing | None:
    """Draws claims about accuracy as dots beside both twins' means over the seeds, with whiskers
    that span the seeds; returns None where nothing was measured."""
    printed = [(i, *[100 * claim.number] * 3) for i, claim in enumerate(claims)]
    series: list[dict[str, Any]] = [
        {"framework": None, "label": "printed", "hollow": True, "points": printed}
    ]
    for framework in FRAMEWORKS:
        points = []
        for row, claim in enumerate(claims):
            cell = group.cells.get((framework, claim.variant))
            number = cell.number("accuracy") if cell else None
            if number and number.value is not None and number.value == number.value:
                seeds = [100 * v for v in number.by_seed.values()]
                points.append((row, 100 * number.value, min(seeds), max(seeds)))
        series.append({"framework": framework, "label": NAMES[framework], "points": points})
    if not any(entry["points"] for entry in series[1:]):
        return None
    rows = [title(c.variant) for c in claims]
    cells = [cell for claim in claims for cell in group.twins(claim.variant)]
    said = f"Accuracy of {len(rows)} networks, printed and measured. "
    said += _results(cells, ("accuracy",))
    spans = "Whiskers: from the lowest to the highest seed."
    return kinds.dots(name, said, rows, series, "accuracy, %", whiskers=spans)
