"""Paired comparisons: textbook cases, Holm, equivalence, power, and rankings."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from protocols import metrics
from reports.statistics.comparisons import (
    Difference,
    compare,
    equivalence,
    holm,
    minimum_detectable_difference,
    naive_mcnemar,
    ordering,
)
from reports.statistics.intervals import Estimate, Interval, Sample

RIGHT, WRONG = [0.7, 0.1, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1]


def of(correct, groups=None):
    """A sample of one class with these successes; by default each image is a cluster."""
    correct = np.asarray(correct, dtype=bool)
    groups = np.arange(len(correct)) if groups is None else groups
    probabilities = np.where(correct[:, None], RIGHT, WRONG)
    return Sample.of(np.zeros(len(correct), dtype=int), probabilities, groups)


def pair(seed=0, n=60, rates=(0.9, 0.6)):
    rng = np.random.default_rng(seed)
    return [rng.random(n) < rate for rate in rates]


def accuracy_of(a, b, draws=200):
    return compare(a, b, np.random.default_rng(0), draws, ("accuracy",))["accuracy"]


def estimate(value, se, df=20.0):
    none = Interval()
    return Estimate(value, se, df, none, none, none)


def difference(value, p):
    return Difference(estimate(value, None if p is None else 0.01), p)


def test_single_images_give_the_paired_t_test():
    a, b = pair()
    found = accuracy_of(of(a), of(b))
    wanted = stats.ttest_rel(a.astype(float), b.astype(float))
    low, high = wanted.confidence_interval()
    assert found.estimate.value == pytest.approx(a.mean() - b.mean(), abs=1e-12)
    assert found.p == pytest.approx(wanted.pvalue, rel=1e-9)
    assert found.estimate.linearised.low == pytest.approx(low, abs=1e-12)
    assert found.estimate.linearised.high == pytest.approx(high, abs=1e-12)


def test_pairing_removes_what_the_models_share():
    """Both fail on the same clusters: the paired interval is narrower than the accuracy's."""
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(40), 10)
    rate = rng.beta(2, 1, 40)[groups]
    easy = rng.random(400) < rate
    a, b = easy | (rng.random(400) < 0.04), easy
    found = accuracy_of(of(a, groups), of(b, groups), 2000).estimate
    alone = accuracy_of(of(a, groups), of(np.zeros(400), groups)).estimate
    assert found.se < alone.se / 2
    assert found.percentile.low == pytest.approx(found.linearised.low, abs=0.01)
    assert found.percentile.high == pytest.approx(found.linearised.high, abs=0.01)


def test_swapping_the_models_turns_every_sign():
    rng = np.random.default_rng(2)
    labels = np.repeat(np.arange(4), (30, 20, 20, 40))
    groups = np.arange(110) % 10
    samples = [Sample.of(labels, rng.dirichlet(np.ones(4), 110), groups) for _ in range(2)]
    there, back = (compare(*s, np.random.default_rng(0), 300) for s in (samples, reversed(samples)))
    assert set(there) == set(metrics.METRICS)
    for name, one in there.items():
        other = back[name]
        assert other.estimate.value == pytest.approx(-one.estimate.value, abs=1e-12)
        assert other.p == pytest.approx(one.p, rel=1e-6)
        assert other.estimate.linearised.high == pytest.approx(-one.estimate.linearised.low)
        assert other.estimate.percentile.high == pytest.approx(-one.estimate.percentile.low)


def test_different_images_are_refused():
    a, b = pair()
    groups = np.arange(60) // 2
    for call in (accuracy_of, naive_mcnemar):
        with pytest.raises(ValueError, match="different images"):
            call(of(a), of(b, groups))
    other = replace(of(b), labels=np.ones(60, dtype=int))
    with pytest.raises(ValueError, match="different images"):
        accuracy_of(of(a), other)


def test_the_same_predictions_have_no_p_value():
    a, _ = pair()
    found = accuracy_of(of(a), of(a))
    assert found.estimate.value == 0
    assert found.p is None
    assert equivalence(found.estimate).verdict == "not shown"
    assert naive_mcnemar(of(a), of(a)) == 1


def test_mcnemar_is_the_sign_test_of_the_discordant():
    a, b = pair()
    only_a, only_b = int(np.sum(a & ~b)), int(np.sum(~a & b))
    assert only_a > 2 * only_b > 0
    wanted = stats.binomtest(only_a, only_a + only_b, 0.5).pvalue
    assert naive_mcnemar(of(a), of(b)) == pytest.approx(wanted, rel=1e-9)


def test_mcnemar_takes_copies_for_evidence_and_the_clusters_do_not():
    a, b = pair(0, 60, (0.9, 0.7))
    groups = np.repeat(np.arange(60), 10)
    once, copied = [of(a), of(b)], [of(np.repeat(x, 10), groups) for x in (a, b)]
    assert accuracy_of(*copied).p == pytest.approx(accuracy_of(*once).p, rel=1e-9)
    assert naive_mcnemar(*copied) < naive_mcnemar(*once) / 10


def test_probabilities_that_are_not_finite_are_not_compared():
    a, b = pair()
    broken = of(b)
    broken.totals[:] = np.nan
    assert accuracy_of(of(a), broken).p is None
    assert naive_mcnemar(of(a), broken) is None


def test_holm():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.02, None, 0.5]) == [pytest.approx(0.06), None, 1]
    assert holm([]) == []


@pytest.mark.parametrize(
    ("value", "se", "word"),
    [
        (0.001, 0.002, "equivalent"),
        (0.004, 0.001, "equivalent"),  # and its interval leaves out 0
        (-0.001, 0.002, "equivalent"),
        (0.001, 0.02, "not shown"),
        (0.009, 0.002, "different"),
        (-0.05, 0.01, "different"),
    ],
)
def test_equivalence(value, se, word):
    found = equivalence(estimate(value, se))
    assert found.verdict == word
    both = [stats.t.sf((value + 0.01) / se, 20), stats.t.cdf((value - 0.01) / se, 20)]
    assert found.p == pytest.approx(max(both), rel=1e-9)


def test_margin_of_equivalence():
    assert equivalence(estimate(0.001, 0.02), margin=0.05).verdict == "equivalent"
    with pytest.raises(ValueError, match="margin"):
        equivalence(estimate(0.001, 0.02), margin=0)


def test_minimum_detectable_difference_is_found_with_its_power():
    assert minimum_detectable_difference(1, 1e9) == pytest.approx(2.8016, abs=1e-3)  # z + z
    assert minimum_detectable_difference(1, 1e9, 0.9, 0.01) == pytest.approx(3.8574, abs=1e-3)
    rng, df = np.random.default_rng(0), 14
    shift = minimum_detectable_difference(1, df)
    se = np.sqrt(rng.chisquare(df, 100_000) / df)
    t = (rng.normal(size=100_000) + shift) / se
    assert np.mean(t > stats.t.ppf(0.975, df)) == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize(
    ("contests", "word"),
    [
        ([], "undecided"),
        ([(0.1, 0.01), (0.2, 0.01)], "supported"),
        ([(0.1, 0.03)], "supported"),
        ([(0.1, 0.03), (0.2, 0.03)], "undecided"),  # 0.06 by Holm
        ([(0.1, 0.001), (0.2, 0.2)], "undecided"),
        ([(0.1, 0.001), (-0.2, 0.2)], "undecided"),
        ([(0.1, 0.001), (-0.2, 0.01)], "refuted"),
        ([(0.1, 0.5), (-0.2, 0.03)], "undecided"),
        ([(0.1, 0.001), (0.0, None)], "undecided"),
        ([(0.0, None)], "undecided"),
    ],
)
def test_ordering(contests, word):
    assert ordering([difference(*c) for c in contests]) == word
