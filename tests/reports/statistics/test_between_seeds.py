"""The words on seeds: what excludes a claim, what equal seeds say, and how often they err."""

import json
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from protocols.files import ROOT
from protocols.papers.claims import load_claims
from reports.cells.cell import Cell, Number
from reports.judging import verdicts

IMAGE = 1 / 2487
RATES = ROOT / "reports" / "published" / "error_rates.json"
SETTING = SimpleNamespace(objections=(), comparable=True)


@dataclass
class Stub:
    """What a verdict reads of a cell."""

    by_seed: dict[int, float]
    n: int = 2487
    folds: int = 1
    diverged: bool = False

    @property
    def seeds(self) -> list[int]:
        return list(self.by_seed)

    @property
    def slots(self) -> list[SimpleNamespace]:
        return [
            SimpleNamespace(
                spec=SimpleNamespace(seed=seed, fold=None),
                measured=SimpleNamespace(scores={"selected": {"accuracy": value}}),
            )
            for seed, value in self.by_seed.items()
        ]

    grain = Cell.grain

    def number(self, metric: str, at: str = "selected", pooled: bool = False) -> Number:
        return Number(sum(self.by_seed.values()) / len(self.by_seed), "", self.by_seed)


def cell(values) -> Stub:
    return Stub(dict(enumerate(values)))


def on(claim, values):
    return verdicts.judge_metric(load_claims()[claim], SETTING, cell(values))


def ordered(*leads, base=(0.85,) * 3):
    """Jane's order of two, of these leads seed by seed."""
    base = base[:1] * len(leads)
    sides = {"cnn_lstm": [b + x for b, x in zip(base, leads, strict=True)], "cnn_gru": base}
    group = SimpleNamespace(cells={("keras", v): cell(own) for v, own in sides.items()})
    return verdicts.judge_ordering(load_claims()["jane.rank.best"], SETTING, group, "keras")


def test_a_claim_outside_the_interval_is_off_however_wide_the_interval():
    assert on("liang.t1.xception", (0.42, 0.44, 0.46)).word == "below"  # 88.70 is printed
    found = on("liang.t1.inception_v3", (0.905, 0.92, 0.935))  # 84.08, half-width 7.5 points
    assert found.word == "above" and found.half_width > 0.07
    found = on("liang.t1.xception", (0.86, 0.88, 0.90))
    assert (found.word, found.reason) == ("undecided", "the interval holds the claim, but is too "
                                          "wide")  # fmt: skip
    assert on("liang.t1.xception", (0.886, 0.887, 0.888)).word == "compatible"


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_equal_seeds_are_not_certainty(seeds):
    printed = round(0.8870 * 2487) * IMAGE  # 2,206 images, printed 88.70
    for off in (-1, 0, 1):
        assert on("liang.t1.xception", [printed + off * IMAGE] * seeds).word == "compatible"
    assert on("liang.t1.xception", [printed + 12 * IMAGE] * seeds).word == "above"
    assert ordered(*[IMAGE] * seeds).word == ordered(*[-IMAGE] * seeds).word == "undecided"
    assert ordered(*[12 * IMAGE] * seeds).word == "supported"
    assert ordered(*[-12 * IMAGE] * seeds).word == "refuted"


def test_losses_have_no_steps_so_equal_ones_decide_nothing():
    claim = next(c for c in load_claims().values() if c.unit == "nat" and c.kind == "metric")
    found = on(claim.id, [claim.value + 0.3] * 3)
    assert found.word == "undecided" and "no spread" in found.reason
    assert on(claim.id, [claim.value + x for x in (0.3, 0.31, 0.29)]).word == "above"


def test_an_order_asks_for_the_mean_difference():
    """Half-width of the mean difference 1.1 points, of one more run's 2.2."""
    assert ordered(0.0185, 0.014, 0.0095).word == "supported"
    assert ordered(-0.0185, -0.014, -0.0095).word == "refuted"
    assert ordered(0.014, 0.003, 0.025).word == "undecided"


def test_intervals_are_students():
    from reports.statistics.between_seeds import mean_difference, one_more_run

    mean, half = one_more_run([0.1, 0.2, 0.3])
    assert mean == pytest.approx(0.2)
    assert half == pytest.approx(4.302653 * 0.1 * (4 / 3) ** 0.5, rel=1e-6)
    assert mean_difference([0.1, 0.2, 0.3])[1] == pytest.approx(4.302653 * 0.1 / 3**0.5, rel=1e-6)
    _, half = one_more_run([0.5] * 3, IMAGE)
    assert half == pytest.approx(4.302653 * (4 / 3) ** 0.5 * IMAGE / 12**0.5, rel=1e-6)
    assert mean_difference([0.1] * 3, IMAGE)[1] == pytest.approx(4.302653 * IMAGE / 18**0.5)


def test_the_recorded_error_rates_are_those_of_the_rules():
    """A few cases again; the recorded ones have 10,000 claims each."""
    from reports.simulations import error_rates

    found, rng, sims = json.loads(RATES.read_text(encoding="utf-8")), np.random.default_rng(0), 1500
    for one in found["numbers"]:
        if (one["seeds"], one["spread"]) in ((3, 0.003), (5, 0.0005), (10, 0.01)):
            wanted, case = one["again"], (one["seeds"], one["spread"], None)
            again = error_rates.words(*case, sims, rng)
            for word in {*wanted, *again}:
                assert again.get(word, 0) == pytest.approx(wanted.get(word, 0), abs=0.05)
        assert error_rates.wrong(one["again"]) <= 0.053
        assert one["off"][-1]["words"]["above"] > 0.999  # 45 points off
        assert one["spread"] or one["off"][1]["words"] == {"compatible": 1}  # one image off
    for one in found["orders"]:
        none, image, _, more, _ = one["leads"]
        assert none["words"].get("supported", 0) <= 0.027
        assert one["spread"] or image["words"] == {"undecided": 1}
        if one["spread"] == 0.003 and one["contests"] == 1:
            assert more["words"]["supported"] > 0.8
            again = error_rates.orders(one["seeds"], 0.003, 1, more["by"], sims, rng)["supported"]
            assert again == pytest.approx(more["words"]["supported"], abs=0.05)
