"""What was simulated from the recorded networks: coverage at their correlations, margins that the
test images can show; each measured again with fewer samples, and said on the page."""

import numpy as np
import pytest

from benchmarks.store.store import Store
from protocols.files import ROOT
from reports.cells.collect import collect
from reports.data import results
from reports.data.numbers import Numbers
from reports.pages.evidence.coverage_table import (
    COVERAGE,
    METHODS,
    coverage_table,
    study_table,
)
from reports.pages.evidence.page import comparison_table
from reports.simulations import coverage, equivalence
from reports.simulations.recording import recorded
from tests.support import synthetic


@pytest.fixture(scope="module")
def samples():
    return coverage.recorded_samples()


def test_the_recorded_correlations_are_those_of_the_recorded_networks(samples):
    networks = recorded(COVERAGE)["networks"]
    fixed = [key[1:] for key in samples if key[0] == "fixed"]
    assert sorted((one["framework"], one["variant"]) for one in networks) == sorted(fixed)
    for one in networks:
        layout, spread = coverage.shape(samples["fixed", one["framework"], one["variant"]])
        assert spread == pytest.approx(one["spread"]) and min(sorted(spread)[1:]) > 0.4
        assert layout.rates == pytest.approx(one["rates"])
        assert list(layout.clusters) == one["clusters"] and sum(layout.images) == 2487


def test_coverage_at_those_correlations_is_measured_again(samples):
    one = recorded(COVERAGE)["networks"][0]
    layout, spread = coverage.shape(samples["fixed", one["framework"], one["variant"]])
    found = coverage.measured(layout, spread, 250, np.random.default_rng(1))["coverage"]
    for method, share in one["coverage"].items():
        assert found[method] == pytest.approx(share, abs=4 * (share * (1 - share) / 250) ** 0.5)


def test_the_table_reaches_the_correlations_of_the_networks():
    found = recorded(COVERAGE)
    assert max(one["spread"] for one in found["spreads"]) == 0.9
    table = coverage_table()
    assert [len(rows) for _, rows in table.bodies] == [6, len(found["networks"]), 5]
    for one, row in zip(found["networks"], table.bodies[1][1], strict=True):
        assert row[2].text.startswith(f"{100 * one['coverage']['bootstrap_t']:.1f}")
        assert "M 0." in row[0].note
    assert [one["what"] for one in found["beyond"]] == list(coverage.BEYOND)


def test_the_chosen_method_meets_the_demand():
    """No less often than bootstrap-t beyond three errors of the simulation, and shorter."""
    found = recorded(COVERAGE)
    chosen_by = found["spreads"] + found["networks"]
    rates = {m: np.array([one["coverage"][m] for one in chosen_by]) for m in coverage.METHODS}
    new, old = rates["moderated"], rates["bootstrap_t"]
    error = np.sqrt((new * (1 - new) + old * (1 - old)) / found["sims"])
    assert (new > old - 3 * error).all()
    assert new.min() > old.min() and new.mean() > old.mean()
    for width in ("median_width", "wide_width"):
        one, other = (
            np.mean([x[width][m] for x in chosen_by]) for m in ("moderated", "bootstrap_t")
        )
        assert one < 0.8 * other
    rows = {row[0].text: row for row in study_table().bodies[0][1]}
    assert list(rows) == list(METHODS.values()) and set(METHODS) == set(coverage.METHODS)
    for name, text in METHODS.items():
        cells = [td.text.replace("\N{NARROW NO-BREAK SPACE}%", "") for td in rows[text][1:3]]
        assert cells == [f"{100 * rates[name].min():.1f}", f"{100 * rates[name].mean():.1f}"]
    for rival in set(METHODS) - {"moderated", "bootstrap_t"}:  # none of them meets it
        assert rates[rival].min() < old.min() or rates[rival].mean() < old.mean()


def test_the_document_has_the_numbers_of_the_table():
    rows = {row[0].text: [td.text.split("\N{NARROW NO-BREAK SPACE}")[0] for td in row[1:]]
            for row in study_table().bodies[0][1]}  # fmt: skip
    new, old = rows[METHODS["moderated"]], rows[METHODS["bootstrap_t"]]
    text = (ROOT / "docs" / "intervals.md").read_text(encoding="utf-8")
    assert (
        f"in {new[0]} % of cases, bootstrap-t in {old[0]} %; on average in {new[1]} and "
        f"{old[1]} %. "
        f"Its median width is {new[2]} points, as a mean over the settings, against {old[2]}."
    ) in text
    few = [
        spread for one in recorded(COVERAGE)["networks"] for spread in one["spread"] if spread > 0.2
    ]
    assert f"correlation of {min(few):.2f} to {max(few):.2f} in three" in text
    assert len(few) == 3 * len(recorded(COVERAGE)["networks"])


def test_the_caption_names_where_the_chosen_method_is_worse():
    worse = [one["what"] for one in recorded(COVERAGE)["beyond"]
             if one["coverage"]["moderated"] < one["coverage"]["bootstrap_t"] - 0.02]  # fmt: skip
    caption = study_table().caption
    assert worse and all(what in caption for what in worse)
    assert not any(what in caption for what in set(coverage.BEYOND) - set(worse))


@pytest.mark.parametrize("rho", [0.05, 0.6])
def test_correlations_are_found_again(rho):
    layout, rng = coverage.Layout((4000,), (80_000,), (0.8,)), np.random.default_rng(0)
    rates = coverage.cluster_rates(layout, (rho,), rng)
    clusters = np.repeat(np.arange(4000), 20)
    correct = rng.random(80_000) < rates[clusters]
    assert coverage.correlation(correct, clusters) == pytest.approx(rho, abs=0.02)


def test_the_margin_that_can_be_shown_is_measured_again(samples):
    found = recorded(equivalence.RECORDED)
    for pair in found["pairs"]:
        one, two = (samples[pair["protocol"], f, pair["variant"]] for f in ("keras", "torch"))
        again = equivalence.power(one, two, 150, np.random.default_rng(0))
        assert again["shown"] == pytest.approx(pair["shown"], abs=0.15)
        assert pair["shown"][0] < 0.005  # within 1 point: hardly ever
        margin = equivalence.margin(pair["protocol"], pair["images"])
        assert pair["shown"][round(100 * margin) - 1] >= 0.8
        assert pair["different"] < 0.055
    assert equivalence.margin("fixed-grouped", 2487) == equivalence.margin("fixed", 2487)
    assert equivalence.margin("fixed", 16) is equivalence.margin("cv10-grouped", 400) is None


def test_where_no_margin_is_wide_enough_there_is_none():
    none, some = [0.1] * len(equivalence.MARGINS), [0.1, 0.2, *[0.9] * 8]
    assert equivalence._least([{"shown": some}]) == equivalence.MARGINS[2]
    assert equivalence._least([{"shown": some}, {"shown": none}]) is None


def test_swapped_twins_are_equal_and_keep_their_differences():
    rng, strata = np.random.default_rng(0), np.repeat([0, 1], [3, 5])
    totals = rng.integers(0, 9, (8, 34)).astype(float)
    many = [equivalence.swapped(totals, strata, rng) for _ in range(4000)]
    gap = np.array([(x[:, :17] - x[:, 17:]) for x in many])
    assert np.abs(gap.mean(axis=0)).max() < 0.3
    own = (totals[:, :17] - totals[:, 17:]) ** 2
    for k in (0, 1):
        wanted = own[strata == k].mean(axis=0)
        assert (gap[:, strata == k] ** 2).mean(axis=(0, 1)) == pytest.approx(wanted, rel=0.1)


def test_equality_is_asked_within_a_margin_that_can_be_shown(tmp_path):
    plan = [
        synthetic.spec(f, "xception", profile="paper", kind="real", weights="imagenet")
        for f in ("keras", "torch")
    ]
    store = Store(tmp_path)
    for run in plan:
        synthetic.add(store, run, 0.86, epochs=1)
    collected = collect(store, plan)
    (group,) = collected.groups
    table = comparison_table(group, Numbers(results.document(collected)))
    texts = [cell.text.replace("\N{NO-BREAK SPACE}", " ") for cell in table.heads[0][-2:]]
    assert texts == ["Equal within 1 point?", "Equal within 7 points?"]
    ((_, (row,)),) = table.bodies
    assert row[-1].text == "equivalent"
    assert any("can hardly be shown" in note and "within 7" in note for note in table.notes)
