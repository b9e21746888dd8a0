"""Draws what sets of runs reached: curves over the epochs from the histories, bars and dots."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from markupsafe import Markup

from protocols.papers.claims import Claim, load_claims, of_network
from protocols.papers.recipes import milestones
from protocols.spec import FRAMEWORKS
from reports.cells.cell import Cell, Group
from reports.cells.histories import _mean, boundary, column, mean_curve
from reports.cells.planned_run import Slot
from reports.figures import kinds
from reports.figures.kinds import Bar, Curve, Panel
from reports.tables.formats import MISSING, NAMES, number_text, title

TEST = {"loss": "eval_loss", "accuracy": "eval_accuracy"}
TRAIN = {"loss": "train_loss", "accuracy": "train_accuracy"}
LABELS = {"loss": "loss, nat", "accuracy": "accuracy, %"}
MEASURES = {
    "precision_macro": "precision", "recall_macro": "recall", "f1_macro": "F",
    "accuracy": "accuracy",
}  # fmt: skip
WORDS = {"accuracy": "accuracy", "validation_loss": "loss"}
PARTS = ((TEST, "test"), (TRAIN, "training"))


def run_figure(cell: Cell, seed: int, name: str) -> Markup | None:
    """Draws loss and accuracy, in training and on the part that selects the epoch, of one run or of
    all folds of a seed; returns None where no run is there.

    Folds are thin; their mean is drawn only where all of them are there.
    """
    slots = [s for s in cell.of_seed(seed) if s.usable]
    if not slots:
        return None
    panels = []
    for what in ("loss", "accuracy"):
        drawn = []
        for training, source in ((True, TRAIN), (False, TEST)):
            text = "training" if training else slots[0].scored.part
            if len(slots) == 1:
                mark = None if training else slots[0].scored.row
                values = column(slots[0], source[what])
                drawn.append(Curve(cell.framework, values, False, training, text, mark))
                continue
            for slot in slots:
                mark = None if training else slot.scored.row
                values = column(slot, source[what])
                drawn.append(Curve(cell.framework, values, True, training, mark=mark))
            if cell.whole(seed):
                values = mean_curve(slots, source[what])
                drawn.append(Curve(cell.framework, values, False, training, text))
        panels.append(Panel("", LABELS[what], drawn, boundary(slots[0])))
    description = (
        f"{NAMES[cell.framework]} {title(cell.variant)}, seed {seed}: loss and accuracy over the "
        f"epochs, in training and on the {slots[0].scored.part} part{_folded(cell, seed, slots)}"
    )
    return kinds.curves(name, description, panels)


def _folded(cell: Cell, seed: int, slots: list[Slot]) -> str:
    """Says which folds a figure shows; returns "" for runs without folds."""
    if slots[0].spec.fold is None:
        return ""
    if len(slots) == 1:
        return f"; fold {slots[0].spec.fold}"
    single = f"; single folds ({len(slots)})"
    return single + (f" and the mean of {len(slots)} folds" if cell.whole(seed) else "")


def _compared(
    cell: Cell | None, what: str, source: dict[str, str] = TEST, label: str = ""
) -> list[Curve]:
    """Returns the curves of a cell: its runs thin, and their mean only where none is missing. They
    are of the columns `source`: by default those of the part that selects the epoch, with a mark
    on each selected epoch; those of training have no marks."""
    if cell is None:
        return []
    slots = [s for s in cell.slots if s.usable]
    training, drawn = source is TRAIN, []
    marks = [None if training else s.scored.row for s in slots]
    if len(slots) > 1 or cell.lack:
        drawn = [
            Curve(cell.framework, column(s, source[what]), True, training, mark=mark)
            for s, mark in zip(slots, marks, strict=True)
        ]
    if slots and not cell.lack:
        text = " ".join(filter(None, (NAMES[cell.framework], label)))
        mark = marks[0] if len(slots) == 1 else None
        values = mean_curve(slots, source[what])
        drawn.append(Curve(cell.framework, values, False, training, text, mark))
    return drawn


def fine_tuning_figure(group: Group, claims: Sequence[Claim], name: str) -> Markup | None:
    """Draws loss and accuracy of the claims' network over the epochs of fine-tuning, in training
    and on the part that selects the epoch, for both twins; None where no run is there. Diamonds are
    the claims (the selected epoch, the loss and the accuracy there), for runs of profile paper."""
    variant = claims[0].variant
    cells = [group.cells.get((f, variant)) for f in FRAMEWORKS]
    first = next((s for c in cells if c for s in c.slots if s.usable), None)
    if first is None:
        return None
    before, panels = boundary(first), []
    for what in ("loss", "accuracy"):
        found = [c for x in cells for part in PARTS for c in _compared(x, what, *part)]
        drawn = [_from(curve, before) for curve in found]
        points = _selected_point(claims, what) if first.spec.profile == "paper" else ()
        panels.append(Panel("", LABELS[what], drawn, points=points))
    description = (
        f"{title(variant)}: training and test loss and accuracy over the epochs of fine-tuning. "
        + _results(cells, ("validation_loss", "accuracy"))
    )
    return kinds.curves(name, description, panels)


def _selected_point(claims: Sequence[Claim], what: str) -> tuple[tuple[float, float], ...]:
    value = {claim.metric: claim.number for claim in claims}
    found = value["validation_loss"] if what == "loss" else 100 * value["accuracy"]
    return ((value["selected_epoch"], found),)


def _results(cells: list[Cell | None], metrics: tuple[str, ...]) -> str:
    """Says in words what the cells reached at their selected epochs."""
    said = []
    for cell in filter(None, cells):
        values = [cell.number(metric) for metric in metrics]
        texts = [
            f"{WORDS[metric]} {number_text(metric, value.value)}"
            for metric, value in zip(metrics, values, strict=True)
        ]
        said.append(f"{NAMES[cell.framework]} {title(cell.variant)}: {', '.join(texts)}")
    return f"At the selected epochs: {'; '.join(said)}." if said else ""


def leak_free(variant: str, cells: dict[str, tuple[Cell, Cell]], name: str) -> Markup | None:
    """Draws the accuracy on the test images over the epochs, as published and leak-free, with a
    panel for each twin; returns None where one of the cells has no run.

    `cells` has, by twin, both cells of a network. Runs are thin; their mean, drawn where none is
    missing, is thick.
    """
    panels = []
    for framework, (published, free) in cells.items():
        drawn, phases = [], 0
        for colour, cell, text in ((framework, published, "as published"), ("", free, "leak-free")):
            slots = [s for s in cell.slots if s.usable]
            if not slots:
                return None
            phases = boundary(slots[0])
            runs = [[100 * float(v) for v in slot.scored.by_epoch] for slot in slots]
            marks = [slot.scored.row for slot in slots]
            if len(runs) > 1 or cell.lack:
                lines = zip(runs, marks, strict=True)
                drawn += [Curve(colour, run, True, mark=mark) for run, mark in lines]
            if not cell.lack:
                mean = _mean(runs)
                mark = marks[0] if len(runs) == 1 else None
                drawn.append(Curve(colour, mean, label=text, mark=mark))
        panels.append(Panel(NAMES[framework], "accuracy on test images, %", drawn, phases))
    said = [
        f"{NAMES[framework]}, {text}: {number_text('accuracy', cell.number('accuracy').value)}"
        for framework, both in cells.items()
        for text, cell in zip(("as published", "leak-free"), both, strict=True)
    ]
    description = (
        f"{title(variant)}: accuracy on the test images over the epochs. At the selected epochs: "
        + "; ".join(said)
    )
    return kinds.curves(name, description, panels)


def network_figure(
    group: Group, variants: Sequence[str], what: str, name: str, phase2: bool = False
) -> Markup | None:
    """Draws accuracy or loss on the part that selects the epoch, with a panel for each network and
    with both twins; diamonds are what a paper prints for single epochs. With `phase2`, that phase
    is drawn alone, and its epochs are counted from 1. Returns None where no run is there."""
    panels = []
    for variant in variants:
        cells = [group.cells.get((f, variant)) for f in FRAMEWORKS]
        drawn = [curve for cell in cells for curve in _compared(cell, what)]
        slots = [s for cell in cells if cell for s in cell.slots]
        same = slots and all(a == b for a, b in milestones(slots[0].spec).items())
        points = _claimed(variant, what) if same else ()
        there = next((s for s in slots if s.usable), None)
        phases = boundary(there) if there else 0
        if phase2:
            drawn, phases = [_from(c, phases) for c in drawn], 0
        panels.append(Panel(title(variant), LABELS[what], drawn, phases, points))
    if not any(panel.curves for panel in panels):
        return None
    cells = [group.cells.get((f, v)) for v in variants for f in FRAMEWORKS]
    names = " and ".join(title(variant) for variant in variants)
    over = "over the epochs of phase 2" if phase2 else "over the epochs"
    metric = "accuracy" if what == "accuracy" else "validation_loss"
    said = _results(cells, (metric,))
    return kinds.curves(name, f"{names}: {what} on the {group.part} part {over}. {said}", panels)


def _from(curve: Curve, epochs: int) -> Curve:
    """Returns the curve without its first epochs."""
    mark = None if curve.mark is None else curve.mark - epochs
    return replace(curve, values=curve.values[epochs:], mark=mark)


def _claimed(variant: str, what: str) -> tuple[tuple[float, float], ...]:
    metric = "log_loss" if what == "loss" else "accuracy"
    claims = [c for c in load_claims().values() if (c.variant, c.metric) == (variant, metric)]
    scale = 1 if what == "loss" else 100
    return tuple((c.epoch, scale * c.number) for c in claims if c.epoch is not None)


def bars_figure(group: Group, table: Sequence[Claim], name: str) -> Markup | None:
    """Draws the measures of a table of claims as bars, printed beside measured, with a panel for
    each network; returns None where nothing was measured."""
    panels, variants = [], list(dict.fromkeys(claim.variant for claim in table))
    for variant in variants:
        about = of_network(table, variant)
        claims = [c for metric in MEASURES for c in about if c.metric == metric]
        panel = {"printed": [Bar(MEASURES[c.metric], c.value, _printed(c)) for c in claims]}
        for framework in FRAMEWORKS:
            cell = group.cells.get((framework, variant))
            values = [cell.number(c.metric, c.at).value if cell else None for c in claims]
            panel[framework] = [
                Bar(MEASURES[c.metric], value, _bar_text(value))
                for c, value in zip(claims, values, strict=True)
            ]
        panels.append(panel)
    if not any(bar.value is not None for p in panels for f in FRAMEWORKS for bar in p[f]):
        return None
    heads = [title(variant) for variant in variants]
    said = "; ".join(
        f"{heading}, {kinds.NAMES.get(key, key)}: "
        + ", ".join(f"{bar.measure} {bar.text}" for bar in some)
        for heading, panel in zip(heads, panels, strict=True)
        for key, some in panel.items()
    )
    return kinds.bars(name, f"Precision, recall, F and accuracy. {said}", heads, panels)


def _printed(claim: Claim) -> str:
    """Returns the claim as a share, with three digits for one in % and else with the paper's."""
    return f"{claim.value:.3f}" if claim.unit == "%" else claim.printed


def _bar_text(value: float | None) -> str:
    if value is None:
        return MISSING
    return "diverged" if value != value else f"{value:.3f}"


def dots_figure(group: Group, claims: Sequence[Claim], name: str) -> Markup | None:
    """Draws claims about accuracy as dots beside both twins' means over the seeds, with whiskers
    that span the seeds; returns None where nothing was measured."""
    series: list[dict[str, Any]] = [
        {
            "framework": None,
            "label": "claimed",
            "hollow": True,
            "points": [(i, *[100 * c.number] * 3) for i, c in enumerate(claims)],
        }
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
    cells = [group.cells.get((f, c.variant)) for c in claims for f in FRAMEWORKS]
    said = f"Accuracy of {len(rows)} networks, printed and measured. "
    said += _results(cells, ("accuracy",))
    return kinds.dots(name, said, rows, series, "accuracy, %")
