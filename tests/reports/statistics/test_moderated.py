"""The moderated interval of accuracies: by hand, its correlation, its limits, what has it."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from protocols.metrics import METRICS
from reports.judging.uncertainty import preferred_interval, why_wide, wide_note
from reports.simulations import coverage
from reports.statistics.intervals import ACCURACIES, NO_RATE, Sample, wilson
from reports.statistics.moderated import DOUBT, PRIOR, common_correlation, moderated
from reports.statistics.scores import Scores
from tests.support.sample_intervals import intervals


def made(seed=0, clusters=(13, 6, 4, 48), images=(650, 600, 600, 624)):
    """Labels, probabilities and groups: clusters are mostly right or mostly wrong."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(4), images)
    groups = np.concatenate([np.arange(n) % c for c, n in zip(clusters, images, strict=True)])
    right = rng.random(len(labels)) < rng.beta(1.2, 0.3, (4, max(clusters)))[labels, groups]
    chosen = np.where(right, labels, (labels + 1) % 4)
    return labels, 0.9 * np.eye(4)[chosen] + 0.025, groups


def test_the_ends_are_those_by_hand():
    """Equal clusters within each class: 3 of 10 images, 5 of 4 images."""
    hits, images = np.array([10, 8, 3, 4, 4, 0, 4, 3.0]), np.repeat([10.0, 4.0], [3, 5])
    strata = np.repeat([0, 1], [3, 5])
    shares = [hits[:3] / 10, hits[3:] / 4]
    own = np.array([x.var(ddof=1) / len(x) for x in shares])
    p, n, m, d = np.array([x.mean() for x in shares]), *map(np.array, ([3, 5], [10, 4], [2, 4]))
    one = p * (1 - p) + own
    rho = np.sum(d * (n * own - one / m)) / np.sum(d * one * (1 - 1 / m))
    assert 0.1 < rho < 0.9
    q = (n * p + DOUBT / 2) / (n + DOUBT)
    model = q * (1 - q) * (rho + (1 - rho) / m) / n
    v = (PRIOR * model + d * own) / (PRIOR + d) * np.array([30 / 50, 20 / 50]) ** 2
    t = stats.t.ppf(0.975, v.sum() ** 2 / np.sum(v**2 / (PRIOR + d)))
    a = hits.sum() / 50
    k = t**2 * v.sum() / (a * (1 - a))  # Wilson: t² / n
    half = np.sqrt(k * a * (1 - a) + k**2 / 4)
    wanted = ((a + k / 2 - half) / (1 + k), (a + k / 2 + half) / (1 + k))
    assert moderated(hits, images, strata) == pytest.approx(wanted, abs=1e-12)
    own_class = moderated(hits, images, strata, np.array([1.0, 0.0]))
    assert own_class[0] < p[0] < own_class[1] and own_class != moderated(hits, images, strata)


@pytest.mark.parametrize("rho", [0.05, 0.6])
def test_the_common_correlation_is_found_again(rho):
    layout, rng = (
        coverage.Layout((3000, 2000), (90_000, 10_000), (0.8, 0.5)),
        np.random.default_rng(0),
    )
    hits = rng.binomial(layout.sizes, coverage.cluster_rates(layout, (rho, rho), rng))
    total, degrees = np.array(layout.images), np.array(layout.clusters) - 1
    p = np.bincount(layout.strata, hits) / total
    gap = (hits - p[layout.strata] * layout.sizes) ** 2
    own = np.bincount(layout.strata, gap) / total**2
    sizes = total / np.array(layout.clusters)
    assert common_correlation(p, own, sizes, total, degrees) == pytest.approx(rho, abs=0.02)


def test_independent_images_have_nearly_wilsons_interval():
    hits = (np.random.default_rng(1).random(4000) < 0.9).astype(float)
    found = moderated(hits, np.ones(4000), np.repeat([0, 1], 2000))
    plain = wilson(float(hits.sum()), 4000)
    assert found == pytest.approx((plain.low, plain.high), abs=2e-4)


@pytest.mark.parametrize("right", [0.02, 0.5, 0.98])
def test_the_ends_stay_within_0_and_1(right):
    sizes, strata = np.full(30, 50.0), np.repeat([0, 1, 2], [4, 6, 20])
    rng = np.random.default_rng(2)
    for _ in range(50):
        hits = rng.binomial(50, rng.beta(right / 5, (1 - right) / 5, 30)).astype(float)
        if not 0 < hits.sum() < 1500:
            continue  # such an accuracy has no interval
        low, high = moderated(hits, sizes, strata)
        assert 0 <= low < hits.sum() / 1500 < high <= 1


def test_what_is_the_accuracy_has_its_interval_and_the_rest_none():
    sample = Sample.of(*made())
    scores = dict(zip(METRICS, Scores()(sample.totals.sum(axis=0)), strict=True))
    same = {name for name, value in scores.items() if value == pytest.approx(scores["accuracy"])}
    assert same == set(ACCURACIES)
    found = intervals(sample, np.random.default_rng(0), 200)
    assert len({found[name].moderated for name in ACCURACIES}) == 1
    for name, one in found.items():
        rate = name in (*ACCURACIES, "recall_macro")
        assert (one.moderated.reason == NO_RATE) != rate
        assert (preferred_interval(one)[1] == "moderated") == rate
    hits, images = (np.bincount(sample.clusters, x) for x in (sample.correct, sample.labels >= 0))
    wanted = moderated(hits, images, sample.strata)
    one = found["accuracy"].moderated
    assert (one.low, one.high) == pytest.approx(wanted, abs=1e-12)
    one = found["recall_macro"].moderated
    assert one.low < found["recall_macro"].value < one.high
    assert one != found["accuracy"].moderated


def cell(sample):
    estimate = intervals(sample, np.random.default_rng(0), 100, ("accuracy",))
    return SimpleNamespace(estimates={"selected": estimate}, sample=lambda: sample)


def test_a_wide_interval_has_its_cause_and_a_narrow_one_none():
    wide, narrow = cell(Sample.of(*made())), cell(Sample.of(*made(clusters=(130, 60, 9, 480))))
    one, other = (
        preferred_interval(c.estimates["selected"]["accuracy"])[0] for c in (wide, narrow)
    )
    assert one.high - one.low > 0.2 > other.high - other.low
    text = wide_note([narrow, wide])
    assert text.startswith("An accuracy's interval is wider than 20 points because few photographs")
    assert "(6 behind all lymphocytes, 4 behind all monocytes): one is up to 25% of its" in text
    assert why_wide(wide) in text
    lacking = SimpleNamespace(estimates={}, sample=lambda: None)
    assert wide_note([narrow]) == why_wide(narrow) == wide_note([lacking]) == ""
