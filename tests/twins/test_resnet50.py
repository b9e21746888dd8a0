"""ResNet50 as Keras-Applications 1.0.2 had it in June 2018: another epsilon, no padded pooling."""

import keras
import numpy as np
import pytest
import timm
import torch
from keras import ops

import impl_keras.models
import impl_torch.backbones
import impl_torch.bridge
import impl_torch.models
from benchmarks.parity import twin_pair
from impl_keras import bridge
from impl_keras.device import prepare
from protocols.runs.features import subject
from protocols.weights.start import drawn, shapes_of
from tests.support.devices import needs_tensorflow
from tests.support.synthetic import spec

pytestmark = needs_tensorflow
OF_2018 = ("resnet50_epsilon=0.001", "resnet50_stem_pooling=unpadded")
SIZE = (72, 88)


def features(changes, arrays, pixels):
    """What the head reads in PyTorch and in Keras, float64, with the given weights."""
    runs = [
        twin_pair.spec_of(f, "resnet50", "float64", b, changes)
        for f, b in (("torch", "torch"), ("keras", "tensorflow"))
    ]
    prepare(runs[1])
    ours = impl_torch.models.Network(runs[0]).to(memory_format=torch.contiguous_format).eval()
    slots = impl_torch.bridge.backbone_slots("resnet50", ours.backbones[0])
    impl_torch.bridge.write(slots, arrays)
    theirs = impl_keras.models.Network(runs[1])
    bridge.write(bridge.backbone_variables("resnet50", theirs.backbones[0]), arrays)
    with torch.no_grad():
        found = ours.features(torch.from_numpy(pixels))[0].numpy()
    return found, ops.convert_to_numpy(theirs.features(pixels)[0]), theirs


@pytest.fixture(scope="module")
def weights():
    model = impl_torch.models.make_backbone("resnet50")
    shapes = shapes_of(impl_torch.bridge.read(impl_torch.bridge.backbone_slots("resnet50", model)))
    found = drawn(1, shapes)
    # small statistics, so that an epsilon tells
    return {k: v * (0.05 if k.endswith("/moving_variance") else 1) for k, v in found.items()}


@pytest.mark.slow
def test_both_twins_have_the_resnet50_of_2018(weights, monkeypatch):
    monkeypatch.setitem(twin_pair.SIZES, "float64", SIZE)
    pixels = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), dtype=np.uint8)
    ours, theirs, network = features(OF_2018, weights, pixels)
    scale = np.abs(theirs).max()
    assert np.abs(ours - theirs).max() < 1e-10 * scale
    layers = {layer.name: layer for layer in network.backbones[0].layers}
    assert {x.epsilon for x in network.batch_norms()} == {0.001}
    assert tuple(layers["pool1_pool"].output.shape[1:3]) == (17, 21)  # 36 x 44, unpadded
    plain = impl_torch.models.make_backbone("resnet50").double().eval()
    impl_torch.bridge.write(impl_torch.bridge.backbone_slots("resnet50", plain), weights)
    with torch.no_grad():
        today = plain(torch.from_numpy(pixels)).mean(dim=(2, 3)).numpy()
    assert np.abs(ours - today).max() > 1e-3 * scale


def test_each_twin_changes_what_1_0_2_had_otherwise():
    """And nothing else: a network of Keras's layers by name, and PyTorch's as it is."""
    images = keras.Input((36, 44, 3))
    x = keras.layers.BatchNormalization(epsilon=1.001e-5, name="conv1_bn")(images)
    x = keras.layers.ZeroPadding2D(1, name="pool1_pad")(x)
    today = keras.Model(images, keras.layers.MaxPooling2D(3, 2, name="pool1_pool")(x))
    recipe = spec(recipe={"resnet50_epsilon": 0.001, "resnet50_stem_pooling": "unpadded"}).recipe
    changed = impl_keras.models._resnet50_of(today, recipe)
    assert changed.get_layer("conv1_bn").epsilon == 0.001
    assert (today.output_shape[1:3], changed.output_shape[1:3]) == ((18, 22), (17, 21))
    model = timm.create_model("resnet50", pretrained=False, num_classes=0, global_pool="")
    impl_torch.backbones.CHANGES["resnet50"](model, recipe)
    assert model.maxpool.padding == 0
    assert {m.eps for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)} == {0.001}


def test_today_s_resnet50_is_left_as_keras_made_it():
    run = spec("keras", "resnet50")
    model = object()
    assert impl_keras.models._resnet50_of(model, run.recipe) is model


def test_stored_features_are_told_apart():
    rows = np.arange(3)
    changed = [{}, {"resnet50_epsilon": 0.001}, {"resnet50_stem_pooling": "unpadded"}]
    for variant, differ in (("resnet50", 3), ("xception", 1)):
        found = [subject(spec("torch", variant, recipe=r), variant, rows, rows) for r in changed]
        assert len({str(words) for words in found}) == differ
