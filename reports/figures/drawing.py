"""A figure as it stands on a page, and as files that can be saved: SVG and PDF."""

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from reports.figures import shapes
from reports.figures.shapes import Part
from reports.figures.svg import LIGHT, WIDTH, to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = "figures"  # of the report


@dataclass(frozen=True)
class Drawing:
    """A figure: the inline <svg>, what its marks mean, and the same figure as a PDF. Without a PDF
    it has no files; the page's script can save it as SVG."""

    name: str  # unique on its page
    svg: Markup
    key: str = ""
    pdf: bytes = b""
    parts: Markup | None = None  # the same with an <svg> for each part, if it has parts

    def __html__(self) -> str:
        return self.svg if self.parts is None else self.parts

    @property
    def kinds(self) -> list[str]:
        """The kinds of files that the figure is saved as."""
        return ["svg", "pdf"] if self.pdf else []

    def path(self, page: str, kind: str) -> str:
        """Returns where a page's figure lies in the report as a file of this kind."""
        return f"{FOLDER}/{page.removesuffix('.html')}-{self.name}.{kind}"

    def files(self, page: str) -> dict[str, bytes]:
        """Returns the figure's files, by their paths."""
        if not self.pdf:
            return {}
        content = {"svg": standalone(self.svg).encode(), "pdf": self.pdf}
        return {self.path(page, kind): content[kind] for kind in self.kinds}


def drawn(figure: "Figure", name: str, description: str, key: str = "") -> Drawing:
    """Returns the figure as a drawing; `description` is its text alternative."""
    name = _file_name(name)
    svg = to_svg(figure, name, description)
    return Drawing(name, svg, key, to_pdf(figure, description))


def of_parts(
    name: str, description: str, height: float, parts: list[Part], key: str, *, pdf: bool
) -> Drawing:
    """Returns the figure of these parts, as wide as every figure and `height` points tall. Without
    `pdf`, which takes most of the time, it has no files."""
    width = 72 * WIDTH
    whole, each = shapes.to_svg(width, height, parts, description)
    every = [shape for part in parts for shape in part.shapes]
    data = to_pdf(shapes.to_figure(width, height, every), description) if pdf else b""
    several = parts[0].box[2] < width
    return Drawing(_file_name(name), whole, key, data, each if several else None)


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]", "-", name)  # it becomes a part of ids and of a file's name


def to_pdf(figure: "Figure", description: str) -> bytes:
    """Returns the figure as a PDF in the light page's colours, the same bytes for the same figure.
    Its letters are embedded."""
    from matplotlib.backends.backend_pdf import FigureCanvasPdf  # noqa: PLC0415 (slow import)

    buffer = io.BytesIO()
    undated = dict.fromkeys(("CreationDate", "Creator", "Producer"))
    FigureCanvasPdf(figure).print_pdf(buffer, metadata={"Title": description, **undated})
    return buffer.getvalue()


def standalone(drawing: Markup) -> str:
    """Returns an inline drawing as a file of its own, with the light page's colours and paper."""
    paper = '<rect width="100%" height="100%" fill="var(--paper)"/>'
    text = str(drawing).replace(">", f">{paper}", 1)
    text = re.sub(r"var\((--\w+)\)", lambda m: LIGHT[m[1]], text)
    names = 'xmlns="http://www.w3.org/2000/svg" font-family="sans-serif"'
    return text.replace("<svg", f"<svg {names}", 1) + "\n"
