"""Optimism of choosing the epoch on the test part."""

import time

import numpy as np
import pytest

from protocols.runs.record import data_loss, stored_epochs
from reports.statistics.selection import cluster_of, halves, image_losses, select

LABELS = np.repeat(np.arange(4), (623, 620, 620, 624))
GROUPS = np.concatenate([np.arange(n) % c for c, n in ((13, 623), (6, 620), (4, 620), (48, 624))])


def curve(epochs, labels=LABELS, seed=0, dtype=np.float16):
    """Probabilities of epochs that differ by chance only, cluster by cluster."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(epochs, len(labels), 4)).astype(np.float32)
    logits[:, np.arange(len(labels)), labels] += 1.5
    p = np.exp(logits)
    return (p / p.sum(axis=-1, keepdims=True)).astype(dtype)


def noisy(epochs, seed=0):
    """As curve, but each epoch fails on clusters of its own."""
    rng = np.random.default_rng(seed)
    right = rng.random((epochs, 4, 48))[:, LABELS, GROUPS] < 0.7
    p = np.full((epochs, len(LABELS), 4), 0.05)
    answer = np.where(right, LABELS, (LABELS + 1) % 4)
    np.put_along_axis(p, answer[..., None], 0.85, axis=-1)
    return p.astype(np.float16)


def chosen(p, labels=LABELS, groups=GROUPS, smoothing=0.1, seed=0, **more):
    logp = np.log(p.astype(np.float64))
    return select(logp, labels, groups, smoothing, np.random.default_rng(seed), **more)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_losses_are_the_contracts(smoothing):
    p = curve(3, dtype=np.float32)
    logp = np.log(p.astype(np.float64))
    found = image_losses(logp, LABELS, smoothing).mean(axis=1)
    wanted = [data_loss(one, LABELS, smoothing) for one in logp]
    assert found == pytest.approx(wanted, abs=1e-12)


def test_zeros_of_earlier_runs_are_bounded():
    logp = stored_epochs({"epochs": np.array([[[0, 1, 0, 0]]], dtype=np.float16)})
    assert image_losses(logp, np.array([0]), 0.0) == pytest.approx(-np.log(2.0**-24))


def test_the_lowest_loss_is_selected_among_the_allowed():
    p = curve(6)
    for epoch, more in ((1, 0.9), (4, 0.8)):
        p[epoch] = 0.01
        p[epoch, np.arange(len(LABELS)), LABELS] = more
    found = chosen(p)
    assert (found.epoch, found.selected) == (1, 1.0)
    assert found.last == np.mean(p[-1].argmax(axis=1) == LABELS)
    assert found.honest == 1
    assert chosen(p, allowed=slice(2, None)).epoch == 4
    assert chosen(p, allowed=slice(2, None)).selected == 1
    p[1, 3, 0] = np.nan  # an epoch that isn't finite is never selected, as in the contract
    assert chosen(p).epoch == 4
    p[4] = p[2]
    p[4] *= np.float16(0.5)  # lower probabilities, so a higher loss
    assert chosen(p).epoch not in (1, 4)


def test_smoothing_can_change_the_choice():
    p = np.full((2, len(LABELS), 4), 0.05)
    p[0, np.arange(len(LABELS)), LABELS] = 0.85
    p[1] = 1e-6  # surer, so better without smoothing
    p[1, np.arange(len(LABELS)), LABELS] = 0.999997
    assert chosen(p, smoothing=0.0).epoch == 1
    assert chosen(p, smoothing=0.1).epoch == 0


def test_epochs_alike_have_no_optimism():
    p = np.repeat(curve(1), 5, axis=0)
    found = chosen(p, splits=20)
    assert found.optimism == pytest.approx(0, abs=1e-12)
    assert found.selected == found.last


def test_choosing_among_epochs_that_differ_by_chance_is_optimistic():
    gaps, honest = [], []
    for seed in range(20):
        found = chosen(noisy(60, seed), splits=200, seed=seed)
        gaps.append(found.optimism)
        honest.append(found.honest)
    assert np.mean(gaps) > 0.03
    assert np.mean(honest) == pytest.approx(0.7, abs=0.02)  # the rate of every epoch


def test_honest_choice_is_that_of_a_plain_loop():
    p, splits = noisy(8), 12
    rng = np.random.default_rng(3)
    clusters, strata = cluster_of(LABELS, GROUPS, rng)
    first = halves(strata, splits, rng).astype(bool)
    rates = []
    for row in first:
        inside = row[clusters]
        for half in (inside, ~inside):
            loss = [data_loss(np.log(e[half].astype(float)), LABELS[half], 0.1) for e in p]
            right = p[np.argmin(loss)].argmax(axis=1) == LABELS
            rates.append(right[~half].sum() / len(LABELS))
    found = chosen(p, seed=3, splits=splits).honest
    assert found == pytest.approx(np.sum(rates) / splits, abs=1e-12)


def test_halves_are_halves_of_each_class():
    strata = np.repeat(np.arange(4), (13, 6, 4, 48))
    chosen = halves(strata, 2000, np.random.default_rng(0))
    assert set(chosen.ravel()) == {0, 1}
    for k, sizes in enumerate(({6, 7}, {3}, {2}, {24})):
        assert set(chosen[:, strata == k].sum(axis=1)) == sizes
    assert chosen.mean(axis=0) == pytest.approx(0.5, abs=0.05)


def test_a_cluster_is_never_divided():
    clusters, strata = cluster_of(LABELS, GROUPS, np.random.default_rng(0))
    assert np.bincount(strata).tolist() == [13, 6, 4, 48]
    assert (strata[clusters] == LABELS).all()
    for c in range(71):
        assert len(set(GROUPS[clusters == c])) == 1


def test_the_images_of_a_lone_cluster_are_dealt_to_both_halves():
    groups = np.where(LABELS == 2, 99, GROUPS)
    clusters, strata = cluster_of(LABELS, groups, np.random.default_rng(0))
    assert np.bincount(strata).tolist() == [13, 6, 2, 48]
    inside = clusters[LABELS == 2]
    assert np.bincount(inside - inside.min()).tolist() == [310, 310]
    assert 0 < np.mean(inside[::2] == inside[0]) < 1  # at random, not in turn
    found = chosen(noisy(8), groups=groups, splits=50)
    assert 0 < found.honest < found.selected


def test_without_a_finite_loss_nothing_is_selected():
    p = curve(3)
    p[:, 0, 0] = np.nan
    with pytest.raises(ValueError, match="finite loss"):
        chosen(p)
    with pytest.raises(ValueError, match="finite loss"):
        chosen(curve(3), allowed=slice(3, None))


def test_the_same_seed_gives_the_same_numbers():
    p = noisy(10)
    assert chosen(p, splits=50) == chosen(p, splits=50)
    assert chosen(p, splits=50) != chosen(p, splits=50, seed=1)


@pytest.mark.alone
def test_a_whole_run_takes_less_than_a_second():
    p, times = curve(170), []
    for _ in range(3):
        start = time.perf_counter()
        chosen(p)
        times.append(time.perf_counter() - start)
    assert min(times) < 1
