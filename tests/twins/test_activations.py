"""What the networks look at: its file, its arithmetic. Both twins see the same: test_pairs.py."""

import numpy as np

from protocols.images.pool import Pool
from protocols.runs import activations
from protocols.runs.activations import chosen, grad_cam, quantised
from tests.support.synthetic import look, spec


def test_grad_cam_by_hand():
    """Two channels at two positions: weights are the gradients' means, what is negative goes."""
    feature_map = np.array([[[[1.0, 2.0], [3.0, 0.0]]]])
    gradient = np.array([[[[1.0, -1.0], [3.0, -3.0]]]])
    assert grad_cam(feature_map, gradient).tolist() == [[[0.0, 6.0]]]  # 2 - 4, 6 - 0


def test_the_first_tested_image_of_each_class_is_looked_at():
    labels = np.array([3, 1, 0, 0, 2, 1, 3, 0])
    order = np.array([7, 6, 5, 4, 3, 2, 1])
    pool = Pool(np.zeros((8, 1, 1, 3), np.uint8), np.arange(8), list("abcdefgh"), labels, [], [])
    assert chosen(pool, order).tolist() == [7, 5, 4, 6]  # E L M N
    later = Pool(pool.pixels, pool.rows, pool.ids, labels, [], [], selecting=2)
    assert chosen(later, order).tolist() == [3, 5, 4], "those that select aren't tested"


def test_values_come_back_within_half_a_step(rng):
    wanted = rng.normal(5, 100, (3, 4, 6))
    steps, span = quantised(wanted)
    found = activations.values({"layer/a": steps, "range/a": span}, "a")
    assert np.abs(found - wanted).max() <= span[1] / 2 * (1 + 1e-9)
    assert (steps.min(), steps.max()) == (0, 255)
    flat = quantised(np.full((1, 2, 2), 7.0))
    assert (activations.values({"layer/a": flat[0], "range/a": flat[1]}, "a") == 7).all()
    steps, span = quantised(np.array([[[1.0, np.nan]]]))
    assert np.isnan(activations.values({"layer/a": steps, "range/a": span}, "a")).all()


def test_the_file_has_what_its_description_says_and_no_more_bytes(tmp_path, monkeypatch):
    run = spec("keras", "xception_resnet50_lstm", profile="paper")
    look(run, tmp_path)
    with np.load(tmp_path / activations.FILE) as stored:
        arrays = dict(stored)
    assert arrays["labels"].tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(arrays["probabilities"].sum(axis=1), 1, rtol=1e-6)
    assert activations.backbones(arrays) == ["xception", "resnet50"]
    assert arrays["layer/xception/block1_conv1"].shape == (32, 120, 160)
    assert arrays["layer/xception/block3_pool"].shape == (16, 30, 40)
    assert arrays["cam/resnet50"].shape == (4, 8, 10)
    assert {a.dtype for k, a in arrays.items() if k.startswith("layer/")} == {np.dtype("uint8")}
    size = (tmp_path / activations.FILE).stat().st_size
    for packed in ("PACKED_RANDOM", "PACKED_LOADED", "PACKED_LARGE"):
        monkeypatch.setattr(activations, packed, 1)  # noise, which compresses badly
    assert 0.8 < size / activations.about_bytes(run) < 1.01
