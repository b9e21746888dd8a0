"""Real ImageNet weights in both twins: photographs whose class is known are recognised."""

import importlib
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from impl_keras.bridge import backbone_variables
from impl_keras.bridge import write as keras_write
from impl_keras.models import Network as KerasNetwork
from impl_keras.step import backend
from impl_torch.bridge import backbone_slots
from impl_torch.bridge import write as torch_write
from impl_torch.models import Network as TorchNetwork
from protocols.images.pool import Pool
from protocols.weights import files as weight_files
from protocols.weights.reading import read
from protocols.weights.start import Start
from protocols.weights.table import digest_of
from tests.support.synthetic import spec

NAME, SIZE = "efficientnet_lite0", 224
KNOWN = {"chelsea.png": 285, "coffee.png": 967}  # Egyptian cat, espresso


# as many threads as other tests want: TensorFlow takes one number
backend.prepare(spec("keras", threads=1, deterministic=False))


@cache
def weights():
    return weight_files.locate([NAME], "imagenet", Path("none"))


def photograph(file):
    """uint8 (1, 224, 224, 3): scikit-image's photograph, its middle square."""
    image = Image.open(Path(skimage.data.__file__).parent / file).convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    return np.array(square.resize((SIZE, SIZE), Image.Resampling.BICUBIC))[None]


def run_of(framework):
    digest = digest_of([NAME])
    made = spec(framework, NAME, weights="imagenet", threads=1, deterministic=False)
    made.weights["digest"] = digest
    made.data.update(height=SIZE, width=SIZE)
    return made


@cache
def features_of(framework):
    """Of images uint8 (n, h, w, 3), by a network that begins as a run does: float32 (n, 1280)."""
    run, start = run_of(framework), Start(weights())
    if framework == "torch":
        network = TorchNetwork(run).eval()
        found = backbone_slots(NAME, network.backbones[0])
        torch_write(found, start.backbone(run, NAME, {}))
        return lambda images: network.features(torch.from_numpy(images))[0].detach().numpy()
    network = KerasNetwork(run)
    found = backbone_variables(NAME, network.backbones[0])
    keras_write(found, start.backbone(run, NAME, {}))
    return lambda images: keras.ops.convert_to_numpy(network.features(images)[0])


@pytest.mark.parametrize("file", KNOWN)
@pytest.mark.parametrize("framework", ["keras", "torch"])
def test_a_photograph_is_recognised(framework, file):
    top = read(NAME, weights()[NAME], top=True)
    logits = features_of(framework)(photograph(file)) @ top["classifier/kernel"]
    assert int((logits + top["classifier/bias"]).argmax()) == KNOWN[file]


@pytest.mark.parametrize("framework", ["keras", "torch"])
def test_a_twin_begins_with_the_file_and_refuses_another(framework, tmp_path):
    """The training's own twin, head included; a file that was altered since is not read."""
    run = run_of(framework)
    pool = Pool(np.zeros((4, 8, 8, 3), np.uint8), np.arange(4), list("abcd"), np.arange(4),
                [np.arange(3)], [np.array([3])])  # fmt: skip
    make = importlib.import_module(f"impl_{framework}.worker").make_twin
    twin = make([run], pool, Start(weights()))
    state = twin.state()
    stem = read(NAME, weights()[NAME])["conv_stem/kernel"]
    found = [v for v in state.values() if sorted(v.shape) == sorted(stem.shape)]
    assert any(sorted(v.ravel()) == sorted(stem.ravel()) for v in found)
    altered, tensors = tmp_path / "altered.pth", torch.load(weights()[NAME], weights_only=True)
    tensors["_conv_stem.weight"][0, 0, 0, 0] += 1
    torch.save(tensors, altered)
    with pytest.raises(ValueError, match="not those of this run: the file is altered"):
        make([run], pool, Start({NAME: altered}))


def test_both_twins_give_the_same_features_from_the_file():
    images = photograph("coffee.png")
    ours, theirs = features_of("torch")(images), features_of("keras")(images)
    np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max())
