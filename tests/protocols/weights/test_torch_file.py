"""PyTorch's files are read as torch reads them, and no code in them runs."""

import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image

from protocols.weights.files import locate
from protocols.weights.reading import read
from protocols.weights.torch_file import read_tensors


def tensors():
    base = torch.arange(60, dtype=torch.float32) / 7
    return {
        "plain": torch.linspace(-1, 1, 12).reshape(3, 4),
        "turned": torch.arange(24.0).reshape(2, 3, 4).permute(2, 0, 1),
        "shared": base[10:40].reshape(5, 6),
        "every second": base[1::2],
        "number": torch.tensor(7),
        "empty": torch.zeros(0, 3),
        "spread": torch.tensor([1.5]).expand(4, 2),
        "double": torch.tensor([1 / 3], dtype=torch.float64),
        "half": torch.tensor([0.5, 1e-4], dtype=torch.float16),
        "int": torch.tensor([-3, 4], dtype=torch.int32),
    }


ZIP, STREAM = {"_use_new_zipfile_serialization": True}, {"_use_new_zipfile_serialization": False}
BOTH = pytest.mark.parametrize("form", [ZIP, STREAM], ids=["zip", "stream"])


@BOTH
@pytest.mark.parametrize("made", [tensors, lambda: torch.nn.BatchNorm2d(3).state_dict()])
def test_tensors_are_those_that_torch_reads(tmp_path, form, made):
    path = tmp_path / "file.pth"
    torch.save(made(), path, **form)
    assert (path.read_bytes()[:2] == b"PK") == (form is ZIP)
    expected = torch.load(path, weights_only=True)
    found = read_tensors(path)
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.numpy().dtype and found[name].flags.writeable
        np.testing.assert_array_equal(found[name], tensor.numpy(), err_msg=name)


class Evil:
    """Unpickling it makes the file whose name it has."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@BOTH
def test_code_is_refused_and_not_run(tmp_path, form):
    path, mark = tmp_path / "file.pth", tmp_path / "ran"
    torch.save({"weight": torch.zeros(2), "evil": Evil(mark)}, path, **form)
    with pytest.raises(ValueError, match=r"asks for \w+\.system, which no weights need"):
        read_tensors(path)
    assert not mark.exists()
    torch.load(path, weights_only=False)
    assert mark.exists(), "the file was harmless: the test shows nothing"


def test_a_bare_pickle_is_refused_and_not_run(tmp_path):
    path, mark = tmp_path / "file.pth", tmp_path / "ran"
    path.write_bytes(pickle.dumps(Evil(mark)))
    with pytest.raises(ValueError, match=r"asks for \w+\.system"):
        read_tensors(path)
    assert not mark.exists()


@BOTH
@pytest.mark.parametrize(
    "what", [{"a": {"b": torch.zeros(2)}}, [torch.zeros(2)], {"a": 1.5}, torch.zeros(2)], ids=repr
)
def test_anything_but_a_flat_dictionary_is_refused(tmp_path, form, what):
    torch.save(what, tmp_path / "file.pth", **form)
    with pytest.raises(ValueError, match="no flat dictionary of tensors"):
        read_tensors(tmp_path / "file.pth")


@BOTH
def test_a_damaged_torch_file_is_refused(tmp_path, form):
    path, body = tmp_path / "file.pth", io.BytesIO()
    torch.save(tensors(), body, **form)
    for left in (0, 1, 50, 300, len(body.getvalue()) - 3):
        path.write_bytes(body.getvalue()[:left])
        with pytest.raises(ValueError, match=f"{path} can't be read as weights"):
            read_tensors(path)
    torch.save({"begin": torch.arange(6.0)[:2]}, path, **form)
    path.write_bytes(path.read_bytes()[:-4])  # of the storage, nothing that the tensor needs
    with pytest.raises(ValueError, match=f"{path} can't be read as weights"):
        read_tensors(path)
    with pytest.raises(FileNotFoundError):
        read_tensors(tmp_path / "none.pth")


def test_a_stream_cut_within_its_last_count_is_refused(tmp_path):
    path = tmp_path / "file.pth"
    torch.save({"empty": torch.zeros(0, 3)}, path, **STREAM)
    whole = path.read_bytes()
    assert read_tensors(path)["empty"].shape == (0, 3)
    for cut in range(1, 9):  # the count, 0, is the file's last 8 bytes
        path.write_bytes(whole[:-cut])
        with pytest.raises(ValueError, match=f"{path} can't be read as weights"):
            read_tensors(path)


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [(1, (6,), (1,)), (0, (2, 3), (3, 2)), (-1, (2,), (1,)), (0, (2,), (-1,)), (0, (2,), (1, 1))],
    ids=str,
)
def test_a_view_beyond_its_storage_is_refused(tmp_path, monkeypatch, offset, size, stride):
    class Tensor:
        def __reduce__(self):
            storage = torch.arange(6.0).storage()
            return torch._utils._rebuild_tensor_v2, (storage, offset, size, stride, False, {})

    torch.save({"weight": Tensor()}, tmp_path / "file.pth")
    with pytest.raises(ValueError, match=r"weight (reaches out|has no sensible shape)"):
        read_tensors(tmp_path / "file.pth")


TO_TORCH = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}
KINDS = {"gamma": "weight", "kernel": "weight", "beta": "bias", "moving_mean": "running_mean",
         "moving_variance": "running_var"}  # fmt: skip
PALACE, DAISY = 698, 985  # ImageNet's classes


@pytest.fixture(scope="module")
def lite0():
    """The file of EfficientNet-Lite0, from its package."""
    return locate(["efficientnet_lite0"], "imagenet", Path("unused"))["efficientnet_lite0"]


@pytest.fixture(scope="module")
def state(lite0):
    """What `read` makes of it, turned back into timm's state."""
    found = {}
    for key, array in read("efficientnet_lite0", lite0, top=True).items():
        layer, _, kind = key.rpartition("/")
        axes = (2, 3, 0, 1) if layer.endswith("conv_dw") else TO_TORCH[array.ndim]
        name = f"{layer}.{KINDS.get(kind, kind)}"
        found[name] = torch.from_numpy(array.transpose(axes).copy())
    return found


@pytest.fixture(scope="module")
def model(state):
    import timm

    model = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert unexpected == [] and all(name.endswith("num_batches_tracked") for name in missing)
    return model


def test_every_tensor_of_lite0_has_its_place_in_timm(lite0, state, model):
    theirs = torch.load(lite0, weights_only=True)  # in the same order
    kept = [v for k, v in theirs.items() if not k.endswith("num_batches_tracked")]
    for (name, ours), tensor in zip(state.items(), kept, strict=True):
        assert torch.equal(ours, tensor), name


def test_lite0_knows_what_it_was_taught(model):
    """Two photographs that scikit-learn brings, as TensorFlow's Lite networks take them."""
    for name, label in (("china.jpg", PALACE), ("flower.jpg", DAISY)):
        photo = Image.fromarray(load_sample_image(name)).resize((341, 224)).crop((58, 0, 282, 224))
        x = torch.from_numpy(np.asarray(photo, np.float32) / 127.5 - 1).permute(2, 0, 1)
        with torch.no_grad():
            assert model(x[None]).argmax() == label


def test_the_classifier_is_read_on_demand(lite0):
    bare = read("efficientnet_lite0", lite0)
    more = read("efficientnet_lite0", lite0, top=True).keys() - bare.keys()
    assert more == {"classifier/kernel", "classifier/bias"}
    assert all(a.dtype == np.float32 and a.flags.c_contiguous for a in bare.values())


def test_another_networks_tensors_are_refused(tmp_path):
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "file.pth")
    with pytest.raises(ValueError, match="no tensor of EfficientNet-Lite0's"):
        read("efficientnet_lite0", tmp_path / "file.pth")
