"""Reads the recorded tables of which photograph each image shows, and which show one field.

`provenance.csv.gz`, `originals.csv` and `overlaps.csv` were measured from pixels by
`python -m benchmarks.photographs --record` (SIFT and affine fits,
`benchmarks.photographs.matching`; correlation of all pairs, `benchmarks.photographs.overlap`).
Nothing here reads an image.
"""

import csv
import gzip
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeVar, get_type_hints

from protocols.classes import CLASSES

SHOWN, ORIGINALS, OVERLAPS = "provenance.csv.gz", "originals.csv", "overlaps.csv"
SEARCH = "overlaps.json"  # tells how the pairs were found: the bound, and chance
FOLDER = Path(__file__).parent
SPLIT_SHARE, SPLIT_STATE = 0.2, 10  # test_size and random_state in the set's own notebook
LABEL_ROWS, LABELLED = 411, 367  # rows of the public labels.csv, and those with a label
LEAST_SCORE = 20  # features; fewer make a match doubtful, as does a runner-up with half as many


class Shown(NamedTuple):
    """An image of the set, and the photograph that it shows: `original`, and the runner-up
    `second`. A score counts agreeing features. The photograph is `mirrored` (1 or 0), then turned
    by `angle` degrees, drawn out by `stretch` along one direction (ratio of the affine map's
    singular values), and its centre moved by so many pixels to the `right` and `down`."""

    file: str  # the image's path below images/
    sha256: str
    split: str  # TRAIN, TEST or TEST_SIMPLE
    class_name: str
    original: str
    score: int
    mirrored: int
    angle: float
    stretch: float
    right: float
    down: float
    second: str
    second_score: int

    @property
    def doubtful(self) -> bool:
        """Whether the score is low, or the runner-up's score is half of the score or more."""
        return self.score < LEAST_SCORE or 2 * self.second_score >= self.score


class Original(NamedTuple):
    """A photograph: `label` is that of labels.csv ("" without one), `split` TRAIN, TEST or ""."""

    file: str
    sha256: str
    label: str
    split: str


class Overlap(NamedTuple):
    """A pair of photographs: pixel (x + dx, y + dy) of `first` shows what (x, y) of `second` shows.

    `share` is the share of the field that is in both; `correlation` that of colour details there;
    `features` counts the SIFT features of both that agree with the shift; `sharpness` is the
    variance of the Laplacian in the shared part, the first's over the second's.
    """

    first: str
    second: str
    dx: int
    dy: int
    share: float
    correlation: float
    features: int
    sharpness: float


class Check(NamedTuple):
    """A fact that can be checked without ground truth, and whether the tables agree with it."""

    title: str
    ok: bool
    said: str


def shared(shape: tuple[int, ...], dx: int, dy: int, margin: int = 0) -> tuple[slice, slice]:
    """Gives the rows and columns of the second image that the first image shows too, `margin`
    pixels inside."""
    height, width = shape[:2]
    rows = slice(max(0, margin - dy), min(height, height - dy - margin))
    return rows, slice(max(0, margin - dx), min(width, width - dx - margin))


def share_of(shape: tuple[int, ...], dx: int, dy: int) -> float:
    """Gives the share of an image of `shape` that both images show."""
    rows, columns = shared(shape, dx, dy)
    return (rows.stop - rows.start) * (columns.stop - columns.start) / (shape[0] * shape[1])


def moved(part: tuple[slice, slice], dx: int, dy: int, margin: int = 0) -> tuple[slice, slice]:
    """Gives the place in the first image of a part of the second one, `margin` pixels wider on
    every side."""
    rows, columns = part
    return (
        slice(rows.start + dy - margin, rows.stop + dy + margin),
        slice(columns.start + dx - margin, columns.stop + dx + margin),
    )


Kind = TypeVar("Kind", bound=NamedTuple)


def _cell(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def as_csv(kind: type[Kind], rows: Iterable[Kind]) -> bytes:
    """Gives the recorded form of a table whose rows are of one of the tuples above."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(kind._fields)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def write(
    folder: Path, shown: list[Shown], originals: list[Original], pairs: list[Overlap]
) -> None:
    """Writes the three tables into `folder`, the same bytes for the same rows."""
    (folder / SHOWN).write_bytes(gzip.compress(as_csv(Shown, shown), 9, mtime=0))
    (folder / ORIGINALS).write_bytes(as_csv(Original, originals))
    (folder / OVERLAPS).write_bytes(as_csv(Overlap, pairs))


def _read(kind: type[Kind], path: Path) -> list[Kind]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    rows = csv.reader(io.StringIO(text, newline=""))
    if tuple(next(rows)) != kind._fields:
        raise ValueError(f"{path.name} has other columns than {', '.join(kind._fields)}")
    casts = get_type_hints(kind).values()
    return [kind(*(cast(v) for cast, v in zip(casts, row, strict=True))) for row in rows]


@cache
def shown(folder: Path = FOLDER) -> list[Shown]:
    """Gives every image of TRAIN, TEST and TEST_SIMPLE, sorted by file."""
    return _read(Shown, folder / SHOWN)


@cache
def originals(folder: Path = FOLDER) -> list[Original]:
    """Gives every photograph, sorted by file."""
    return _read(Original, folder / ORIGINALS)


@cache
def overlaps(folder: Path = FOLDER) -> list[Overlap]:
    """Gives every pair of photographs that share a part of the field, highest correlation first."""
    return _read(Overlap, folder / OVERLAPS)


@cache
def groups() -> Mapping[str, str]:
    """Gives each photograph's group: the first name among the photographs that overlaps connect
    with it."""
    return grouped([o.file for o in originals()], overlaps())


@cache
def overlapping() -> Mapping[str, set[str]]:
    """Gives for each photograph those that share a part of its field; a group may reach further."""
    found: dict[str, set[str]] = {o.file: set() for o in originals()}
    for pair in overlaps():
        found[pair.first].add(pair.second)
        found[pair.second].add(pair.first)
    return found


def grouped(names: Iterable[str], pairs: Iterable[Overlap]) -> dict[str, str]:
    """Gives for each name the first name of its connected component."""
    found = {name: name for name in names}
    for pair in pairs:
        one, other = sorted((found[pair.first], found[pair.second]))
        found = {name: one if group == other else group for name, group in found.items()}
    return found


@cache
def group_of_image() -> Mapping[str, str]:
    """Gives for each file of the set (TRAIN/CLASS/name) the group of the photograph it shows."""
    return {row.file: groups()[row.original] for row in shown()}


def groups_of_ids(ids: Iterable[str], phantom: bool) -> list[str]:
    """Gives the group of the photograph behind each test image of a run. An id is
    `TRAIN/CLASS/name` for an image of the set, or `photograph#copy` in a cross-validation. Each
    photograph of a phantom is a group of its own."""
    names = [name.split("#")[0] for name in ids]
    if phantom:
        return names
    known = {**groups(), **group_of_image()}
    return [known.get(name, name) for name in names]


@cache
def groups_digest() -> str:
    """Gives the SHA-256, as hex digits, of the groups by which the grouped protocols divide."""
    pairs = "\n".join(f"{a} {b}" for a, b in sorted([*groups().items(), *group_of_image().items()]))
    return hashlib.sha256(pairs.encode()).hexdigest()


def notebook_split(rows: list[Original]) -> dict[str, str]:
    """Gives TRAIN or TEST for each photograph with one label, as the set's own notebook does: by
    scikit-learn's split of these photographs in the order of their numbers."""
    from sklearn.model_selection import train_test_split  # noqa: PLC0415 (slow import)

    one = [row.file for row in rows if row.label and "," not in row.label]
    train, test = train_test_split(one, test_size=SPLIT_SHARE, random_state=SPLIT_STATE)
    return dict.fromkeys(train, "TRAIN") | dict.fromkeys(test, "TEST")


def decided(images: list[Shown], photographs: list[Original]) -> list[Shown]:
    """Gives the doubtful rows whose photograph other facts confirm: the runner-up has another label
    or another part, or would appear more often than the passes of the generator allow."""
    label, told = {row.file: row.label for row in photographs}, notebook_split(photographs)
    counts = Counter((row.split, row.original) for row in images)
    found = []
    for row in images:
        if not row.doubtful or row.score < LEAST_SCORE:  # below that, no photograph fits
            continue
        fits = label[row.second] == row.class_name and told.get(row.second) == row.split
        others = [
            n for (split, name), n in counts.items()
            if split == row.split and label[name] == row.class_name
        ]  # fmt: skip
        if not fits or counts[row.split, row.second] + 1 > max(others):
            found.append(row)
    return found


def checks(images: list[Shown], photographs: list[Original]) -> list[Check]:
    """Checks what must hold of the tables, whoever made them."""
    label = {row.file: row.label for row in photographs}
    wrong = [row.file for row in images if label[row.original] != row.class_name]
    doubtful = [row for row in images if row.doubtful]
    open_ = len(doubtful) - len(decided(images, photographs))
    lowest = min(images, key=lambda row: row.score)
    closest = max(images, key=lambda row: row.second_score / row.score)
    seen = {
        split: Counter(row.original for row in images if row.split == split)
        for split in ("TRAIN", "TEST", "TEST_SIMPLE")
    }
    told = notebook_split(photographs)
    ours = {name for name in told if label[name] in CLASSES}
    expected = {split: {n for n in ours if told[n] == split} for split in ("TRAIN", "TEST")}
    named = {split: f"{len(seen[split])} found, {len(expected[split])} told" for split in expected}
    simple = seen["TEST_SIMPLE"]
    twice = sum(count > 1 for count in simple.values())
    return [
        Check("Every match is sure, or decided by the facts below", not open_,
              f"{len(doubtful)} doubtful of {len(images):,}, {len(doubtful) - open_} of them "
              f"decided; lowest score {lowest.score}, closest runner-up {closest.second_score} of "
              f"{closest.score}"),
        Check("The photograph's own label is the image's class", not wrong,
              f"{len(wrong)} differ of {len(images):,}"),
        Check("TEST shows the photographs of scikit-learn's split, no other",
              set(seen["TEST"]) == expected["TEST"], named["TEST"]),
        Check("TRAIN shows the rest, no other",
              set(seen["TRAIN"]) == expected["TRAIN"], named["TRAIN"]),
        Check("TEST_SIMPLE shows photographs of TEST, no other",
              set(simple) <= expected["TEST"],
              f"{simple.total()} images of {len(simple)} photographs, {twice} of them twice"),
        *_even(images),
    ]  # fmt: skip


def _even(images: list[Shown]) -> list[Check]:
    """Checks that the set's generator passed over each class again and again, and showed each
    photograph once in a pass."""
    found = []
    for split in ("TRAIN", "TEST"):
        for name in CLASSES:
            counts = Counter(
                row.original for row in images if (row.split, row.class_name) == (split, name)
            )
            few, many = min(counts.values()), max(counts.values())
            found.append(Check(
                f"{split}, {name.lower()}: each photograph about equally often",
                many - few <= _uneven(many),
                f"{len(counts)} photographs, {few} to {many} images each",
            ))  # fmt: skip
    return found


def _uneven(passes: int) -> int:
    """Gives how far the counts of two photographs may differ after so many passes: by one for the
    last pass, by one for an order drawn anew, and by the files that replaced another of the same
    name, which is made of the position in a pass and a number below 10,000."""
    from scipy.stats import poisson  # noqa: PLC0415 (slow import)

    return 2 + int(poisson.ppf(0.999, passes * passes / 2 / 10_000))
