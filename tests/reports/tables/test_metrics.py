"""A metric is one record: whatever is made of metrics is made of a new one too."""

import json

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, matthews_corrcoef

from benchmarks.store.store import Store
from protocols.metrics import METRICS, Metric
from tests.support import synthetic
from tests.support.reading import made


def balanced(counts):
    """The mean recall of the classes."""
    return counts.recall.mean(axis=-1)


def correlation(counts):
    """Matthews's correlation coefficient for several classes."""
    n, hits = counts.count, counts.hits.sum(axis=-1)
    chance = (counts.support * counts.predicted).sum(axis=-1)
    wide = (n**2 - (counts.support**2).sum(axis=-1)) * (n**2 - (counts.predicted**2).sum(axis=-1))
    return (hits * n - chance) / wide**0.5


NEW = (
    Metric("accuracy_balanced", "Balanced accuracy", balanced, shown=True),
    Metric("correlation", "Correlation", correlation, "nat", 3, (-1.0, 1.0), shown=True),
)


@pytest.fixture
def more(monkeypatch):
    """Two metrics that the suite doesn't have."""
    for metric in NEW:
        monkeypatch.setitem(METRICS, metric.name, metric)


def test_a_record_is_all_that_a_metric_takes(more, tmp_path):
    run = synthetic.spec()
    store = synthetic.fill(Store(tmp_path), [run])
    made(tmp_path, [run], "liang.html", "evidence.html")
    arrays = store.find(run).predictions
    labels, predicted = arrays["labels"], arrays["selected"].argmax(axis=1)
    wanted = (balanced_accuracy_score, matthews_corrcoef)
    (cell,) = json.loads((tmp_path / "results.json").read_text("utf-8"))["cells"]
    pages = {name: (tmp_path / f"{name}.html").read_text("utf-8") for name in ("liang", "evidence")}
    for metric, function in zip(NEW, wanted, strict=True):
        value = cell["numbers"]["selected"][metric.name]["value"]
        assert value == pytest.approx(function(labels, predicted))
        assert cell["intervals"]["selected"][metric.name]["value"] == pytest.approx(value)
        text = f"{metric.scale * value:.{metric.digits}f}"
        for page in pages.values():
            assert f">{metric.heading}<" in page and text in page
    assert f",{NEW[0].name}," in (tmp_path / "results.csv").read_text("utf-8")
    assert np.isfinite(cell["intervals"]["selected"][NEW[0].name]["se"] or 0)
