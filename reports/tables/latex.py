"""Writes the pages' tables as LaTeX: one document that compiles, with an environment for each.

Unicode and special characters are pylatexenc's work; booktabs draws the rules.
"""

import re
from functools import cache

from pylatexenc.latexencode import (
    RULE_DICT,
    RULE_REGEX,
    UnicodeToLatexConversionRule,
    UnicodeToLatexEncoder,
)

from reports.tables.grid import Page, Place, key, numeric, plain, spaced, spread, width
from reports.tables.table import Table, Td

LONG = 36  # text columns with a cell of more characters are broken into lines
BROKEN = r">{\raggedright\arraybackslash}p{6cm}"
OWN = {0x202F: r"\,", 0x2713: r"\ensuremath{\checkmark}", 0x2717: r"\ensuremath{\times}"}
PREAMBLE = r"""% Every table of the report. A table copied from here needs
% \usepackage[T1]{fontenc} \usepackage{array,amssymb,booktabs}
\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{textcomp}
\usepackage{array,amssymb,booktabs}
\usepackage[paperwidth=42cm,paperheight=HEIGHTcm,margin=2cm]{geometry} % the largest table fits
\makeatletter\setlength{\@fptop}{0pt}\setlength{\@fpsep}{12mm}\makeatother % no gaps between them
\setlength{\belowcaptionskip}{6pt}
\begin{document}
"""


@cache
def _encoder() -> UnicodeToLatexEncoder:
    rules = [
        UnicodeToLatexConversionRule(RULE_DICT, OWN),
        UnicodeToLatexConversionRule(RULE_REGEX, [(re.compile("-(?=-)"), "-{}")]),  # no ligature
        "defaults",
    ]
    return UnicodeToLatexEncoder(
        conversion_rules=rules, unknown_char_policy="unihex", unknown_char_warning=False
    )


@cache  # tables say the same words again and again
def escaped(text: str) -> str:
    """Returns `text` as LaTeX; a character without a name in LaTeX becomes its code point."""
    found = _encoder().unicode_to_latex(spaced(text))
    return "{}" + found if found[:1] in ("[", "*") else found  # after \\ these begin an argument


def sections(page: Page) -> list[str]:
    """Returns the parts of the page's LaTeX: its name, its banners and its tables."""
    parts = [rf"\section*{{{escaped(page.name)}}}", *map(escaped, page.banners)]
    parts += [tabular(key(page, table), table) for table in page.tables]
    return [*parts, r"\clearpage"]


def document(parts: list[str]) -> str:
    """Returns the sections of all pages as one document."""
    lines = [body.count("\n") + len(body) // 200 for body in parts]  # a guess that is too high
    preamble = PREAMBLE.replace("HEIGHT", str(15 + max(lines, default=0) // 2))
    return preamble + "\n\n".join(parts) + "\n\n\\end{document}\n"


def tabular(name: str, table: Table) -> str:
    """Returns a table environment, whose label is `tab:` and the name."""
    lines = [
        r"\begin{table}[p]",
        r"\centering",
        rf"\caption{{{escaped(table.whole_caption)}}}",
        rf"\label{{tab:{name}}}",
        r"\footnotesize" if table.tight else r"\small",
    ]
    specs = columns(table)
    lines += [rf"\begin{{tabular}}{{{' '.join(specs)}}}", r"\toprule", *_heads(table), r"\midrule"]
    for index, (title, rows) in enumerate(table.bodies):
        lines += [r"\midrule"] if index else []
        if title:
            lines.append(rf"\multicolumn{{{len(specs)}}}{{l}}{{\emph{{{escaped(title)}}}}} \\")
        for line in spread(rows, len(specs)):
            lines += _row(line, specs)
    lines += [r"\bottomrule", r"\end{tabular}"]
    small = [f"{i}. {escaped(r)}" for i, r in enumerate(table.reasons, 1)]
    small += map(escaped, table.notes)
    if small:
        lines += [r"\par\smallskip", r"\begin{minipage}{0.8\linewidth}\footnotesize\raggedright"]
        lines += [*(text + r"\par" for text in small), r"\end{minipage}"]
    return "\n".join([*lines, r"\end{table}"])


def columns(table: Table) -> list[str]:
    """Returns the format of each column: r for numbers, l for text, 6 cm of lines for long text."""
    found = []
    bodies = [line for _, rows in table.bodies for line in spread(rows, width(table))]
    for i, right in enumerate(numeric(table)):
        cells = (line[i].td for line in bodies)
        longest = max((len(td.text + td.note) for td in cells if td.span == 1), default=0)
        found.append("r" if right else BROKEN if longest > LONG else "l")
    return found


def _heads(table: Table) -> list[str]:
    """Returns the rows of headings: one that spans rows stands in its last, as on the pages."""
    grid = spread(table.heads, width(table))
    lines = []
    for r, row in enumerate(grid):
        cells, rules = [], []
        for c, place in enumerate(row):
            if not place.left:
                continue
            last = r + 1 == len(grid) or grid[r + 1][c].top
            text = rf"\emph{{{escaped(place.td.text)}}}" if last and place.td.text else ""
            span = place.td.span
            cells.append(_spanned(text, span, "c"))
            if span > 1 and last:
                rules.append(rf"\cmidrule(lr){{{c + 1}-{c + span}}}")
        lines.append(" & ".join(cells) + r" \\")
        if r + 1 < len(grid):
            lines.append("".join(rules))
    return [line for line in lines if line]


def _row(line: list[Place], specs: list[str]) -> list[str]:
    """Returns a row, and below it the small print of the columns that aren't broken into lines."""
    cells, notes = [], []
    for place, spec in zip(line, specs, strict=True):
        if not place.left:
            continue
        td = place.td if place.top else Td("", span=place.td.span)
        note = rf"{{\scriptsize {escaped(td.note)}}}" if td.note else ""
        text = escaped(plain(td)) + (rf"\textsuperscript{{{td.ref}}}" if td.ref else "")
        if note and spec == BROKEN:
            text, note = rf"{text}\newline {note}", ""
        align = "r" if td.kind in ("num", "word") else "l"
        cells.append(_spanned(text, td.span, align))
        notes.append(_spanned(note, td.span, align))
    found = [cells, notes] if any(notes) else [cells]
    return [" & ".join(cells) + r" \\" for cells in found]


def _spanned(text: str, span: int, align: str) -> str:
    return text if span == 1 else rf"\multicolumn{{{span}}}{{{align}}}{{{text}}}"
