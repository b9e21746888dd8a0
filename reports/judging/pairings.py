"""Says which cells are held against each other."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from protocols.papers.claims import load_claims
from protocols.spec import FRAMEWORKS
from reports.cells.cell import Cell, Group
from reports.cells.collect import Collected
from reports.cells.settings import changed, unchanged
from reports.judging.contrasts import Contrast, contrasts
from reports.judging.questions import QUESTIONS
from reports.judging.verdicts import contests
from reports.statistics.comparisons import holm

# protocol as published -> the leak-free one, and the metric and the epoch in which the two are
# compared. `cv10-grouped` has no validation part: there the tested images still choose the epoch,
# so the selected one isn't free of leakage, and the last one, which nothing chooses, is compared.
LEAK_FREE = {
    "fixed": ("fixed-grouped", "accuracy", "selected"),
    "cv10": ("cv10-grouped", "recall_macro", "last"),
}


def ordered_pairs(group: Group) -> Iterator[tuple[str, str]]:
    """Yields pairs of networks whose order a claim, or a question to the control, is about."""
    claims = [c for c in load_claims().values() if c.kind == "ordering"]
    found = [pair for claim in claims for pair in contests(claim)]
    found += [(q.first, q.second) for q in QUESTIONS]
    yield from dict.fromkeys(p for p in found if set(p) <= set(group.variants))


def on_the_same_images(group: Group) -> list[Contrast]:
    """Returns the contrasts of networks within a twin, then of twins within a network, that can be
    made image by image; their p-values are adjusted over all of them."""
    found = [one for names in ordered_pairs(group) for one in contrasts(group, *names).values()]
    found += [Contrast(a, b) for a, b in map(group.twins, group.variants) if a and b]
    made = {one: difference for one in found if one and (difference := one.on_images)}
    adjusted = holm([difference.p for difference in made.values()])
    return [replace(one, p_holm=p) for one, p in zip(made, adjusted, strict=True)]


@dataclass(frozen=True)
class LeakFree:
    """A group under a published protocol, the group under the leak-free one, and what the latter
    changes for each network in each twin, in the papers' order."""

    published: Group
    free: Group
    contrasts: list[Contrast]


def leak_free(collected: Collected) -> list[LeakFree]:
    """Returns every group with the leak-free group of its setting, if a network is in both."""
    found = []
    for group in collected.groups:
        protocol, metric, at = LEAK_FREE.get(group.protocol, ("", "", ""))
        free = collected.like(group.setting, protocol) if protocol else None
        if free is None:
            continue
        keys = [(f, v) for v in group.variants for f in FRAMEWORKS]
        both = [(free.cells.get(key), group.cells.get(key)) for key in keys]
        pooled = metric != "accuracy"
        made = [Contrast(a, b, metric, at, pooled) for a, b in both if a and b]
        found.append(LeakFree(group, free, made))
    return [one for one in found if one.contrasts]


def sensitivity_groups(collected: Collected) -> list[Group]:
    """Returns the groups of runs with a changed hyperparameter."""
    return [g for g in collected.groups if changed(g.slots[0].spec)]


def effects(collected: Collected, group: Group) -> dict[Cell, Contrast | None]:
    """Returns, for each cell of a group of runs with a changed value, its contrast with the same
    network and twin without the change, planned or not; None where there are no such runs."""
    plain = collected.like(unchanged(group.setting, group.slots[0].spec), group.protocol)
    bases = {key: plain.cells.get(key) if plain else None for key in group.cells}
    return {c: Contrast(c, base) if (base := bases[k]) else None for k, c in group.cells.items()}
