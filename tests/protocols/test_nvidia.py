"""Which GPUs a process may use: CUDA's rules for CUDA_VISIBLE_DEVICES, by a stand-in for
nvidia-smi. Where a rule has no name in NVIDIA's documentation, PyTorch's reading of the variable
holds."""

import pytest

from protocols import nvidia
from tests.support import nvidia_smi
from tests.support.nvidia_smi import DIVIDED, MIG, TWO, A, B

ALL = "hides the 2 GPUs that nvidia-smi lists"
ENDS = "names no GPU here and ends the list"
ONE = "hides 1 of the 2 GPUs that nvidia-smi lists"
PART, OTHER = "NVIDIA A MIG 3g.20gb", "NVIDIA A MIG 1g.5gb"

# (listed, value of the variable, names by number, words on what is hidden)
CASES = {
    "not set": (TWO, None, ["NVIDIA A", "NVIDIA B"], ""),
    "in another order": (TWO, "1,0", ["NVIDIA B", "NVIDIA A"], ""),
    "one": (TWO, "1", ["NVIDIA B"], f"CUDA_VISIBLE_DEVICES is '1', which {ONE}"),
    "empty": (TWO, "", [], f"CUDA_VISIBLE_DEVICES is empty, which {ALL}"),
    "-1": (TWO, "-1", [], f"'-1' {ENDS}, so it {ALL}"),
    "an invalid entry ends the list": (
        TWO, "0,-1,1", ["NVIDIA A"], f"'-1' {ENDS}, so it {ONE}",
    ),
    "an invalid first entry": (TWO, "7,0", [], f"'7' {ENDS}, so it {ALL}"),
    "after all": (TWO, "0, 1,7", ["NVIDIA A", "NVIDIA B"], f"'7' {ENDS}"),
    "an empty entry": (TWO, "1,,0", ["NVIDIA B"], f"'' {ENDS}, so it {ONE}"),
    "twice": (TWO, "0,1,0", [], f"it names NVIDIA A twice, and CUDA then shows none, so it {ALL}"),
    "a number with more behind it": (TWO, "1st,0", ["NVIDIA B", "NVIDIA A"], ""),
    "words": (TWO, "all", [], "'all' names no GPU here"),
    "a whole uuid": (TWO, B, ["NVIDIA B"], ONE),
    "a short uuid": (TWO, "GPU-c0d51234", ["NVIDIA A"], ONE),
    "short uuids": (TWO, "GPU-c0f,GPU-c0d", ["NVIDIA B", "NVIDIA A"], ""),
    "too short": (TWO, "GPU-c0", [], f"'GPU-c0' fits 2 GPUs and ends the list, so it {ALL}"),
    "a uuid of elsewhere": (TWO, "GPU-123", [], "'GPU-123' names no GPU here"),
    "a number behind a uuid": (
        TWO, "GPU-c0d,1", ["NVIDIA A"], f"'1' {ENDS}, so it {ONE}",
    ),
    "a uuid behind a number": (TWO, "1,GPU-c0d", ["NVIDIA B"], "'GPU-c0d' names no GPU here"),
    "divided, not set": (DIVIDED, None, [PART, "NVIDIA B"], ""),
    "divided, by number": (DIVIDED, "0", [PART], ONE),
    "a part": (DIVIDED, MIG[1], [OTHER], ONE),
    "the beginning of a part's uuid": (DIVIDED, "MIG-5fbd8b3f", [PART], ONE),
    "two parts": (DIVIDED, ",".join(MIG), [PART, OTHER], ONE),
    "a part of elsewhere": (DIVIDED, "MIG-123", [], "'MIG-123' names no GPU here"),
}  # fmt: skip


@pytest.mark.parametrize(("listed", "value", "names", "words"), CASES.values(), ids=CASES)
def test_cuda_s_rules(monkeypatch, tmp_path, listed, value, names, words):
    nvidia_smi.put(monkeypatch, tmp_path, listed, visible=value)
    seen = nvidia.seen()
    assert [gpu.name for gpu in seen.gpus] == names
    assert words in seen.lacking and bool(words) == bool(seen.lacking) == seen.by_variable
    tokens = [nvidia.token(number) for number in range(len(names))]
    for name, token in zip(names, tokens, strict=True):  # alone, each word still names that GPU
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", token)
        assert nvidia.names() == [name]


def test_why_there_is_no_gpu(monkeypatch, tmp_path):
    nvidia_smi.put(monkeypatch, tmp_path, "No devices found.\n", visible="0")
    assert nvidia.seen() == nvidia.Seen([], "nvidia-smi lists no GPU")
    nvidia_smi.put(monkeypatch, tmp_path, "NVIDIA-SMI has failed because\n", code=9)
    assert nvidia.seen().lacking == "nvidia-smi failed (NVIDIA-SMI has failed because)"
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert nvidia.seen().lacking.startswith("there is no nvidia-smi here")
    assert nvidia.names() == [] and nvidia.memory("free") == 0


def test_memory_is_asked_of_the_gpu_of_this_process(monkeypatch, tmp_path):
    """nvidia-smi takes no short UUID; of a part the driver doesn't tell."""
    for value, found in ((None, 1 << 30), ("GPU-c0d", 1 << 30), ("1", 1 << 30), ("-1", 0)):
        nvidia_smi.put(monkeypatch, tmp_path, visible=value)
        assert nvidia.memory("free") == found, value
    nvidia_smi.put(monkeypatch, tmp_path, DIVIDED, visible=MIG[0])
    assert nvidia.memory("free") == 0


def test_a_uuid_is_read_whole(monkeypatch, tmp_path):
    nvidia_smi.put(monkeypatch, tmp_path)
    assert [gpu.uuid for gpu in nvidia.seen().gpus] == [A, B]
