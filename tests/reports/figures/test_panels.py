"""Curves over the epochs: how folds and phases are drawn, round numbers, words that never meet."""

import itertools
import math

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from reports.figures import curve_names, panels, ticks
from reports.figures.panels import Curve, Panel
from reports.figures.svg import COLOURS

TWINS = ("keras", "torch")


@pytest.fixture
def figure(monkeypatch):
    """Gives figure(panels, **words): Matplotlib's own figure of them."""
    kept = []
    monkeypatch.setattr(panels, "drawn", lambda one, *rest, **words: kept.append(one))

    def make(shown, **words):
        panels.curves("x", "curves", shown, **words)
        return kept[-1]

    return make


def wavy(epochs, shift=0.0):
    return [1 + shift + 0.3 * math.sin(i) / (1 + i / 9) for i in range(epochs)]


def folded(framework, epochs=40, folds=10, label="test", training=False):
    runs = tuple(wavy(epochs, 0.1 * fold) for fold in range(folds))
    marks = () if training else tuple(range(3, 3 + folds))
    mean = [sum(values) / folds for values in zip(*runs, strict=True)]
    return Curve(framework, mean, label, training, marks, runs)


def gids(ax, gid):
    return [artist for artist in [*ax.lines, *ax.patches] if artist.get_gid() == gid]


def boxes(figure):
    """Every word of a figure with its box, in pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    texts = []
    for ax in figure.axes:
        ticks_ = [tick.label1 for axis in (ax.xaxis, ax.yaxis) for tick in axis.get_major_ticks()]
        texts += [ax._left_title, ax.xaxis.label, ax.yaxis.label, *ax.texts, *ticks_]
    found = [(text.get_text(), text.get_window_extent(renderer)) for text in texts]
    return [(text, box) for text, box in found if text]


LONG = "EfficientNet-Lite0 CNN-LSTM"
SAME = [
    Curve(framework, [1.0, 1.0], f"{name} {part}", part == "training")
    for framework, name in (("keras", "Keras"), ("torch", "PyTorch"))
    for part in ("training", "test")
]


@pytest.mark.parametrize("shown", [
    [Panel("", "loss, nat", SAME), Panel("", "accuracy, %", SAME)],
    [Panel(LONG, "accuracy, %", [folded(f, 104, label=f) for f in TWINS], 100)] * 2,
    [Panel(LONG, "loss, nat", [folded(f, label=f"{f}, 9 of 10") for f in TWINS],
           points=((20, 1.2), (40, 1.3)))] * 5,
    [Panel(LONG, "difference, nat", [Curve("", [1e-9, 1e-3, 1e-1])], log=True)] * 2,
    [Panel("", "loss, nat", [Curve("keras", [1.3861, 1.3866], "Keras")])],
    [Panel("", "accuracy, %", [Curve("keras", [100.0] * 500, "Keras")])],
    [Panel(LONG, "a", [Curve("keras", [9.0] * 3, "Keras")], 2), Panel("", "a", SAME)],
])  # fmt: skip
def test_words_never_meet_and_stay_inside(shown, figure):
    made = figure(shown)
    found = boxes(made)
    assert len(found) > 5
    for (one, a), (other, b) in itertools.combinations(found, 2):
        assert not a.overlaps(b), (one, other)
    for text, box in found:
        assert made.bbox.x0 <= box.x0 and box.x1 <= made.bbox.x1, text
        assert made.bbox.y0 <= box.y0 and box.y1 <= made.bbox.y1, text


def test_folds_are_one_band_and_one_line(figure):
    curve = folded("keras")
    (ax,) = figure([Panel("", "loss, nat", [curve])], runs="folds").axes
    (band,), (line,) = gids(ax, "band"), gids(ax, "line")
    assert len(gids(ax, "strokes")) == 1
    assert list(gids(ax, "strokes")[0].get_xdata()) == [mark + 1 for mark in curve.marks]
    assert list(line.get_ydata()) == curve.values and to_hex(line.get_color()) == COLOURS["keras"]
    edge = {(round(x), y) for x, y in band.get_xy()}
    for epoch, values in enumerate(zip(*curve.runs, strict=True), 1):
        assert {(epoch, min(values)), (epoch, max(values))} <= edge


def test_a_band_keeps_the_extremes_of_long_curves(figure):
    runs = ([0.5] * 500, [0.6] * 250 + [2.0] + [0.6] * 249)
    (ax,) = figure([Panel("", "loss, nat", [Curve("keras", [0.55] * 500, "", runs=runs)])]).axes
    corners = gids(ax, "band")[0].get_xy()
    assert len(corners) < 400 and corners[:, 1].max() == 2.0


def test_folds_of_which_one_is_missing_have_no_line(figure):
    curve = Curve("keras", [], "test, 2 of 3", marks=(0, 1), runs=([1.0, 2.0], [1.5, 2.5]))
    (ax,) = figure([Panel("", "loss, nat", [curve])]).axes
    assert len(gids(ax, "band")) == 1 and not len(gids(ax, "line")[0].get_xdata())
    assert "mean" not in panels.key([Panel("", "loss, nat", [curve])])


def test_phases_have_axes_of_their_own(figure):
    training = Curve("keras", wavy(104), "training", training=True)
    test = Curve("keras", [2.0] * 100 + [0.9, 0.8, 0.7, 0.75], "test", marks=(102,))
    first, second = figure([Panel("Xception", "loss, nat", [training, test], 100)]).axes
    assert [ax.get_title(loc="left") for ax in (first, second)] == [
        "Xception\nloss, nat, phase 1", "Xception\nloss, nat, phase 2",
    ]  # fmt: skip
    assert list(gids(second, "line")[1].get_xdata()) == [1, 2, 3, 4]
    assert list(gids(second, "line")[1].get_ydata()) == [0.9, 0.8, 0.7, 0.75]
    assert [tick.label1.get_text() for tick in second.xaxis.get_major_ticks()] == list("1234")
    mark = next(line for line in second.lines if line.get_markersize() == 7)
    assert list(mark.get_xdata()) == [3]  # counted from 1 in its phase
    assert max(gids(first, "line")[0].get_xdata()) == 100
    low, high = second.get_ylim()
    assert high - low < 1  # a scale of its own
    assert [text.get_text() for ax in (first, second) for text in ax.texts] == ["training", "test"]


def test_panels_of_one_quantity_have_one_scale(figure):
    some = [Panel(n, "accuracy, %", [Curve("keras", v, "Keras")])
            for n, v in (("A", [70.0, 80.0]), ("B", [40.0, 50.0]))]  # fmt: skip
    one, other, last = figure([*some, Panel("C", "loss, nat", [Curve("", [1.0, 2.0])])]).axes
    assert one.get_ylim() == other.get_ylim() != last.get_ylim()


def test_the_panels_are_used_again_and_nothing_is_left_on_them():
    shown = [Panel("A", "loss, nat", [folded("keras")], points=((1, 1),)),
             Panel("B", "x", [Curve("", [1e-3, 1e-1])], log=True)]  # fmt: skip
    first = panels.curves("c", "curves", shown)
    panels.curves("d", "others", [Panel("A", "loss, nat", [folded("torch")])] * 2)
    assert panels.curves("c", "curves", shown) == first


ALL = [Panel("", "a", [folded("keras"), folded("torch", training=True)], 20, ((1, 1), (2, 2)))]
WORDS = {"Each phase": 1, "Dotted": 2, "Band": 3, "line: their mean": 3, "Strokes": 4,
         "Open mark": 5, "Diamond": 6, "left out": 7}  # fmt: skip


@pytest.mark.parametrize(("shown", "said"), [
    (ALL, {"Each phase", "Dotted", "Band", "line: their mean", "Strokes", "Diamond"}),
    ([Panel("", "a", [Curve("keras", [1.0], "Keras")])], set()),
    ([Panel("", "a", [Curve("keras", [1.0] * 200, marks=(1,))])], {"Open mark", "left out"}),
    ([Panel("", "a", [Curve("keras", [], "", runs=([1.0], [2.0]))])], {"Band"}),
])  # fmt: skip
def test_a_caption_mentions_only_what_is_drawn(shown, said):
    text = panels.key(shown, "folds")
    assert {word for word in WORDS if word in text} == said
    assert panels.curves("x", "curves", shown, "folds").key == text


@pytest.mark.parametrize("low", [-3.0, 0.0, 0.0123, 1.3861, 37.5, 99.0])
@pytest.mark.parametrize("span", [0.013, 0.2, 1.0, 6.9, 42.0, 1234.0])
def test_numbers_on_an_axis_are_round(low, span):
    found, texts = ticks.linear(*ticks.limits([low, low + span]))
    by = {round(b - a, 9) for a, b in itertools.pairwise(found)}
    assert 2 <= len(found) <= 6 and len(by) == 1
    step = by.pop()
    assert round(step / 10 ** math.floor(math.log10(step) + 1e-9), 6) in (1, 2, 5)
    assert [float(text.replace("−", "-")) for text in texts] == pytest.approx(found, abs=1e-9)
    assert len(set(texts)) == len(texts)
    assert all(place / step == pytest.approx(round(place / step), abs=1e-6) for place in found)


@pytest.mark.parametrize("last", [1, 2, 4, 6, 7, 12, 70, 80, 100, 170, 500])
def test_epochs_on_an_axis_are_round(last):
    found = ticks.epochs(last)
    assert 1 <= len(found) <= 6 and found[0] >= 1 and found[-1] <= last
    assert found[-1] + found[0] > last  # up to the end
    assert found == list(range(found[0], last + 1, found[0]))
    assert str(found[0]).rstrip("0") in ("1", "2", "5")


def test_small_changes_are_not_blown_up():
    low, high = ticks.limits([1.3861, 1.3866])
    assert high - low > 0.05


def test_words_keep_their_distance_and_their_order():
    spread = curve_names.spread
    assert spread([0.1, 0.9], 0.2, 0, 1) == [0.1, 0.9]
    assert spread([0.5, 0.5], 0.2, 0, 1) == pytest.approx([0.4, 0.6])
    found = spread([0.52, 0.5, 0.9, 0.51], 0.1, 0, 1)
    assert found == pytest.approx([0.61, 0.41, 0.9, 0.51])
    chain = spread([0.2, 0.25, 0.4, 0.45], 0.15, 0, 1)
    assert [b - a for a, b in itertools.pairwise(chain)] == pytest.approx([0.15] * 3)
    assert spread([], 0.1, 0, 1) == []


def test_words_stay_beside_their_panel():
    assert curve_names.spread([0.0, 0.05], 0.2, 0, 1) == pytest.approx([0, 0.2])
    assert curve_names.spread([1.0, 1.0, 0.5], 0.2, 0, 1) == pytest.approx([0.8, 1, 0.5])
