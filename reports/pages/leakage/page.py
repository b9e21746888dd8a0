"""The leakage sheet: the papers' protocols by the taxonomy of Kapoor and Narayanan.

The taxonomy has eight kinds; it is that of "Leakage and the reproducibility crisis in
machine-learning-based science", Patterns 4(9), 2023, doi 10.1016/j.patter.2023.100804. Every figure
is computed here, from the recorded tables of provenance and overlap, the splits, and the claims;
nothing is quoted from a run.
"""

from typing import Any

from protocols.papers.papers import load_papers
from reports.pages.content import PageRecord, Results, of_papers
from reports.pages.leakage import leak_free
from reports.pages.leakage.evidence import FOUND, NOT_FOUND, OPEN
from reports.tables.builder import Line, Value, over, table, texts
from reports.tables.table import Table, Td, label

OK = {FOUND: False, NOT_FOUND: True, OPEN: None}
KINDS = (  # in the order of the papers' EVIDENCE
    ("No test set", "the numbers are of images that took part in training or choosing"),
    ("Preprocessing on training and test set", "augmentation or scaling that knows both"),
    ("Feature selection on training and test set", "features chosen with the test set"),
    ("Duplicates", "the same case on both sides"),
    ("Illegitimate features", "something tells the class that a new case wouldn't have"),
    ("Temporal leakage", "training on what came after"),
    ("Dependence between training and test", "cases of one source on both sides"),
    ("Sampling bias in the test set", "the test set isn't what the method is for"),
)


def sheet() -> Table:
    """Return the table of the eight kinds, with the evidence on each paper that has a module in
    this room."""
    found = of_papers("leakage")
    lines: list[Line] = []
    for number, (name, about) in enumerate(KINDS, start=1):
        line: list[Value] = [label(f"{number}. {name}", about)]
        for module in found.values():
            word, said = module.EVIDENCE[number - 1]()
            line += [Td(word, kind="text", ok=OK[word]), said]
        lines.append(line)
    below, papers = texts("So", "Evidence"), [load_papers()[key] for key in found]
    above = [over(f"{paper.name}, {paper.protocol}", below) for paper in papers]
    caption = "✗ found, ✓ looked for and not found."
    return table("leakage", caption, [*texts("Kind of leakage"), *above], lines)


def page(results: Results) -> dict[str, Any]:
    """Return the content of the page."""
    return {"sheet": sheet(), "beside": leak_free.beside(results.collected, results.numbers)}


PAGE = PageRecord("leakage.html", "What leaks?", "Leakage", page, place=10, group="Data")
