"""Writes the pages: build(store, plan, out). Slow imports wait until `build` is called."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from protocols.errors import one_line
from protocols.files import make_folder, write, write_whole
from reports.cells.parallel import undisturbed

if TYPE_CHECKING:
    from benchmarks.store.store import Store
    from protocols.images.dataset import Source
    from protocols.spec import RunSpec


@undisturbed()
def build(
    store: Store,
    plan: list[RunSpec],
    out: Path,
    jobs: int = 1,
    source: Source | None = None,
    cache: Path | None = None,
) -> Path:
    """Writes index.html, the other pages, results.json, results.csv and the tables' other forms.

    `plan` has every run that is wanted now; those that the store lacks show as X. `jobs` is the
    number of processes, forked from this one; it must be 1 where a framework is loaded. Some images
    are drawn from `source` (the set's files) and `cache` (the decoded sets), if they are at hand.
    Each file is written to a temporary name and renamed. Returns the path of index.html.
    """
    from benchmarks.store import current_page  # noqa: PLC0415 (slow imports)
    from reports.cells.collect import collect  # noqa: PLC0415

    made_from = current_page.made_from(store)  # before anything of the store is read
    collected = collect(store, plan, jobs, _import_the_rest)
    from reports.data import results  # noqa: PLC0415
    from reports.data.numbers import Numbers  # noqa: PLC0415
    from reports.figures import drawing, photographs, pictures  # noqa: PLC0415
    from reports.pages import menu  # noqa: PLC0415
    from reports.pages.content import Results  # noqa: PLC0415
    from reports.pages.errors import page as errors_page  # noqa: PLC0415
    from reports.pages.rendering import Made, rendered  # noqa: PLC0415
    from reports.tables import exports  # noqa: PLC0415

    pictures.write_seen(collected.slots, source, cache, out)
    if source is not None and source.kind == "real":
        photographs.write_overlaps(source, out)
        photographs.write_photographs(source, out)
        pictures.write_wrong(source, errors_page.wrong_images(collected), out)

    content = results.document(collected)

    def numbers() -> list[Made]:
        as_json, as_csv = results.as_json(content), results.as_csv(content)
        return [Made("results.json", as_json), Made("results.csv", as_csv)]

    made = rendered(Results(collected, Numbers(content), out), numbers)
    files = {one.file: one.text for one in made}
    files |= exports.files([one.tables for one in made if one.tables])
    figures = {path: data for one in made for path, data in one.figures.items()}
    for folder in (exports.FOLDER, drawing.FOLDER):
        make_folder(out / folder)
    for name, data in figures.items():
        write_whole(out / name, data)
    for name, text in sorted(files.items(), key=lambda file: file[0] == "index.html"):
        write(out / name, text)  # index.html comes last: where it is new, all files are
    known = [out / page.file for page in menu.pages()]
    old = [*out.glob("runs-*.html"), *out.glob(f"{exports.FOLDER}/*.csv"), *known]
    old += out.glob(f"{drawing.FOLDER}/*")
    for path in old:  # files of settings that are no longer shown so
        if path.relative_to(out).as_posix() not in files.keys() | figures.keys():
            path.unlink(missing_ok=True)
    current_page.page_is_built(store, out / "index.html", made_from)
    return out / "index.html"


def _import_the_rest() -> None:
    """Imports what the pages are made with, while other processes read the runs."""
    for name in ("reports.pages.rendering", "matplotlib.backends.backend_svg"):
        import_module(name)
    import_module("reports.pages.menu").pages()


def where_it_is(page: Path) -> str:
    """Returns the line that a command prints last: where the report is."""
    return one_line(f"report: {page}")
