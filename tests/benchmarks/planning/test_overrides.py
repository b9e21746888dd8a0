"""--set, and the command that a page shows for each run."""

import shlex

import pytest

from benchmarks.launch.command_line import selection
from benchmarks.planning.plan import Device, Selection, make_plan
from benchmarks.terminal.flags import parser
from protocols.errors import RequestError
from protocols.papers.papers import load_papers
from protocols.papers.recipes import load_recipe
from reports.cells.commands import command
from reports.cells.settings import changed, extra_of

GPU = {"keras": Device("jax", "A GPU", 0), "torch": Device("torch", "A GPU", 0)}
CPU = {"keras": Device("tensorflow", "cpu"), "torch": Device("torch", "cpu")}


def again(spec, devices):
    """The runs that the shown command plans."""
    text = shlex.split(command([spec]))
    assert ("KERAS_BACKEND=jax" in text) == (spec.backend == "jax")
    args = parser().parse_args(text[text.index("runner.py") + 1 :])
    assert args.gpu == ("none" if spec.device == "cpu" else "0")
    kind = "phantom" if args.data == "phantom" else "real"
    return make_plan(selection(args, None), kind, devices, 2)


@pytest.mark.parametrize(
    ("kind", "devices", "words"),
    [
        ("phantom", CPU, {}),
        ("real", CPU, {"suite": "liang", "protocol": "fixed-grouped", "init": "shared"}),
        ("real", CPU, {"suite": "control", "profile": "laptop", "deterministic": True}),
        ("real", GPU, {"profile": "paper", "precision": "tf32", "seeds": (1,)}),
        ("real", CPU, {"suite": "jane", "protocol": "cv10-grouped", "folds": (3,)}),
        ("real", CPU, {"suite": "liang", "changes": ("label_smoothing=0", "batch_size=16")}),
        ("real", CPU, {"suite": "jane", "changes": ("l2=0.001",), "seeds": (0, 2)}),
    ],
)
def test_the_command_of_a_run_plans_that_run(kind, devices, words):
    specs = make_plan(Selection(**words), kind, devices, 2)
    assert specs
    for spec in specs:
        found = {s.id for s in again(spec, devices)}
        assert spec.id in found
        training = {i for i in found if "latency" not in i}
        assert spec.stage == "latency" or training == {spec.id}


def test_a_set_value_is_in_the_spec_and_named_as_a_change():
    wish = Selection(variants=("xception",), changes=("phase1_rate=0.01", "batch_size=8"))
    specs = make_plan(wish, "phantom", CPU, 2)
    assert len(specs) == 2 and all(s.stage == "train" for s in specs)
    for spec in specs:
        assert spec.phases[0]["rate"] == 0.01 and spec.recipe["batch_size"] == 8
        assert changed(spec) == {"batch_size": 8, "phase1_rate": 0.01}
    plain = make_plan(Selection(variants=("xception",)), "phantom", CPU, 2)
    assert not {s.id for s in specs} & {s.id for s in plain}


@pytest.mark.parametrize(
    ("text", "variants", "said"),
    [
        ("foo=1", ("xception",), "'foo' can't be set"),
        ("running_variance=1", ("xception",), "can't be set"),  # one form only
        ("batch_size=8", (), "networks of jane"),  # not settable for both papers
        ("label_smoothing=1", ("xception",), "below 1"),
        ("batch_size=2.5", ("xception",), "a whole number"),
        ("epsilon=nan", ("xception",), "a number from 1e-12 on, below 1, not 'nan'"),
        ("epsilon", ("xception",), "key=value"),
        ("lstm_units=64", ("xception_lstm",), "twice lstm_units"),
        ("calibration_images=31", ("xception",), "no less than batch_size"),
        ("batch_size=33", ("xception",), "more than the 32 images"),
    ],
)
def test_a_wrong_change_is_refused(text, variants, said):
    with pytest.raises(RequestError, match=said):
        make_plan(Selection(variants=variants, changes=(text,)), "phantom", CPU, 2)


def test_a_rate_or_a_schedule_that_the_paper_states_can_be_tried():
    """It is a sensitivity run, whatever the profile has."""
    words = ("epochs=30", "cnn_trained=trained", "rate=0.001")
    wish = Selection(
        variants=("cnn_lstm",), profile="laptop", weights="at-hand", changes=words, folds=(0, 1)
    )
    runs = make_plan(wish, "real", CPU, 2)
    assert {s.fold for s in runs} == {0, 1} and not runs[0].heads_only
    assert [(p["epochs"], p["rate"], p["frozen"]) for p in runs[0].phases] == [(30, 0.001, False)]
    assert extra_of(runs[0]) == "cnn_trained = trained, epochs = 30, rate = 0.001"
    wish = Selection(variants=("xception",), profile="laptop", changes=("phase2_epochs=12",))
    assert [p["epochs"] for p in make_plan(wish, "real", CPU, 2)[0].phases] == [100, 12]
    paper = Selection(variants=("xception",), profile="laptop", changes=("phase2_epochs=70",))
    assert extra_of(make_plan(paper, "real", CPU, 2)[0]) == "phase2_epochs = 70"


def test_every_settable_value_is_a_number():
    for paper in load_papers():
        entries = [entry for entry in load_recipe(paper).values() if entry.settable]
        assert entries and all(isinstance(entry.value, int | float) for entry in entries)
