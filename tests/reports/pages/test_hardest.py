"""The photographs that all networks of a setting get wrong most."""

import numpy as np

from reports.cells.answers import Answers
from reports.pages.errors import hardest as module
from reports.pages.errors.hardest import hardest
from tests.support.reading import Tables, pages


def answered(ids, labels, said):
    """Answers whose probabilities are 0.7 for the class said."""
    p = np.full((len(ids), 4), 0.1, np.float32)
    p[np.arange(len(ids)), said] = 0.7
    return Answers(np.array(ids), np.array(labels), p, np.zeros(len(ids), int))


IDS = ["BloodImage_00001.jpg#0", "BloodImage_00001.jpg#1", "BloodImage_00002.jpg#0", "drawn"]
FIRST = answered(IDS, [0, 0, 1, 2], [3, 0, 1, 1])
SECOND = answered(IDS, [0, 0, 1, 2], [3, 3, 2, 2])


def test_photographs_are_counted_over_all_networks_by_hand():
    known = {"BloodImage_00001.jpg": "data:image/jpeg,"}
    found = hardest("n", [FIRST, SECOND], False, known, "runs-n.html#one")
    rows = [[td.text for td in row] for row in found.shown.bodies[0][1]]
    assert rows == [
        ["1", "eosinophil", "4", "75.0\u202f%", "neutrophil"],
        ["2", "lymphocyte", "2", "50.0\u202f%", "monocyte"],
        ["drawn", "monocyte", "2", "50.0\u202f%", "lymphocyte"],
    ]
    assert found.sentence == (
        "All networks, in Keras and PyTorch, together, 62.5\u202f% of the answers are wrong; "
        "half of the wrong "
        "ones are on 1\u00a0photograph of 3."
    )
    (one,) = found.drawn
    assert one.name == "1, eosinophil: 75\u202f% wrong, mostly neutrophil"
    assert found.href == "tables/errors-every-hardest-n.csv"
    assert "runs-n.html#one" in [td.href for td in found.shown.heads[0]]


def test_the_page_has_the_worst_and_the_file_all(monkeypatch):
    monkeypatch.setattr(module, "MOST", 2)
    found = hardest("n", [FIRST, SECOND], True, {}, "")
    assert len(found.shown.bodies[0][1]) == 2 and len(found.whole.bodies[0][1]) == 3
    assert found.whole.listed and not found.shown.listed and found.drawn == []
    assert found.shown.bodies[0][1][0][3].text == "75.0\u202f% †"


def test_answers_that_are_all_right_name_no_photograph():
    right = answered(IDS, [0, 0, 1, 2], [0, 0, 1, 2])
    found = hardest("n", [right], False, {}, "")
    assert found.sentence.endswith("0.0\u202f% of the answers are wrong.")
    assert {row[4].text for row in found.shown.bodies[0][1]} == {"–"}


def test_at_most_24_photographs_stand_on_the_page(smoke_report):
    out, _ = smoke_report
    found = Tables(pages(out)["errors.html"])
    rows = [row for row in found.find("The ") if row[0] != "Photograph"]
    assert 0 < len(rows) <= module.MOST == 24
