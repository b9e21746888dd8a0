"""Grad-CAM's heat maps: nothing saturates, and the image is seen through them."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from reports.figures.pictures import ALONE, address, heat


def drawn(cam, picture=""):
    made = base64.b64decode(heat(np.float32(cam), picture).split(",")[1])
    return np.asarray(Image.open(io.BytesIO(made)).convert("RGB")).astype(int)


def darkness(pixels):
    """How dark the places are; it rises and falls with the map where there is no image."""
    return 255 - pixels.mean(axis=-1)


def test_heat_rises_from_clear_to_dark_red():
    alone = drawn([[0, 0], [0, 5]])
    assert alone.shape == (ALONE[1], ALONE[0], 3)
    red, green, _ = alone[-5, -5]
    assert alone[5, 5].min() > 245 and red - green > 60
    assert darkness(alone)[-5, -5] > 100  # it can be told without colours
    assert (alone == drawn([[0, 0], [0, 500]])).all()  # a map's own scale


@pytest.mark.parametrize("cam", [
    [[9, 9.5, 10], [9.2, 9.8, 9.1], [9.6, 9, 9.3]], [[3, 2, 1], [2, 1, 0], [1, 0, 0]],
])  # fmt: skip
def test_a_heat_map_does_not_saturate(cam):
    """Of an even map as of a steep one, few places have the darkest colour."""
    found = darkness(drawn(cam))
    assert (found > 0.95 * found.max()).mean() < 0.15 and (found < 0.3 * found.max()).mean() > 0.05


def test_the_image_is_seen_through_it():
    black_and_white = np.zeros((30, 40, 3), np.uint8)
    black_and_white[:, 20:] = 255
    picture = address(Image.fromarray(black_and_white), quality=95)
    clear = drawn(np.zeros((3, 4)), picture)
    assert clear[:, 30].mean() - clear[:, 10].mean() > 150  # nothing lies over it
    hottest = drawn([[0, 0, 1, 1], [0, 0, 1, 1]], address(Image.new("RGB", (40, 30), "white")))
    under = drawn([[0, 0, 1, 1], [0, 0, 1, 1]], address(Image.new("RGB", (40, 30), "black")))
    assert (hottest[:, -2] - under[:, -2]).mean() > 30  # also where it is thickest


def test_a_map_without_any_value_leaves_the_image():
    assert (drawn(np.zeros((3, 4))) > 250).all()
