"""Makes small pictures of the set's images: of those that networks were seen to look at, and of
those that both twins get wrong."""

from __future__ import annotations

import base64
import io
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from msgspec import Meta
from PIL import Image

from protocols.boundary import Damaged, Key, contents, decoded
from protocols.errors import RequestError
from protocols.files import in_order, write_whole
from protocols.images import augment, dataset
from protocols.images.dataset import Source
from protocols.images.decoded import open_set
from protocols.images.splits import FOLD_SEED
from reports.cells.planned_run import Slot

WRONG = "wrong-pictures.json"
THUMBNAIL = (80, 60)  # pixels
MOST = 800  # the most pictures of images that both twins get wrong: under 1 MB, twice in a report
SEEN = "activation-pictures.json"
MOST_BYTES = 1 << 28
Address = Annotated[str, Meta(max_length=1 << 20, pattern=r"^data:image/[a-z]+;base64,[\w+/=]*\Z")]
WIDEST = (160, 120)
ALONE = (160, 120)  # pixels of a heat map without its image (width, height)
PALED, THICKEST = 0.3, 0.7  # how far an image is paled, and the share of a heat map's colour on it


def read(path: Path) -> dict[str, Any]:
    """Reads a file of pictures; gives {} where there is none that can be read: it's made anew."""
    schema = dict[Key, dict[Key, Address]] if path.name == SEEN else dict[Key, Address]
    try:
        return decoded(contents(path, MOST_BYTES), schema, path.name)
    except Damaged:
        return {}


def write(path: Path, pictures: dict[str, Any]) -> None:
    """Writes a file of pictures, unless it holds these already."""
    if pictures != read(path) or not path.is_file():
        write_whole(path, json.dumps(pictures).encode())


def complete(
    path: Path, wanted: Iterable[str], make: Callable[[list[str]], dict[str, str]]
) -> None:
    """Writes a file of the wanted pictures, name -> address: those that the file holds stay as they
    are, and `make` is asked for the others, of which it may leave some out."""
    names, there = list(wanted), read(path)
    kept = {name: there[name] for name in names if name in there}
    lacking = [name for name in names if name not in kept]
    write(path, kept | (make(lacking) if lacking else {}))


def pixels(source: Source, image: str) -> Image.Image | None:
    """Returns an image by its id, as the networks were given it, at 320x240 or half of it; None
    where the image's file isn't at hand or the id isn't of the public set.

    `TEST/CLASS/FILE` is a file of the set, `PHOTOGRAPH#COPY` a photograph turned and mirrored by
    the rule of `protocols.images.augment`.
    """
    name, _, copy = image.partition("#")
    if ".." in name or name.startswith("/"):  # ids may be a stranger's
        return None
    try:
        if copy.isdecimal():
            original = augment.load_original(source.path(dataset.ORIGINALS + name))
            made = augment.augmented(original, name, int(copy), FOLD_SEED)
            return Image.fromarray(made)
        with Image.open(source.path(f"images/{name}")) as found:
            found.draft("RGB", WIDEST)  # decodes at half the size: as good here, and faster
            return found.convert("RGB")
    except Exception:  # Pillow raises many kinds for broken files
        return None


def address(image: Image.Image, kind: str = "JPEG", quality: int = 80) -> str:
    """Returns the image as a data address; as "WEBP" a thumbnail takes half of a JPEG's bytes."""
    data = io.BytesIO()
    image.save(data, kind, quality=quality, optimize=kind == "PNG")
    return f"data:image/{kind.lower()};base64,{base64.b64encode(data.getvalue()).decode()}"


def _made(
    source: Source, ids: list[str], size: tuple[int, int], kind: str, quality: int
) -> dict[str, str]:
    """Returns pictures by image id; images that aren't at hand are left out."""

    def make(image: str) -> str:
        found = pixels(source, image)
        return address(found.resize(size, Image.Resampling.LANCZOS), kind, quality) if found else ""

    made = zip(ids, in_order(make, ids), strict=True)
    return {image: picture for image, picture in made if picture}


def write_wrong(source: Source, wrong: Iterable[Iterable[str]], out: Path) -> None:
    """Writes `out/wrong-pictures.json`, which maps an image id to a thumbnail's address.

    `wrong` has, for each network, the images that both twins get wrong. Where there are more than
    MOST, those are drawn that most networks get wrong. Pictures that are there stay as they are.
    """
    counts = Counter(image for images in wrong for image in images)
    wanted = [image for image, _ in sorted(counts.items(), key=lambda i: (-i[1], i[0]))][:MOST]
    complete(out / WRONG, wanted, lambda ids: _made(source, ids, THUMBNAIL, "WEBP", 60))


def write_seen(slots: list[Slot], source: Source | None, cache: Path | None, out: Path) -> None:
    """Writes `out/activation-pictures.json`: data digest -> image id -> a picture's address.

    It draws the images in the runs' activations.npz, and some that show the first one's photograph,
    from the decoded sets in `cache` or else from the files of `source`. Pictures that are there
    stay as they are.
    """
    wanted: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for slot in slots:
        if slot.measured:
            data = slot.spec.data
            wanted[data["digest"], data["kind"]] |= dict.fromkeys(slot.measured.pictured)
    pictures = read(out / SEEN)
    for (digest, kind), ids in wanted.items():
        there = pictures.setdefault(digest, {})
        made = _decoded(cache, digest, [i for i in ids if i not in there]) if cache else {}
        if source and kind == "real":
            lacking = [i for i in ids if i not in there | made]
            made |= _made(source, lacking, WIDEST, "JPEG", 80)
        there |= made
    if any(pictures.values()):
        write(out / SEEN, pictures)


def _decoded(cache: Path, digest: str, ids: list[str]) -> dict[str, str]:
    """Returns pictures by image id from the decoded set in the cache, without those it lacks."""
    if not ids:
        return {}
    try:
        there = open_set(cache / "arrays" / digest[:16])
    except RequestError:
        return {}
    place = {name: i for i, name in enumerate(there.ids)} if there.digest == digest else {}
    found = {}
    for name in (name for name in ids if name in place):
        image = Image.fromarray(there.pixels[place[name]])
        image.thumbnail(WIDEST, Image.Resampling.LANCZOS)
        found[name] = address(image)
    return found


def pixels_of(picture: str) -> np.ndarray:
    """Returns the image behind an address: uint8 (h, w, 4), red, green, blue and opacity."""
    data = base64.b64decode(picture.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))


def grey(picture: str) -> Image.Image | None:
    """Returns the image behind an address in grey, as RGB; None if there is none."""
    try:
        found = Image.open(io.BytesIO(base64.b64decode(picture.partition(",")[2])))
        return found.convert("L").convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError):
        return None


def heat(cam: np.ndarray, picture: str) -> str:
    """Returns the address of a heat map (h, w), over the paled image behind `picture` in grey, or
    alone without one.

    The map's lowest value is clear and its highest dark red. The colour is laid on the more thickly
    the higher the value, so that the cells are seen through it, and all of them where it is low.
    """
    import matplotlib  # noqa: PLC0415 (slow import)

    under = grey(picture) or Image.new("RGB", ALONE, "white")
    low, high = float(cam.min()), float(cam.max())
    values = Image.fromarray(np.float32((cam - low) / ((high - low) or 1)))
    share = np.asarray(values.resize(under.size, Image.Resampling.BILINEAR)).clip(0, 1)
    colours = 255 * matplotlib.colormaps["YlOrRd"](share)[..., :3]
    paled = np.asarray(under) + PALED * (255.0 - np.asarray(under))
    laid = (THICKEST * share)[..., None]
    return address(Image.fromarray(np.uint8((1 - laid) * paled + laid * colours)))


def png(image: np.ndarray, opaque: np.ndarray) -> str:
    """Returns a grey uint8 image (h, w) as a PNG's address, clear where `opaque` is false."""
    alpha = np.where(opaque, 255, 0).astype(np.uint8)
    return address(Image.fromarray(np.dstack([image, alpha])), "PNG")
