"""The tables of the two papers' pages: claimed, Keras and PyTorch side by side."""

from collections.abc import Iterable
from dataclasses import replace

from protocols.papers.claims import Claim, load_claims
from protocols.papers.papers import load_papers
from protocols.papers.recipes import load_profiles, milestones
from protocols.spec import FRAMEWORKS
from reports.cells.cell import Group
from reports.cells.collect import Collected
from reports.cells.settings import Setting
from reports.judging.uncertainty import new_cells_note, wide_note
from reports.judging.verdicts import claimed_contrasts, counted, judge, judge_ordering
from reports.statistics.intervals import FEWEST
from reports.tables.builder import Line, Over, numbers, over_twins, table, texts, twins
from reports.tables.cell_text import (
    claim_name,
    claim_text,
    class_word,
    contrast_cell,
    difference_text,
    measured,
    runs_behind,
    verdict_cell,
)
from reports.tables.formats import NAMES, minus, plural, title
from reports.tables.table import Table, Td, label, words


def claims_where(paper: str, where: str, kind: str = "metric") -> list[Claim]:
    """Return the claims of one table or figure of a paper."""
    found = load_claims().values()
    return [c for c in found if c.paper == paper and c.where == where and c.kind == kind]


def claim_row(
    claim: Claim, collected: Collected, setting: Setting, name: Td | str
) -> list[Td | str]:
    """Return the row of a claim: name | printed | Keras: measured, difference, verdict | PyTorch:
    the same three. Numbers that aren't comparable with the printed one are left out."""
    group = collected.group(setting, claim.protocol)
    row: list[Td | str] = [name, Td(claim_text(claim))]
    for framework, cell in zip(FRAMEWORKS, group.twins(claim.variant), strict=True):
        verdict = judge(claim, collected, setting, framework)
        if not verdict.comparable:
            row += [BLANK, "", verdict_cell(claim, verdict)]
            continue
        value = cell.number(claim.metric, claim.at).value if cell else None
        near = new_cells_note(cell, claim.metric, claim.at, claim.unit)
        found = measured(cell, claim.metric, claim.at, near, claim.unit) if cell else BLANK
        place = f"{cell.key}:intervals.{claim.at}.{claim.metric}" if cell and near else ""
        row.append(replace(found, near=place))
        row.append(Td(difference_text(claim, value), href=found.href))
        row.append(verdict_cell(claim, verdict))
    return row


def claim_heads(first: str, unit: str) -> list[Td | Over]:
    """Return the headings over the rows of `claim_row`; `unit` is the unit of the differences."""
    below = [*numbers("measured"), Td("difference", unit, kind="head"), *texts("verdict")]
    return [*texts(first), *numbers("Claimed"), *over_twins(below)]


BLANK = Td("–")  # stands for a number that is not comparable
NEW_CELLS = (
    "New cells: 95% interval on photographs other than those tested (page Evidence); it says "
    f"nothing of whether the claim reproduces. From fewer than {FEWEST} photographs, or where "
    "none differs from the others, there is no such interval. Where a mean over folds or "
    "seeds is another number than that of all folds together (precision, F1), the interval is of "
    "the latter, which stands before it."
)


def new_cells(groups: Iterable[Group]) -> str:
    """Return the note on the intervals on new photographs, with the cause where they are wide."""
    why = wide_note(cell for group in groups for cell in group.in_order)
    return f"{NEW_CELLS} {why}".strip()


def claim_notes(group: Group) -> list[str]:
    """Return the notes under a table of claims: what its numbers rest on, if it has any, or why
    they are not beside the claims."""
    if group.setting.comparable:
        rest = rests_on(group)
        return [*rest, new_cells([group])] if rest else []
    reasons = "; ".join(group.setting.objections)
    profile = load_profiles().get(group.setting.profile)
    about = f" Profile {profile.name}: {profile.about}." if profile else ""
    return [
        f"The numbers of these runs are not set beside the claims ({reasons}); they stand in the "
        f"table “More measures”.{about}"
    ]


def rests_on(group: Group) -> list[str]:
    """Return a note on the runs behind the numbers of each cell, said once where all cells are
    alike."""
    kinds: dict[str, list[str]] = {}
    for (framework, variant), cell in sorted(group.cells.items()):
        if not cell.lack:
            kinds.setdefault(runs_behind(cell), []).append(f"{NAMES[framework]} {title(variant)}")
    if len(kinds) == 1:
        return [f"Each measured number: {next(iter(kinds))}."]
    return [f"{text}: {'; '.join(names)}." for text, names in sorted(kinds.items())]


def liang_table1(collected: Collected, group: Group) -> Table:
    """Return Liang's Table 1."""
    return table(
        f"t1-{group.setting.slug}",
        "Liang 2018, Table 1: four-class accuracy on the test images.",
        claim_heads("Network", "points"),
        [
            claim_row(claim, collected, group.setting, _network(claim))
            for claim in claims_where("liang", "Table 1")
        ],
        claim_notes(group),
        setting=group.caption,
    )


def _network(claim: Claim) -> Td:
    """Return a row's network, and what is claimed of it unless that is the accuracy."""
    return label(title(claim.variant), "" if claim.metric == "accuracy" else claim.column)


def liang_fig6(collected: Collected, group: Group) -> Table:
    """Return the claims of Liang's Fig. 6: lowest validation loss, its epoch, the accuracy
    there."""
    return table(
        f"fig6-{group.setting.slug}",
        "Liang 2018, IV.A and Fig. 6: Xception-LSTM.",
        claim_heads("Claim", "nat, epochs or fraction"),
        [
            claim_row(claim, collected, group.setting, claim.column)
            for claim in claims_where("liang", "IV.A, Fig. 6")
        ],
        [
            "Loss: cross entropy against targets smoothed by 0.1, as it was trained on; "
            "epochs are counted within phase 2."
        ],
        setting=group.caption,
    )


def ordering_table(group: Group, paper: str) -> Table:
    """Return the claims of the kind "A is better than B", with the margin of each contest."""
    lines = {}
    for claim in (c for c in load_claims().values() if c.kind == "ordering" and c.paper == paper):
        both = [claimed_contrasts(claim, group, f) for f in FRAMEWORKS]
        verdicts = [judge_ordering(claim, group.setting, group, f) for f in FRAMEWORKS]
        lines[f"{claim.column} ({claim.where})"] = [
            *([f"{title(a)} over {title(b)}", *(contrast_cell(own[a, b]) for own in both)]
              for a, b in both[0]
              if any(one and one.value is not None for one in (own[a, b] for own in both))),
            ["Verdict", *(replace(verdict_cell(claim, v), kind="word") for v in verdicts)],
        ]  # fmt: skip
    return table(
        f"order-{paper}-{group.setting.slug}",
        "Which network is better: accuracy of the first minus that of the second, in points.",
        [*texts("Contest"), *twins()],
        lines,
        setting=group.caption,
    )


def counts_table() -> Table:
    """Return the images of each class, claimed in Liang III.A and in the public data's manifest."""
    lines = {}
    for part, name in (("train", "Train"), ("test", "Test"), ("all", "Both")):
        claims = [c for c in claims_where("liang", "III.A", "count") if c.row == part]
        printed = sum(int(c.number) for c in claims if c.column != "sum")
        added = f" (printed classes add up to {printed:,})" if printed else ""
        lines[f"{name}{added}"] = [
            [class_word(c), Td(c.printed), counted(c), Td(_more(counted(c) - int(c.number)))]
            for c in claims
        ]
    return table(
        "counts",
        "Liang 2018, III.A: images of each class, beside the files of the public data.",
        [*texts("Part and class"), *numbers("Claimed", "In the data", "Difference")],
        lines,
    )


def _more(count: int) -> str:
    """Return a difference of two counts with its sign; none has no sign."""
    return minus(f"{count:+d}") if count else "0"


def cited_table(paper: str) -> Table:
    """Return the numbers that a paper quotes from others, by section; none can be tested here."""
    lines: dict[str, list[Line]] = {}
    for claim in (c for c in load_claims().values() if (c.paper, c.kind) == (paper, "cited")):
        line: Line = [claim_name(claim), Td(claim_text(claim)), words("not tested", claim.reason)]
        lines.setdefault(claim.where, []).append(line)
    return table(
        f"{paper}-cited",
        f"{load_papers()[paper].name}: results quoted from other papers, as printed.",
        [*texts("Of what"), *numbers("Printed"), *texts("Here")],
        lines,
    )


def jane_table2(collected: Collected, group: Group) -> Table:
    """Return Jane's Table II: at each fold's selected epoch, then the mean over the folds."""
    return table(
        f"jane-t2-{group.setting.slug}",
        "Jane 2022, Table II: macro averages at each fold's selected epoch, mean over the folds.",
        claim_heads("Measure", "points or fraction"),
        _by_variant(collected, group, "Table II"),
        claim_notes(group),
        setting=group.caption,
    )


def jane_table3(collected: Collected, group: Group) -> Table:
    """Return Jane's Table III: at epochs 100 to 500, the mean over the folds."""
    return table(
        f"jane-t3-{group.setting.slug}",
        "Jane 2022, Table III: accuracy and log loss over the epochs, mean over the held-out "
        "folds.",
        claim_heads("Measure", "points or nat"),
        _by_variant(collected, group, "Table III"),
        [*epochs_note(group), *claim_notes(group)],
        setting=group.caption,
    )


def epochs_note(group: Group) -> list[str]:
    """Return notes on which of the runs' epochs stand for the published ones, where they differ."""
    schedules = {tuple(milestones(s.spec).items()) for s in group.slots}
    notes = []
    for schedule in sorted(s for s in schedules if any(a != b for a, b in s)):
        steps = "; ".join(f"{a} → {b}" for a, b in schedule)
        total = schedule[-1][1]
        notes.append(
            f"These runs have {plural(total, 'epoch')}, not 500: a published epoch is read as "
            f"the same fraction of the schedule, rounded up (published → run: {steps})."
        )
    return notes


def _by_variant(collected: Collected, group: Group, where: str) -> dict[str, list[Line]]:
    lines: dict[str, list[Line]] = {}
    for claim in claims_where("jane", where):
        line = claim_row(claim, collected, group.setting, claim.column)
        lines.setdefault(title(claim.variant), []).append(line)
    return lines
