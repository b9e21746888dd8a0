"""The plan of a request: which runs, under which ids, and which requests are refused."""

import pytest

from benchmarks.planning.plan import Device, Selection, chosen_profile, make_plan
from protocols.errors import RequestError
from protocols.spec import RunSpec
from protocols.weights.files import load_pretrained


def plan(device="cpu", **words):
    devices = {"keras": Device("jax", device, 0), "torch": Device("torch", device, 0)}
    return make_plan(Selection(**{"weights": "random"} | words), "real", devices, cores=2)


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
    both = f"{table['xception'].hash}+{table['resnet50'].hash}"
    assert found[""]["xception_resnet50_lstm"] == both
    assert found[""] == found["imagenet"] == found["/a/folder"]
    assert set(found["random"].values()) == {None}


def test_the_control_is_no_part_of_the_papers_and_laptop_is_its_own():
    control = {"efficientnet_lite0", "efficientnet_lite0_lstm", "efficientnet_lite0_cnn_lstm",
               "efficientnet_lite0_cnn_gru"}  # fmt: skip
    assert not control & {s.variant for s in plan()}
    assert {s.variant for s in plan(suite="control")} == control
    assert {s.variant for s in plan(profile="laptop")} == control
    for words in ({"suite": "all"}, {"variants": ("xception",)}):
        with pytest.raises(RequestError, match="suite control only"):
            plan(profile="laptop", **words)


def test_the_paper_profile_refuses_the_phantom():
    with pytest.raises(RequestError, match="real images only"):
        make_plan(Selection(profile="paper", weights="random"), "phantom", {}, cores=2)


def test_profiles_by_name():
    assert chosen_profile("smoke").phantom_allowed
    assert not chosen_profile("paper").phantom_allowed
