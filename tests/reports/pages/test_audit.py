"""The claims audit: exact bounds, a finding for every claim, and findings that can change."""

import csv
import math
import os
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from protocols.images import dataset
from protocols.papers.claims import load_claims
from protocols.photographs import provenance
from reports.judging.verdicts import counted
from reports.pages.audit import page as audit_page
from reports.pages.audit.finding import Word
from reports.pages.leakage import evidence, liang
from reports.statistics import printed as arithmetic
from tests.support.reading import Tables, made, pages

CLAIMS = load_claims()


@pytest.fixture
def changed(monkeypatch):
    """The findings where some numbers were printed otherwise."""

    def find(**printed):
        claims = {
            key: replace(claim, printed=printed.get(key.replace(".", "_"), claim.printed))
            for key, claim in CLAIMS.items()
        }
        monkeypatch.setattr(audit_page, "load_claims", lambda: claims)
        return [f for found in audit_page.findings().values() for f in found]

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


@pytest.mark.parametrize("step", [Fraction(1, 10_000), Fraction(1, 1000)])
def test_the_chance_of_equal_digits_is_that_of_drawing(step):
    """2,487 images allow fewer accuracies than two decimals do; three times fewer than one does."""
    rng = np.random.default_rng(2)
    a, b = np.floor(rng.binomial(2487, 0.9079, (2, 1_000_000)) / 2487 / float(step) + 0.5)
    chance = arithmetic.chance_of_equal(0.9079, 2487, step)
    assert chance == pytest.approx((a == b).mean(), rel=0.03)
    if step == Fraction(1, 10_000):
        assert f"{100 * chance:.2f}" == "1.96"


def test_no_smoothing_fits_a_loss_below_that_of_wrong_answers():
    assert arithmetic.most_smoothing(0.05, 0.9) == 0.0


# --- findings ---


def test_every_claim_has_a_finding():
    found = [f for of_paper in audit_page.findings().values() for f in of_paper]
    assert {name for f in found for name in f.claims} == set(CLAIMS)
    assert {f.word for f in found} == set(Word)
    assert all(f.sides and f.sums.endswith(".") for f in found)
    assert all(set(f.at_fault) <= set(f.claims) for f in found)


def test_what_the_papers_get_wrong(changed):
    """Each contradiction, and the claims that it falls on: no claim that stands."""
    found = changed()
    wrong = {(f.title, f.at_fault or f.claims) for f in found if f.word == Word.CONTRADICTORY}
    second, third = "jane.t2.{}.accuracy", "jane.t3.{}.accuracy.500"
    assert wrong == {
        ("Do the test images add up?", ("liang.data.test.l",)),
        ("Is recall the accuracy, as on equal classes?",
         ("jane.t2.cnn_lstm.recall", "jane.t2.cnn_lstm.accuracy")),
        *(("Is the chosen network one of Table III?", (second.format(v), third.format(v)))
          for v in ("cnn_lstm", "cnn_gru")),
        ("Is CNN-LSTM the better in Table III?", ("jane.rank.best",)),
        ("Do the files show rotations only?", ("liang.text.rotation",)),
        ("Has Liang five models?", ("jane.text.five",)),
        ("Are there four classifiers?", ("jane.text.four",)),
        ("Are there 410 labelled pictures?", ("jane.text.410",)),
        ("How many classes are there?", ("liang.text.five",)),
        ("Is its accuracy the highest?", ("liang.text.highest",)),
        ("Does the RNN read what the CNN makes?", ("liang.text.rnn_input",)),
        ("Is [34] on brain MRI?", ("liang.text.mri",)),
        ("Is [36] on the cervix?", ("liang.text.cervix",)),
        ("Are [26] and [27] by the two named?", ("liang.text.theera_umpon",)),
        ("Is Liang [1, 5]?", ("jane.text.cites_liang",)),
    }  # fmt: skip
    never = [(f.at_fault or f.claims, f.sums) for f in found if f.word == Word.NOT_ATTAINABLE]
    assert [claims for claims, _ in never] == [("liang.cited.ghosh",)]
    assert "124 of 150 = 82.67\u202f% and 125 of 150 = 83.33\u202f%" in never[0][1]


def test_where_both_can_hold_it_is_open_and_says_how(changed):
    found = {f.title: f for f in changed() if f.word == Word.OPEN}
    assert set(found) == {"Does 3.8 s an image fit 14 hours?",
                          "Are CNN-RNNs better than CNNs, as V says?"}  # fmt: skip
    assert "Both hold if loading the network is included" in found[min(found, key=len)].sums
    assert all("Both hold if " in f.sums for f in found.values())
    words_of = audit_page.by_claim(changed())
    opened = {key for key, words in words_of.items() if words[0] == Word.OPEN}
    assert opened == {"liang.speed.train", "liang.speed.test", "liang.rank.rnn"}


def test_only_the_printed_count_that_differs_from_its_files_is_wrong(changed):
    words_of = audit_page.by_claim(changed())
    assert words_of["liang.data.test.l"] == [Word.CONTRADICTORY]
    for key in ("test.e", "test.m", "test.n", "test.sum", "train.sum", "all"):
        assert set(words_of[f"liang.data.{key}"]) == {Word.ATTAINABLE}
    found = changed(liang_data_test_l="620", liang_data_test_sum="2,488")
    (one,) = [f for f in found if "test images add up" in f.title]
    assert (one.word, one.at_fault) == (Word.CONTRADICTORY, ("liang.data.test.sum",))
    assert word(changed(liang_data_all="12,447"), "both parts") == Word.CONTRADICTORY


def test_the_same_accuracy_twice_is_no_contradiction(changed):
    """That the test images chose the epoch is a matter of leakage."""
    keys = ("liang.fig6.val_acc", "liang.t1.xception_lstm")
    words_of = audit_page.by_claim(changed())
    assert all(set(words_of[key]) == {Word.ATTAINABLE} for key in keys)
    kind, said = liang.selection()
    assert kind == evidence.FOUND and "in 1.96\u202f% of the cases (binomial counts" in said


def test_claims_that_can_be_checked_are_there():
    """As printed, each with its place; what is cited isn't tested, with a reason."""
    rates = [(c.printed, c.where, c.n) for c in CLAIMS.values()
             if (c.paper, c.kind) == ("liang", "cited")]  # fmt: skip
    assert rates == [
        ("94.1", "I", 0), ("96", "I", 100), ("92.46", "II", 199), ("90.14", "II", 0),
        ("82.3", "II", 0), ("77", "II", 0), ("83.2", "II", 150), ("90", "II", 400),
    ]  # fmt: skip
    jane = [(c.printed, c.where) for c in CLAIMS.values() if c.id.startswith("jane.cited.")]
    assert jane == [("96", "2"), ("3.8 seconds", "2.1"), ("0.67", "2.1"), ("0.67", "2.1")]
    assert all(c.reason.startswith("cited ") for c in CLAIMS.values() if c.kind == "cited")
    assert (CLAIMS["liang.data.all"].printed, counted(CLAIMS["liang.data.all"])) == (
        "12,444", 12_444)  # fmt: skip
    assert CLAIMS["liang.text.filters"].printed == "32 filters of size 3 × 3 × 3 pixels"
    assert all(c.printed for c in CLAIMS.values())


def test_the_text_s_words_are_held_against_the_tables(changed):
    kept = ("jane.text.log_loss", "jane.text.precision", "jane.text.recall", "jane.text.500",
            "liang.text.filters", "liang.data.all", "jane.cited.liang_speed")  # fmt: skip
    words_of = audit_page.by_claim(changed())
    assert all(words_of[key] == [Word.ATTAINABLE] for key in kept)
    found = changed(
        jane_t3_cnn_gru_log_loss_300="0.7417", jane_t2_cnn_gru_precision="0.93",
        jane_t2_cnn_gru_recall="0.89", jane_text_500="200 photos",
        liang_text_filters="64 filters", jane_cited_liang_speed="3.7 seconds",
        liang_cited_ghosh="83.3", liang_t1_xception_lstm="97.55", jane_text_410="366 pictures",
    )  # fmt: skip
    words_of = audit_page.by_claim(found)
    assert all(words_of[key][0] == Word.CONTRADICTORY for key in kept if key != "liang.data.all")
    for key in ("liang.cited.ghosh", "liang.text.highest", "jane.text.410"):
        assert words_of[key][0] == Word.ATTAINABLE


def test_the_pictures_are_held_against_the_labels():
    (one,) = [f for f in audit_page.findings()["jane"] if f.claims == ("jane.text.410",)]
    assert one.sides[1].text == (
        "labels.csv: 411 rows, 367 with a label; 366 of those have a photograph"
    )


@pytest.mark.real
def test_the_recorded_numbers_of_labels_are_those_of_the_file():
    if "WBC_DATA" not in os.environ:
        pytest.skip("needs the real images: set WBC_DATA to their folder")
    source = dataset.source_at(Path(os.environ["WBC_DATA"]))
    with source.path(dataset.LABELS).open(newline="", encoding="utf-8-sig") as file:
        labels = [row["Category"].strip() for row in csv.DictReader(file)]
    assert (len(labels), sum(map(bool, labels))) == (provenance.LABEL_ROWS, provenance.LABELLED)


def test_the_limit_of_smoothing_is_that_of_the_printed_digits():
    (one,) = [f for f in audit_page.findings()["liang"] if f.claims[0] == "liang.fig6.min_val_loss"]
    assert "The most smoothing that fits is 0.205 (0.2046 to 0.2051 for all" in one.sums


def test_the_files_are_shifted_too():
    (one,) = [f for f in audit_page.findings()["liang"] if "rotations only" in f.title]
    assert one.sums.endswith("A shear, shifts and flips, not rotations alone.")
    moved = re.search(r"The centre of ([\d,]+) is moved", one.sums)[1]
    assert 0.9 * 9957 < int(moved.replace(",", "")) <= 9957


def test_all_of_table_1_fits_the_files_and_none_the_printed_classes():
    (whole,) = [f for f in audit_page.findings()["liang"] if "How many test images" in f.title]
    assert "With 2,487 images 7 of 7 are attainable, with 2,490 0." in whole.sums
    assert whole.sums.endswith(f"by accident one in {round((10_001 / 2_488) ** 7):,}.")


def test_other_numbers_get_other_words(changed):
    found = changed(liang_data_test_l="620")
    assert word(found, "test images add up") == Word.ATTAINABLE
    found = changed(liang_t1_xception="88.69", liang_t1_xception_resnet50_lstm="90.00")
    assert word(found, "Is there a number", "liang.t1.xception") == Word.NOT_ATTAINABLE
    assert word(found, "How many test images") == Word.NOT_ATTAINABLE
    assert word(found, "Are CNN-RNNs better") == Word.ATTAINABLE
    found = changed(liang_fig6_val_acc="0.9083", liang_fig6_min_val_loss="0.39")
    (one,) = [f for f in found if "have one accuracy" in f.title]
    assert one.word == Word.ATTAINABLE and one.sums == "Other digits: two measurements."
    assert word(found, "so low", "liang.fig6.min_val_loss") == Word.NOT_ATTAINABLE
    found = changed(jane_t2_cnn_lstm_recall="0.92", jane_t2_cnn_lstm_f1="0.94")
    assert word(found, "Is recall", "jane.t2.cnn_lstm.recall") == Word.ATTAINABLE
    assert word(found, "Is F", "jane.t2.cnn_lstm.f1") == Word.CONTRADICTORY
    found = changed(jane_t3_cnn_lstm_accuracy_500="92.1", jane_t3_cnn_gru_log_loss_300="0.05")
    assert word(found, "chosen network", "jane.t2.cnn_lstm.accuracy") == Word.ATTAINABLE
    assert word(found, "better in Table III") == Word.ATTAINABLE
    assert word(found, "so low", "jane.t3.cnn_gru.log_loss.300") == Word.NOT_ATTAINABLE
    assert word(found, "course", "jane.t3.cnn_gru.log_loss.300") == Word.CONTRADICTORY


def test_the_page_needs_no_run(tmp_path):
    made(tmp_path, [], "index.html", "audit.html")
    text = pages(tmp_path)["audit.html"]
    rows = {row[0]: row for row in Tables(text).find("Every claim of both papers")[1:]}
    assert set(rows) == set(CLAIMS)
    assert rows["liang.data.test.sum"][-1] == "attainable (3)"
    assert rows["liang.data.test.l"][-1] == "contradictory (1)"
    assert 'class="text broken"' in text and 'class="text kept"' in text
    assert 'href="audit.html"' in pages(tmp_path)["index.html"]


def test_both_pages_say_one_number(tmp_path, changed):
    made(tmp_path, [], "index.html", "audit.html")
    found = changed()
    said = (
        "16 contradictions. They fall on 18 of the 85 printed claims; of the other 67, "
        "1 is not attainable, 3 are open, 55 are attainable and 8 are not checked."
    )
    first = pages(tmp_path)["index.html"]
    assert said in pages(tmp_path)["audit.html"]
    assert "16 contradictions in print" in first and "18 of the 85 printed claims" in first
    assert audit_page.said(found).endswith(said)
    red = re.findall(r'by arithmetic: contradictory">≠', first)
    assert len(red) == 18
    assert "15 contradictions. They fall on 17 of" in audit_page.said(changed(jane_text_410="366"))
