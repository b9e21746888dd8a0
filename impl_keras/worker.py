"""The Keras worker process: python -m impl_keras.worker.
Its messages are described in protocols.runs.worker_loop."""

from functools import partial

from impl_keras.device import seen
from impl_keras.train import KerasTwin
from protocols.images.pool import Pool
from protocols.runs.course import run
from protocols.runs.twin import Twin
from protocols.runs.worker_loop import serve
from protocols.spec import RunSpec
from protocols.weights.start import OWN, Start


def make_twin(specs: list[RunSpec], pool: Pool, start: Start = OWN) -> Twin:
    """Makes the twin of one run, or on JAX of several runs that train together."""
    if len(specs) == 1:
        return KerasTwin(specs, pool, start)
    from impl_keras.together import KerasFolds  # noqa: PLC0415 (only where runs train together)

    return KerasFolds(specs, pool, start)


if __name__ == "__main__":
    serve(seen(), partial(run, make_twin))
