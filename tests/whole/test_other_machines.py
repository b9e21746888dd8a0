"""What must be the same on every machine, and what tells two machines apart."""

from benchmarks.planning.plan import Device, Selection, make_plan

GPU = {"keras": Device("jax", "NVIDIA H100", 0), "torch": Device("torch", "NVIDIA H100", 0)}
CPU = {"keras": Device("tensorflow", "cpu"), "torch": Device("torch", "cpu")}


def plan(devices, cores):
    return make_plan(Selection(profile="paper"), "real", devices, cores)


def test_a_run_on_a_gpu_has_one_id_whatever_the_host_s_cores():
    small, large = plan(GPU, 16), plan(GPU, 32)
    assert [run.id for run in small] == [run.id for run in large]
    assert {run.stage for run in small} == {"train", "latency"}


def test_a_run_on_a_cpu_takes_half_of_the_cores_to_train_and_all_to_answer():
    for cores, half in ((1, 1), (2, 1), (16, 8)):
        threads = {(run.stage, run.threads) for run in plan(CPU, cores)}
        assert threads == {("train", half), ("latency", cores)}


def test_one_cpu_and_one_gpu_twin_each_have_their_own():
    mixed = plan({"keras": CPU["keras"], "torch": GPU["torch"]}, 16)
    assert {r.threads for r in mixed if r.framework == "torch"} == {8}
    assert {r.threads for r in mixed if r.framework == "keras"} == {8, 16}
    ids = [[r.id for r in mixed if r.framework == f] for f in ("keras", "torch")]
    assert ids[0] == [r.id for r in plan(CPU, 16) if r.framework == "keras"]
    assert ids[1] == [r.id for r in plan(GPU, 32) if r.framework == "torch"]
