"""Two records that share no bit are never "differs: nothing", and two processors of one name are
told apart by their instructions."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.store.run import Run
from benchmarks.store.store import Store
from benchmarks.terminal import texts
from protocols import hardware
from reports.cells.environment import short_instructions
from reports.comparison.join import side
from reports.comparison.run_pairs import pair_of
from reports.pages.environment import environments
from tests.support import synthetic
from tests.support.synthetic import add, spec

KERAS, TORCH = spec(), spec("torch")
OLD, NEW = "avx avx2 fma", "avx avx2 avx512bw avx512f fma"


@pytest.fixture
def on(monkeypatch):
    """From now on runs are made with these instructions and variables."""
    plain = synthetic.env

    def there(instructions, **variables):
        more = {"instruction_set": instructions, "variables": variables}
        monkeypatch.setattr(synthetic, "env", lambda run: plain(run) | more)

    return there


def test_other_bits_without_a_recorded_cause_are_said_with_how_far_they_are_apart(stores, compared):
    a, b = stores("a", (KERAS, 0.8), (TORCH, 0.8)), stores("b", (KERAS, 0.7), (TORCH, 0.8))
    found, tables, text = compared(a, b)
    one, two = (s.find(KERAS).predictions["selected"].astype(float) for s in (a, b))
    n, largest = len(one), np.abs(one - two).max()
    other = int((one.argmax(1) != two.argmax(1)).sum())
    assert other > 0 and largest > 0.01
    how = f"selected epochs at most {largest:.2g} apart, {other:,} of {n:,} answers differ"
    assert f"probabilities, Keras: 1 of 1 common runs have other bits: {how}" in text
    assert "differs, Keras: nothing that is recorded (CPU instructions, variables that" in text
    assert "probabilities, PyTorch" not in text
    assert "differs, PyTorch: nothing\n" in text
    runs = {c["framework"]: c["runs"][0] for c in found["cells"]}
    assert runs["keras"]["largest_difference"] == pytest.approx(largest)
    assert runs["keras"]["other_answers"] == other
    assert runs["torch"]["largest_difference"] == runs["torch"]["other_answers"] == 0
    rows = [row for row in tables.find("Every run that both")[2:] if row[0].startswith("Seed")]
    assert f"no | {how}" in [row[5] for row in rows]


def test_all_that_is_known_alike_is_still_not_nothing_if_the_bits_differ(
    stores, compared, on, tmp_path
):
    on(OLD)
    _, tables, text = compared(stores("a", (KERAS, 0.8)), stores("b", (KERAS, 0.7)))
    rows = tables.find("Keras: what differs")
    assert ["nothing that is recorded", "–", "–", "0 of 1"] in rows
    assert "differs, Keras: nothing that is recorded\n" in text
    page = (tmp_path / "beside" / "compare.html").read_text(encoding="utf-8")
    assert "<p>Probabilities: 1 of 1 common runs have other bits: selected epochs at most" in page


def test_other_instructions_are_named_as_what_differs(stores, compared, on):
    on(OLD)
    a = stores("a", (KERAS, 0.8))
    on(NEW, MKL_CBWR="AVX2")
    found, tables, text = compared(a, stores("b", (KERAS, 0.7)))
    assert "differs, Keras: CPU instructions none more / avx512bw avx512f" in text
    assert "differs, Keras: variables that choose kernels none set / MKL_CBWR=AVX2" in text
    differ = {one["what"] for one in found["around"]["keras"] if one["differ"]}
    assert differ == {"CPU instructions", "variables that choose kernels"}
    rows = {row[0]: row[1:] for row in tables.find("Keras: what differs") if len(row) == 4}
    assert rows["CPU instructions"] == [OLD, NEW, "1 of 1"]


def test_a_record_made_before_there_were_any_says_that_it_lacks_them(stores, compared, on):
    a = stores("a", (KERAS, 0.8))
    on(NEW)
    _, tables, text = compared(a, stores("b", (KERAS, 0.8)))
    assert f"differs, Keras: CPU instructions not recorded / {NEW}" in text
    rows = {row[0]: row[1:] for row in tables.find("Keras: what differs") if len(row) == 4}
    assert rows["CPU instructions"][0] == "not recorded"


def test_the_environment_page_tells_what_is_recorded_and_what_is_not(stores, on):
    old = stores("a", (KERAS, 0.8))
    on(NEW, XLA_FLAGS="--a")
    slots = side("A", old).slots + side("B", stores("b", (KERAS, 0.8))).slots
    (table,) = environments(SimpleNamespace(slots=slots))
    rows = {line[0].text: [td.text for td in line[1:]] for line in table.bodies[0][1]}
    assert sorted(rows["CPU instructions"]) == ["avx, avx2, avx512 (2 kinds), fma", "not recorded"]
    assert table.notes == ["CPU instructions: every name stands in the env.json of a run."]
    assert sorted(rows["Variables that choose kernels"]) == ["XLA_FLAGS=--a", "not recorded"]


@pytest.mark.parametrize(
    ("names", "short"),
    [
        ("amx_bf16 amx_tile avx avx512_vnni avx512f fma sse4_1 sse4_2 ssse3",
         "amx (2 kinds), avx, avx512 (2 kinds), fma, sse4 (2 kinds), ssse3"),
        ("asimd sve sve2", "asimd, sve (2 kinds)"),
        ("not known (arm64)", "not known (arm64)"),
        ("not recorded", "not recorded"),
    ],
)  # fmt: skip
def test_instructions_in_short(names, short):
    assert short_instructions(names) == short


def test_nan_on_one_side_is_no_number(stores, monkeypatch):
    a, b = stores("a", (KERAS, 0.8)), stores("b", (KERAS, 0.7))
    slots = [side(letter, store).slots[0] for letter, store in (("A", a), ("B", b))]
    run, read = slots[1].stored, Run.predictions.fget
    arrays = run.predictions
    arrays["selected"][0] = np.nan
    monkeypatch.setattr(Run, "predictions", property(lambda r: arrays if r is run else read(r)))
    pair = pair_of(*slots)
    assert pair.apart is None and pair.otherwise is not None and not pair.identical


def test_status_tells_two_processors_of_one_name_apart(tmp_path, on):
    store = Store(tmp_path)
    on(OLD)
    add(store, KERAS)
    store.remember([KERAS, TORCH])
    assert not any("processor" in line for line in texts.status(store))
    on(NEW)
    add(store, TORCH)
    lines = "\n".join(texts.status(store))
    assert "made on several processors, which may compute other bits" in lines
    for known in (OLD, NEW):
        assert f"1 run  A made-up processor; instructions: {known}" in lines


@pytest.mark.parametrize(
    ("text", "name", "known"),
    [
        (
            "processor\t: 0\nmodel name\t: X\nvmx flags\t: vnmi\n"
            "flags\t\t: fpu sse smep sse4_2 avx2 avx fma amx_tile avx512_bf16 aes ht\n",
            "X",
            "amx_tile avx avx2 avx512_bf16 fma sse4_2",
        ),
        (
            "processor : 0\nFeatures : fp asimd sve sme smef64f64 bf16 aes\nCPU part : 0xd40\n",
            "",
            "asimd bf16 sme smef64f64 sve",
        ),
    ],
)
def test_the_instructions_that_kernels_are_chosen_by(monkeypatch, tmp_path, text, name, known):
    (tmp_path / "cpuinfo").write_text(text, encoding="utf-8")
    monkeypatch.setattr(hardware, "CPUINFO", tmp_path / "cpuinfo")
    assert hardware.instruction_set() == known
    assert hardware.cpu_name() == (name or hardware.cpu_name())


def test_without_cpuinfo_the_kind_of_machine_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(hardware, "CPUINFO", tmp_path / "none")
    monkeypatch.setattr(hardware.platform, "machine", lambda: "arm64")
    assert hardware.kernels()["instruction_set"] == "not known (arm64)"


CHOOSE = [
    "ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_DEFAULT_FPMATH_MODE", "MKL_CBWR",
    "OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES", "TF_ENABLE_ONEDNN_OPTS", "XLA_FLAGS",
    "NVIDIA_TF32_OVERRIDE", "CUBLAS_WORKSPACE_CONFIG",
]  # fmt: skip


def test_variables_that_choose_kernels_are_kept_and_no_others(monkeypatch):
    for name in (*CHOOSE, "ONEDNN_VERBOSE", "MKL_VERBOSE", "PATH_TO_MKL_X", "HOME"):
        monkeypatch.setenv(name, "a")
    found = hardware.kernels()["variables"]
    assert set(CHOOSE) <= set(found)
    assert not {"ONEDNN_VERBOSE", "MKL_VERBOSE", "PATH_TO_MKL_X", "HOME"} & set(found)
