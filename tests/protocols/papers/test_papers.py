"""Claims, recipes, profiles: the tables are whole and mean what the papers print."""

import pytest

from protocols.papers import toml_rows
from protocols.papers.claims import load_claims
from protocols.papers.recipes import Value, load_profiles, load_recipe
from protocols.papers.variants import load_variants


def test_every_claim_of_the_tables():
    claims = load_claims()
    table1 = [c.printed for c in claims.values() if c.where == "Table 1"]
    assert table1 == ["84.08", "87.62", "88.70", "87.45", "89.38", "90.79", "88.58"]
    assert sum(c.where == "Table II" for c in claims.values()) == 8
    assert sum(c.where == "Table III" for c in claims.values()) == 20
    assert claims["jane.t3.cnn_gru.log_loss.300"].printed == "0.7423"
    assert claims["jane.t2.cnn_lstm.accuracy"].value == pytest.approx(0.921)
    assert claims["liang.speed.test"].value == 3.8


def test_each_metric_claim_names_a_variant_under_its_published_protocol():
    variants = load_variants()
    for claim in load_claims().values():
        if claim.kind == "metric":
            assert claim.protocol == variants[claim.variant].published_protocol
            assert claim.value is not None


def test_unknown_and_missing_keys_are_errors():
    with pytest.raises(ValueError, match=r"unknown keys \['surprise'\]"):
        toml_rows.record(
            "here", Value, {"value": 1, "source": "paper", "reason": "x", "surprise": 1}
        )
    with pytest.raises(ValueError, match=r"missing keys \['reason'\]"):
        toml_rows.record("here", Value, {"value": 1, "source": "paper"})


@pytest.mark.parametrize("paper", ["liang", "jane"])
def test_every_value_has_a_source_and_a_reason(paper):
    recipe = load_recipe(paper)
    assert {entry.source for entry in recipe.values()} == {"paper", "assumed"}
    assert all(entry.reason for entry in recipe.values())


def test_the_paper_profile_is_the_published_schedule():
    paper, liang, jane = load_profiles()["paper"], load_recipe("liang"), load_recipe("jane")
    assert (paper.phase1_epochs, paper.phase2_epochs) == (
        liang["phase1_epochs"].value,
        liang["phase2_epochs"].value,
    )
    assert (paper.cv_epochs, paper.cv_per_class, paper.cv_folds_run) == (
        jane["epochs"].value,
        jane["images_per_class"].value,
        jane["folds"].value,
    )
    assert (paper.height, paper.width, paper.train_per_class) == (240, 320, 0)
