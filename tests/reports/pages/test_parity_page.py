"""The page of the twins' parity: the ladder from parity.json, and pairs of runs after training."""

import dataclasses
import json
import re

import numpy as np
import pytest

from benchmarks.store.store import Store
from protocols.papers.variants import load_variants
from protocols.runs import parity as ladder
from reports.cells.planned_run import Slot
from reports.judging.shared_starts import Pair
from reports.judging.shared_starts import pairs as pairs_of
from reports.pages import measured_file
from reports.pages.parity import ladder as parity
from tests.support import synthetic
from tests.support.reading import Tables, hold_together, made, pages


@pytest.fixture(autouse=True)
def nothing_published(monkeypatch, tmp_path):
    monkeypatch.setattr(measured_file, "PUBLISHED", tmp_path / "nothing")


def content(**change) -> dict:
    """A parity.json of two rungs and two networks, as runner.py writes it."""
    rungs = [
        {"name": "forward", "title": "Forward pass", "what": "probabilities", "bound": 1e-10,
         "unit": "of the largest value"},
        {"name": "rmsprop", "title": "Ten RMSProp steps", "what": "weights", "bound": 1e-7,
         "unit": ""},
    ]  # fmt: skip
    results = [
        result("forward", "xception", 3.234e-12),
        result("forward", "cnn_lstm", 4.56e-3, ok=False, detail="largest at <i>head</i>/kernel"),
        result("rmsprop", "xception", 0.0, bound=1e-7),
    ]
    return {
        "schema": 2,
        "device": "A <b>processor</b>",
        "versions": {"keras": "3.0", "torch": "2.0"},
        "images": "real",
        "sizes": {"float64": [84, 112]},
        "batch": 4,
        "seconds": 61.2,
        "command": "python runner.py --parity",
        "rungs": rungs,
        "results": results,
        "differences": [
            {"what": "variance", "keras": "biased", "torch": "unbiased", "reason": "a & b"}
        ],
    } | change


def result(rung, variant, value, bound=1e-10, ok: bool | None = True, detail="fine") -> dict:
    found = {"rung": rung, "variant": variant, "value": value, "bound": bound, "ok": ok}
    return found | {"detail": detail}


def shown(out, stored: dict | str, plan=(), only=("parity.html",)) -> str:
    """The page's text; `only` names the pages that are built, or none for all."""
    text = stored if isinstance(stored, str) else json.dumps(stored)
    (out / "parity.json").write_text(text, encoding="utf-8")
    made(out, list(plan), *only)
    return pages(out)["parity.html"]


def test_a_broken_rung_is_shown_with_a_sign_and_its_detail(tmp_path):
    text = shown(tmp_path, content(), only=())
    rows = Tables(text).find("Largest difference")
    assert rows[0] == ["Network", "Forward pass", "Ten RMSProp steps"]
    cells = {row[0]: row[1:] for row in rows[1:]}
    assert cells["Xception"] == ["✓3.2e-12", "✓0"]
    assert cells["CNN-LSTM"] == ["✗4.6e-31 | broken: not ≤\u202f1e-10", "– | not applicable"]
    assert cells["ResNet50"] == ["X", "X"]  # not measured
    assert len(cells) == len(load_variants())
    assert '<td class="broken"><span class="sign">✗' in text
    assert "2 of 3 measurements" in text.replace("\u00a0", " ")
    assert "Broken: Forward pass (CNN-LSTM)." in text
    assert "largest at &lt;i&gt;head&lt;/i&gt;/kernel" in text and "<i>" not in text
    assert "A &lt;b&gt;processor&lt;/b&gt;" in text and "a &amp; b" in text
    assert "python runner.py --parity" in text and "keras 3.0, torch 2.0" in text
    assert 'href="parity.json"' in text
    assert Tables(text).find("Known differences")[1] == ["variance", "biased", "unbiased", "a & b"]
    hold_together(tmp_path)


@pytest.mark.parametrize("value", [1.1e-10, float("inf"), float("nan")])
def test_a_value_over_its_bound_is_broken_whatever_the_file_says(tmp_path, value):
    text = shown(tmp_path, content(results=[result("forward", "xception", value)]))
    assert "0 of 1" in text and 'class="broken"' in text
    assert not re.search(r"\b([Nn]a[Nn]|[Ii]nf|None)\b", text)


def test_of_two_measurements_the_broken_one_stands(tmp_path):
    found = [result("forward", "xception", 1e-3, ok=False), result("forward", "xception", 1e-12)]
    assert 'class="broken"' in shown(tmp_path, content(results=found))


def test_a_rung_without_meaning_is_no_gap(tmp_path):
    found = [result("forward", "xception", None, ok=None)]
    rows = Tables(shown(tmp_path, content(results=found))).find("Largest difference")
    assert next(r for r in rows if r[0] == "Xception")[1] == "– | not applicable"


@pytest.mark.parametrize(
    "stored",
    [
        "{not json",
        "[]",
        "null",
        "{}",
        content(rungs=[], results=[result("forward", "xception", 1e-12)]),
        content(results=[{"rung": "forward"}]),
        content(results=[result("forward", "xception", [1])]),
        content(results=[result("forward", "xception", 1.0, ok="perhaps")]),
        content(sizes=7),
        content(sizes={"float64": [7]}),
        content(versions=None),
        content(differences=[{"what": "<b>"}]),
        content(seconds="/home/someone/x<b>"),
    ],
)
def test_a_damaged_file_is_a_sentence(tmp_path, stored):
    text = shown(tmp_path, stored)
    assert "The stored parity.json can't be read" in text
    assert "python runner.py --parity" in text
    assert "<table" not in text and "someone" not in text and "<b>" not in text


def test_an_unknown_schema_is_a_sentence(tmp_path):
    text = shown(tmp_path, content(schema="<b>3"))
    assert "has schema &lt;b&gt;3, and this version reads 2" in text and "<table" not in text


def test_a_climb_over_made_up_images_says_phantom(tmp_path):
    assert "on the real images" in shown(tmp_path, content())
    assert "on PHANTOM images" in shown(tmp_path, content(images="phantom"))


def test_without_a_file_there_is_no_page_and_no_link(tmp_path):
    shown(tmp_path, content(), only=("index.html", "parity.html"))
    assert 'href="parity.html"' in pages(tmp_path)["index.html"]
    (tmp_path / "parity.json").unlink()
    made(tmp_path, [])
    assert "parity.html" not in pages(tmp_path)
    assert not any("parity.html" in text for text in pages(tmp_path).values())


def test_the_published_file_stands_in(tmp_path, monkeypatch):
    published = tmp_path / "published"
    published.mkdir()
    (published / "parity.json").write_text(json.dumps(content()), encoding="utf-8")
    monkeypatch.setattr(measured_file, "PUBLISHED", published)
    made(tmp_path, [], "parity.html")
    text = pages(tmp_path)["parity.html"]
    assert "✓" in text and 'href="parity.json"' not in text


def test_the_page_reads_what_the_ladder_writes(tmp_path):
    found = [ladder.Result(rung, "resnet50", 0.0, "fine") for rung in ladder.RUNGS]
    written = json.dumps(ladder.report(found, "cpu", {"keras": "3"}, "real", 5.0))
    (tmp_path / "parity.json").write_text(written, encoding="utf-8")
    (read,) = parity.read(tmp_path)
    assert not read.sentence and len(read.matrix.heads[0]) == 1 + len(ladder.RUNGS)
    assert set(parity.OPTIMIZERS) <= ladder.RUNGS.keys()


def test_the_ladder_from_loaded_weights_has_its_own_part(tmp_path):
    """It shows the networks that climbed alone: the others had no weights at hand."""
    found = [ladder.Result(rung, "xception", 0.0, "fine") for rung in ladder.RUNGS]
    words = ("cpu", {"keras": "3"}, "real", 5.0, (), "imagenet")
    written = json.dumps(ladder.report(found, *words))
    (tmp_path / "parity-imagenet.json").write_text(written, encoding="utf-8")
    (tmp_path / "parity.json").write_text(json.dumps(content()), encoding="utf-8")
    drawn, loaded = parity.read(tmp_path)
    assert (drawn.heading, loaded.heading) == ("From random weights", "From ImageNet weights")
    assert "Not measured" in drawn.summary and "Not measured" not in loaded.summary
    assert loaded.command == "python runner.py --parity --weights at-hand"
    run = synthetic.spec()
    synthetic.add(Store(tmp_path), run)
    made(tmp_path, [run], "parity.html")
    page = pages(tmp_path)["parity.html"]
    assert page.index("From random weights") < page.index("From ImageNet weights")
    assert page.count("The rungs, bottom first") == 1 and 'href="parity-imagenet.json"' in page


def predicting(store: Store, run, classes: list[int], losses: list[float], ids=None) -> None:
    """Stores a run of smoke's 16 test images: these classes at the selected epoch, these losses."""
    recorder = synthetic.recorded(run)
    for row, loss in zip(recorder.rows, losses, strict=True):
        row["eval_loss"] = loss
    probabilities = np.eye(4, dtype=np.float32)[classes] * 0.9 + 0.025
    recorder.epochs[recorder.selected] = np.log(probabilities)
    recorder.ids = ids or recorder.ids
    synthetic.keep(store, run, recorder)


ONE = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]
TWO = [0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 0, 3, 3, 3, 0]
# 13 of 16 alike; by chance (4x5 + 4x5 + 4x3 + 4x3) / 256 = 1/4: kappa (13/16 - 1/4) / (3/4) = 3/4


def shared(variant: str = "xception", **words) -> list:
    return [synthetic.spec(f, variant, init="shared", **words) for f in ("keras", "torch")]


def trained(out, one=ONE, two=TWO, **words) -> list:
    plan = shared()
    first, second = [1.0, 0.9, 0.5, 0.7], [1.0, 0.875, 0.503, 0.7]
    predicting(Store(out), plan[0], one, first)
    predicting(Store(out), plan[1], two, second, **words)
    return plan


def test_agreement_and_kappa_of_a_pair(tmp_path):
    text = shown(tmp_path, content(), trained(tmp_path), only=())
    row = Tables(text).row("Runs of Keras and PyTorch", "Seed 0")
    assert row[1:3] == ["1 of phase\u00a02"] * 2
    assert row[3] == "+0.025 | epoch 2 of phase\u00a01"
    assert row[4] == "81.25\u202f% | 13 of 16"
    assert row[5] == "0.750"
    assert "<svg" in text and "--init shared" in text
    assert not re.search(r"\b[Nn]a[Nn]\b", text)
    hold_together(tmp_path)


def test_a_pair_makes_the_page_without_a_ladder(tmp_path):
    made(tmp_path, trained(tmp_path), "parity.html")
    text = pages(tmp_path)["parity.html"]
    assert "Not measured here" in text and "81.25" in text


def test_one_class_only_has_no_kappa(tmp_path):
    text = shown(tmp_path, content(), trained(tmp_path, [2] * 16, [2] * 16))
    assert Tables(text).row("Runs of Keras and PyTorch", "Seed 0")[4:] == [
        "100.00\u202f% | 16 of 16", "– | one class only"
    ]  # fmt: skip


def test_other_test_images_are_never_compared(tmp_path):
    ids = [f"other-{i}" for i in range(16)]
    text = shown(tmp_path, content(), trained(tmp_path, ids=ids))
    assert Tables(text).row("Runs of Keras and PyTorch", "Seed 0")[4:] == [
        "X | not the same test images",
        "X",
    ]


def test_without_a_pair_the_page_names_the_command(tmp_path):
    plan = shared()
    synthetic.add(Store(tmp_path), plan[0])  # its twin is missing
    text = shown(tmp_path, content(), plan)
    assert "There is no pair of runs with --init shared" in text
    assert "python runner.py" in text and "Runs of Keras and PyTorch" not in text


def slots_of(store):
    found = [Slot(run.spec, run, True) for run in store.runs()]
    return [slot.with_numbers(slot.read()) for slot in found]


def test_only_runs_alike_but_for_the_twin_are_a_pair(tmp_path):
    keras, torch = shared()
    others = [
        dataclasses.replace(torch, seed=1),
        dataclasses.replace(torch, variant="resnet50"),
        dataclasses.replace(torch, threads=4),
        dataclasses.replace(torch, profile="paper"),
        synthetic.spec("keras"),  # weights of their own
        synthetic.spec("torch"),
        dataclasses.replace(torch, recipe=torch.recipe | {"batch_size": 8}),
    ]
    store = Store(tmp_path)
    for run in (keras, *others):
        synthetic.add(store, run, epochs=1)
    found = slots_of(store)
    assert pairs_of(found) == []
    synthetic.add(store, torch)
    found = slots_of(store)
    (pair,) = pairs_of(found)
    assert isinstance(pair, Pair) and (pair.keras.spec, pair.torch.spec) == (keras, torch)


def test_folds_and_backends_are_named(tmp_path):
    plan = [run for fold in (0, 1) for run in shared("cnn_gru", fold=fold)]
    plan.append(dataclasses.replace(plan[0], backend="jax"))
    for run in plan:
        synthetic.add(Store(tmp_path), run)
    rows = Tables(shown(tmp_path, content(), plan)).find("Runs of Keras and PyTorch")
    assert [row[0] for row in rows if row[0].startswith("Seed")] == [
        "Seed 0, fold 0 | Keras on jax", "Seed 0, fold 0", "Seed 0, fold 1"
    ]  # fmt: skip
