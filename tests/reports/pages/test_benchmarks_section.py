"""The benchmarks' section of the report: ratios, aims, and what a damaged file becomes."""

import json
import re

import pytest

from protocols.files import ROOT
from reports.pages import measured_file
from reports.pages.speed import benchmarks
from reports.tables.formats import THIN, seconds_text
from tests.support.reading import made


def made_up():
    """A JSON as `make bench` writes it."""
    peer = {"name": "plain <Keras>", "aim": 0.02, "seconds": 6.5}
    peer["ratio"] = {"median": 0.0123, "low": 0.011, "high": 0.02}
    slow = {"name": "bare loop", "aim": 1.0, "seconds": 9.0}
    slow["ratio"] = {"median": 1.25, "low": 1.1, "high": 12.4}
    common = {"unit": "64 images", "size": "120×160", "data": "phantom", "rounds": 5}
    first = {"what": "Phase-1 epoch", "framework": "keras", "ours": 0.08, "peers": [peer, slow]}
    answer = {
        "what": "Answer, X",
        "framework": "torch",
        "ours": 0.03,
        "peers": [slow | {"aim": None}],
    }
    answer |= {"engine": "folded", "engines": {"eager": 0.04, "folded": 0.03}}
    machine = {"device": "A made-up processor", "cores": 2, "keras_backend": "tensorflow"}
    return {
        "machine_info": machine | {"versions": {"torch": "2.0"}, "load_before": 0.2},
        "datetime": "2026-01-02T03:04:05",
        "benchmarks": [
            {
                "fullname": "benchmarks/speed/bench_phase1.py::test_cnn",
                "extra_info": common | first,
            },
            {
                "fullname": "benchmarks/speed/bench_latency.py::test_answer",
                "extra_info": common | answer,
            },
        ],
    }


def write(out, content):
    text = content if isinstance(content, str) else json.dumps(content)
    (out / benchmarks.NAME).write_text(text, encoding="utf-8")


def speed_page(out, content=None):
    if content is not None:
        write(out, content)
    made(out, [], "speed.html")
    page = (out / "speed.html").read_text(encoding="utf-8")
    return page[page.index('id="benchmarks"') :]


@pytest.fixture
def unpublished(monkeypatch, tmp_path):
    monkeypatch.setattr(measured_file, "PUBLISHED", tmp_path / "none")


def test_the_speed_page_shows_the_benchmarks(tmp_path):
    page = speed_page(tmp_path, made_up())
    text = re.sub(r"<[^>]+>", " ", page)
    for part in (
        "Phase 1: frozen backbones", "A made-up processor, 2 CPU cores", "160 × 120 pixels",
        "images: phantom", "torch 2.0", "2026-01-02", "0.2", "0.0800\u202fs", "0.012",
        "0.011 – 0.020",
        "reached", "1.25", "1.10 – 12", "missed", "eager 40.0\u202fms",
    ):  # fmt: skip
        assert part in text, part
    assert 'href="benchmarks.json"' in page
    assert "plain &lt;Keras&gt;" in page
    assert "<Keras>" not in page


@pytest.mark.usefixtures("unpublished")
def test_without_benchmarks_the_page_names_the_command(tmp_path):
    assert "make bench" in speed_page(tmp_path)


def test_published_benchmarks_stand_in(tmp_path, monkeypatch):
    published = tmp_path / "published"
    published.mkdir()
    (published / "benchmarks.json").write_text(json.dumps(made_up()), encoding="utf-8")
    monkeypatch.setattr(measured_file, "PUBLISHED", published)
    page = speed_page(tmp_path)
    assert "Phase-1 epoch" in page
    assert 'href="benchmarks.json"' not in page  # the file is not beside the page


def with_engines(engines, content):
    content["benchmarks"][1]["extra_info"]["engines"] = engines
    return content


def without(path, content):
    *way, last = path
    inner = content
    for key in way:
        inner = inner[key]
    del inner[last]
    return content


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[1, 2]",
        "null",
        '{"benchmarks": 3}',
        '{"benchmarks": [], "machine_info": {"node": "x"}}',
        {"benchmarks": [{"fullname": "a", "extra_info": {}, "stats": {}}], "machine_info": {}},
        made_up() | {"benchmarks": [{"fullname": "a", "extra_info": {}, "stats": {}}]},
        made_up() | {"benchmarks": []},
        with_engines(["eager"], made_up()),
        without(["benchmarks", 0, "extra_info", "ours"], made_up()),
        without(["benchmarks", 0, "extra_info", "peers", 0, "ratio"], made_up()),
        made_up() | {"machine_info": None},
    ],
)
def test_a_damaged_or_foreign_file_becomes_a_sentence(tmp_path, content):
    write(tmp_path, content)
    found = benchmarks.read(tmp_path)
    assert "make bench writes it anew" in found.sentence
    assert found.tables == found.details == []


def test_the_page_shows_the_sentence_of_a_damaged_file_and_names_no_folder(tmp_path):
    page = speed_page(tmp_path, "{")
    assert "make bench writes it anew" in page and "<table" not in page
    content = made_up()
    content["benchmarks"][0]["extra_info"]["note"] = "read from /home/somebody/images"
    assert "somebody" not in speed_page(tmp_path, content)


@pytest.mark.parametrize(
    "ratio, low, high, word",
    [
        (0.9, 0.8, 1.0, "reached"),
        (0.98, 0.8, 1.01, "undecided"),
        (1.02, 0.97, 1.2, "undecided"),
        (1.2, 1.01, 1.3, "missed"),
    ],
)
def test_what_is_said_of_a_ratio(ratio, low, high, word):
    peer = {"aim": 1.0, "ratio": {"median": ratio, "low": low, "high": high}}
    assert benchmarks.verdict(peer) == word


@pytest.mark.parametrize(
    "ratio, text",
    [
        (0.0, "0"),
        (0.007, "0.0070"),
        (0.01234, "0.012"),
        (0.5, "0.50"),
        (1.0, "1.00"),
        (12.3, "12"),
        (1234, "1,234"),
    ],
)
def test_ratios_as_written(ratio, text):
    assert benchmarks.ratio_text(ratio) == text


@pytest.mark.parametrize(("seconds", "text"), [
    (0.0, "0 ms"), (0.027, "27.0 ms"), (0.09997, "100 ms"), (1.1, "1.10 s"), (30.0, "30.0 s"),
    (99.97, "100 s"), (119.0, "119 s"), (1335.0, "22.2 min"), (7300.0, "2.0 h"),
])  # fmt: skip
def test_seconds_as_written(seconds, text):
    assert seconds_text(seconds) == text.replace(" ", THIN)


def test_the_times_of_one_row_have_one_unit():
    ratio = {"median": 0.008, "low": 0.0, "high": 1.0}
    peers = [{"name": f"{s}", "seconds": s, "ratio": ratio, "aim": None} for s in (3.28, 3.6)]
    own = {"what": "an epoch", "framework": "keras", "unit": "128 images", "ours": 0.027}
    own |= {"rounds": 3, "peers": peers}
    found = [[row[2].text, row[4].text] for row in benchmarks._rows(own)]
    said = [["0.0270 s", "3.28 s"], ["0.0270 s", "3.60 s"]]
    assert found == [[text.replace(" ", THIN) for text in row] for row in said]


def test_every_benchmark_has_its_title_in_the_report():
    files = {path.stem for path in (ROOT / "benchmarks" / "speed").glob("bench_*.py")}
    assert files == set(benchmarks.TITLES)
