"""Recovers from pixels alone which photograph every image shows, and which photographs overlap.

python -m benchmarks.photographs [--out DIR] [--data DIR] [--record]

Resumes where it was stopped: parts that are done lie in the cache. Exit codes: 0 the tables hold
and are the recorded ones, 1 they don't, 2 the request is wrong.
"""

import csv
import hashlib
import json
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.photographs import matching, overlap
from benchmarks.photographs.matching import Index
from benchmarks.planning import ranges
from benchmarks.terminal.console import Console, duration
from benchmarks.terminal.endings import exit_code
from benchmarks.terminal.flags import Parser, folder, images, typed
from protocols.errors import RequestError
from protocols.files import ROOT, Progress, default_cache, in_order, sha256_of, write_whole
from protocols.hardware import cores
from protocols.images import dataset, integrity
from protocols.photographs import provenance
from protocols.photographs.provenance import Original, Shown
from protocols.streams import print_anything

SPLITS = ("TEST_SIMPLE", "TEST", "TRAIN")
PART = 250  # how many images' matches are kept at a time
WHOLE = (
    "--provenance needs a whole copy of the images' repository, in WBC_DATA or by --data DIR: the "
    "download keeps no more than training needs."
)


def _read(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except Exception as error:  # Pillow raises many kinds for broken files
        raise RequestError(f"{path} can't be read as an image ({error}): restore it.") from error


def _digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise RequestError(f"{path} can't be read ({error.strerror}): restore it.") from error


def photographs(folder: Path) -> dict[str, np.ndarray]:
    """Returns name -> uint8 RGB (h, w, 3) of every JPEG in the folder, sorted by name."""
    paths = sorted(folder.glob("*.jpg"))
    return {path.name: image for path, image in zip(paths, in_order(_read, paths), strict=True)}


def _prepare() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a Ctrl-C ends it, without a traceback


@cache  # made once in each process
def _index(folder: Path) -> Index:
    return Index(photographs(folder))


def _match(folder: Path, paths: list[Path], part: Path) -> None:
    """Writes for each image at `paths` its best fit, and the name and score of the second-best."""
    fits = [_index(folder).match(_read(path))[:2] for path in paths]
    write_whole(part, json.dumps([[*best, *second[:2]] for best, second in fits]).encode())


def match_all(
    images: list[Path], folder: Path, kept: Path, jobs: int, progress: Progress
) -> Iterator[tuple[Any, ...]]:
    """Yields the columns of `Shown` from `original` on for each image. Parts that are in `kept` are
    read from there, others are computed and put there."""
    cuts = [images[i : i + PART] for i in range(0, len(images), PART)]
    parts = [kept / f"part-{number:03}.json" for number in range(len(cuts))]
    todo = [(cut, part) for cut, part in zip(cuts, parts, strict=True) if not part.is_file()]
    done = len(images) - sum(len(cut) for cut, _ in todo)
    progress("finding the photograph of every image", done, len(images))
    if todo:
        context = get_context("spawn")
        with ProcessPoolExecutor(min(jobs, len(todo)), context, _prepare) as processes:
            waiting = {processes.submit(_match, folder, *work): len(work[0]) for work in todo}
            try:
                for ended in as_completed(waiting):
                    ended.result()
                    done += waiting[ended]
                    progress("finding the photograph of every image", done, len(images))
            except BaseException:  # an interrupt above all: no waiting part is begun
                processes.shutdown(cancel_futures=True)
                raise
    for part in parts:
        yield from (tuple(row) for row in json.loads(part.read_bytes()))


def recover(
    source: dataset.Source, cache: Path, jobs: int, progress: Progress
) -> tuple[list[Shown], list[Original], overlap.Search]:
    """Measures the three tables. Raises RequestError."""
    top, folder = source.path("images/"), source.path(dataset.ORIGINALS)
    images = sorted(path for split in SPLITS for path in top.glob(f"{split}/*/*.jp*g"))
    names = [path.relative_to(top).as_posix() for path in images]
    if len({name.split("/")[0] for name in names}) != len(SPLITS):
        raise RequestError(f"{top} lacks one of {', '.join(SPLITS)}: {WHOLE}")
    digests = list(in_order(_digest, images))
    labels = _labels(source.path(dataset.LABELS))
    originals = {path.name: _digest(path) for path in sorted(folder.glob("*.jpg"))}
    pictures = photographs(folder)  # a damaged one ends here, before any process begins
    versions = (matching.MATCHING_VERSION, PART)
    key = hashlib.sha256(repr((versions, names, digests, originals)).encode()).hexdigest()
    fits = match_all(images, folder, cache / "provenance" / key[:16], jobs, progress)
    folders = ((name, *name.split("/")[:2]) for name in names)  # a split's, and in it a class's
    shown = [
        Shown(name, digest, split, class_name, *fit)
        for (name, split, class_name), digest, fit in zip(folders, digests, fits, strict=True)
    ]
    split = {row.original: row.split for row in shown if row.split != "TEST_SIMPLE"}
    table = [
        Original(name, digest, labels.get(name, ""), split.get(name, ""))
        for name, digest in originals.items()
    ]
    return shown, table, overlap.search(pictures, progress)


def _labels(path: Path) -> dict[str, str]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return {
            f"BloodImage_{int(row['Image']):05}.jpg": row["Category"]
            for row in csv.DictReader(file)
        }


def compare(folder: Path) -> list[str]:
    """Returns how the tables in `folder` differ from the recorded ones; empty if they don't."""
    new, old = (
        {row.file: row for row in provenance.shown(place)} for place in (folder, provenance.FOLDER)
    )
    other = [name for name in old if name not in new or new[name].original != old[name].original]
    pairs = [
        {(p.first, p.second, p.dx, p.dy) for p in provenance.overlaps(place)}
        for place in (folder, provenance.FOLDER)
    ]
    lines = []
    if other or new.keys() - old.keys():
        lines.append(f"{len(other)} of {len(old):,} images differ from the recorded table, first "
                     f"{min(other or new.keys() - old.keys())}")  # fmt: skip
    if pairs[0] != pairs[1]:
        lines.append(f"{len(pairs[0] ^ pairs[1])} overlaps differ from the recorded table")
    if provenance.originals(folder) != provenance.originals():
        lines.append("the photographs' own table differs")
    return lines


def summary(shown: list[Shown], table: list[Original], found: overlap.Search) -> dict:
    """Returns what the search itself measured, for the report."""
    return {
        "images": len(shown),
        "photographs": len(table),
        "pairs": len(table) * (len(table) - 1) // 2,
        "pairs_looked_at": found.looked_at,
        "overlaps": len(found.found),
        "bound": overlap.BOUND,
        "lowest": min(pair.correlation for pair in found.found),
        "next_best": found.next_best,
        "chance": found.chance,
        "found_by_chance": found.found_by_chance,
    }


def run(
    source: dataset.Source, out: Path, cache: Path, jobs: int, console: Console, record: bool
) -> int:
    """Measures, writes the tables to `out` (or records them), checks them; returns an exit code."""
    if source.kind != "real":
        raise RequestError("A phantom's images are drawn one by one: there is nothing to find.")
    integrity.quick_check(source)
    begun = time.monotonic()
    found = recover(source, cache, jobs, console.progress)
    console.end()
    folder = provenance.FOLDER if record else out / "provenance"
    folder.mkdir(parents=True, exist_ok=True)
    provenance.write(folder, found[0], found[1], found[2].found)
    seen = json.dumps(summary(*found), indent=1)
    write_whole(folder / provenance.SEARCH, f"{seen}\n".encode())
    checks = provenance.checks(*found[:2])
    for check in checks:
        console.say(f"{'ok' if check.ok else 'BROKEN':6} {check.title}: {check.said}")
    names = {name for pair in found[2].found for name in pair[:2]}
    console.say(f"{len(found[2].found)} pairs of photographs overlap, {len(names)} photographs")
    lines = [] if record else compare(folder)
    if not record:
        console.say("\n".join(lines) or "the recorded tables say the same")
    console.say(f"{duration(time.monotonic() - begun)}: {folder}")
    return 1 if lines or not all(check.ok for check in checks) else 0


def start(
    data: str, out: Path, cache: Path | None, jobs: int, console: Console, record: bool = False
) -> tuple[int, dataset.Source]:
    """Calls `run` with what the command line says; returns the exit code and the images. Raises
    RequestError where `run` does, or without a whole copy of the images' repository."""
    cache = cache or default_cache()
    source = dataset.locate(data, False, cache)
    if source.root in (None, cache / "data"):  # a download, made or still to be made
        raise RequestError(WHOLE)
    return run(source, out, cache, jobs or cores(), console, record), source


def main() -> int:
    """Reads the command line that the module's docstring describes, and returns the exit code."""
    print_anything()
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=folder, default=ROOT / "reports" / "out", metavar="DIR")
    parser.add_argument("--data", type=typed(images), default="auto", metavar="DIR|auto")
    parser.add_argument("--jobs", type=typed(ranges.whole, *ranges.JOBS), default=0, metavar="N",
                        help="default: all cores")  # fmt: skip
    parser.add_argument("--record", action="store_true", help="into protocols/, for the repository")
    asked = parser.parse_args()

    def work(console: Console) -> int:
        return start(asked.data, asked.out, None, asked.jobs, console, asked.record)[0]

    return exit_code(work, asked.out, None, goes_on=True)
