"""The page "The same question on a laptop": the control's networks, ours, in neither paper."""

from dataclasses import dataclass

from protocols.papers.variants import CONTROL
from protocols.spec import FRAMEWORKS
from reports.cells.cell import Cell, Group
from reports.cells.collect import Collected
from reports.cells.settings import Setting
from reports.figures import curves
from reports.judging.contrasts import BETWEEN, Gap, gap, gap_key
from reports.judging.questions import QUESTIONS, ROWS, Question
from reports.judging.verdicts import MIN_SEEDS, grain
from reports.pages.papers.measures import more_table
from reports.pages.parts import Drawn, Section
from reports.statistics.between_seeds import mean_difference
from reports.tables.cell_text import framework_heads, stale_notes
from reports.tables.table import (
    MISSING,
    NAMES,
    STALE,
    Table,
    Td,
    head,
    label,
    minus,
    plural,
    points,
    title,
)

NOT_ASKED = "not asked for"


@dataclass(frozen=True)
class Asked:
    """A question and what was measured for it, a section a group of runs."""

    question: Question
    sections: list[Section]


def is_asked(collected: Collected) -> bool:
    """Whether such runs are asked for or found."""
    return any(group.of(CONTROL, q.paper).cells for q in QUESTIONS for group in collected.groups)


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
    phases = any(len(s.spec.phases) > 1 for s in group.slots)
    for what, text in (("accuracy", "Accuracy"), ("loss", "Data loss, as trained on,")):
        for alone in (False, True) if phases else (False,):
            part = f"{what}-2-{name}" if alone else f"{what}-{name}"
            svg = curves.network_figure(group, group.variants, what, part, alone)
            when = "epochs of phase 2 alone" if alone else "epochs"
            caption = f"{text} on the {group.part} part over the {when}. {several} {group.caption}"
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
    cells = [[group.cells.get((f, v)) for v in (first, second)] for f in FRAMEWORKS]
    rows = []
    for metric, at, text in ROWS:
        found = [None if None in both else gap(*both, metric, at) for both in cells]
        row = [_cell(both, one, metric, at) for both, one in zip(cells, found, strict=True)]
        rows.append([label(text), *row, _between(group, cells, found, metric, at)])
    table.bodies.append(("", rows))
    table.notes += [_weight(group), *stale_notes(group)]
    return table


def _cell(both: list[Cell | None], found: Gap | None, metric: str, at: str) -> Td:
    """The difference in one twin, linked to the first network's runs: the other's are beside."""
    if found is None:
        return Td("–", NOT_ASKED)
    notes = _beside(both, list(found.by_seed), metric)
    if both[0].folds > 1 and found.value is not None:
        notes.append(f"higher in {found.won} of {plural(len(both[0].slots), 'fold')}")
    old = f" {STALE}" if any(cell.stale for cell in both) else ""
    return Td(
        _text(found.value, metric) + (old if found.value is not None else ""),
        found.lack or ", ".join(notes), href=both[0].href,
        key=f"{gap_key(*both)}:means.{at}.{metric}.value", scale=_scale(metric),
    )  # fmt: skip


def _between(
    group: Group, cells: list[list[Cell | None]], found: list[Gap | None], metric: str, at: str
) -> Td:
    """How far the twins differ in the difference."""
    if None in found:
        return Td(MISSING)
    values = [one.value for one in found]
    value = None if None in values else values[1] - values[0]
    old = any(cell.stale for both in cells for cell in both) and value is not None
    names = "-".join(cell.variant for cell in cells[0])
    return Td(
        _text(value, metric) + (f" {STALE}" if old else ""), href=cells[1][0].href,
        key=f"{group.place}/{BETWEEN}/{names}:means.{at}.{metric}.value", scale=_scale(metric),
    )  # fmt: skip


def _scale(metric: str) -> int:
    return 1 if metric == "log_loss" else 100


def _text(value: float | None, metric: str) -> str:
    if value is None:
        return MISSING
    if value != value:
        return "diverged"
    return minus(f"{value:+.4f}") if metric == "log_loss" else points(value)


def _beside(both: list[Cell], gaps: list[float], metric: str) -> list[str]:
    """The half-width of the interval of the mean difference, where there are seeds enough."""
    if len(gaps) < MIN_SEEDS:
        return []
    half = mean_difference(gaps, max(grain(cell, metric) for cell in both))[1]
    return [f"± {half:.4f}" if metric == "log_loss" else f"± {100 * half:.2f}"]


def _weight(group: Group) -> str:
    """How much the differences say."""
    seeds = min(len(cell.seeds) for cell in group.cells.values())
    if seeds >= MIN_SEEDS:
        return (
            "±: half-width of the 95% interval of the mean difference, paired by seed. A "
            "difference smaller than that decides nothing."
        )
    said = "One seed decides" if seeds == 1 else f"{seeds} seeds decide"
    return (
        f"{said} nothing: another could turn the sign. The last column shows how far two answers "
        f"to the same question already lie apart. From {MIN_SEEDS} seeds on, an interval stands "
        "here."
    )
