"""A run's specification: its id, its phases."""

import dataclasses

import pytest

from protocols.spec import RunSpec
from tests.support.synthetic import spec


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(RunSpec)])
def test_every_field_is_in_the_id(field):
    run = spec()
    changed = {"recipe": {}, "data": {}, "weights": {}}.get(field, "other")
    assert dataclasses.replace(run, **{field: changed}).id != run.id


def test_jane_trains_the_cnn_only_from_random_weights():
    run = spec(variant="cnn_lstm", fold=0)
    assert [p["frozen"] for p in run.phases] == [False]
    assert [p["frozen"] for p in spec(variant="cnn_lstm", weights="imagenet").phases] == [True]
    assert [p["frozen"] for p in spec().phases] == [True, False]
