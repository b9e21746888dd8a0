"""As published beside leak-free: at an epoch that the tested images did not choose."""

import numpy as np
import pytest

from benchmarks.store.store import Store
from protocols import metrics
from protocols.files import ROOT
from tests.support import synthetic
from tests.support.reading import Tables, made, pages, scored

STILL = "Under cv10-grouped the held-out images still choose the epoch"
OWN = "Under fixed-grouped a validation part of its own chooses it"


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A network of each paper, as published and leak-free; the plan, and what was made of it."""
    out = tmp_path_factory.mktemp("both")
    plan = [
        synthetic.spec("torch", "cnn_gru", protocol=protocol, fold=fold)
        for protocol in ("cv10", "cv10-grouped")
        for fold in (0, 1)
    ]
    plan += [synthetic.spec("torch", "xception", protocol=p) for p in ("fixed", "fixed-grouped")]
    for run in plan:
        synthetic.add(Store(out), run, 0.65 if run.protocol.endswith("grouped") else 0.9)
    return out, plan, made(out, plan, "leakage.html")


def pooled(out, plan, protocol, at):
    """The macro recall over the images of all folds together."""
    runs = [run for run in plan if run.protocol == protocol]
    arrays = [np.load(out / "runs" / run.id / "predictions.npz") for run in runs]
    labels, given = (np.concatenate([a[key] for a in arrays]) for key in ("labels", at))
    return metrics.score(labels, given)["recall_macro"]


def test_where_the_held_out_images_choose_the_epoch_the_last_one_is_compared(both):
    out, plan, result = both
    found = {record["metric"]: record for record in result["leak_free"]}
    record = found["recall_macro"]
    wanted = [pooled(out, plan, protocol, "last") for protocol in ("cv10", "cv10-grouped")]
    chosen = [pooled(out, plan, protocol, "selected") for protocol in ("cv10", "cv10-grouped")]
    assert all(abs(a - b) > 0.01 for a, b in zip(wanted, chosen, strict=True)), "it shows nothing"
    assert record["at"] == "last" and record["values"] == pytest.approx(wanted, rel=1e-12)
    assert record["difference"] == pytest.approx(wanted[1] - wanted[0], rel=1e-9)
    row = Tables(pages(out)["leakage.html"]).row("The same networks under cv10", "CNN-GRU")
    assert row[2:4] == [f"{100 * value:.2f}\u202f%" for value in wanted]


def test_where_a_validation_part_chooses_the_epoch_the_selected_one_is_compared(both):
    out, plan, result = both
    record = next(r for r in result["leak_free"] if r["metric"] == "accuracy")
    runs = [run for run in plan if run.variant == "xception"]
    assert record["at"] == "selected"
    assert record["values"] == [scored(out, run.id)["accuracy"] for run in runs]


def test_the_page_says_what_chooses_the_epoch(both):
    page = pages(both[0])["leakage.html"]
    of_photographs, of_jane = (
        [figure.split("</figure>")[0] for figure in page.split("<figure")[1:] if name in figure]
        for name in ("leak-free (fixed-grouped)", "leak-free (cv10-grouped)")
    )
    assert of_photographs and all(OWN in figure for figure in of_photographs)
    assert of_jane and all(STILL in figure and OWN not in figure for figure in of_jane)
    assert all("In the last epoch: " in figure for figure in of_jane)
    (caption,) = [c for c in Tables(page).tables if "cv10-grouped" in c]
    assert "macro recall in the last epoch" in caption and "</table>" in page
    table = page[page.index(caption[:50]) :]
    assert STILL in table[: table.index("<figure")]


def test_without_such_runs_the_page_says_it_too(tmp_path):
    plan = [synthetic.spec("torch", "xception")]
    synthetic.fill(Store(tmp_path), plan)
    made(tmp_path, plan, "leakage.html")
    page = pages(tmp_path)["leakage.html"]
    assert "No setting has runs of both." in page and "held-out images still choose" in page


def test_the_document_says_what_chooses_the_epoch():
    text = (ROOT / "docs" / "reading-a-report.md").read_text(encoding="utf-8")
    assert STILL.replace("cv10-grouped", "`cv10-grouped`") in text
    assert "free of the leakage" not in text
