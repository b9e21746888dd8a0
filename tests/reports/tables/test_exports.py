"""The tables in Markdown, LaTeX and CSV: spans, titles, footnotes, characters."""

import csv
import io
import re
import shutil
import subprocess

import pytest

from benchmarks.store.store import Store
from reports.pages import one_file
from reports.tables import exports, latex
from reports.tables.builder import numbers
from reports.tables.formats import THIN
from reports.tables.grid import Page, spread
from reports.tables.table import Table, Td, label, words
from tests.support import synthetic
from tests.support.reading import made

MARKDOWN, LATEX, INDEX = "tables.md", "tables.tex", "tables/index.csv"
SPECIAL = "50 % of a_b & #1 ~ 2^3 \\ {x} | y < z > $5 `c` *d* [e] --set − ± † – ’ √ ≤ ° · ×"


def small():
    """Two rows of headings, spans both ways, titles, footnotes, signs and notes."""
    table = Table(
        "small",
        "Accuracy, in %, of a_b.",
        [
            [Td("Network", kind="headtext", rows=2), Td("Keras", kind="head", span=2),
             Td("Word", kind="head", rows=2)],
            numbers("measured", "difference"),
        ],
        [],
        ["† stale: shown, never judged."],
    )  # fmt: skip
    ref = table.reason("profile smoke, not paper")
    table.bodies = [
        ("Liang | 2018", [
            [Td("Xception", kind="row", rows=2), Td(f"88.70{THIN}%", "80.1 to 91.2"), Td("−0.50"),
             Td("not tested", kind="text", ref=ref)],
            [Td("87.00 †"), Td("+1.20", ok=False), Td("kept", kind="text", ok=True)],
        ]),
        ("", [[label("ResNet50"), Td("X", "1 of 2 seeds", span=2), words("–")]]),
    ]  # fmt: skip
    return table


def of(*rows, columns=1):
    """A table of these rows."""
    return Table("t", "c", [numbers(*(f"h{i}" for i in range(columns)))], [("", list(rows))])


def read(text):
    return list(csv.reader(io.StringIO(text)))


def test_markdown():
    assert exports.markdown_table(small()) == "\n".join([
        "| Network | Keras, measured | Keras, difference | Word |",
        "| :--- | ---: | ---: | :--- |",
        "| *Liang \\| 2018* |  |  |  |",
        f"| Xception | 88.70{THIN}%<br><small>80.1 to 91.2</small> | −0.50 "
        "| not tested<sup>1</sup> |",
        "| Xception | 87.00 † | ✗ +1.20 | ✓ kept |",
        "| ResNet50 | X<br><small>1 of 2 seeds</small> |  | – |",
        "",
        "1. profile smoke, not paper",
        "",
        "† stale: shown, never judged.",
    ])  # fmt: skip


def test_csv():
    assert exports.as_csv(small()) == "\n".join([
        'Section,Network,"Keras, measured","Keras, difference",Word',
        f"Liang | 2018,Xception,88.70{THIN}% (80.1 to 91.2),−0.50,"
        '"not tested [profile smoke, not paper]"',
        "Liang | 2018,Xception,87.00 †,✗ +1.20,✓ kept",
        ",ResNet50,X (1 of 2 seeds),,–",
        "",
    ])  # fmt: skip


def test_latex():
    assert (
        latex.tabular("liang-small", small())
        == r"""
\begin{table}[p]
\centering
\caption{Accuracy, in \%, of a\_b.}
\label{tab:liang-small}
\small
\begin{tabular}{l r r l}
\toprule
 & \multicolumn{2}{c}{\emph{Keras}} &  \\
\cmidrule(lr){2-3}
\emph{Network} & \emph{measured} & \emph{difference} & \emph{Word} \\
\midrule
\multicolumn{4}{l}{\emph{Liang | 2018}} \\
Xception & 88.70\,\% & \ensuremath{-}0.50 & not tested\textsuperscript{1} \\
 & {\scriptsize 80.1 to 91.2} &  &  \\
 & 87.00 {\textdagger} & \ensuremath{\times} +1.20 & \ensuremath{\checkmark} kept \\
\midrule
ResNet50 & \multicolumn{2}{r}{X} & {\textendash} \\
 & \multicolumn{2}{r}{{\scriptsize 1 of 2 seeds}} &  \\
\bottomrule
\end{tabular}
\par\smallskip
\begin{minipage}{0.8\linewidth}\footnotesize\raggedright
1. profile smoke, not paper\par
{\textdagger} stale: shown, never judged.\par
\end{minipage}
\end{table}
""".strip()
    )


def test_special_characters():
    escaped = latex.escaped(SPECIAL)
    assert escaped.isascii() and "-{}-set" in escaped
    for text in (r"50 \% of a\_b \& \#1", r"\textbackslash", r"\{x\}", r"\ensuremath{<}", r"\$5"):
        assert text in escaped
    assert latex.escaped("[1] and 漢") == r"{}[1] and \ensuremath{\langle}\texttt{U+6F22}" + (
        r"\ensuremath{\rangle}"
    )
    found = exports.markdown_table(of([words(SPECIAL)])).splitlines()[2]
    assert found == (
        "| 50 % of a\\_b \\& \\#1 \\~ 2^3 \\\\ {x} \\| y \\< z \\> \\$5 \\`c\\` \\*d\\* \\[e\\] "
        "--set − ± † – ’ √ ≤ ° · × |"
    )
    assert read(exports.as_csv(of([words(SPECIAL + ' "q", r')])))[1] == [SPECIAL + ' "q", r']


def test_spans_are_spread_and_short_rows_filled():
    a, b, c = Td("a", rows=2, span=2), Td("b"), Td("c")
    grid = spread([[a, b], [c]], 4)
    assert [[p.td.text for p in row] for row in grid] == [["a", "a", "b", ""], ["a", "a", "c", ""]]
    assert [[(p.left, p.top) for p in row[:2]] for row in grid] == [
        [(True, True), (False, True)], [(True, False), (False, False)],
    ]  # fmt: skip


def columns_of(row):
    """How many columns a row of LaTeX fills."""
    spans = [int(n) for n in re.findall(r"\\multicolumn\{(\d+)\}", row)]
    return len(re.findall(r"(?<!\\)&", row)) + 1 + sum(spans) - len(spans)


@pytest.fixture(scope="module")
def report(smoke_report):
    return smoke_report[0]


def test_every_table_of_every_page_is_in_every_form(report):
    shown = {}
    for path in {*report.glob("*.html")} - {report / one_file.NAME}:  # which has all of them again
        names = re.findall(r'<caption id="(.+?)-caption"', path.read_text(encoding="utf-8"))
        names = [name for name in names if name != "matrix"]  # the claims again, as a picture
        # the page of arithmetic shows what doesn't fit, and folds the rest of the same table
        names = list(dict.fromkeys(re.sub(r"^(audit-\w+)-[12]$", r"\1", name) for name in names))
        shown[path.name] = [f"{path.stem}-{name}.csv" for name in names]
    index = read((report / INDEX).read_text(encoding="utf-8"))[1:]
    md, tex = ((report / name).read_text(encoding="utf-8") for name in (MARKDOWN, LATEX))
    there = {path.name for path in (report / exports.FOLDER).glob("*.csv")} - {"index.csv"}
    assert {row[0] for row in index} == there and len(index) == len(there)
    long = ("errors-photographs-", "errors-both-", "errors-every-")
    lists = [row for row in index if row[0].startswith(long)]
    assert lists  # too long for a page: as CSV alone, linked
    index = [row for row in index if row not in lists]
    files = [row[0] for row in index]
    assert len(index) == sum(map(len, shown.values())) == tex.count(r"\begin{table}")
    for page, names in shown.items():  # in the order of the page
        assert [name for name in files if name in names] == names, page
    for file, _, _, notes in index:
        assert f"**{file.removesuffix('.csv')}.**" in md
        assert rf"\label{{tab:{file.removesuffix('.csv')}}}" in tex
        assert file.startswith(("audit", "images")) or notes.startswith("PHANTOM")
    assert md.count("> PHANTOM: ") == tex.count("PHANTOM: ") > 5
    assert "## Liang 2018" in md and r"\section*{Liang 2018}" in tex


def test_every_row_has_all_columns(report):
    for path in (report / exports.FOLDER).glob("*.csv"):
        assert len({len(row) for row in read(path.read_text(encoding="utf-8"))}) == 1, path
    blocks = re.split(r"\n\n", (report / MARKDOWN).read_text(encoding="utf-8"))
    for block in (b for b in blocks if b.startswith("| ")):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in block.splitlines()}) == 1, block
    tex = (report / LATEX).read_text(encoding="utf-8")
    tables = re.findall(r"\\begin\{tabular\}\{([^\n]*)\}\n(.*?)\\end\{tabular\}", tex, re.DOTALL)
    for spec, body in tables:
        columns = len(re.sub(r">\{\S+\}p\{6cm\}", "p", spec).split())
        rows = [row for row in body.splitlines() if row.endswith(r"\\")]
        assert rows and {columns_of(row) for row in rows} == {columns}, body[:300]
    assert tex.isascii()


def test_numbers_are_the_pages(report):
    rows = read(next((report / exports.FOLDER).glob("liang-t1-*.csv")).read_text(encoding="utf-8"))
    assert rows[0][:3] == ["Network", "Claimed", "Keras, measured"]
    row = next(row for row in rows if row[0] == "Xception-LSTM")
    page = (report / "liang.html").read_text(encoding="utf-8")
    assert row[1] == f"90.79{THIN}%" and f">{row[2].split(' (')[0]}<" in page
    assert "phantom images" in row[4]  # the footnote's own words


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no pdflatex here")
@pytest.mark.parametrize("whole", [False, True])
def test_it_compiles(report, tmp_path, whole):
    path = tmp_path / "tables.tex"
    odd = of([words(SPECIAL), words("[1]")], [words("*"), Td("✓ ✗ 漢")], columns=2)
    page = Page("p.html", SPECIAL, [SPECIAL], [small(), odd])
    path.write_text(
        (report / LATEX).read_text(encoding="utf-8")
        if whole
        else latex.document(latex.sections(page)),
        encoding="utf-8",
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", path.name]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, errors="replace", encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Float too large" not in done.stdout and "Overfull" not in done.stdout


def test_tables_no_longer_shown_go_away(tmp_path):
    run = synthetic.spec()
    synthetic.add(Store(tmp_path), run)
    made(tmp_path, [synthetic.spec(profile="laptop")])
    before = {path.name for path in (tmp_path / exports.FOLDER).iterdir()}
    made(tmp_path, [run])
    after = {path.name for path in (tmp_path / exports.FOLDER).iterdir()}
    index = {row[0] for row in read((tmp_path / INDEX).read_text(encoding="utf-8"))[1:]}
    assert before - after and after == index | {"index.csv"}
