"""The papers' figures remade: Liang's Fig. 6, Jane's Figs. 1 to 3."""

import dataclasses
import re
import shutil

import pytest

from benchmarks.store.store import Store
from protocols.papers.claims import load_claims
from protocols.papers.papers import load_papers
from reports.build import build
from reports.cells.collect import collect
from reports.cells.settings import Setting
from reports.figures import curves, kinds, panels
from reports.pages.papers.tables import claims_where
from reports.tables.formats import NAMES, number_text
from tests.support import synthetic
from tests.support.reading import Tables, made, pages

TWINS, JANE = ("keras", "torch"), ("cnn_lstm", "cnn_gru")
FIG6 = claims_where("liang", "IV.A, Fig. 6")
PAPER = {"profile": "paper", "kind": "real", "weights": "imagenet"}


@pytest.fixture
def drawn(monkeypatch):
    """What the figures are made of, instead of the figures."""
    monkeypatch.setattr(
        panels, "curves", lambda name, description, *rest, **words: (description, *rest)
    )
    monkeypatch.setattr(
        kinds, "bars", lambda name, description, *rest, **words: (description, *rest)
    )


def grouped(out, plan, **more):
    """The one group of a store of these runs, made up."""
    for index, run in enumerate(plan):
        synthetic.add(Store(out), run, 0.7 + 0.01 * index, **more)
    (group,) = collect(Store(out), plan).groups
    return group


def jane(folds=range(2)):
    return [
        synthetic.spec(f, v, fold=k) for f in TWINS for v in JANE for k in folds
    ]  # fmt: skip


def history(slot, name, scale=1):
    return [scale * row[name] for row in slot.run.history]


def test_liang_s_figure_6_has_every_seed_in_training_and_test(tmp_path, drawn):
    plan = [synthetic.spec(f, "xception_lstm", seed=s, **PAPER) for f in TWINS for s in range(3)]
    group = grouped(tmp_path, plan, epochs=4)
    description, shown, runs = curves.fine_tuning_figure(group, FIG6, "x")
    assert [panel.quantity for panel in shown] == ["loss, nat", "accuracy, %"]
    assert [panel.points for panel in shown] == [((59.0, 0.637),), ((59.0, 90.79),)]
    assert runs == "seeds" and not any(panel.boundary for panel in shown)
    for panel, name, scale in zip(shown, ("loss", "accuracy"), (1, 100), strict=True):
        for framework in TWINS:
            cell = group.cells[framework, "xception_lstm"]
            for training in (False, True):
                (mine,) = [c for c in panel.curves
                           if (c.framework, c.training) == (framework, training)]  # fmt: skip
                column = f"{'train' if training else 'eval'}_{name}"
                assert list(mine.runs) == [
                    history(s, column, scale)[4:] for s in cell.slots
                ]  # of phase 2 alone
                marks = () if training else tuple(s.measured.row - 4 for s in cell.slots)
                assert mine.marks == marks
                assert mine.values == pytest.approx(
                    [sum(v) / 3 for v in zip(*mine.runs, strict=True)]
                )
                twin = NAMES[framework]
                assert mine.label == f"{twin} {'training' if training else 'test'}"
    value = group.cells["torch", "xception_lstm"].number("accuracy").value
    assert description.startswith("Xception-LSTM: training and test loss and accuracy")
    assert "PyTorch Xception-LSTM: loss" in description
    assert f"accuracy {number_text('accuracy', value)}" in description


def test_the_printed_point_stands_on_runs_of_the_paper_s_profile_alone(tmp_path, drawn):
    group = grouped(tmp_path, [synthetic.spec("keras", "xception_lstm")])
    _, shown, _ = curves.fine_tuning_figure(group, FIG6, "x")
    assert [panel.points for panel in shown] == [(), ()]
    assert len(shown[0].curves) == 2  # one run: training and test
    assert [len(curve.marks) for curve in shown[0].curves] == [0, 1]
    assert curves.fine_tuning_figure(group.of("jane"), FIG6, "x") is None


@pytest.mark.parametrize("what", ["accuracy", "loss"])
def test_jane_s_figures_1_and_2_have_every_fold(what, tmp_path, drawn):
    plan = jane(range(3))
    group = grouped(tmp_path, plan)
    for run in (plan[-1], plan[2]):  # a fold of PyTorch's CNN-GRU and of Keras's CNN-LSTM
        shutil.rmtree(tmp_path / "runs" / run.id)
    (group,) = collect(Store(tmp_path), plan).groups
    description, shown, runs = curves.network_figure(group, JANE, what, "x")
    assert [panel.title for panel in shown] == ["CNN-LSTM", "CNN-GRU"] and runs == "folds"
    for panel, variant in zip(shown, JANE, strict=True):
        for framework in TWINS:
            slots = [s for s in group.cells[framework, variant].slots if s.usable]
            (mine,) = [c for c in panel.curves if c.framework == framework]
            assert list(mine.runs) == [
                history(s, f"eval_{what}", 100 if what == "accuracy" else 1) for s in slots
            ]
            assert mine.marks == tuple(s.measured.row for s in slots)
            name, whole = NAMES[framework], len(slots) == 3
            assert bool(mine.values) == whole  # no mean of an incomplete set
            assert mine.label == (name if whole else f"{name}, 2 of 3")
    assert sum(not c.values for panel in shown for c in panel.curves) == 2
    assert description.startswith(f"CNN-LSTM and CNN-GRU: {what} on the test part")
    assert "PyTorch CNN-GRU" in description and "X" in description


def test_a_run_s_figure_has_its_phases_and_its_folds(tmp_path, drawn):
    plan = [synthetic.spec("keras", "xception"), *jane(range(4))]
    groups = collect(synthetic.fill(Store(tmp_path), plan), plan).groups
    group = next(g for g in groups if g.protocol == "fixed")
    _, shown, _ = curves.run_figure(group.cells["keras", "xception"], 0, "x")
    assert [panel.boundary for panel in shown] == [2, 2]
    group = next(g for g in groups if g.protocol == "cv10")
    description, shown, runs = curves.run_figure(group.cells["torch", "cnn_gru"], 0, "x")
    assert "the span of 4 folds and their mean" in description and runs == "folds"
    assert [(c.label, len(c.runs), len(c.marks)) for panel in shown for c in panel.curves] == [
        ("training", 4, 0), ("test", 4, 4),
    ] * 2  # fmt: skip


def test_jane_s_claims_stand_where_the_epochs_are_the_paper_s():
    found = curves._claimed("cnn_lstm", "accuracy")
    assert found == tuple(zip((100, 200, 300, 400, 500), (79.6, 80.6, 81.7, 82.4, 82.9)))  # noqa: B905
    assert curves._claimed("cnn_gru", "loss")[-1] == (500, 0.7104)


def test_a_printed_epoch_stands_in_the_last_phase(tmp_path, drawn, monkeypatch):
    run = synthetic.spec("keras", "xception")
    first, last = (phase["epochs"] for phase in run.phases)
    printed = dataclasses.replace(load_papers()["liang"], milestones=(last,))
    group = grouped(tmp_path, [run])
    monkeypatch.setitem(load_papers(), "liang", printed)
    monkeypatch.setattr(curves, "_claimed", lambda variant, what: ((last, 80.0),))
    _, (panel,), _ = curves.network_figure(group, ["xception"], "accuracy", "x")
    assert panel.boundary == first and panel.points == ((first + last, 80.0),)
    assert [of_phase.points for of_phase in panel.phases()] == [(), ((last, 80.0),)]


def test_jane_s_figure_3_prints_each_number_on_its_bar(tmp_path, drawn):
    group = grouped(tmp_path, jane())
    description, titles, shown = curves.bars_figure(group, claims_where("jane", "Table II"), "x")
    assert titles == ["CNN-LSTM", "CNN-GRU"]
    for panel, variant in zip(shown, JANE, strict=True):
        claims = [c for c in load_claims().values()
                  if (c.where, c.variant) == ("Table II", variant)]  # fmt: skip
        assert [bar.value for bar in panel["printed"]] == [c.value for c in claims]
        for framework in TWINS:
            cell = group.cells[framework, variant]
            assert [(bar.measure, bar.value, bar.text) for bar in panel[framework]] == [
                (curves.MEASURES[c.metric], v, f"{v:.3f}")
                for c in claims
                for v in [cell.number(c.metric, c.at).value]
            ]
            assert f"{panel[framework][3].text}" in description
    assert [bar.text for bar in shown[0]["printed"]] == ["0.92", "0.90", "0.91", "0.921"]


@pytest.mark.parametrize(("there", "places"), [(TWINS[1:], 1), (TWINS, 3)])
def test_a_dot_stands_beside_its_network_s_line_only_where_both_twins_are_drawn(there, places):
    of = {framework: [(0, 1.0, 1.0, 1.0)] for framework in (None, *there)}
    series = [{"framework": f, "label": f"{f}", "points": of.get(f, [])} for f in (None, *TWINS)]
    svg = kinds.dots("x", "a dot", ["A"], series, "accuracy, %").svg
    heights = set(re.findall(r'<use [^>]*y="([\d.]+)"', svg))
    assert len(heights) == places + 2  # those of the axis and of the legend


def test_a_missing_number_is_an_x_on_the_figure():
    some = {key: [kinds.Bar(m, None, "X") for m in ("F", "accuracy")] for key in TWINS}
    some["printed"] = [kinds.Bar(m, 0.9, "0.90") for m in ("F", "accuracy")]
    svg = kinds.bars("b", "bars", ["one"], [some]).svg
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert texts.count("X") == 4 and texts.count("0.90") == 2
    assert texts.count("Keras") == texts.count("PyTorch") == texts.count("printed") == 2


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    out = tmp_path_factory.mktemp("figures")
    plan = [synthetic.spec(f, "xception_lstm") for f in TWINS] + jane()
    synthetic.fill(Store(out), plan)
    with pytest.MonkeyPatch.context() as patch:  # figures with claims are drawn of no smaller runs
        patch.setattr(Setting, "comparable", True)
        build(Store(out), plan, out)
    return out, plan


def test_the_papers_pages_show_the_figures(report):
    found = pages(report[0])
    for page, figure, inside in (
        ("liang.html", "Liang's Fig. 6", "PyTorch training"),
        ("jane.html", "Jane's Fig. 1", "Keras"),
        ("jane.html", "Jane's Fig. 2", "Keras"),
        ("jane.html", "Jane's Fig. 3", "printed"),
    ):
        parts = re.findall(r"<figure>(.*?)<figcaption>(.*?)</figcaption>", found[page], re.S)
        (svg,) = [svg for svg, caption in parts if caption.startswith(f"After {figure}")]
        assert f">{inside}</text>" in svg
        label = re.search(r'role="img" aria-label="([^"]*)"', svg)[1]
        assert "PyTorch" in label and "LSTM" in label and re.search(r"\d", label)


def test_every_figure_tells_its_network_and_its_result(report):
    for name, text in pages(report[0]).items():
        for said in re.findall(r'<svg role="img" aria-label="([^"]*)"', text):
            assert re.search("LSTM|GRU|network|speed|Seconds|hotograph|claims", said), (name, said)


def test_confusion_matrices_have_counts_and_rates(report):
    out, plan = report
    group = next(g for g in collect(Store(out), plan).groups if g.protocol == "fixed")
    matrix = group.cells["keras", "xception_lstm"].slots[0].measured.confusion
    page = next(text for name, text in pages(out).items() if re.match("runs-.*-fixed", name))
    page = page[: page.index('id="torch-xception_lstm-s0"')]
    (_, *rows, foot) = Tables(page).find("Confusion matrix")
    assert len(rows) == 4
    for row, counts in zip(rows, matrix, strict=True):
        rates = [f"{c} | {100 * c / counts.sum():.1f}\u202f%" for c in counts]
        assert row[1:] == [*rates, str(counts.sum())]
    assert foot[1:] == [*map(str, matrix.sum(axis=0)), str(matrix.sum())]


def test_no_matrix_is_summed_over_missing_folds(report, tmp_path):
    _, plan = report
    for run in plan[2:]:
        synthetic.add(Store(tmp_path), run)
    shutil.rmtree(tmp_path / "runs" / plan[-1].id)
    made(tmp_path, plan, "runs.html")
    page = next(text for name, text in pages(tmp_path).items() if re.match("runs-.*-cv10", name))
    assert page.count("Confusion matrix at") == 3
