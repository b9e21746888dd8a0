"""Finds the images, and has the list of files that proves that they are the public images.

The set is that of github.com/dhruvp/wbc-classification (archive.COMMIT), copied to Kaggle as
paultimothymooney/blood-cells. `manifest.csv.gz` names every file that a protocol needs, with its
size and SHA-256; the phantom, a set of drawn stand-ins, carries a manifest of its own and goes
through the same checks.
"""

import gzip
import hashlib
import os
import stat
import zlib
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple

from protocols import download
from protocols.classes import CLASSES
from protocols.errors import RequestError
from protocols.files import Progress, aside, throttled
from protocols.images import archive
from protocols.images.augment import read_labels
from protocols.images.phantom import PHANTOM_VERSION, write_phantom

MANIFEST = Path(__file__).with_name("manifest.csv.gz")
HEADER = "path,size,sha256"
LABELS = "labels.csv"
IMAGES, ORIGINALS = "images/", "Original_Images/"

# The phantom's images per class, from which the smoke profile draws, and the phantom's random seed.
PHANTOM_TRAIN = 24
PHANTOM_TEST = 12
PHANTOM_ORIGINALS = 20
PHANTOM_SEED = 0
PHANTOM_SIZES = (PHANTOM_TRAIN, PHANTOM_TEST, PHANTOM_ORIGINALS)
PHANTOM = "-".join(map(str, ("phantom", f"v{PHANTOM_VERSION}", *PHANTOM_SIZES, f"s{PHANTOM_SEED}")))

KAGGLE_IMAGES = ("dataset2-master/dataset2-master/", "dataset2-master/")
KAGGLE_REST = ("dataset-master/dataset-master/", "dataset-master/")
INSIDE = ("images", "dataset2-master", "dataset-master", "JPEGImages", "Original_Images")

CACHE = "the cache"  # the words for a source that was found in the cache

Kind = Literal["real", "phantom"]


class Entry(NamedTuple):
    """A required file: its path in the origin's layout, its size in bytes, its SHA-256 in hex."""

    path: str
    size: int
    sha256: str


def class_counts(part: str) -> list[int]:
    """Counts the images of each class, E L M N, in the public data's part "train" or "test"."""
    paths = [entry.path for entry in Source("real", None).entries()]
    return [
        sum(path.startswith(f"images/{part.upper()}/{name}/") for path in paths) for name in CLASSES
    ]


@dataclass(frozen=True)
class Source:
    """A folder of images. `root` is None in a plan, before the images are downloaded or drawn.

    `how` says where the folder was found, `note` why it is not what was asked for first. `places`
    maps the start of a manifest path to its place below `root`, where the two differ.
    """

    kind: Kind
    root: Path | None
    how: str = ""
    note: str = ""
    places: tuple[tuple[str, str], ...] = ()

    def place(self, name: str) -> str:
        """Gives the path below `root` of the file that the manifest calls `name`."""
        for start, folder in self.places:
            if name.startswith(start):
                return folder + name[len(start) :]
        return name

    def path(self, name: str) -> Path:
        """Gives the path on disk of the file that the manifest calls `name`."""
        return self.folder / self.place(name)

    @property
    def folder(self) -> Path:
        """The folder `root`. Raises ValueError where `root` is None."""
        if self.root is None:
            raise ValueError("a planned source has no files yet")
        return self.root

    def entries(self, protocol: str = "") -> list[Entry]:
        """Gives every required file, sorted by path, or those from which a set of `protocol` is
        made: the images of TRAIN and TEST for `fixed`, the photographs and their labels for the
        others. Raises RequestError."""
        path = MANIFEST if self.kind == "real" else self.folder / MANIFEST.name
        try:
            lines = gzip.decompress(path.read_bytes()).decode().splitlines()[1:]
            cells = (line.split(",") for line in lines)
            every = [Entry(name, int(size), digest) for name, size, digest in cells]
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise RequestError(
                f"The list of files {path} can't be read ({error}): restore it, or delete the "
                "folder if it is a phantom's, which is then drawn anew."
            ) from error
        fixed = protocol == "fixed"
        return [e for e in every if not protocol or e.path.startswith(IMAGES) == fixed]


def source_at(root: Path, how: str = "") -> Source | None:
    """Finds the source in a folder, in either layout, also where `root` is a folder inside it.
    Gives None if no source is there.

    A damaged set counts: `integrity.quick_check` says which file is missing. Raises RequestError
    where a folder can't be looked into.
    """
    root = Path(os.path.abspath(root.expanduser()))
    tops = [root]
    while tops[-1].name in INSIDE:
        tops.append(tops[-1].parent)
    for top in reversed(tops):
        for images in KAGGLE_IMAGES:
            if _is_dir(top / images / "images/TRAIN", how):
                return Source("real", top, how, places=_kaggle_places(top, images))
    for top in tops:
        if _is_dir(top / "images/TRAIN", how):
            return Source("real", top, how)
    return None


def _is_dir(folder: Path, how: str) -> bool:
    """Tells whether `folder` is a folder. Raises RequestError where that can't be seen; Path.is_dir
    would raise an error of its own there, or say no."""
    try:
        return stat.S_ISDIR(folder.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        flag = "--cache" if how == CACHE else "--data"
        raise RequestError(
            f"{folder} ({how}) can't be read ({getattr(error, 'strerror', None) or error}): let "
            f"this user read that folder and all that is in it, or give another one with {flag} "
            "DIR."
        ) from error


def _kaggle_places(top: Path, images: str) -> tuple[tuple[str, str], ...]:
    there = (r for r in KAGGLE_REST if os.path.isdir(top / r / "JPEGImages"))
    rest = next(there, KAGGLE_REST[0])
    # Kaggle's copy has two files labels.csv; the one beside the images is the origin's.
    labels = images if os.path.isfile(top / images / LABELS) else rest
    return (
        (IMAGES, f"{images}{IMAGES}"),
        (ORIGINALS, f"{rest}JPEGImages/"),
        (LABELS, labels + LABELS),
    )


def locate(choice: str, phantom_allowed: bool, cache: Path) -> Source:
    """Finds the images to use; nothing is downloaded, drawn or read.

    `choice` is "auto" (the folder named by WBC_DATA, else `cache/data`, else a download),
    "phantom", or a folder. Images that would have to be made are a source without a `root`, which
    `made` takes. Raises RequestError.
    """
    if choice == "phantom":
        if not phantom_allowed:
            raise RequestError(
                "Only the smoke profile takes the phantom: add --profile smoke, or give the real "
                "images with --data DIR or --data auto."
            )
        root = cache / PHANTOM
        return Source("phantom", root if _is_dir(root, CACHE) else None, how="phantom")
    if choice != "auto":
        return _given(choice, "--data DIR")
    if os.environ.get("WBC_DATA"):
        return _given(os.environ["WBC_DATA"], "WBC_DATA")
    if _is_dir(cache / "data", CACHE):
        return Source("real", cache / "data", how=CACHE)
    note = "the phantom, should the download fail" if phantom_allowed else ""
    return Source("real", None, how="download", note=note)


def made(
    source: Source,
    phantom_allowed: bool,
    cache: Path,
    progress: Progress | None = None,
    base_url: str = archive.BASE_URL,
) -> Source:
    """Gives the source that `locate` found, with its files: they are downloaded or drawn if need
    be, and where a download fails the phantom is drawn, if the phantom is allowed.

    Raises RequestError, also where the phantom is allowed but another process is downloading the
    images.
    """
    if source.root is not None:
        return source
    if source.kind == "phantom":
        return _drawn(cache, progress)
    try:
        archive.install(source.entries(), cache / "data", progress, base_url)
    except RequestError as error:
        # where the images are on their way, the phantom is not what was asked for
        if not phantom_allowed or isinstance(error, download.Busy):
            raise
        return _drawn(cache, progress, note=str(error))
    return Source("real", cache / "data", how="download")


def _given(folder: str, how: str) -> Source:
    source = source_at(Path(folder), how=how)
    if source is None:
        raise RequestError(
            f"{folder} ({how}) does not hold the images: neither images/TRAIN (the origin's "
            "layout) nor dataset2-master/images/TRAIN (Kaggle's) is in it; give the folder that "
            "holds one of them, or --data auto without WBC_DATA to download the images."
        )
    if os.path.lexists(source.folder / "PHANTOM"):
        raise RequestError(
            f"{folder} ({how}) holds a drawn phantom, not the images: ask for it with "
            "--data phantom, or give the folder of the real images."
        )
    return source


def _drawn(cache: Path, progress: Progress | None, note: str = "") -> Source:
    """Gives the phantom in the cache, and draws it there with its manifest if it is missing."""
    root = cache / PHANTOM
    if not _is_dir(root, CACHE):
        try:
            draw_phantom(root, *PHANTOM_SIZES, progress)
        except OSError as error:
            raise RequestError(
                f"The phantom can't be drawn in {cache} ({error.strerror or error}): choose "
                "another cache with --cache DIR."
            ) from error
    return Source("phantom", root, how="phantom", note=note)


def draw_phantom(
    root: Path, train: int, test: int, originals: int, progress: Progress | None = None
) -> Source:
    """Draws a phantom of so many images a class, with its manifest, and gives it as a source. An
    image is the same in a phantom of any size. Raises OSError."""
    with aside(root) as work:
        write_phantom(work, train, test, originals, PHANTOM_SEED, throttled(progress))
        (work / MANIFEST.name).write_bytes(make_manifest(work))
    return Source("phantom", root, how="phantom")


def make_manifest(root: Path) -> bytes:
    """Makes the manifest of a folder in the origin's layout, gzipped, the same bytes for the same
    files.

    The manifest names the images of TRAIN and TEST, labels.csv, and the originals with exactly one
    label of the four classes.
    """
    folders = (root / f"images/{part}/{name}" for part in ("TRAIN", "TEST") for name in CLASSES)
    files = chain.from_iterable(folder.glob("*") for folder in folders)
    labelled = read_labels(root / LABELS)
    originals = [root / ORIGINALS / name for name in labelled]
    names = [path.relative_to(root).as_posix() for path in (*files, *originals) if path.is_file()]
    rows = [HEADER]
    for name in sorted([LABELS, *names]):
        data = (root / name).read_bytes()
        rows.append(f"{name},{len(data)},{hashlib.sha256(data).hexdigest()}")
    return gzip.compress(("\n".join(rows) + "\n").encode(), 9, mtime=0)


def data_digest(kind: Kind) -> str:
    """Gives the SHA-256, as hex digits, that names the images, known before any image is there.

    For the real images it is that of the manifest, for the phantom that of version, seed and sizes.
    """
    if kind == "real":
        return hashlib.sha256(gzip.decompress(MANIFEST.read_bytes())).hexdigest()
    sizes = (PHANTOM_VERSION, PHANTOM_SEED, *PHANTOM_SIZES)
    return hashlib.sha256(f"phantom {sizes}".encode()).hexdigest()
