"""The page "Where they err": by class, by photograph, image by image, and how sure they were."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from markupsafe import Markup

from protocols import provenance
from protocols.classes import CLASSES
from protocols.spec import FRAMEWORKS
from reports import error_figures
from reports.activations import Picture
from reports.calibration import Reliability, reliability
from reports.collect import Cell, Collected, Group
from reports.images import short
from reports.parallel import spread
from reports.tables import (
    MISSING,
    STALE,
    THIN,
    Table,
    Td,
    framework_heads,
    head,
    label,
    pair,
    plural,
    points,
    stale_notes,
    title,
    words,
)

PICTURES = "photograph-pictures.json"
MOST = 12  # photographs, and images, in the tables of what both twins get wrong


@dataclass(frozen=True)
class Answers:
    """Every tested image of a cell, all its seeds and folds one after the other."""

    ids: np.ndarray  # str (n,)
    labels: np.ndarray  # int (n,)
    probabilities: np.ndarray  # float32 (n, 4)

    @property
    def predicted(self) -> np.ndarray:
        """Classes, int (n,)."""
        return self.probabilities.argmax(axis=1)

    @property
    def right(self) -> np.ndarray:
        """Bool (n,)."""
        return self.predicted == self.labels


@dataclass(frozen=True)
class Block:
    """One network: figures and tables."""

    anchor: str
    heading: str
    reliability: Markup | None
    photographs: Markup | None
    tables: list[Table]
    pictures: list[Picture]  # of the photographs in the first table, where they are at hand


@dataclass(frozen=True)
class Section:
    """One group of runs."""

    caption: str
    planned: bool
    calibration: Table
    blocks: list[Block]


def answers(cell: Cell | None) -> Answers | None:
    """None unless every seed and fold is there, with finite probabilities."""
    if cell is None or cell.lack:
        return None
    parts = [slot.measured for seed in cell.seeds for slot in cell.of_seed(seed)]
    columns = zip(*((p.ids, p.labels, p.selected) for p in parts), strict=True)
    found = Answers(*(np.concatenate(column) for column in columns))
    return found if np.isfinite(found.probabilities).all() else None


@cache
def _photographs() -> dict[str, str]:
    return {row.file: row.original for row in provenance.shown()}


def photographs(ids: np.ndarray) -> np.ndarray:
    """The photograph behind each image, str (n,): of the set's images by the recorded table, of a
    cross-validation's (`photograph#copy`) by name."""
    known = _photographs()
    return np.array([known.get(name, name.split("#")[0]) for name in ids])


def _name(photograph: str) -> str:
    return short(photograph) if photograph.startswith("BloodImage_") else photograph


def page(collected: Collected, out: Path) -> dict[str, list[Section]]:
    """The sections of the page: groups with a whole cell, planned ones first. `out` has the
    pictures of photographs, or hasn't."""
    path = out / PICTURES
    pictures = json.loads(path.read_text()) if path.is_file() else {}
    sections = []
    for group in collected.groups:
        found = {key: answers(cell) for key, cell in group.cells.items()}
        found = {key: one for key, one in found.items() if one}
        if found:
            wanted = [(group, variant, found, pictures) for variant in group.variants]
            blocks = spread(_block, wanted, collected.jobs)
            sections.append(
                Section(
                    group.caption, group.setting.planned, _calibration(group, found),
                    [block for block in blocks if block],
                )
            )  # fmt: skip
    return {"sections": sections}


def _calibration(group: Group, found: dict[tuple[str, str], Answers]) -> Table:
    table = Table(
        f"calibration-{group.setting.slug}-{group.protocol}",
        "How far probabilities can be believed, at the selected epoch: expected calibration error "
        "(10 equal bins of the predicted class's probability), and mean probability less accuracy: "
        f"positive where the network is too sure. {group.caption}",
        [
            [head("Network", rows=2, kind="headtext"), *framework_heads(span=2)],
            [head("calibration error"), head("too sure by, points")] * 2,
        ],
        [],
        stale_notes(group),
    )
    rows = []
    for variant in group.variants:
        row = [label(title(variant))]
        for framework, cell in pair(group, variant):
            one = found.get((framework, variant))
            if one is None:
                lack = "not asked for" if cell is None else cell.lack or "diverged"
                row += [Td(MISSING if cell else "–", lack), Td(MISSING if cell else "–")]
                continue
            measured = reliability(one.labels, one.probabilities)
            old = f" {STALE}" if cell.stale else ""
            row += [Td(f"{measured.error:.4f}{old}"), Td(f"{points(measured.excess)}{old}")]
        rows.append(row)
    table.bodies.append(("", rows))
    return table


def _block(
    wanted: tuple[Group, str, dict[tuple[str, str], Answers], dict[str, str]],
) -> Block | None:
    group, variant, found, at_hand = wanted
    own = {f: found[f, variant] for f in FRAMEWORKS if (f, variant) in found}
    if not own:
        return None
    name = f"{variant}-{group.setting.slug}-{group.protocol}"
    curves: dict[str, Reliability] = {
        f: reliability(one.labels, one.probabilities) for f, one in own.items()
    }
    tables, drawn = [], []
    both = [own[f] for f in FRAMEWORKS if f in own]
    if len(both) == len(FRAMEWORKS) and np.array_equal(both[0].ids, both[1].ids):
        tables = [_by_photograph(name, variant, *both), _by_image(name, variant, *both)]
        drawn = _pictures(*both, at_hand)
    return Block(
        f"errors-{name}",
        title(variant),
        error_figures.reliability(f"rel-{name}", title(variant), curves),
        error_figures.by_photograph(f"photo-{name}", title(variant), accuracies(own)),
        [table for table in tables if table],
        drawn,
    )


def accuracies(own: dict[str, Answers]) -> dict[str, dict[str, list[float]]]:
    """Class -> twin -> accuracy on each of its photographs; in one order for both twins, that of
    their mean accuracy. A photograph that a twin didn't test is left out."""
    shares: dict[tuple[int, str], dict[str, float]] = {}
    for framework, one in own.items():
        names = photographs(one.ids)
        keys, place = np.unique(
            [f"{c} {n}" for c, n in zip(one.labels, names, strict=True)], return_inverse=True
        )
        mean = np.bincount(place, one.right) / np.bincount(place)
        for key, share in zip(keys, mean, strict=True):
            number, photograph = key.split(" ", 1)
            shares.setdefault((int(number), photograph), {})[framework] = float(share)
    whole = [(key, found) for key, found in shares.items() if len(found) == len(own)]
    whole.sort(key=lambda item: (sum(item[1].values()), item[0]))
    return {
        name: {f: [found[f] for (c, _), found in whole if c == number] for f in own}
        for number, name in enumerate(CLASSES)
    }


def _share(value: float) -> str:
    return f"{100 * value:.1f}{THIN}%"


def _hardest(keras: Answers, torch: Answers) -> np.ndarray:
    """Photographs by the number of their images that both twins get wrong, most first."""
    wrong = photographs(keras.ids)[~keras.right & ~torch.right]
    names, count = np.unique(wrong, return_counts=True)
    return names[np.argsort(-count, kind="stable")]


def _pictures(keras: Answers, torch: Answers, at_hand: dict[str, str]) -> list[Picture]:
    shown, both = photographs(keras.ids), ~keras.right & ~torch.right
    drawn = []
    for photograph in _hardest(keras, torch)[:MOST]:
        if photograph not in at_hand:
            continue
        here = shown == photograph
        true = CLASSES[keras.labels[here][0]].lower()
        said = f"{_name(photograph)}, {true}: {int((here & both).sum()):,} of {here.sum():,}"
        drawn.append(Picture(at_hand[photograph], f"Photograph of a {true}", said))
    return drawn


def _by_photograph(name: str, variant: str, keras: Answers, torch: Answers) -> Table | None:
    """The photographs that both twins get wrong most often."""
    both = ~keras.right & ~torch.right
    if not both.any():
        return None
    shown, rows = photographs(keras.ids), []
    names = _hardest(keras, torch)
    for photograph in names[:MOST]:
        here = shown == photograph
        wrong = here & both
        true = int(keras.labels[here][0])
        said = np.bincount(
            np.concatenate([keras.predicted[wrong], torch.predicted[wrong]]), minlength=len(CLASSES)
        )
        rows.append([
            label(_name(photograph)), words(CLASSES[true].lower()), Td(f"{int(here.sum()):,}"),
            *(Td(f"{int((here & ~one.right).sum()):,}") for one in (keras, torch)),
            Td(f"{int(wrong.sum()):,}"), words(CLASSES[int(said.argmax())].lower()),
            *(Td(_share(one.probabilities[here, true].mean())) for one in (keras, torch)),
        ])  # fmt: skip
    heads = [[head("Photograph", rows=2, kind="headtext"), head("Class", rows=2, kind="headtext"),
              head("Tests", rows=2), head("Wrong in", span=3),
              head("Mostly taken for", rows=2, kind="headtext"),
              head("Mean probability of the true class", span=2)],
             [*framework_heads(), head("both"), *framework_heads()]]  # fmt: skip
    more = len(names) - len(rows)
    return Table(
        f"wrong-{name}",
        f"{title(variant)}: photographs whose images both twins get wrong; of {len(keras.ids):,} "
        f"tests, {int(both.sum()):,} are wrong in both, "
        f"{int((keras.right != torch.right).sum()):,} in one alone.",
        heads,
        [("", rows)],
        [f"{plural(more, 'photograph')} with fewer such images left out."] if more else [],
    )


def _by_image(name: str, variant: str, keras: Answers, torch: Answers) -> Table | None:
    """The images that both twins get wrong and are surest of."""
    both = np.flatnonzero(~keras.right & ~torch.right)
    if not len(both):
        return None
    true = keras.labels[both]
    left = [one.probabilities[both, true] for one in (keras, torch)]
    order = np.argsort(left[0] + left[1], kind="stable")[:MOST]
    shown = photographs(keras.ids)
    rows = []
    for i in both[order]:
        row = [label(str(keras.ids[i])), words(_name(shown[i])),
               words(CLASSES[keras.labels[i]].lower())]  # fmt: skip
        for one in (keras, torch):
            said, p = one.predicted[i], one.probabilities[i]
            row += [words(CLASSES[said].lower(), _share(p[said])), Td(_share(p[keras.labels[i]]))]
        rows.append(row)
    heads = [[head("Image", rows=2, kind="headtext"), head("Photograph", rows=2, kind="headtext"),
              head("Class", rows=2, kind="headtext"), *framework_heads(span=2)],
             [head("taken for", kind="headtext"), head("true class")] * 2]  # fmt: skip
    return Table(
        f"surest-{name}",
        f"{title(variant)}: the images wrong in both twins that give the true class the least "
        "probability. Percentages: probabilities of the selected epoch.",
        heads,
        [("", rows)],
    )
