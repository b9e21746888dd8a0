"""Each number of a Keras file ends up where Keras itself would put it."""

import dataclasses
import importlib
import itertools
import sys

import h5py
import numpy as np
import pytest

from protocols.spec import FRAMEWORKS
from protocols.weights import reading
from protocols.weights.content import digest_of_content, digest_of_shapes
from protocols.weights.keras_file import read_layers
from protocols.weights.names import canonical_names
from protocols.weights.reading import read
from protocols.weights.start import Start
from protocols.weights.table import load_pretrained
from tests.support.keras_official_file import write_official
from tests.support.synthetic import spec


def test_automatic_names_are_counted_anew():
    names = ["conv2d_12", "stem", "conv2d_9", "conv2d_100", "batch_normalization", "block1_conv2"]
    assert canonical_names(iter(names)) == {
        "conv2d_9": "conv2d",
        "conv2d_12": "conv2d_1",
        "conv2d_100": "conv2d_2",
        "batch_normalization": "batch_normalization",
        "stem": "stem",
        "block1_conv2": "block1_conv2",
    }
    assert canonical_names(["convolution2d_2", "convolution2d_1"])["convolution2d_1"] == "conv2d"
    assert canonical_names(["conv2d_1", "conv2d"]) == {"conv2d": "conv2d", "conv2d_1": "conv2d_1"}


def arrays(rng, *shapes):
    return [rng.random(shape, np.float32) for shape in shapes]


def test_weights_are_named_by_their_shapes(rng, tmp_path):
    layers = {
        "stem": (["kernel"], arrays(rng, (3, 3, 2, 4))),
        "conv2d_7": (["kernel", "bias"], arrays(rng, (1, 1, 4, 5), (5,))),
        "nothing": ([], []),
        "separable": (
            ["depthwise_kernel", "pointwise_kernel"],
            arrays(rng, (3, 3, 5, 1), (1, 1, 5, 6)),
        ),
        "scaled": (["gamma", "beta", "moving_mean", "moving_variance"], arrays(rng, *[(6,)] * 4)),
        "plain": (["beta", "moving_mean", "moving_variance"], arrays(rng, *[(6,)] * 3)),
    }
    found = [(name, values) for name, (_, values) in layers.items()]
    classifier = ("dense_1", arrays(rng, (6, 2), (2,)))
    write_official(tmp_path / "file.h5", [*found, classifier])
    found = read("resnet50", tmp_path / "file.h5")
    there = {"conv2d_7": "conv2d"}
    expected = {
        f"{there.get(layer, layer)}/{name}": array
        for layer, (names, values) in layers.items()
        for name, array in zip(names, values, strict=True)
    }
    assert list(found) == list(expected)
    for key, array in expected.items():
        np.testing.assert_array_equal(found[key], array)
    with pytest.raises(ValueError, match="no classifier"):
        read("resnet50", tmp_path / "file.h5", top=True)


def test_every_array_is_float32(rng, tmp_path):
    half = rng.random((1, 1, 2, 3)).astype(np.float16)
    write_official(tmp_path / "file.h5", [("stem", [half])])
    found = read("resnet50", tmp_path / "file.h5")["stem/kernel"]
    assert found.dtype == np.float32 and found.flags.c_contiguous
    np.testing.assert_array_equal(found, half.astype(np.float32))


@pytest.mark.parametrize("shapes", [[(3, 3, 3)], [(2,)], [(2,)] * 5, [(1, 1, 2, 2)] * 3], ids=str)
def test_a_layer_of_an_unknown_kind_is_refused(rng, tmp_path, shapes):
    write_official(tmp_path / "file.h5", [("strange", arrays(rng, *shapes))])
    with pytest.raises(ValueError, match="layer strange has weights of unknown kinds"):
        read("resnet50", tmp_path / "file.h5")


def test_a_whole_model_and_long_lists_are_read(rng, tmp_path):
    """Keras cuts lists of over 64 KB into name0, name1, ...; model.save has a group for weights."""
    (kernel,) = arrays(rng, (1, 1, 2, 3))
    with h5py.File(tmp_path / "file.h5", "w") as file:
        root = file.create_group("model_weights")
        for i, name in enumerate(("b", "a")):
            root.attrs[f"layer_names{i}"] = np.array([name.encode()])
            root.create_group(name).attrs["weight_names0"] = np.array([b"x/y:0"])
            root[name]["x/y:0"] = kernel + i
    found = read_layers(tmp_path / "file.h5")
    assert [name for name, _ in found] == ["b", "a"]
    np.testing.assert_array_equal(found[1][1][0], kernel + 1)


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "group", "names"])
def test_a_damaged_keras_file_is_refused(rng, tmp_path, damage):
    path = tmp_path / "file.h5"
    write_official(path, [("stem", arrays(rng, (3, 3, 16, 16)))])
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-2000])
    elif damage == "text":
        path.write_text("no HDF5", encoding="utf-8")
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        with h5py.File(path, "a") as file:
            if damage == "group":
                del file["stem"]
            else:
                del file.attrs["layer_names"]
    with pytest.raises(ValueError, match=f"{path} is (damaged|no weights file)"):
        read("resnet50", path)
    with pytest.raises(FileNotFoundError):
        read("resnet50", tmp_path / "none.h5")


# Xception's official file: Keras 1 counted all its layers. As three public readers of it have it
# (a PyTorch and two TensorFlow ports).
KERAS_1 = {
    "convolution2d_1": "block1_conv1",
    "convolution2d_2": "block1_conv2",
    "convolution2d_3": "conv2d",
    "batchnormalization_2": "block1_conv2_bn",
    "batchnormalization_3": "batch_normalization",
    "separableconvolution2d_2": "block2_sepconv2",
    "batchnormalization_5": "block2_sepconv2_bn",
    "convolution2d_5": "conv2d_2",
    "batchnormalization_9": "batch_normalization_2",
    "separableconvolution2d_6": "block4_sepconv2",
    "separableconvolution2d_7": "block5_sepconv1",
    "batchnormalization_12": "block5_sepconv1_bn",
    "separableconvolution2d_30": "block12_sepconv3",
    "batchnormalization_35": "block12_sepconv3_bn",
    "convolution2d_6": "conv2d_3",
    "batchnormalization_36": "batch_normalization_3",
    "separableconvolution2d_31": "block13_sepconv1",
    "batchnormalization_37": "block13_sepconv1_bn",
    "separableconvolution2d_34": "block14_sepconv2",
    "batchnormalization_40": "block14_sepconv2_bn",
}
COUNTS = {"convolution2d": 6, "separableconvolution2d": 34, "batchnormalization": 40}
SHAPES = {
    "convolution2d": [(1, 1, 1, 1)],
    "separableconvolution2d": [(1, 1, 1, 1)] * 2,
    "batchnormalization": [(1,)] * 4,
}


def test_the_layers_of_xception_get_their_names(tmp_path):
    numbered = [(kind, i + 1) for kind, count in COUNTS.items() for i in range(count)]
    layers = [
        (f"{kind}_{i}", [np.full(shape, i, np.float32) for shape in SHAPES[kind]])
        for kind, i in numbered
    ]
    write_official(tmp_path / "file.h5", layers, named="{layer}_{i}:0")
    found = read("xception", tmp_path / "file.h5")
    names = list(dict.fromkeys(key.rpartition("/")[0] for key in found))
    assert len(names) == sum(COUNTS.values()) == 80
    assert {old: names[i] for i, (old, _) in enumerate(layers) if old in KERAS_1} == KERAS_1
    classifier = ("dense_2", [np.zeros((1, 1)), np.zeros(1)])
    write_official(tmp_path / "file.h5", [*layers, classifier])
    assert read("xception", tmp_path / "file.h5").keys() == found.keys()
    another = ("convolution2d_7", [np.zeros((1, 1, 1, 1))])
    write_official(tmp_path / "file.h5", [*layers, another])
    with pytest.raises(ValueError, match="none of Xception's"):
        read("xception", tmp_path / "file.h5")


# against Keras itself


class Recorder:
    """keras.layers that notes each layer made of it, in order, and whether it was named."""

    def __init__(self, layers):
        self.layers, self.made = layers, []

    def __getattr__(self, name):
        thing = getattr(self.layers, name)
        if not isinstance(thing, type):
            return thing

        def make(*args, **words):
            layer = thing(*args, **words)
            self.made.append((layer, bool(words.get("name"))))
            return layer

        return make


KERAS_1_KINDS = {"Conv2D": "convolution2d", "SeparableConv2D": "separableconvolution2d",
                 "BatchNormalization": "batchnormalization"}  # fmt: skip
KERAS_2_KINDS = {"Conv2D": "conv2d", "BatchNormalization": "batch_normalization"}


def old_names(made, kinds, all_of_them):
    """Name in an old file of each layer: the unnamed ones (or all) are counted from 1 as made."""
    counts = {kind: itertools.count(1) for kind in kinds}
    found = {}
    for layer, named in made:
        kind = type(layer).__name__
        counted = kind in kinds and (all_of_them or not named)
        found[layer.name] = f"{kinds[kind]}_{next(counts[kind])}" if counted else layer.name
    return found


def begun_from(path, framework, backbone):
    """A twin's backbone weights by key, where a run begins with this file."""
    run = spec(framework, backbone, weights="imagenet", threads=1, deterministic=False)
    run.weights["digest"] = load_pretrained()[backbone].digest
    models, bridge = (
        importlib.import_module(f"impl_{framework}.{n}") for n in ("models", "bridge")
    )
    network = models.Network(run)
    bridge.begin(network, run, Start({backbone: path}))
    if framework == "torch":
        return bridge.read(bridge.backbone_slots(backbone, network.backbones[0]))
    return bridge.read(bridge.backbone_variables(backbone, network.backbones[0]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backbone", "module", "kinds", "all_of_them", "named"),
    [
        ("xception", "xception", KERAS_1_KINDS, True, "{layer}_W{i}:0"),
        ("xception", "xception", KERAS_2_KINDS, False, "{layer}_W{i}"),
        ("inception_v3", "inception_v3", KERAS_2_KINDS, False, "{layer}/kernel{i}:0"),
        ("resnet50", "resnet", KERAS_2_KINDS, False, "{layer}/kernel{i}:0"),
    ],
    ids=["xception of Keras 1", "xception", "inception_v3", "resnet50"],
)
def test_a_file_is_read_as_keras_reads_it(
    backbone, module, kinds, all_of_them, named, rng, tmp_path, monkeypatch
):
    import keras
    import timm  # noqa: F401 (before TensorFlow, see tests/twins/conftest.py)

    import impl_keras  # noqa: F401 (so that it asks for oneDNN)
    from impl_keras.step import backend as step

    step.prepare(spec("keras", threads=1, deterministic=False))  # TensorFlow takes one number
    make = {"xception": keras.applications.Xception, "resnet50": keras.applications.ResNet50,
            "inception_v3": keras.applications.InceptionV3}[backbone]  # fmt: skip
    words = {"weights": None, "include_top": False, "input_shape": (75, 75, 3)}
    [keras.layers.Conv2D(1, 1) for _ in range(3)]  # so that the counters don't stand at the start
    source = sys.modules[f"keras.src.applications.{module}"]
    recorder = Recorder(source.layers)
    monkeypatch.setattr(source, "layers", recorder)
    model = make(**words)
    model.set_weights([rng.random(w.shape, np.float32) for w in model.weights])
    layers = [layer for layer in model.layers if layer.weights]
    old = old_names(recorder.made, kinds, all_of_them)
    ordered = [  # the order of weights in old files
        (x, [np.array(w) for w in x.trainable_weights + x.non_trainable_weights]) for x in layers
    ]
    path = tmp_path / "official.h5"
    write_official(path, [(old[x.name], found) for x, found in ordered], named)
    assert not {old[x.name] for x in layers} <= {x.name for x in layers} or backbone == "resnet50"

    names = canonical_names(x.name for x in layers)
    unnamed = [x for x, named in recorder.made if not named]
    for kind, name in KERAS_2_KINDS.items():  # as a fresh process counts them
        counted = [names[x.name] for x in unnamed if type(x).__name__ == kind]
        assert counted == [f"{name}_{i}" if i else name for i in range(len(counted))]
    expected = {f"{names[x.name]}/{w.name}": np.array(w) for x in layers for w in x.weights}
    found = read(backbone, path)
    assert found.keys() == expected.keys()
    for key, array in expected.items():
        np.testing.assert_array_equal(found[key], array, err_msg=key)

    content = digest_of_content(expected)
    known = {"digest": content, "content": content, "shapes": digest_of_shapes(expected)}
    table = {backbone: dataclasses.replace(load_pretrained()[backbone], **known)}
    for module in (reading, sys.modules[__name__]):
        monkeypatch.setattr(module, "load_pretrained", lambda: table)
    for framework in FRAMEWORKS:
        begun = begun_from(path, framework, backbone)
        assert begun.keys() == {f"{backbone}/{key}" for key in expected}
        for key, array in expected.items():
            np.testing.assert_array_equal(begun[f"{backbone}/{key}"], array, err_msg=key)

    again = make(**words)
    again.load_weights(path)
    for ours, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
