"""The PyTorch worker process: python -m impl_torch.worker.
Its messages are described in protocols.runs.worker_loop."""

from functools import partial

from impl_torch.device import seen
from impl_torch.train import TorchTwin
from protocols.images.pool import Pool
from protocols.runs.course import run
from protocols.runs.twin import Twin
from protocols.runs.worker_loop import serve
from protocols.spec import RunSpec
from protocols.weights.start import OWN, Start


def make_twin(specs: list[RunSpec], pool: Pool, start: Start = OWN) -> Twin:
    """Makes the twin of one run, or of several runs that train together."""
    if len(specs) == 1:
        return TorchTwin(specs, pool, start)
    from impl_torch.together import TorchFolds  # noqa: PLC0415 (only where runs train together)

    return TorchFolds(specs, pool, start)


if __name__ == "__main__":
    serve(seen(), partial(run, make_twin))
