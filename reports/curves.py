"""The curves over epochs of run sets, from their histories."""

import math
from dataclasses import replace

from markupsafe import Markup

from protocols.claims import load_claims
from protocols.contract import milestones
from protocols.spec import FRAMEWORKS
from reports import figures
from reports.collect import Cell, Group
from reports.figures import Curve, Panel
from reports.slots import Slot
from reports.tables import NAMES, title

TEST = {"loss": "eval_loss", "accuracy": "eval_accuracy"}
TRAIN = {"loss": "train_loss", "accuracy": "train_accuracy"}
LABELS = {"loss": "loss, nat", "accuracy": "accuracy"}


def column(slot: Slot, name: str) -> list[float]:
    """A column of the run's history, one value an epoch."""
    return [row[name] for row in slot.run.history]


def mean_curve(slots: list[Slot], name: str) -> list[float]:
    """The mean over runs, epoch by epoch; a run that diverges makes its epochs NaN."""
    columns = [column(slot, name) for slot in slots]
    return [math.fsum(values) / len(values) for values in zip(*columns, strict=True)]


def boundary(slot: Slot) -> int:
    """Epochs before phase 2; 0 where there is one phase."""
    phases = [row["phase"] for row in slot.run.history]
    return 0 if len(set(phases)) == 1 else phases.index(max(phases))


def run_figure(cell: Cell, seed: int, name: str) -> Markup | None:
    """Loss and accuracy, training and test, of one run, or of all folds of a seed.

    Folds are thin; their mean is drawn only where all of them are there.
    """
    slots = [s for s in cell.of_seed(seed) if s.usable]
    if not slots:
        return None
    panels = []
    for what in ("loss", "accuracy"):
        drawn = []
        for training, source in ((True, TRAIN), (False, TEST)):
            text = "training" if training else "test part"
            if len(slots) == 1:
                mark = None if training else slots[0].measured.row
                values = column(slots[0], source[what])
                folded = "" if slots[0].spec.fold is None else f", fold {slots[0].spec.fold}"
                drawn.append(Curve(cell.framework, values, False, training, text + folded, mark))
                continue
            for slot in slots:
                mark = None if training else slot.measured.row
                values = column(slot, source[what])
                drawn.append(Curve(cell.framework, values, True, training, mark=mark))
            if cell.whole(seed):
                values = mean_curve(slots, source[what])
                text += f", mean of {len(slots)} folds"
                drawn.append(Curve(cell.framework, values, False, training, text))
        panels.append(Panel("", LABELS[what], drawn, boundary(slots[0])))
    description = (
        f"{NAMES[cell.framework]} {title(cell.variant)}, seed {seed}: "
        "loss and accuracy over the epochs"
    )
    return figures.curves(name, description, panels)


def _compared(cell: Cell | None, what: str) -> list[Curve]:
    """Test-part curves of a cell: runs thin, each with its selected epoch; the mean only where
    the set is whole."""
    slots = [s for s in cell.slots if s.usable] if cell else []
    drawn = []
    if len(slots) > 1 or (cell and cell.lack):
        drawn = [
            Curve(cell.framework, column(s, TEST[what]), True, mark=s.measured.row) for s in slots
        ]
    if slots and not cell.lack:
        text = NAMES[cell.framework] + (f", mean of {len(slots)}" if len(slots) > 1 else "")
        mark = slots[0].measured.row if len(slots) == 1 else None
        values = mean_curve(slots, TEST[what])
        drawn.append(Curve(cell.framework, values, label=text, mark=mark))
    return drawn


def liang_fig6(group: Group, name: str) -> Markup | None:
    """Liang's Fig. 6, both twins: loss and accuracy of Xception-LSTM on the test part."""
    cells = [group.cells.get((f, "xception_lstm")) for f in FRAMEWORKS]
    first = next((s for c in cells if c for s in c.slots if s.usable), None)
    if first is None:
        return None
    panels = [
        Panel("", LABELS[what], [c for x in cells for c in _compared(x, what)], boundary(first))
        for what in ("loss", "accuracy")
    ]
    return figures.curves(name, "Xception-LSTM: loss and accuracy over the epochs", panels)


def leak_free(variant: str, cells: dict[str, tuple[Cell, Cell]], name: str) -> Markup | None:
    """Accuracy on the test images over the epochs, as published and leak-free; a panel a twin.

    `cells`: by twin, both of a variant. Thin: runs; thick: their mean, where none is missing.
    """
    panels = []
    for framework, (published, free) in cells.items():
        drawn, phases = [], 0
        for colour, cell, text in ((framework, published, "as published"), ("", free, "leak-free")):
            slots = [s for s in cell.slots if s.usable]
            if not slots:
                return None
            phases = boundary(slots[0])
            runs = [[float(v) for v in slot.measured.by_epoch] for slot in slots]
            marks = [slot.measured.row for slot in slots]
            if len(runs) > 1 or cell.lack:
                lines = zip(runs, marks, strict=True)
                drawn += [Curve(colour, run, True, mark=mark) for run, mark in lines]
            if not cell.lack:
                mean = [math.fsum(v) / len(v) for v in zip(*runs, strict=True)]
                mark = marks[0] if len(runs) == 1 else None
                drawn.append(Curve(colour, mean, label=f"{NAMES[framework]}, {text}", mark=mark))
        panels.append(Panel(NAMES[framework], "accuracy, test images", drawn, phases))
    return figures.curves(name, f"{title(variant)}: accuracy, as published and leak-free", panels)


def network_figure(
    group: Group, variants: list[str], what: str, name: str, phase2: bool = False
) -> Markup | None:
    """Accuracy or loss on the test part, a panel a network, both twins; Table III as diamonds.

    Jane's Fig. 1 (accuracy) and Fig. 2 (log loss); the control's curves. `phase2`: that phase
    alone, its epochs counted from 1.
    """
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
    return figures.curves(name, f"{what} of these networks over the epochs", panels)


def _from(curve: Curve, epochs: int) -> Curve:
    """The curve without its first epochs."""
    mark = None if curve.mark is None else curve.mark - epochs
    return replace(curve, values=curve.values[epochs:], mark=mark)


def _claimed(variant: str, what: str) -> tuple[tuple[float, float], ...]:
    metric = "log_loss" if what == "loss" else "accuracy"
    claims = [c for c in load_claims().values() if c.where == "Table III" and c.variant == variant]
    return tuple((c.epoch, c.value) for c in claims if c.metric == metric)


def jane_bars(group: Group, name: str) -> Markup | None:
    """Jane's Fig. 3: Table II's measures as bars, claimed beside measured."""
    panels = []
    for variant in ("cnn_lstm", "cnn_gru"):
        claims = [
            c for c in load_claims().values() if c.where == "Table II" and c.variant == variant
        ]
        panel: dict[str, list[float | None]] = {"claimed": [c.value for c in claims]}
        for framework in FRAMEWORKS:
            cell = group.cells.get((framework, variant))
            panel[framework] = [cell.number(c.metric, c.at).value if cell else None for c in claims]
        panels.append(panel)
    if not any(v is not None for p in panels for f in FRAMEWORKS for v in p[f]):
        return None
    heads = [title("cnn_lstm"), title("cnn_gru")]
    return figures.bars(name, "precision, recall, F and accuracy", heads, panels)


def liang_dots(group: Group, name: str) -> Markup | None:
    """Table 1 as a dot plot, claimed beside both twins; whiskers span the seeds."""
    claims = [c for c in load_claims().values() if c.where == "Table 1"]
    series = [
        {
            "framework": None,
            "label": "claimed",
            "hollow": True,
            "points": [(i, *[100 * c.value] * 3) for i, c in enumerate(claims)],
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
    return figures.dots(name, "Accuracy of the seven networks", rows, series, "accuracy, %")
