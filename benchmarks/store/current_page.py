"""Tells by content, not by file times, whether a page of a store is as it would be made today."""

import contextlib
import hashlib
import os
import platform
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.store.store import Store
from protocols.files import ROOT, sha256_of, write_whole

SOURCES = "protocols", "impl_keras", "impl_torch", "benchmarks", "reports"
TEXTS = ".py", ".toml", ".csv", ".gz", ".json", ".j2", ".js", ".css"
PACKAGES = (
    "numpy", "scipy", "scikit-learn", "statsmodels", "matplotlib", "jinja2", "pillow", "pylatexenc",
)  # fmt: skip


def made_from(store: Store) -> str:
    """Returns the SHA-256 of all that a page of this store is made from, by content: the last
    request, the runs, benchmarks, a GPU's check and parity ladder, and all that computes and writes
    the page."""
    digest = hashlib.sha256(platform.python_version().encode())
    for name in PACKAGES:
        digest.update(f"{name} {version(name)}\n".encode())
    names = "plan.json", "benchmarks.json", "gpu-check.json", "parity.json"
    paths = [store.out / name for name in names]
    for folder in sorted(store.runs_folder.glob("[!.]*/")):
        with contextlib.suppress(OSError):  # the page shows as unreadable what can't be read
            sizes = sorted((f.name, f.stat().st_size) for f in folder.iterdir() if f.is_file())
            digest.update(repr(sizes).encode())
        paths += [folder / name for name in ("spec.json", "run.json", "failed.json")]
    paths += (path for folder in SOURCES for path in _texts(ROOT / folder))
    return _digest(paths, digest)


def page_is_current(store: Store, page: Path) -> bool:
    """Returns whether `page` is as it was written and would be made from the same today; file times
    are not asked."""
    try:
        return _built(page).read_text(encoding="utf-8") == _state(store, page)
    except (OSError, ValueError):
        return False


def page_is_built(store: Store, page: Path, before: str) -> None:
    """Writes beside `page` what it was made from. `before`: the answer of `made_from` from before
    the page was begun."""
    write_whole(_built(page), _state(store, page, before).encode())


def _built(page: Path) -> Path:
    return page.with_name(f".{page.name}.made-from")


def _state(store: Store, page: Path, before: str = "") -> str:
    """Returns the digests of what is shown, of the pictures beside the page, and of the page."""
    pictures = _digest(sorted(page.parent.glob("*-pictures.json")), hashlib.sha256())
    return f"{before or made_from(store)} {pictures} {sha256_of(page)}\n"


def _texts(folder: Path) -> Iterator[Path]:
    """Yields the files below `folder` that are hand-written or recorded, without those of runs."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(set(folders) - {"runs", "__pycache__"})
        yield from (Path(place, name) for name in sorted(files) if name.endswith(TEXTS))


def _digest(paths: list[Path], digest: Any) -> str:
    """Returns the SHA-256 in hex of `digest` and of the place and content of each readable path."""
    for path in paths:
        with contextlib.suppress(OSError):
            content = hashlib.sha256(path.read_bytes()).digest() if path.is_file() else b""
            digest.update(os.fsencode(f"{path.parent.name}/{path.name}") + content)
    return digest.hexdigest()
