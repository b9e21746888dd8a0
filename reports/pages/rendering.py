"""Renders the pages of a report, each by itself, so that processes can share the work."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from operator import call

from reports.cells.parallel import spread
from reports.data import results as data
from reports.figures.drawing import Drawing
from reports.pages import menu, one_file
from reports.pages.content import PageRecord, Results
from reports.tables import exports
from reports.tables.contents import found_in
from reports.tables.formats import NAMES
from reports.tables.grid import Page
from reports.tables.table import Table


@dataclass(frozen=True)
class Made:
    """A file of the report; for a page also its tables in their other forms, and its figures as
    files, by their paths."""

    file: str
    text: str
    tables: exports.Forms | None = None
    figures: dict[str, bytes] = field(default_factory=dict)


def rendered(results: Results, *others: Callable[[], list[Made]]) -> list[Made]:
    """Return every page that is there for these results, what `others` make, and report.html."""
    shown = [page for page in menu.pages() if page.is_there(results)]
    listed = [(page.file, page.name) for page in shown]
    own = [(page, page.file) for page in shown]
    own += [(more, page.file) for page in shown for more in page.further(results)]
    makers = [*others, *(partial(_page, results, menu.entries(shown), *one) for one in own)]
    made = spread(call, makers, results.collected.jobs)
    files = {one.file: one.text for some in made for one in some if one.tables}
    whole = Made(one_file.NAME, one_file.single(files, listed, menu.engine()))
    return [*(one for some in made for one in some), whole]


def _page(results: Results, entries: list[menu.Entry], page: PageRecord, here: str) -> list[Made]:
    """Return one page.
    `entries` are those of the menu; `here` is the file of the page of the menu that this page is,
    or belongs to."""
    settings, content = page.settings(results), page.content(results)
    phantom = menu.phantom(results.collected, settings)
    banners = menu.of_settings(results.collected, settings)
    text = menu.engine().get_template(page.template or f"{page.file}.j2").render(
        menu=entries, here=here, title=page.title, names=NAMES, schema=data.SCHEMA_VERSION,
        phantom=phantom, banners=banners, file=page.file, **content,
    )  # fmt: skip
    above = [*([f"PHANTOM: {phantom}"] if phantom else []), *banners]
    tables = Page(page.file, page.name, above, list(found_in(content, Table)))
    figures: dict[str, bytes] = {}
    for drawing in found_in(content, Drawing):
        if drawing.path(page.file, "svg") in text:  # else the page leaves the figure out
            figures |= drawing.files(page.file)
    return [Made(page.file, text, exports.of_page(tables), figures)]
