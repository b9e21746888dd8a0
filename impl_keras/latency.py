"""Latency of one variant in Keras: warm from an array and from a JPEG; cold start.

Cold, as the launcher runs it: python -m impl_keras.latency SPEC.json IMAGES_FOLDER
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from keras import ops

from impl_keras.device import environment, prepare
from impl_keras.models import Network
from impl_keras.step import backend
from protocols.contract import write_common
from protocols.files import Progress
from protocols.images import open_set
from protocols.serve import Job
from protocols.spec import RunSpec
from protocols.timing import latencies

Predict = Callable[[np.ndarray], np.ndarray]


def predictor(spec: RunSpec, graph: bool) -> Predict:
    """A fresh network of the run's variant: uint8 (n, h, w, 3) -> probabilities (n, 4), host.

    Without `graph` TensorFlow traces nothing: the shortest way to one first answer.
    """
    prepare(spec)
    network = Network(spec)
    call = backend.compiled(
        lambda images: ops.softmax(network.logits(images, None)), network.parts, graph
    )
    return lambda images: ops.convert_to_numpy(call(images))


def latency(spec: RunSpec, job: Job, progress: Progress) -> None:
    """Measures the warm figures and writes the folder; the launcher adds the cold one."""
    predict = predictor(spec, graph=True)
    timings = latencies(spec, predict, open_set(job.images), job.jpeg, progress)
    write_common(job.folder, spec, environment(spec), {"engine": backend.ENGINE, **timings})


if __name__ == "__main__":
    run_spec = RunSpec.from_json(Path(sys.argv[1]).read_text())
    one = np.array(open_set(Path(sys.argv[2])).pixels[:1])
    print("probabilities", *predictor(run_spec, graph=False)(one)[0], flush=True)
