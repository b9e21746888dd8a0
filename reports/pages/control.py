"""The page "The same question on a laptop": the control's networks, ours, in neither paper."""

from protocols.metrics import metric_of
from protocols.papers.variants import CONTROL
from reports.cells.cell import Group
from reports.cells.collect import Collected
from reports.cells.settings import Setting
from reports.data.numbers import Numbers
from reports.figures import curves
from reports.judging.contrasts import Contrast, contrasts, twins_apart
from reports.judging.questions import QUESTIONS, ROWS, Question
from reports.judging.verdicts import MIN_SEEDS
from reports.pages.content import Drawn, PageRecord, Results, Section, worth_showing
from reports.pages.overview.tables import profile_table
from reports.pages.papers.measures import more_table
from reports.tables.builder import Line, numbers, table, texts, twins
from reports.tables.cell_text import contrast_cell
from reports.tables.formats import MISSING, NAMES, gap_text, marked, plain_text, plural, title
from reports.tables.table import Table, Td


def settings(collected: Collected) -> list[Setting]:
    """Return the settings that have runs of the control's networks."""
    found = (group.setting for q in QUESTIONS for group in collected.of(CONTROL, q.paper))
    return list(dict.fromkeys(found))


def page(results: Results) -> dict[str, object]:
    """Return the content of the page: the profiles, and each question with its groups of runs."""
    collected, known = results.collected, results.numbers
    asked = []  # each question, its sections, and those that are left out, but for the exports
    for question in QUESTIONS:
        shown, left = (
            [Section(group.caption, _parts(group, question, known)) for group in groups]
            for groups in worth_showing(collected.of(CONTROL, question.paper))
        )
        asked.append((question, shown, left))
    return {"questions": asked, "profiles": profile_table(settings(collected), CONTROL, whole=True)}


def _parts(group: Group, question: Question, known: Numbers) -> list[Table | Drawn]:
    name = f"{question.paper}-{group.setting.slug}-{group.protocol}"
    parts: list[Table | Drawn] = [more_table(group)]
    both = zip(group.twins(question.first), group.twins(question.second), strict=True)
    if any(a and b for a, b in both):
        parts.insert(0, difference_table(group, question, known))
    for what, text in (("accuracy", "Accuracy"), ("loss", "Data loss, as trained on,")):
        drawing = curves.network_figure(group, group.variants, what, f"{what}-{name}")
        about = f"{text} on the {group.part} part over the epochs."
        parts.append(Drawn(drawing, about))
    return parts


def difference_table(group: Group, question: Question, known: Numbers) -> Table:
    """Return the table of the differences of the first network and the second.
    It shows the first less the second in each twin, and how far the twins lie apart in that."""
    first, second = question.first, question.second
    lines: list[Line] = []
    for metric, at, text in ROWS:
        keras, torch = contrasts(group, first, second, metric, at).values()
        found = [contrast_cell(one, _note(one) if one else "") for one in (keras, torch)]
        lines.append([text, *found, _between(keras, torch, known)])
    return table(
        f"difference-{question.paper}-{group.setting.slug}-{group.protocol}",
        f"{title(first)} minus {title(second)}: the difference that the question asks for, in "
        "Keras and in PyTorch.",
        [*texts("Measure"), *twins(), *numbers(f"{NAMES['torch']} minus {NAMES['keras']}")],
        lines,
        [_weight(group)],
        setting=group.caption,
    )


def _note(one: Contrast) -> str:
    """Return what the difference lacks, the half-width of its interval where there are seeds
    enough, and in how many folds the first network is higher."""
    notes = [one.lack] if one.lack else []
    if one.half_width is not None and len(one.by_seed) >= MIN_SEEDS:
        notes.append(f"± {plain_text(one.metric, one.half_width)}")
    if one.a.folds > 1 and not one.lack:
        notes.append(f"higher in {one.won} of {plural(len(one.a.slots), 'fold')}")
    return ", ".join(notes)


def _between(keras: Contrast | None, torch: Contrast | None, known: Numbers) -> Td:
    if keras is None or torch is None:
        return Td(MISSING)
    key, _ = twins_apart(keras, torch)
    found = known[key]["means"][keras.at][keras.metric]["value"]
    text = marked(gap_text(keras.metric, found.value), keras.stale or torch.stale)
    return Td(text, href=torch.a.href, key=found.key, scale=metric_of(keras.metric).scale)


def _weight(group: Group) -> str:
    """Return a note on how much the differences say."""
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


PAGE = PageRecord(
    "control.html", "The same question on a laptop", "On a laptop",
    page, place=13, group="Method",
    settings=lambda results: settings(results.collected),
    is_there=lambda results: bool(settings(results.collected)),
)  # fmt: skip
