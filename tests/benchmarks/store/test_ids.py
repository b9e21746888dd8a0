"""A run's id: it names what a run computes, and never changes for a run that is recorded."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.planning.plan import Device, Selection, make_plan
from protocols.papers.papers import load_papers
from protocols.papers.recipes import load_recipe
from protocols.papers.variants import load_variants
from protocols.spec import IMPLIED, RunSpec
from tests.support.synthetic import spec

PUBLISHED = Path("reports/published")
FOLDERS = ("smoke", "laptop", "shared")
TRAINED = "cnn_trained=trained"
HEADS = ("cnn_lstm", "cnn_gru")
CHANGES = {  # what was recorded beside the others: networks, another protocol, values of --set
    "laptop": [
        (HEADS, "", ("rate=0.001",)),
        (HEADS, "", (TRAINED, "epochs=20")),
        (HEADS, "", (TRAINED, "rate=0.001", "epochs=10")),
        (HEADS, "cv10-grouped", (TRAINED, "rate=0.001", "epochs=10")),
        (("efficientnet_lite0",), "", ("label_smoothing=0",)),
    ]
}
RUNS = sorted(PUBLISHED.glob("*/runs/*/spec.json"))


def planned(folder):
    """What the plan of a published folder lists, as it stands there."""
    return json.loads((PUBLISHED / folder / "plan.json").read_text(encoding="utf-8"))["runs"]


def test_every_recorded_folder_is_named_by_the_id_of_its_run():
    listed = {(folder, RunSpec(**one).id) for folder in FOLDERS for one in planned(folder)}
    assert {(path.parts[2], path.parent.name) for path in RUNS} == listed
    for path in RUNS:
        found = RunSpec.from_json(path.read_text(encoding="utf-8"))
        assert found.id == path.parent.name
        assert found.to_json() == path.read_text(encoding="utf-8")
        assert found.recipe.items() >= IMPLIED.items()  # what the twins read is complete


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_plan_of_today_has_the_recorded_ids(folder):
    content = planned(folder)
    recorded = [RunSpec(**one) for one in content]
    first, training = recorded[0], [s for s in recorded if s.stage == "train"]
    wish = Selection(
        variants=tuple(dict.fromkeys(s.variant for s in recorded)),
        profile=first.profile,
        seeds=tuple(dict.fromkeys(s.seed for s in training)),
        weights=first.weights["source"],
        init=first.init,
        deterministic=first.deterministic,
    )
    devices = {"keras": Device("tensorflow", "cpu"), "torch": Device("torch", "cpu")}
    beside = [
        replace(wish, variants=v, protocol=p, changes=c) for v, p, c in CHANGES.get(folder, [])
    ]
    asked = [wish, *beside]
    today = [s for one in asked for s in make_plan(one, "real", devices, 2 * training[0].threads)]
    known = {s.id for s in recorded}
    assert known <= {s.id for s in today}
    lacking = {s.variant for s in today if s.id not in known}
    # a laptop records the papers' networks one by one, in nights; all else is there whole
    papers = {v.name for v in load_variants().values() if v.paper in load_papers()}
    assert lacking <= (papers if folder == "laptop" else set())
    assert content == [s.to_dict() for s in recorded]  # so plan.json stays as it is


def test_an_implied_value_is_in_the_recipe_and_not_in_the_id():
    old = spec()
    assert old.recipe["recurrent_activation"] == "sigmoid"
    assert not IMPLIED.keys() & old.to_dict()["recipe"].keys()
    assert old.id == replace(old, recipe=old.recipe | IMPLIED).id
    for key in IMPLIED:
        other = replace(old, recipe=old.recipe | {key: "another"})
        assert other.id != old.id
        assert RunSpec.from_json(other.to_json()) == other


def test_the_implied_values_are_the_tables_defaults():
    """A default that becomes another one makes new ids: the implied value stays."""
    for paper in ("liang", "jane"):
        recipe = load_recipe(paper)
        assert {k: recipe[k].value for k in IMPLIED if k in recipe}.items() <= IMPLIED.items()
    assert set(IMPLIED) <= set(load_recipe("liang"))
