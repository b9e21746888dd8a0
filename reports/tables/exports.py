"""Writes the pages' tables in other forms: Markdown as GitHub reads it, LaTeX, and CSV.

All forms are made of the Table objects that the pages show, and have the numbers as these show
them: rounded. In Markdown and CSV a cell that spans rows is repeated in each; LaTeX has it once.
"""

import re
from dataclasses import dataclass, replace

from reports.tables import latex
from reports.tables.grid import Page, headings, key, numeric, plain, spaced, spread, width
from reports.tables.spreadsheet import as_csv as _csv
from reports.tables.table import Table, Td

FOLDER = "tables"  # the folder of a report's CSV files
TITLE = "The tables of the report"
SPECIAL = re.compile(r"([\\`*_\[\]<>|~$#&])")  # the characters that mean something in Markdown


@dataclass(frozen=True)
class Forms:
    """One page's tables in every form."""

    markdown: list[str]
    latex: list[str]
    csv: dict[str, str]  # file name -> text
    index: list[list[str]]  # for each table its file, page, caption, notes


def of_page(page: Page) -> Forms:
    """Returns the page's tables; those that are too long for the page become CSV alone."""
    texts, rows = {}, []
    for table in sorted(page.tables, key=lambda table: table.listed):
        file = f"{key(page, table)}.csv"
        texts[file] = as_csv(table)
        rows.append([file, page.name, table.whole_caption, " ".join([*page.banners, *table.notes])])
    shown = replace(page, tables=[table for table in page.tables if not table.listed])
    own = (markdown(shown), latex.sections(shown)) if shown.tables else ([], [])
    return Forms(*own, texts, rows)


def files(parts: list[Forms], name: str = FOLDER, title: str = TITLE) -> dict[str, str]:
    """Returns the files of the pages' tables, as name -> text: `name`.md, `name`.tex, and in the
    folder `name` a CSV file for each table and index.csv, which lists them."""
    texts = [f"# {title}", *(text for part in parts for text in part.markdown)]
    found = {
        f"{name}.md": "\n\n".join(texts) + "\n",
        f"{name}.tex": latex.document([text for part in parts for text in part.latex]),
    }
    for part in parts:
        found |= {f"{name}/{file}": text for file, text in part.csv.items()}
    rows = [["file", "page", "caption", "notes"], *(row for part in parts for row in part.index)]
    return found | {f"{name}/index.csv": _csv(rows)}


def as_csv(table: Table) -> str:
    """Writes one line of headings, then the rows, with small print in round brackets and footnotes
    in square ones. Titles within the table become a first column, "Section"."""
    sections = any(title for title, _ in table.bodies)
    lines = [["Section"] * sections + headings(table)]
    for title, rows in table.bodies:
        for line in spread(rows, width(table)):
            cells = [_csv_cell(p.td, table) if p.left else "" for p in line]
            lines.append([title] * sections + cells)
    return _csv(lines)


def _csv_cell(td: Td, table: Table) -> str:
    reason = f" [{table.reasons[td.ref - 1]}]" if td.ref else ""
    return plain(td) + (f" ({td.note})" if td.note else "") + reason


def markdown(page: Page) -> list[str]:
    """Returns the parts of the page's Markdown: its name, its banners and its tables."""
    parts = [f"## {_escaped(page.name)}", *(f"> {_escaped(t)}" for t in page.banners)]
    for table in page.tables:
        parts += [f"**{key(page, table)}.** {_escaped(table.whole_caption)}", markdown_table(table)]
    return parts


def markdown_table(table: Table) -> str:
    """Writes the table, its footnotes as a numbered list, and its notes, but not its caption."""
    lines = [[_escaped(text) for text in headings(table)]]
    lines.append(["---:" if right else ":---" for right in numeric(table)])
    for title, rows in table.bodies:
        if title:
            lines.append([f"*{_escaped(title)}*"] + [""] * (width(table) - 1))
        for line in spread(rows, width(table)):
            lines.append([_markdown_cell(p.td) if p.left else "" for p in line])
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    reasons = "\n".join(f"{i}. {_escaped(r)}" for i, r in enumerate(table.reasons, 1))
    return "\n\n".join([text, *([reasons] if reasons else []), *map(_escaped, table.notes)])


def _markdown_cell(td: Td) -> str:
    ref = f"<sup>{td.ref}</sup>" if td.ref else ""
    note = f"<br><small>{_escaped(td.note)}</small>" if td.note else ""
    return _escaped(plain(td)) + ref + note


def _escaped(text: str) -> str:
    return SPECIAL.sub(r"\\\1", spaced(text))
