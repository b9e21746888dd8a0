"""The page "The same question on a laptop": the control's networks, ours, in neither paper."""

import math
from dataclasses import dataclass

from protocols.spec import FRAMEWORKS
from reports import curves
from reports.collect import Collected, Group
from reports.groups import CONTROL, Setting
from reports.measures import more_table
from reports.papers import Drawn, Section
from reports.tables import (
    MISSING,
    NAMES,
    STALE,
    Table,
    Td,
    framework_heads,
    head,
    label,
    minus,
    plural,
    points,
    stale_notes,
    title,
)
from reports.verdicts import MIN_SEEDS, interval

NOT_ASKED = "not asked for"
# metric, at, in words
ROWS = (
    ("accuracy", "selected", "Accuracy, selected epoch, points"),
    ("accuracy", "last", "Accuracy, last epoch, points"),
    ("log_loss", "selected", "Log loss, selected epoch, nat"),
    ("f1_macro", "selected", "F1, macro, selected epoch, points"),
)


@dataclass(frozen=True)
class Question:
    """What one paper asks, asked again; `first` and `second`: whose difference answers it."""

    paper: str
    heading: str
    text: str
    first: str
    second: str


@dataclass(frozen=True)
class Gap:
    """Mean difference of two networks and what it rests on; no value where a run is missing."""

    value: float | None
    note: str = ""
    stale: bool = False


@dataclass(frozen=True)
class Asked:
    """A question and what was measured for it, a section a group of runs."""

    question: Question
    sections: list[Section]


QUESTIONS = (
    Question(
        "liang",
        "Liang’s question: does an LSTM over the rows help its own CNN?",
        "One CNN alone, and with an LSTM beside it that reads the grey image row by row; by "
        "Liang’s recipe: first the CNN frozen, then all layers.",
        "efficientnet_lite0_lstm",
        "efficientnet_lite0",
    ),
    Question(
        "jane",
        "Jane’s question: CNN-LSTM or CNN-GRU?",
        "One frozen CNN, with an LSTM or a GRU that reads its last feature map; by Jane’s recipe: "
        "cross-validation on images of equal classes.",
        "efficientnet_lite0_cnn_lstm",
        "efficientnet_lite0_cnn_gru",
    ),
)


def control_page(collected: Collected) -> tuple[list[Asked], list[Setting]]:
    """Each question with its groups of runs, planned ones first; and all settings shown."""
    asked, used = [], []
    for question in QUESTIONS:
        sections = []
        for group in (g.of(CONTROL, question.paper) for g in collected.groups):
            if group.cells:
                main = group.setting.planned
                parts = _parts(group, question)
                sections.append(Section("Earlier runs", group.caption, main, "", parts))
                used.append(group.setting)
        asked.append(Asked(question, sections))
    return asked, list(dict.fromkeys(used))


def _parts(group: Group, question: Question) -> list[Table | Drawn]:
    name = f"{question.paper}-{group.setting.slug}-{group.protocol}"
    several = "Thin: single runs; thick: their mean, where none is missing."
    parts: list[Table | Drawn] = [difference_table(group, question), more_table(group)]
    phases = any("phase2_epochs" in s.spec.recipe for s in group.slots)
    for what, text in (("accuracy", "Accuracy"), ("loss", "Data loss, as trained on,")):
        for alone in (False, True) if phases else (False,):
            part = f"{what}-2-{name}" if alone else f"{what}-{name}"
            svg = curves.network_figure(group, group.variants, what, part, alone)
            when = "epochs of phase 2 alone" if alone else "epochs"
            caption = f"{text} on the test part over the {when}. {several} {group.caption}"
            parts.append(Drawn(svg, caption))
    return parts


def difference_table(group: Group, question: Question) -> Table:
    """First network less the second, in each twin, and how far the twins differ in it."""
    first, second = question.first, question.second
    between = head(f"{NAMES['torch']} less {NAMES['keras']}")
    table = Table(
        f"difference-{question.paper}-{group.setting.slug}-{group.protocol}",
        f"{title(first)} less {title(second)}: the difference that the question asks for, in each "
        f"twin. {group.caption}",
        [[head("Measure", kind="headtext"), *framework_heads(), between]],
        [],
    )
    rows = []
    for metric, at, text in ROWS:
        found = [_gap(group, question, f, metric, at) for f in FRAMEWORKS]
        values = [gap.value for gap in found]
        gap = None if None in values else values[1] - values[0]
        between = Gap(gap, stale=any(one.stale for one in found))
        rows.append([label(text), *(_cell(gap, metric) for gap in (*found, between))])
    table.bodies.append(("", rows))
    table.notes += [_weight(group), *stale_notes(group)]
    return table


def _cell(gap: Gap, metric: str) -> Td:
    if gap.value is None:
        return Td("–" if gap.note == NOT_ASKED else MISSING, gap.note)
    text = minus(f"{gap.value:+.4f}") if metric == "log_loss" else points(gap.value)
    text = "diverged" if gap.value != gap.value else text
    return Td(text + (f" {STALE}" if gap.stale else ""), gap.note)


def _gap(group: Group, question: Question, framework: str, metric: str, at: str) -> Gap:
    names = (question.first, question.second)
    cells = [group.cells.get((framework, name)) for name in names]
    if None in cells:
        return Gap(None, NOT_ASKED)
    numbers = [cell.number(metric, at) for cell in cells]
    lacks = [f"{title(n)}: {x.lack}" for n, x in zip(names, numbers, strict=True) if x.lack]
    if lacks:
        return Gap(None, "; ".join(lacks))
    scores = [
        {(s.spec.seed, s.spec.fold): s.measured.scores[at][metric] for s in cell.slots}
        for cell in cells
    ]
    if scores[0].keys() != scores[1].keys():
        return Gap(None, "the two sides have different seeds or folds")
    gaps = [value - numbers[1].by_seed[seed] for seed, value in numbers[0].by_seed.items()]
    notes = _beside(gaps, metric)
    if cells[0].folds > 1:
        won = sum(scores[0][key] > scores[1][key] for key in scores[0])
        notes.append(f"higher in {won} of {plural(len(scores[0]), 'fold')}")
    stale = any(cell.stale for cell in cells)
    return Gap(math.fsum(gaps) / len(gaps), ", ".join(notes), stale)


def _beside(gaps: list[float], metric: str) -> list[str]:
    """The half-width of the prediction interval, where there are seeds enough."""
    if len(gaps) < MIN_SEEDS:
        return []
    half = interval(gaps)[1]
    return [f"± {half:.4f}" if metric == "log_loss" else f"± {100 * half:.2f}"]


def _weight(group: Group) -> str:
    """How much the differences say."""
    seeds = min(len(cell.seeds) for cell in group.cells.values())
    if seeds >= MIN_SEEDS:
        return (
            "±: half-width of the 95% prediction interval of one more seed’s difference. A "
            "difference smaller than that decides nothing."
        )
    said = "One seed decides" if seeds == 1 else f"{seeds} seeds decide"
    return (
        f"{said} nothing: another could turn the sign. The last column shows how far two answers "
        f"to the same question already lie apart. From {MIN_SEEDS} seeds on, an interval stands "
        "here."
    )
