"""Latency of one variant in PyTorch: warm from an array and from a JPEG; cold start.

Cold, as the launcher runs it: python -m impl_torch.latency SPEC.json IMAGES_FOLDER
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from impl_torch.device import device_of, environment, prepare
from impl_torch.models import Network
from protocols.contract import write_common
from protocols.files import Progress
from protocols.images import open_set
from protocols.seeds import derive
from protocols.serve import Job
from protocols.spec import RunSpec
from protocols.timing import latencies

Predict = Callable[[np.ndarray], np.ndarray]


def predictor(spec: RunSpec) -> Predict:
    """A fresh network of the run's variant: uint8 (n, h, w, 3) -> probabilities (n, 4), host."""
    device = device_of(spec)
    prepare(spec)
    torch.manual_seed(derive(spec.seed, "weights"))
    network = Network(spec).to(device).eval()

    @torch.inference_mode()
    def predict(images: np.ndarray) -> np.ndarray:
        return network(torch.from_numpy(images).to(device)).softmax(1).cpu().numpy()

    return predict


def latency(spec: RunSpec, job: Job, progress: Progress) -> None:
    """Measures the warm figures and writes the folder; the launcher adds the cold one."""
    timings = latencies(spec, predictor(spec), open_set(job.images), job.jpeg, progress)
    write_common(job.folder, spec, environment(spec), {"engine": "eager", **timings})


if __name__ == "__main__":
    run_spec = RunSpec.from_json(Path(sys.argv[1]).read_text())
    one = np.array(open_set(Path(sys.argv[2])).pixels[:1])
    print("probabilities", *predictor(run_spec)(one)[0], flush=True)
