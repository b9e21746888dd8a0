"""The documented keys of results.json are those that it has, and the other way round."""

import re

import pytest

from protocols.files import ROOT
from tests.support import synthetic
from tests.support.reading import results_of

README = ROOT / "docs" / "files.md"
METHODS = ("moderated", "bootstrap_t", "linearised")  # none from a handful of photographs
PLACES = ("data-key", "epoch N")  # words of the text that are no keys


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """Of a store with something in each list."""
    out = tmp_path_factory.mktemp("schema")
    store, plan = synthetic.make(out)
    synthetic.fill(store, [
        synthetic.spec("keras", "xception", recipe={"label_smoothing": 0.0}),
        synthetic.spec("keras", "xception", protocol="fixed-grouped"),
        *(synthetic.spec(f, "resnet50", init="shared") for f in ("keras", "torch")),
    ])  # fmt: skip
    plan += [run.spec for run in store.runs() if run.spec.protocol == "fixed-grouped"]
    return results_of(out, plan)


def documented():
    """Top-level key -> every word in code type in its paragraph, without [at] and the like."""
    text = README.read_text(encoding="utf-8")
    part = text[text.index("## results.json") :].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("- `")]
    found = {}
    for line in lines:
        names = [name.partition("[")[0] for name in re.findall(r"`([^`]+)`", line)]
        found[names[0]] = set(names[1:]) - set(PLACES)
    return found


def deep(value):
    """Every key and every text within."""
    if isinstance(value, dict):
        return set(value).union(*map(deep, value.values()))
    if isinstance(value, list):
        return set().union(*map(deep, value))
    return {value} if isinstance(value, str) else set()


def test_the_keys_are_the_documented_ones(result):
    assert documented().keys() == result.keys()


@pytest.mark.parametrize("part", sorted(documented()))
def test_each_record_has_the_documented_keys(part, result):
    said, content = documented()[part], result[part]
    records = content if isinstance(content, list) else [content]
    assert records and not said - deep(content) - set(METHODS)
    for record in (r for r in records if isinstance(r, dict)):
        assert not set(record) - said, part
        for inner in ("verdicts", "selection", "calibration"):
            more = record.get(inner) or {}
            for one in more if isinstance(more, list) else [more]:
                assert not set(one) - said, (part, inner)
