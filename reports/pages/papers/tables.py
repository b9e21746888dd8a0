"""The tables of the two papers' pages: claimed, Keras, PyTorch, side by side."""

from dataclasses import replace

from protocols.papers.claims import Claim, load_claims
from protocols.papers.papers import load_papers
from protocols.papers.recipes import milestones
from protocols.spec import FRAMEWORKS
from reports.cells.cell import Group
from reports.cells.collect import Collected
from reports.cells.settings import Setting
from reports.judging.uncertainty import new_cells_note
from reports.judging.verdicts import claimed_contrasts, counted, judge, judge_ordering
from reports.pages.overview.tables import claim_name
from reports.statistics.intervals import FEWEST
from reports.tables.cell_text import (
    claim_text,
    contrast_cell,
    difference_text,
    framework_heads,
    measured,
    pair,
    runs_behind,
    stale_notes,
    verdict_cell,
)
from reports.tables.table import NAMES, Table, Td, head, label, plural, title, words


def claims_where(paper: str, where: str, kind: str = "metric") -> list[Claim]:
    """The claims of one table or figure of a paper."""
    found = load_claims().values()
    return [c for c in found if c.paper == paper and c.where == where and c.kind == kind]


def claim_row(
    table: Table, claim: Claim, collected: Collected, setting: Setting, name: Td
) -> list[Td]:
    """name | printed | Keras: measured, difference, verdict | PyTorch: the same."""
    group = collected.group(setting, claim.protocol)
    row = [name, Td(claim_text(claim))]
    for framework, cell in pair(group, claim.variant):
        value = cell.number(claim.metric, claim.at).value if cell else None
        near = new_cells_note(cell, claim.metric, claim.at)
        found = measured(cell, claim.metric, claim.at, near)
        place = f"{cell.key}:intervals.{claim.at}.{claim.metric}" if cell and near else ""
        row.append(replace(found, near=place))
        row.append(Td(difference_text(claim, value), href=found.href))
        row.append(verdict_cell(table, claim, judge(claim, collected, setting, framework)))
    return row


def claim_heads(first: str, unit: str) -> list[list[Td]]:
    """The two rows of headings over `claim_row`."""
    above = [head(first, rows=2, kind="headtext"), head("Claimed", rows=2)]
    difference = Td("difference", unit, kind="head")
    below = [head("measured"), difference, head("verdict", kind="headtext")]
    return [above + framework_heads(span=3), below + below]


NEW_CELLS = (
    "New cells: 95% interval on photographs other than those tested (page Evidence); it says "
    f"nothing of whether the claim reproduces. From fewer than {FEWEST} photographs, or where "
    "none differs from the others, there is no such interval."
)


def rests_on(group: Group) -> list[str]:
    """A note: what stands behind the numbers of each cell, said once where all are alike."""
    kinds: dict[str, list[str]] = {}
    for (framework, variant), cell in sorted(group.cells.items()):
        if not cell.lack:
            kinds.setdefault(runs_behind(cell), []).append(f"{NAMES[framework]} {title(variant)}")
    if len(kinds) == 1:
        return [f"Each measured number: {next(iter(kinds))}."]
    return [f"{text}: {'; '.join(names)}." for text, names in sorted(kinds.items())]


def liang_table1(collected: Collected, group: Group) -> Table:
    """Liang, Table 1."""
    table = Table(
        f"t1-{group.setting.slug}",
        f"Liang 2018, Table 1: four-class accuracy on the test images. {group.caption}",
        claim_heads("Network", "points"),
        [],
    )
    rows = [
        claim_row(table, claim, collected, group.setting, _network(claim))
        for claim in claims_where("liang", "Table 1")
    ]
    table.bodies.append(("", rows))
    table.notes += [*rests_on(group), NEW_CELLS, *stale_notes(group)]
    return table


def _network(claim: Claim) -> Td:
    """A row's network, and what is claimed of it unless it is the accuracy."""
    return label(title(claim.variant), "" if claim.metric == "accuracy" else claim.column)


def liang_fig6(collected: Collected, group: Group) -> Table:
    """Liang, Fig. 6: lowest validation loss, its epoch, the accuracy there."""
    table = Table(
        f"fig6-{group.setting.slug}",
        f"Liang 2018, IV.A and Fig. 6: Xception-LSTM. {group.caption}",
        claim_heads("Claim", "points, nat or epochs"),
        [],
        [
            "Loss: cross entropy against targets smoothed by 0.1, as it was trained on; "
            "epochs are counted within phase 2."
        ],
    )
    rows = [
        claim_row(table, claim, collected, group.setting, label(claim.column))
        for claim in claims_where("liang", "IV.A, Fig. 6")
    ]
    table.bodies.append(("", rows))
    table.notes += stale_notes(group)
    return table


def ordering_table(collected: Collected, group: Group, paper: str) -> Table:
    """The claims of the kind "A is better than B", with the margin of each contest."""
    table = Table(
        f"order-{paper}-{group.setting.slug}",
        f"Which network is better: accuracy of the first less that of the second, in points. "
        f"{group.caption}",
        [[head("Contest", kind="headtext"), *framework_heads()]],
        [],
    )
    for claim in (c for c in load_claims().values() if c.kind == "ordering" and c.paper == paper):
        twins = [claimed_contrasts(claim, group, f) for f in FRAMEWORKS]
        rows = [
            [label(f"{title(a)} over {title(b)}"), *(contrast_cell(own[a, b]) for own in twins)]
            for a, b in twins[0]
            if any(one and one.value is not None for one in (own[a, b] for own in twins))
        ]
        verdicts = [judge_ordering(claim, group.setting, group, f) for f in FRAMEWORKS]
        rows.append([label("Verdict"), *(verdict_cell(table, claim, v) for v in verdicts)])
        table.bodies.append((f"{claim.column} ({claim.where})", rows))
    table.notes += stale_notes(group)
    return table


def counts_table() -> Table:
    """Liang III.A: how many images of each class, claimed and in the public data's manifest."""
    heads = [head(w) for w in ("Claimed", "In the data", "Difference")]
    table = Table(
        "counts",
        "Liang 2018, III.A: images of each class, beside the files of the public data.",
        [[head("Part and class", kind="headtext"), *heads]],
        [],
    )
    for part, name in (("train", "Train"), ("test", "Test"), ("all", "Both")):
        claims = [c for c in claims_where("liang", "III.A", "count") if c.row == part]
        rows = [
            [
                label(claim.column),
                Td(claim.printed),
                Td(f"{counted(claim):,}"),
                Td(f"{counted(claim) - int(claim.number):+d}".replace("-", "−")),
            ]
            for claim in claims
        ]
        printed = sum(int(c.number) for c in claims if c.column != "sum")
        added = f" (printed classes add up to {printed:,})" if printed else ""
        table.bodies.append((f"{name}{added}", rows))
    return table


def cited_table(paper: str) -> Table:
    """The numbers that a paper quotes from others, by section; none can be tested here."""
    table = Table(
        f"{paper}-cited",
        f"{load_papers()[paper].name}: results quoted from other papers, as printed.",
        [[head("Of what", kind="headtext"), head("Printed"), head("Here", kind="headtext")]],
        [],
    )
    bodies: dict[str, list[list[Td]]] = {}
    for claim in (c for c in load_claims().values() if (c.paper, c.kind) == (paper, "cited")):
        row = [label(claim_name(claim)), Td(claim_text(claim)), words("not tested", claim.reason)]
        bodies.setdefault(claim.where, []).append(row)
    table.bodies = list(bodies.items())
    return table


def jane_table2(collected: Collected, group: Group) -> Table:
    """Jane, Table II: at each fold's selected epoch, then the mean over the folds."""
    table = Table(
        f"jane-t2-{group.setting.slug}",
        f"Jane 2022, Table II: macro averages at each fold's selected epoch, mean over the folds. "
        f"{group.caption}",
        claim_heads("Measure", "points"),
        [],
    )
    table.bodies += _by_variant(table, collected, group, "Table II")
    table.notes += [*rests_on(group), NEW_CELLS, *stale_notes(group)]
    return table


def jane_table3(collected: Collected, group: Group) -> Table:
    """Jane, Table III: at epochs 100 to 500, mean over the folds."""
    table = Table(
        f"jane-t3-{group.setting.slug}",
        f"Jane 2022, Table III: accuracy and log loss over the epochs, mean over the held-out "
        f"folds. {group.caption}",
        claim_heads("Measure", "points or nat"),
        [],
    )
    table.bodies += _by_variant(table, collected, group, "Table III")
    table.notes += [*epochs_note(group), *rests_on(group), NEW_CELLS, *stale_notes(group)]
    return table


def epochs_note(group: Group) -> list[str]:
    """Which of the runs' epochs stand for the published ones, where they are not the same."""
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


def _by_variant(
    table: Table, collected: Collected, group: Group, where: str
) -> list[tuple[str, list[list[Td]]]]:
    bodies: dict[str, list[list[Td]]] = {}
    for claim in claims_where("jane", where):
        row = claim_row(table, claim, collected, group.setting, label(claim.column))
        bodies.setdefault(title(claim.variant), []).append(row)
    return list(bodies.items())
