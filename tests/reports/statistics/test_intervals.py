"""Cluster intervals: the metrics, textbook cases, what is refused, and coverage by simulation."""

import json
import time

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import precision_recall_fscore_support

from protocols import metrics
from protocols.classes import LETTERS
from reports.simulations import coverage
from reports.statistics.intervals import (
    LONE_CLUSTER,
    NO_SPREAD,
    NOT_FINITE,
    Interval,
    Sample,
    corrected_t,
    gradient,
    independent_images,
    linearise,
    resample,
    wilson,
)
from reports.statistics.scores import Gap, Scores
from tests.support.sample_intervals import intervals

METHODS = ("linearised", "percentile", "bootstrap_t")


def made(seed=0, clusters=(13, 6, 4, 48), images=(623, 620, 620, 624)):
    """Labels, probabilities and groups whose success depends on the cluster."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(4), images)
    groups = np.concatenate([np.arange(n) % c for c, n in zip(clusters, images, strict=True)])
    shift = rng.normal(2, 1, size=(4, max(clusters)))[labels, groups]
    logits = rng.normal(size=(len(labels), 4))
    logits[np.arange(len(labels)), labels] += shift
    p = np.exp(logits)
    return labels, (p / p.sum(axis=1, keepdims=True)).astype(np.float32), groups


def single(correct):
    """A sample of one class, each image its own cluster, with these successes."""
    labels = np.zeros(len(correct), dtype=int)
    probabilities = np.where(np.asarray(correct)[:, None], [[0.7, 0.1, 0.1, 0.1]], [[0, 1, 0, 0]])
    return Sample.of(labels, probabilities.astype(float), np.arange(len(correct)))


def best_of_three(call):
    times = []
    for _ in range(3):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def never_n(p):
    p[:, 3] = 0
    p[:, 0] += 0.1


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("images", "change"),
    [
        ((50, 40, 30, 60), None),
        ((50, 40, 0, 60), None),  # a class without images
        ((50, 40, 30, 60), never_n),  # a class never predicted
        ((50, 40, 30, 0), never_n),  # neither
    ],
)
def test_metrics_are_those_of_scikit_learn(seed, images, change):
    labels, probabilities, groups = made(seed, (5, 4, 3, 6), images)
    if change:
        change(probabilities)
    totals = Sample.of(labels, probabilities, groups).totals.sum(axis=0)
    wanted = metrics.score(labels, probabilities)
    found = dict(zip(metrics.METRICS, Scores()(totals), strict=True))
    assert found == pytest.approx(wanted, abs=1e-12, rel=0)
    predicted = metrics.summing_to_one(probabilities).argmax(axis=1)
    for average in ("macro", "weighted", None):
        names = [average] if average else LETTERS
        theirs = precision_recall_fscore_support(
            labels, predicted, labels=range(4), average=average, zero_division=0
        )
        for family, values in zip(("precision", "recall", "f1"), theirs[:3], strict=True):
            own = [wanted[f"{family}_{name}"] for name in names]
            assert own == np.atleast_1d(values).tolist(), "to the last bit"
    some = Scores(("f1_E", "log_loss"))(totals)
    assert some.tolist() == [found["f1_E"], found["log_loss"]]


def test_a_cluster_lies_in_one_class():
    labels, probabilities, _ = made(images=(5, 5, 5, 5))
    sample = Sample.of(labels, probabilities, np.array(["one photograph"] * 20))
    assert sample.strata.tolist() == [0, 1, 2, 3]
    assert sample.totals[:, :-1].sum() == 20
    for c in range(4):
        support = sample.totals[c, :-1].reshape(4, 4).sum(axis=1)
        assert support.tolist() == [5 * (c == k) for k in range(4)]


@pytest.mark.parametrize("names", [metrics.METRICS, ("accuracy", "log_loss"), ("f1_weighted",)])
def test_slopes_are_those_of_complex_steps(names):
    rng = np.random.default_rng(3)
    totals = rng.integers(0, 9, (40, 17)) + rng.random((40, 17))
    totals[2, 5] = 0  # no hit; where nothing is divided by there is no slope: next test
    for statistic, at in ((Scores(names), totals), (Gap(names), totals.reshape(20, 34))):
        assert statistic.slopes(at) == pytest.approx(
            gradient(lambda x, s=statistic: s(x), at), rel=1e-10, abs=1e-13
        )


def test_a_class_neither_there_nor_predicted_has_no_slope():
    totals = np.ones(17)
    totals[[1, 4, 5, 6, 7, 9, 13]] = 0
    own = tuple(name for name in metrics.METRICS if name.endswith("_L"))
    assert len(own) == 3 and not Scores(own).slopes(totals).any()
    assert np.isfinite(Scores().slopes(totals)).all()


def test_gradient_is_that_of_finite_differences():
    totals = Sample.of(*made()).totals.sum(axis=0)
    exact = gradient(Scores().__call__, totals)
    for column, row in enumerate(exact):
        step = np.zeros(17)
        step[column] = 1e-3
        rough = (Scores()(totals + step) - Scores()(totals - step)) / 2e-3
        np.testing.assert_allclose(row, rough, atol=1e-8)


def test_clusters_of_one_image_give_the_textbook_t_interval():
    correct = np.random.default_rng(3).random(40) < 0.8
    found = intervals(single(correct), np.random.default_rng(0), 100, ("accuracy",))["accuracy"]
    se = correct.std(ddof=1) / np.sqrt(40)
    wanted = stats.t.interval(0.95, 39, loc=correct.mean(), scale=se)
    assert (found.linearised.low, found.linearised.high) == pytest.approx(wanted, abs=1e-12)
    assert (found.se, found.df) == pytest.approx((se, 39))


def test_strata_add_their_variances_with_satterthwaites_degrees():
    labels, probabilities, groups = made()
    sample = Sample.of(labels, probabilities, groups)
    found = intervals(sample, np.random.default_rng(0), 100, ("accuracy",))["accuracy"]
    residual = (sample.correct - sample.correct.mean()) / len(labels)
    clusters = (13, 6, 4, 48)
    sums = [np.bincount(groups[labels == k], residual[labels == k]) for k in range(4)]
    v = np.array([c * u.var(ddof=1) for c, u in zip(clusters, sums, strict=True)])
    assert found.se == pytest.approx(np.sqrt(v.sum()), rel=1e-9)
    df = v.sum() ** 2 / np.sum(v**2 / (np.array(clusters) - 1))
    assert found.df == pytest.approx(df, rel=1e-9)


def test_bootstraps_are_those_of_a_plain_loop():
    names = ("accuracy", "f1_macro")
    sample = Sample.of(*made(clusters=(8, 6, 5, 9)))
    value, se, _ = linearise(Scores(names), sample.totals, sample.strata)
    values, t = [], []
    for w in resample(sample.strata, 300, np.random.default_rng(0)).astype(int):
        rows = np.repeat(sample.totals, w, axis=0), np.repeat(sample.strata, w)
        drawn, spread, _ = linearise(Scores(names), *rows)
        values.append(drawn)
        t.append((drawn - value) / spread)
    plain = np.quantile(values, [0.025, 0.975], axis=0)
    high, low = value - np.quantile(t, [0.025, 0.975], axis=0) * se
    found = intervals(sample, np.random.default_rng(0), 300, names)
    for i, name in enumerate(names):
        one = found[name].percentile
        assert (one.low, one.high) == pytest.approx(plain[:, i].tolist(), abs=1e-9)
        one = found[name].bootstrap_t
        assert (one.low, one.high) == pytest.approx((low[i], high[i]), abs=1e-9)


def test_copies_of_images_narrow_wilson_only():
    once = Sample.of(*made())
    tenfold = Sample.of(*(np.repeat(x, 10, axis=0) for x in made()))
    a, b = (intervals(s, np.random.default_rng(0), 500) for s in (once, tenfold))
    for name in metrics.METRICS:
        for method in METHODS:
            i, j = (getattr(x[name], method) for x in (a, b))
            assert j.reason == i.reason
            if not i.reason:
                assert (j.low, j.high) == pytest.approx((i.low, i.high), abs=1e-9)
    i, j = (wilson(s.hits, len(s.labels)) for s in (once, tenfold))
    assert (i.high - i.low) / (j.high - j.low) == pytest.approx(np.sqrt(10), rel=0.01)
    sizes = [independent_images(x["accuracy"].value, x["accuracy"].bootstrap_t) for x in (a, b)]
    assert sizes[1] == pytest.approx(sizes[0], rel=1e-9)


@pytest.mark.parametrize(("hits", "n"), [(324, 400), (1, 30), (30, 30), (5, 10)])
def test_as_many_independent_images_have_as_wide_an_interval(hits, n):
    assert independent_images(hits / n, wilson(hits, n)) == pytest.approx(n)
    assert independent_images(hits / n, Interval(reason="none")) is None
    assert independent_images(hits / n, Interval(0.0, 1.0)) is None


def test_bootstrap_draws_each_stratum_whole():
    strata = np.repeat([0, 1, 3], [5, 2, 9])
    weights = resample(strata, 4000, np.random.default_rng(0))
    for stratum, n in ((0, 5), (1, 2), (3, 9)):
        assert (weights[:, strata == stratum].sum(axis=1) == n).all()
    assert weights.mean(axis=0) == pytest.approx(1, abs=0.08)
    assert weights[:, 0].var() == pytest.approx(1 - 1 / 5, abs=0.08)


def test_a_class_with_one_cluster_has_no_interval():
    sample = Sample.of(*made(clusters=(13, 6, 1, 48)))
    for estimate in intervals(sample, np.random.default_rng(0), 100).values():
        assert estimate.se is None
        assert np.isfinite(estimate.value)
        assert {getattr(estimate, m) for m in METHODS} == {Interval(reason=LONE_CLUSTER)}


def test_no_spread_is_no_interval():
    sample = single([True] * 30)
    estimate = intervals(sample, np.random.default_rng(0), 100, ("accuracy",))["accuracy"]
    assert estimate.value == 1
    assert {getattr(estimate, m).reason for m in METHODS} == {NO_SPREAD}
    naive = wilson(sample.hits, 30)
    assert naive.low == pytest.approx(1 / (1 + 1.959964**2 / 30), abs=1e-6)
    assert naive.high == pytest.approx(1)


def test_probabilities_that_are_not_finite_have_no_interval():
    labels, probabilities, groups = made()
    probabilities[7, 2] = np.nan
    sample = Sample.of(labels, probabilities, groups)
    for estimate in intervals(sample, np.random.default_rng(0), 100).values():
        assert np.isnan(estimate.value)
        assert estimate.linearised.reason == NOT_FINITE
    assert wilson(sample.hits, len(labels)).reason == NOT_FINITE


def test_shapes_that_do_not_fit_are_refused():
    labels, probabilities, groups = made()
    with pytest.raises(ValueError, match="2487"):
        Sample.of(labels, probabilities, groups[1:])
    with pytest.raises(ValueError, match="2487"):
        Sample.of(labels, probabilities[:, :3], groups)


def test_proportions_stay_within_their_limits():
    labels, probabilities, groups = made()
    easy = np.full_like(probabilities, 0.01)
    easy[np.arange(len(labels)), labels] = 0.97
    easy[:120:13] = probabilities[5:6]  # errors in one cluster only
    easy[:120:13, 1] = 1
    found = intervals(Sample.of(labels, easy, groups), np.random.default_rng(0), 500)
    assert found["accuracy"].linearised.high == 1
    for name, estimate in found.items():
        for method in METHODS:
            one = getattr(estimate, method)
            if not one.reason:
                assert 0 <= one.low <= one.high
                assert name == "log_loss" or one.high <= 1


def test_the_same_seed_gives_the_same_bytes():
    sample = Sample.of(*made())
    a, b, c = (repr(intervals(sample, np.random.default_rng(s), 200)) for s in (5, 5, 6))
    assert a == b
    assert a != c


def test_corrected_t_of_nadeau_and_bengio():
    values = [0.91, 0.93, 0.92, 0.95, 0.90]
    found = corrected_t(values, 0.2)
    half = 2.776445 * np.std(values, ddof=1) * np.sqrt(1 / 5 + 1 / 4)
    assert (found.low, found.high) == pytest.approx((0.922 - half, 0.922 + half), abs=1e-6)
    assert corrected_t([0.99, 1.0, 0.9], 0.3, (0.0, 1.0)).high == 1
    assert corrected_t([0.9], 0.2).reason
    assert corrected_t([0.9] * 5, 0.2).reason
    with pytest.raises(ValueError, match="test_share"):
        corrected_t(values, 20)


@pytest.mark.alone
def test_all_metrics_take_less_than_a_second():
    data = made()
    assert best_of_three(lambda: intervals(Sample.of(*data), np.random.default_rng(0))) < 1


@pytest.mark.parametrize("spread", [0.05, 0.15, 0.3])
def test_coverage_of_the_real_layout(spread):
    found = coverage.measured(coverage.REAL, spread, 400, np.random.default_rng(11))["coverage"]
    # The binomial error of 400 simulations is 0.012; three of them beside the long runs' values.
    assert 0.94 <= found["moderated"] <= 1
    assert 0.90 <= found["bootstrap_t"] <= 0.985
    assert 0.86 <= found["linearised"] <= 0.97
    assert 0.83 <= found["percentile"] <= 0.935
    assert 0.25 <= found["wilson"] <= 0.72
    assert found["percentile"] < found["linearised"]


@pytest.mark.parametrize(
    "spread", [0.15, *(pytest.param(s, marks=pytest.mark.slow) for s in (0.02, 0.4))]
)
def test_many_equal_clusters_are_covered_as_promised(spread):
    """To within three binomial errors of 1,000 simulations."""
    layout = coverage.Layout((30,) * 4, (620,) * 4, coverage.REAL.rates)
    found = coverage.measured(layout, spread, 1000, np.random.default_rng(12))["coverage"]
    assert found["moderated"] == pytest.approx(0.95, abs=0.02)
    assert found["bootstrap_t"] == pytest.approx(0.95, abs=0.02)
    assert found["linearised"] == pytest.approx(0.95, abs=0.02)
    assert found["wilson"] < 0.93


def test_layout_and_record_of_the_simulation():
    layout = coverage.REAL
    assert [int(layout.sizes[layout.strata == k].sum()) for k in range(4)] == list(layout.images)
    assert len(layout.sizes) == 71
    assert np.ptp(layout.sizes[layout.strata == 0]) == 1
    found = coverage.record(layout, (0.1,), 5, 1)
    assert json.dumps(found) == json.dumps(coverage.record(layout, (0.1,), 5, 1))
    assert set(found["spreads"][0]["coverage"]) == set(coverage.METHODS) > {*METHODS, "wilson"}


def test_clusters_vary_as_the_intra_cluster_correlation_says():
    layout = coverage.Layout((100_000, 100_000), (100_000, 100_000), (0.8, 0.9))
    rates = coverage.cluster_rates(layout, 0.15, np.random.default_rng(0))
    for k, p in enumerate(layout.rates):
        inside = rates[layout.strata == k]
        assert inside.mean() == pytest.approx(p, abs=0.003)
        assert inside.var() == pytest.approx(0.15 * p * (1 - p), rel=0.03)
