"""The page "What is guessed": every value the papers don't state, and what it changes."""

from protocols.recipes import load_recipe
from protocols.spec import FRAMEWORKS
from reports.collect import Collected, Group
from reports.groups import changed
from reports.overview import PAPERS
from reports.tables import (
    MISSING,
    Table,
    Td,
    framework_heads,
    head,
    label,
    pair,
    points,
    stale_notes,
    title,
    words,
)

NO_RUN = "no such run"
COMMAND = "python runner.py --suite liang --set label_smoothing=0"


def tried(collected: Collected) -> list[Group]:
    """The groups of sensitivity runs."""
    return [g for g in collected.groups if changed(g.slots[0].spec)]


def page(collected: Collected) -> dict[str, object]:
    """Tables of the assumed values, and of the sensitivity runs there are."""
    groups = tried(collected)
    keys = {key for g in groups for key in changed(g.slots[0].spec)}
    return {
        "tables": [assumed_table(paper, keys) for paper in PAPERS],
        "effects": [effect_table(collected, group) for group in groups],
        "command": COMMAND,
    }


def assumed_table(paper: str, keys: set[str]) -> Table:
    """Every value of a recipe that the paper doesn't state; `keys`: those with sensitivity runs."""
    rows = [
        [
            label(key.replace("_", " "), anchor=f"{paper}-{key}"),
            words(_plain(entry.value)),
            words(entry.reason),
            words("see below" if key in keys else NO_RUN),
        ]
        for key, entry in load_recipe(paper).items()
        if entry.source == "assumed"
    ]
    heads = ("Value", "Our reading", "Reason", "Its effect")
    return Table(
        f"assumed-{paper}",
        f"{PAPERS[paper]}: {len(rows)} values the paper does not state, and our reading.",
        [[head(t, kind="headtext") for t in heads]],
        [("", rows)],
    )


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else f"{value}"


def effect_table(collected: Collected, group: Group) -> Table:
    """Accuracy with a changed value, and the difference to the same runs without the change."""
    changes = changed(group.slots[0].spec)
    plain = _plain_group(collected, group)
    said = ", ".join(f"{key} = {value}" for key, value in changes.items())
    table = Table(
        f"effect-{group.setting.slug}-{group.protocol}",
        f"With {said}: accuracy at the selected epoch, and the difference, in points, to the same "
        f"runs without the change. One seed says nothing of noise. {group.caption}",
        [
            [head("Network", rows=2, kind="headtext"), *framework_heads(span=2)],
            [head("accuracy"), head("difference")] * len(FRAMEWORKS),
        ],
        [],
        stale_notes(group),
    )
    rows = []
    for variant in group.variants:
        row = [label(title(variant))]
        for framework, cell in pair(group, variant):
            number = cell.number("accuracy") if cell else None
            value = number.value if number else None
            base = plain.cells.get((framework, variant)) if plain else None
            before = base.number("accuracy").value if base else None
            row.append(Td(MISSING if value is None else f"{100 * value:.2f}\u202f%",
                          number.lack if number else "not asked for"))  # fmt: skip
            known = value is not None and before is not None
            row.append(Td(points(value - before)) if known else Td(MISSING, "no run without it"))
        rows.append(row)
    table.bodies.append(("", rows))
    return table


def _plain_group(collected: Collected, group: Group) -> Group | None:
    """The runs that differ by the change alone, planned or not."""
    own = group.setting
    for other in collected.groups:
        s = other.setting
        same = (s.profile, s.data, s.weights, s.device, s.precision) == (
            own.profile, own.data, own.weights, own.device, own.precision,
        )  # fmt: skip
        if same and not s.extra and other.protocol == group.protocol:
            return other
    return None
