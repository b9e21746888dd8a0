"""The claims audit: exact bounds, a finding for every claim, and findings that can change."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from reading import Tables, made, pages

from protocols.claims import load_claims
from reports import arithmetic, audit
from reports.finding import ATTAINABLE, CONTRADICTORY, NOT_ATTAINABLE, NOT_CHECKED

CLAIMS = load_claims()


@pytest.fixture
def changed(monkeypatch):
    """The findings where some numbers were printed otherwise."""

    def find(**printed):
        claims = {
            key: replace(claim, printed=printed.get(key.replace(".", "_"), claim.printed))
            for key, claim in CLAIMS.items()
        }
        monkeypatch.setattr(audit, "load_claims", lambda: claims)
        return [f for found in audit.findings().values() for f in found]

    return find


def word(found, title, *claims):
    """The word of the one finding with this title that is about these claims."""
    (one,) = [f for f in found if title in f.title and set(claims) <= set(f.claims)]
    return one.word


# --- arithmetic ---


def test_a_printed_number_stands_for_all_that_round_to_it():
    low, high = arithmetic.printed(CLAIMS["liang.t1.xception"])  # 88.70 %
    assert (low, high) == (Fraction(88695, 100000), Fraction(88705, 100000))
    assert arithmetic.printed(CLAIMS["liang.data.train.sum"])[0] == Fraction("9956.5")


@pytest.mark.parametrize("n", [7, 71, 2487])
def test_counts_are_those_that_round_to_the_digits(n):
    for k in range(0, n + 1, max(1, n // 50)):
        claim = replace(CLAIMS["liang.t1.xception"], printed=f"{100 * k / n:.2f}")
        assert k in arithmetic.attainable_counts(arithmetic.printed(claim), n)
    claim = replace(claim, printed="99.99")
    assert bool(arithmetic.attainable_counts(arithmetic.printed(claim), n)) == (n > 5000)


def test_f_lies_between_its_corners():
    rng = np.random.default_rng(0)
    precision, recall = (Fraction(1, 2), Fraction(3, 4)), (Fraction(1, 5), Fraction(9, 10))
    low, high = arithmetic.harmonic(precision, recall)
    p, r = rng.uniform(0.5, 0.75, 1000), rng.uniform(0.2, 0.9, 1000)
    f = 2 * p * r / (p + r)
    assert float(low) <= f.min() < f.max() <= float(high)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4])
@pytest.mark.parametrize("accuracy", [0.0, 0.9, 1.0])
def test_no_probabilities_have_a_lower_loss(smoothing, accuracy):
    """By trying: of random answers to right and wrong questions none is below the floor, and the
    best ones come near it."""
    rng = np.random.default_rng(1)
    p = rng.dirichlet(np.full(4, 0.3), 200_000)
    targets = np.full(4, smoothing / 4) + np.array([1 - smoothing, 0, 0, 0])
    loss = -(targets * np.log(np.maximum(p, 1e-300))).sum(1)
    right = p[:, 0] > p[:, 1:].max(1)
    least = accuracy * loss[right].min() + (1 - accuracy) * loss[~right].min()
    floor = arithmetic.smoothed_loss(accuracy, smoothing)
    assert floor <= least < floor + 0.02


def test_the_most_smoothing_meets_the_loss():
    most = arithmetic.most_smoothing(0.637, 0.9079)
    assert arithmetic.smoothed_loss(0.9079, most) == pytest.approx(0.637, abs=1e-9)
    assert arithmetic.most_smoothing(2.0, 0.9079) == 1.0
    assert arithmetic.smoothed_loss(1.0, 1.0) == pytest.approx(math.log(4))


def test_the_chance_of_equal_digits_is_that_of_drawing():
    rng = np.random.default_rng(2)
    a, b = rng.binomial(2487, 0.9, (2, 2_000_000)) / 2487
    seen = (np.abs(a - b) < 0.001 / 2).mean()
    assert arithmetic.chance_of_equal(0.9, 2487, 0.001) == pytest.approx(seen, rel=0.25)


# --- findings ---


def test_every_claim_has_a_finding():
    found = [f for of_paper in audit.findings().values() for f in of_paper]
    assert {name for f in found for name in f.claims} == set(CLAIMS)
    assert {f.word for f in found} <= {ATTAINABLE, NOT_ATTAINABLE, CONTRADICTORY, NOT_CHECKED}
    assert all(f.sides and f.sums.endswith(".") for f in found)


def test_what_the_papers_get_wrong(changed):
    found = changed()
    wrong = {(f.title, f.claims[0]) for f in found if f.word == CONTRADICTORY}
    assert wrong == {
        ("Do the test images add up?", "liang.data.test.e"),
        ("Are the test images apart from the validation images?", "liang.fig6.val_acc"),
        ("Does 3.8 s an image fit 14 hours?", "liang.speed.train"),
        ("Are CNN-RNNs better than CNNs, as V says?", "liang.rank.rnn"),
        ("Is recall the accuracy, as on equal classes?", "jane.t2.cnn_lstm.recall"),
        ("Is the chosen network one of Table III?", "jane.t2.cnn_lstm.accuracy"),
        ("Is the chosen network one of Table III?", "jane.t2.cnn_gru.accuracy"),
        ("Is CNN-LSTM the better in Table III?", "jane.rank.best"),
        ("Do the files show rotations only?", "liang.text.rotation"),
        ("Has Liang five models?", "jane.text.five"),
        ("Are there four classifiers?", "jane.text.four"),
        ("Are there 410 labelled pictures of the four types?", "jane.text.410"),
    }
    assert not [f for f in found if f.word == NOT_ATTAINABLE]


def test_all_of_table_1_fits_the_files_and_none_the_printed_classes():
    (whole,) = [f for f in audit.findings()["liang"] if "How many test images" in f.title]
    assert "With 2,487 images 7 of 7 are attainable, with 2,490 0." in whole.sums
    assert whole.sums.endswith(f"by accident one in {round((10_001 / 2_488) ** 7):,}.")


def test_other_numbers_get_other_words(changed):
    found = changed(liang_data_test_l="620")
    assert word(found, "test images add up") == ATTAINABLE
    found = changed(liang_t1_xception="88.69", liang_t1_xception_resnet50_lstm="90.00")
    assert word(found, "Is there a number", "liang.t1.xception") == NOT_ATTAINABLE
    assert word(found, "How many test images") == NOT_ATTAINABLE
    assert word(found, "Are CNN-RNNs better") == ATTAINABLE
    found = changed(liang_fig6_val_acc="0.9083", liang_fig6_min_val_loss="0.39")
    assert word(found, "apart from the validation") == ATTAINABLE
    assert word(found, "so low", "liang.fig6.min_val_loss") == NOT_ATTAINABLE
    found = changed(jane_t2_cnn_lstm_recall="0.92", jane_t2_cnn_lstm_f1="0.94")
    assert word(found, "Is recall", "jane.t2.cnn_lstm.recall") == ATTAINABLE
    assert word(found, "Is F", "jane.t2.cnn_lstm.f1") == CONTRADICTORY
    found = changed(jane_t3_cnn_lstm_accuracy_500="92.1", jane_t3_cnn_gru_log_loss_300="0.05")
    assert word(found, "chosen network", "jane.t2.cnn_lstm.accuracy") == ATTAINABLE
    assert word(found, "better in Table III") == ATTAINABLE
    assert word(found, "so low", "jane.t3.cnn_gru.log_loss.300") == NOT_ATTAINABLE
    assert word(found, "course", "jane.t3.cnn_gru.log_loss.300") == CONTRADICTORY


def test_the_page_needs_no_run(tmp_path):
    made(tmp_path, [])
    text = pages(tmp_path)["audit.html"]
    rows = {row[0]: row for row in Tables(text).find("Every claim of both papers")[1:]}
    assert set(rows) == set(CLAIMS)
    assert rows["liang.data.test.sum"][-1] == "contradictory (1), attainable (1)"
    assert 'class="text broken"' in text and 'class="text kept"' in text
    assert 'href="audit.html"' in pages(tmp_path)["index.html"]
