"""The PyTorch worker process: python -m impl_torch.worker.
Its messages are described in protocols.runs.worker_loop."""

from collections.abc import Callable
from functools import partial

from impl_torch import layouts
from impl_torch.backbones import Layouts
from impl_torch.device import seen
from impl_torch.train import TorchTwin
from protocols.files import Progress
from protocols.images.pool import Pool
from protocols.runs.course import run
from protocols.runs.twin import Twin
from protocols.runs.worker_loop import Job, serve
from protocols.spec import RunSpec
from protocols.weights.start import OWN, Start


def make_twin(
    specs: list[RunSpec], pool: Pool, start: Start = OWN, layouts: Layouts | None = None
) -> Twin:
    """Makes the twin of one run, or of several runs that train together."""
    if len(specs) == 1:
        return TorchTwin(specs, pool, start, layouts)
    from impl_torch.together import TorchFolds  # noqa: PLC0415 (only where runs train together)

    return TorchFolds(specs, pool, start, layouts)


def train(
    specs: list[RunSpec], jobs: list[Job], progress: Progress, note: Callable[[str], None]
) -> None:
    """Trains one run, or several together, in the memory layouts that were faster here."""
    make = partial(make_twin, layouts=layouts.faster(specs[0], jobs[0].cache, note))
    run(make, specs, jobs, progress, note)


if __name__ == "__main__":
    serve(seen(), train)
