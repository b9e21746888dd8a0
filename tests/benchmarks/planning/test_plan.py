"""The plan of a request: which runs, under which ids, and which requests are refused."""

import dataclasses
import os
from pathlib import Path

import pytest

from benchmarks.planning.plan import Device, Selection, chosen_profile, make_plan
from benchmarks.planning.request import Request
from benchmarks.terminal.plan_text import heading
from protocols.errors import RequestError, TableError
from protocols.images.dataset import Source
from protocols.papers import toml_rows
from protocols.papers.recipes import load_profiles
from protocols.spec import RunSpec
from protocols.weights import files as weight_files
from protocols.weights.files import lacking
from protocols.weights.table import load_pretrained


def plan(device="cpu", cores=2, **words):
    devices = {"keras": Device("jax", device, 0), "torch": Device("torch", device, 0)}
    return make_plan(Selection(**{"weights": "random"} | words), "real", devices, cores)


def test_all_is_the_published_matrix_in_both_twins():
    runs = [s for s in plan(profile="paper") if s.stage == "train"]
    assert len(runs) == 2 * (7 * 3 + 2 * 10 * 3)
    assert {s.protocol for s in runs if s.recipe.get("epochs") is None} == {"fixed"}
    assert sum(s.stage == "latency" for s in plan(profile="paper")) == 2 * 9


def test_ids_are_content():
    smoke = plan()
    assert len({s.id for s in smoke}) == len(smoke)
    assert [s.id for s in plan()] == [s.id for s in smoke]
    assert not {s.id for s in plan("NVIDIA H100")} & {s.id for s in smoke}
    assert RunSpec.from_json(smoke[0].to_json()) == smoke[0]


def test_a_run_on_a_gpu_has_the_same_id_whatever_the_host():
    """On a CPU the threads belong to the run, and so do the cores of which they are half or all."""
    few, many = ([s.id for s in plan("NVIDIA H100", cores, profile="paper")] for cores in (16, 32))
    assert few == many
    assert not {s.id for s in plan(cores=16)} & {s.id for s in plan(cores=32)}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"suite": "lyang"}, "unknown suite 'lyang'"),
        ({"variants": ("vgg",)}, "unknown variant 'vgg'"),
        ({"profile": "quick"}, "unknown profile 'quick'"),
        ({"protocol": "cv5"}, "unknown protocol 'cv5'"),
        ({"folds": (10,)}, "there is no fold 10"),
        ({"suite": "jane", "variants": ("xception",)}, "is in suite"),
    ],
)
def test_wrong_selections_are_named(words, sentence):
    with pytest.raises(RequestError, match=sentence):
        plan(**words)


def test_weights_are_known_by_their_files_digests_wherever_they_lie():
    found = {
        weights: {s.variant: s.weights["digest"] for s in plan(profile="paper", weights=weights)}
        for weights in ("", "imagenet", "/a/folder", "random")
    }
    table = load_pretrained()
    both = f"{table['xception'].content}+{table['resnet50'].official.hash}"
    assert found[""]["xception_resnet50_lstm"] == both
    assert found[""] == found["imagenet"] == found["/a/folder"]
    assert set(found["random"].values()) == {None}


CONTROL = {"efficientnet_lite0", "efficientnet_lite0_lstm", "efficientnet_lite0_cnn_lstm",
           "efficientnet_lite0_cnn_gru"}  # fmt: skip


def test_the_control_is_no_part_of_the_papers_and_runs_beside_them_on_a_laptop():
    papers = {s.variant for s in plan()}
    assert len(papers) == 9 and not CONTROL & papers
    assert {s.variant for s in plan(suite="control")} == CONTROL
    assert {s.variant for s in plan(profile="laptop")} == CONTROL | papers
    assert {s.variant for s in plan(profile="laptop", suite="all")} == papers
    assert {s.variant for s in plan(profile="laptop", suite="control")} == CONTROL


def test_the_control_has_its_own_epochs_on_a_laptop():
    found = {
        s.variant: [phase["epochs"] for phase in s.phases]
        for s in plan(profile="laptop")
        if s.stage == "train"
    }
    assert found["xception"] == [100, 6] and found["efficientnet_lite0"] == [100, 4]
    assert found["cnn_gru"] == [500] and found["efficientnet_lite0_cnn_gru"] == [80]


@pytest.mark.parametrize("wrong", [{"liang": {"height": 1}}, {"nobody": {"cv_epochs": 1}}], ids=str)
def test_a_suite_s_own_number_of_another_kind_is_refused(monkeypatch, wrong):
    laptop = dataclasses.replace(chosen_profile("laptop"), of_suite=wrong)
    monkeypatch.setattr(toml_rows, "rows", lambda *_: {"laptop": laptop})
    with pytest.raises(TableError, match=r"profiles\.toml \[laptop\.of_suite\]: unknown"):
        load_profiles()


# what has no weights is left out


def request(monkeypatch, *there, weights="", **words):
    """A request at the profile laptop, where the files of these backbones are at hand."""
    monkeypatch.setattr(weight_files, "_at_hand", lambda known, folder: known.backbone in there)
    devices = {"keras": Device("tensorflow", "cpu"), "torch": Device("torch", "cpu")}
    wish = Selection(profile="laptop", weights=weights, **words)
    source = Source(Path("images"), "real", "--data", True)
    return Request(wish, "", devices, "", source, 2, Path("cache"), 2)


def planned(request):
    return {s.variant for s in request.plan(request.devices, request.source)}


WITHOUT_RESNET = {"xception", "xception_lstm", "cnn_lstm", "cnn_gru"}


def test_networks_without_their_weights_are_left_out_with_a_sentence(monkeypatch):
    found = request(monkeypatch, "xception", "efficientnet_lite0")
    assert planned(found) == WITHOUT_RESNET | CONTROL
    assert planned(request(monkeypatch, "xception", suite="all")) == WITHOUT_RESNET
    said = [line for line in heading(found) if line.startswith(("weights", "left"))]
    resnet50, inception = (
        f"the weights of {name} are not at hand; `--weights imagenet` downloads them ({size} MB)"
        for name, size in (("resnet50", 95), ("inception_v3", 88))
    )
    assert said == [
        "weights: ImageNet's, 2 files (103 MB), from an installed package or the cache",
        f"left out: InceptionV3, InceptionV3-LSTM: {inception}",
        f"left out: ResNet50, ResNet50-LSTM, Xception-ResNet50-LSTM: {resnet50}",
    ]
    found = request(monkeypatch, "resnet50", variants=("resnet50", "xception_resnet50_lstm"))
    assert planned(found) == {"resnet50"}
    assert list(found.skipped.values()) == [
        "the weights of xception are not at hand; `make weights` installs them"
    ]


def test_other_weights_leave_nothing_out(monkeypatch):
    for weights in ("imagenet", "random", "/a/folder"):
        found = request(monkeypatch, weights=weights)
        assert found.skipped == {} and len(planned(found)) == 9 + 4


def test_where_nothing_is_left_the_request_is_refused(monkeypatch):
    ways = "the weights of xception are not at hand; `make weights` installs them$"
    with pytest.raises(RequestError, match=f"no network of this request can run: {ways}"):
        request(monkeypatch, "resnet50", suite="jane")


def test_a_network_of_which_no_weights_are_known_is_left_out(monkeypatch):
    known = load_pretrained()
    monkeypatch.setattr(weight_files, "load_pretrained", lambda: {"resnet50": known["resnet50"]})
    found = request(monkeypatch, "resnet50", suite="liang")
    assert planned(found) == {"resnet50", "resnet50_lstm"}
    assert found.skipped["xception"] == "no file of ImageNet weights of xception is known here"


def test_what_is_at_hand_is_told_without_reading_a_file(monkeypatch, tmp_path):
    load_pretrained()  # reads the tables
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("a file was opened"))
    monkeypatch.setattr(weight_files, "in_package", lambda source: None)
    names = ["xception", "resnet50"]
    assert list(lacking(names, tmp_path)) == names
    (tmp_path / "weights").mkdir()
    for name, change in (("xception", 1), ("resnet50", 0)):  # a copy has another size
        file = load_pretrained()[name].official
        os.close(os.open(tmp_path / "weights" / file.name, os.O_CREAT))
        os.truncate(tmp_path / "weights" / file.name, file.size + change)
    assert lacking(names, tmp_path) == {}
    os.truncate(tmp_path / "weights" / file.name, 5)
    assert list(lacking(names, tmp_path)) == ["resnet50"]
    monkeypatch.setattr(weight_files, "in_package", lambda source: source.package and Path("x"))
    assert list(lacking(names, tmp_path / "none")) == ["resnet50"]


def test_the_paper_profile_refuses_the_phantom():
    with pytest.raises(RequestError, match="real images only"):
        make_plan(Selection(profile="paper", weights="random"), "phantom", {}, cores=2)


def test_profiles_by_name():
    assert chosen_profile("smoke").phantom_allowed
    assert not chosen_profile("paper").phantom_allowed
