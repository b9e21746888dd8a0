"""Curves over the epochs: how folds and phases are drawn, round numbers, words that never meet."""

import itertools
import math
import re

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from protocols.files import ROOT
from reports.figures import curve_names, panels, shapes, ticks
from reports.figures.panels import Curve, Panel
from reports.figures.shapes import Area, Line, Marks, Word
from reports.figures.svg import COLOURS, WIDTH

TWINS = ("keras", "torch")


def of_kind(part, kind, colour=None):
    found = [shape for shape in part.shapes if isinstance(shape, kind)]
    return [shape for shape in found if colour in (None, shape.colour)]


def texts(part):
    return [word.text for word in of_kind(part, Word)]


def curve_lines(part, framework):
    """The lines of curves, without axes and without leaders of names."""
    return [line for line in of_kind(part, Line, COLOURS[framework]) if line.width > 1]


def frame(part):
    """The line of the axes: left, top, right, bottom."""
    (line,) = [line for line in of_kind(part, Line) if line.width == 0.7]
    (left, top), _, (right, bottom) = line.places
    return left, top, right, bottom


def value(part, y):
    """The value at a height, read from the numbers on the vertical axis."""
    left, *_ = frame(part)
    (y0, v0), *_, (y1, v1) = [
        (word.place[1] - shapes.MIDDLE * word.size, float(word.text))
        for word in of_kind(part, Word) if word.align == "end" and word.place[0] < left
    ]  # fmt: skip
    return v0 + (v1 - v0) * (y - y0) / (y1 - y0)


def epoch(part, x):
    """The epoch at a place, read from the numbers on the horizontal axis."""
    *_, bottom = frame(part)
    (x0, e0), *_, (x1, e1) = [
        (word.place[0], float(word.text)) for word in of_kind(part, Word)
        if word.align == "middle" and word.place[1] > bottom and word.text != "epoch"
    ]  # fmt: skip
    return e0 + (e1 - e0) * (x - x0) / (x1 - x0)


def wavy(epochs, shift=0.0):
    return [1 + shift + 0.3 * math.sin(i) / (1 + i / 9) for i in range(epochs)]


def folded(framework, epochs=40, folds=10, label="test", training=False):
    runs = tuple(wavy(epochs, 0.1 * fold) for fold in range(folds))
    marks = () if training else tuple(range(3, 3 + folds))
    mean = [sum(values) / folds for values in zip(*runs, strict=True)]
    return Curve(framework, mean, label, training, marks, runs)


def boxes(shown):
    """Every word of a figure with its box, in pixels, and the figure's own box."""
    height, parts = panels.parts(shown)
    every = [shape for part in parts for shape in part.shapes]
    made = shapes.to_figure(72 * WIDTH, height, every)
    canvas = FigureCanvasAgg(made)
    canvas.draw()
    renderer = canvas.get_renderer()
    words = [artist for artist in made.get_children() if hasattr(artist, "get_text")]
    return [(text.get_text(), text.get_window_extent(renderer)) for text in words], made.bbox


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
    [Panel(LONG, "loss, nat", [Curve("keras", [0.96, 769889, 1e-9], "Keras")])] * 2,
    [Panel(LONG, "loss, nat", [Curve("keras", [1.4, 999.0], "Keras")])] * 2,
    [Panel("", "loss, nat", [Curve("keras", [1.3861, 1.3866], "Keras")])],
    [Panel("", "accuracy, %", [Curve("keras", [100.0] * 500, "Keras")])],
    [Panel(LONG, "a", [Curve("keras", [9.0] * 3, "Keras")], 2), Panel("", "a", SAME)],
])  # fmt: skip
def test_words_never_meet_and_stay_inside(shown):
    found, whole = boxes(shown)
    assert len(found) > 5
    for (one, a), (other, b) in itertools.combinations(found, 2):
        assert not a.overlaps(b), (one, other)
    for text, box in found:
        assert whole.x0 <= box.x0 and box.x1 <= whole.x1, text
        assert whole.y0 <= box.y0 and box.y1 <= whole.y1, text


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("boundary", [0, 20])
def test_the_parts_of_a_figure_fill_it_and_hold_what_is_theirs(count, boundary):
    shown = [Panel(LONG, "a", [folded(f, label=f) for f in TWINS], boundary)] * count
    height, parts = panels.parts(shown)
    for part in parts:
        left, top, width, tall = part.box
        assert left >= 0 and top >= 0 and left + width <= 72 * WIDTH + 1e-6
        assert top + tall <= height + 1e-6
        drawn = [place for shape in part.shapes if not isinstance(shape, Word)
                 for place in getattr(shape, "places", None) or shape.corners]  # fmt: skip
        drawn += [word.place for word in of_kind(part, Word)]
        assert all(left <= x <= left + width and top <= y <= top + tall for x, y in drawn)
    first = [part.box for part in parts if part.box[1] == 0]
    if len(first) > 1:
        assert sum(width for *_, width, _ in first) == pytest.approx(72 * WIDTH)


def test_folds_are_one_band_and_one_line():
    curve = folded("keras")
    _, (part,) = panels.parts([Panel("", "loss, nat", [curve])])
    (band,), (line,) = of_kind(part, Area), curve_lines(part, "keras")
    (strokes,) = [marks for marks in of_kind(part, Marks) if marks.kind == "|"]
    assert [round(epoch(part, x)) for x, _ in strokes.places] == [m + 1 for m in curve.marks]
    assert [value(part, y) for _, y in line.places] == pytest.approx(curve.values)
    edge = {(round(epoch(part, x)), round(value(part, y), 6)) for x, y in band.corners}
    for number, values in enumerate(zip(*curve.runs, strict=True), 1):
        assert {(number, round(min(values), 6)), (number, round(max(values), 6))} <= edge


def test_a_band_keeps_the_extremes_of_long_curves():
    runs = ([0.5] * 500, [0.6] * 250 + [2.0] + [0.6] * 249)
    curve = Curve("keras", [0.55] * 500, "", runs=runs)
    _, (part,) = panels.parts([Panel("", "loss, nat", [curve])])
    corners = of_kind(part, Area)[0].corners
    assert len(corners) < 400
    assert max(value(part, y) for _, y in corners) == pytest.approx(2.0)


def test_folds_of_which_one_is_missing_have_no_line():
    curve = Curve("keras", [], "test, 2 of 3", marks=(0, 1), runs=([1.0, 2.0], [1.5, 2.5]))
    _, (part,) = panels.parts([Panel("", "loss, nat", [curve])])
    (band,) = of_kind(part, Area)
    assert band.opacity == panels.BARE > panels.BAND and curve_lines(part, "keras") == []
    assert "mean" not in panels.key([Panel("", "loss, nat", [curve])])


@pytest.mark.parametrize("opacity", [panels.BAND, panels.BARE])
def test_a_band_is_stronger_on_dark_paper(opacity):
    style = (ROOT / "reports" / "templates" / "style.css").read_text(encoding="utf-8")
    (dark,) = re.findall(rf'\[fill-opacity="{opacity:g}"\] {{ fill-opacity: ([\d.]+); }}', style)
    assert opacity < float(dark) < 1


def test_what_is_not_finite_breaks_the_line():
    curve = Curve("keras", [1.0, 2.0, math.nan, 1.5, 1.0], "Keras")
    svg = panels.curves("x", "curves", [Panel("", "loss, nat", [curve])]).svg
    assert "nan" not in svg
    (path,) = re.findall(r'<path d="([^"]*)" fill="none" stroke="var\(--keras\)"[^>]*"1.4"', svg)
    assert path.count("M") == 2 and path.count("L") == 2


def test_phases_have_axes_of_their_own():
    training = Curve("keras", wavy(104), "training", training=True)
    test = Curve("keras", [2.0] * 100 + [0.9, 0.8, 0.7, 0.75], "test", marks=(102,))
    _, (first, second) = panels.parts([Panel("Xception", "loss, nat", [training, test], 100)])
    assert {"Xception", "loss, nat, phase 1"} <= set(texts(first))
    assert {"Xception", "loss, nat, phase 2"} <= set(texts(second))
    line = curve_lines(second, "keras")[1]
    assert [epoch(second, x) for x, _ in line.places] == pytest.approx([1, 2, 3, 4])
    assert [value(second, y) for _, y in line.places] == pytest.approx([0.9, 0.8, 0.7, 0.75])
    (mark,) = [marks for marks in of_kind(second, Marks) if marks.size == 7]
    assert epoch(second, mark.places[0][0]) == pytest.approx(3)  # counted from 1 in its phase
    assert max(epoch(first, x) for x, _ in curve_lines(first, "keras")[0].places) > 99.9
    _, top, _, bottom = frame(second)
    assert value(second, top) - value(second, bottom) < 1  # a scale of its own
    names = {"training", "test"}
    assert not names & set(texts(first)) and names <= set(texts(second))


def test_panels_of_one_quantity_have_one_scale():
    some = [Panel(n, "accuracy, %", [Curve("keras", v, "Keras")])
            for n, v in (("A", [70.0, 80.0]), ("B", [40.0, 50.0]))]  # fmt: skip
    last = Panel("C", "loss, nat", [Curve("", [1.0, 2.0])])
    _, parts = panels.parts([*some, last])
    ends = []
    for part in parts:
        _, top, _, bottom = frame(part)
        ends.append((round(value(part, top), 6), round(value(part, bottom), 6)))
    assert ends[0] == ends[1] != ends[2]


@pytest.mark.parametrize(("highest", "words"), [
    (999.0, ["0", "500", "1000"]), (769889.0, ["10⁻¹", "10¹", "10³", "10⁵"]),
])  # fmt: skip
def test_an_axis_is_logarithmic_where_a_loss_left_all_bounds(highest, words):
    _, (part,) = panels.parts([Panel("", "loss, nat", [Curve("keras", [0.96, highest])])])
    numbers = [word.text for word in of_kind(part, Word) if word.align == "end"]
    assert numbers == words


def test_a_panel_s_svg_and_the_whole_figure_have_the_same_shapes():
    shown = [Panel("A", "loss, nat", [folded("keras")], points=((1, 1),)),
             Panel("B", "x", [Curve("", [1e-3, 1e4], "<b>")])]  # fmt: skip
    made = panels.curves("c", "curves", shown)
    element = re.compile(r"<(?:path|text) [^>]*>")
    assert element.findall(made.svg) == element.findall(made.parts)
    assert made.parts.count("<svg") == 2 and made.svg.count("<svg") == 1
    assert "&lt;b&gt;" in made.svg and "<b>" not in made.svg


ALL = [Panel("", "a", [folded("keras"), folded("torch", training=True)], 20, ((1, 1), (2, 2)))]
WORDS = {"Each phase": 1, "Dotted": 2, "Band": 3, "line: their mean": 3, "Strokes": 4,
         "Open mark": 5, "Diamond": 6, "left out": 7}  # fmt: skip


@pytest.mark.parametrize(("shown", "said"), [
    (ALL, {"Each phase", "Dotted", "Band", "line: their mean", "Strokes", "Diamond"}),
    ([Panel("", "a", [Curve("keras", [1.0], "Keras")])], set()),
    ([Panel("", "a", [Curve("keras", [1.0] * 200, marks=(1,))])], {"Open mark", "left out"}),
    ([Panel("", "a", [Curve("keras", [], "", runs=([1.0], [2.0]))])], {"Band"}),
    ([Panel("", "a", [Curve("torch", [], "", True, runs=([1.0], [2.0]))])], {"Band"}),
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
