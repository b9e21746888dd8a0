"""Writes the command line that makes a stored run again."""

from protocols.spec import RunSpec
from reports.cells.settings import changed


def command(specs: list[RunSpec]) -> str:
    """Returns what to type, on the same kind of device, for runs that differ in their fold only (a
    latency run comes with the training run of its network). The command leaves the threads and the
    GPU's name to the machine."""
    words, spec = [], specs[0]
    if spec.backend == "jax":
        words.append("KERAS_BACKEND=jax")
    words += ["python runner.py", f"--framework {spec.framework}", f"--variant {spec.variant}"]
    words.append(f"--profile {spec.profile}")
    if spec.stage == "train":
        words += [f"--protocol {spec.protocol}", f"--seeds {spec.seed}"]
        folds = ",".join(str(s.fold) for s in specs if s.fold is not None)
        words += [f"--folds {folds}"] if folds else []
    words.append(f"--weights {spec.weights['source']}")
    words += ["--data phantom"] if spec.data["kind"] == "phantom" else []
    words += ["--init shared"] if spec.init == "shared" else []
    words += [f"--precision {spec.precision}"] if spec.precision != "float32" else []
    words += ["--deterministic"] if spec.deterministic else []
    if changes := changed(spec):
        words.append("--set " + " ".join(f"{k}={v}" for k, v in changes.items()))
    words.append("--gpu none" if spec.device == "cpu" else "--gpu 0")
    return " ".join(words)
