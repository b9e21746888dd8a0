"""Shares a launch's time out among its runs, and a run's time among its parts."""

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.planning import disk
from protocols.papers.backbones import load_backbones
from protocols.papers.variants import load_variants
from protocols.spec import RunSpec

# Rough costs where nothing is known of a device; the unit is one trained image of 120 x 160.
# backbones.toml has the cost of each backbone. These are the costs of what is trained on the
# features of a frozen backbone, as the runs of the laptop profile had them.
PIXELS = 120 * 160
HEAD, STEP, MAP = 0.0012, 0.0007, 0.01  # a dense head, a step over a row, a recurrent head on maps
FORWARD = 1 / 3  # the cost of a forward pass, as a share of a trained image's


@dataclass(frozen=True)
class Work:
    """What a run takes before its first epoch, in each epoch, and after the last. The unit may be
    any, but is one for all runs of a launch."""

    before: float
    epochs: tuple[float, ...] = ()
    after: float = 0.0

    @property
    def total(self) -> float:
        """The work of the whole run."""
        return self.before + sum(self.epochs) + self.after

    def at(self, share: float) -> float:
        """Returns the work done when this share of the run's images (0 to 1) is trained; epochs
        have equally many."""
        if not self.epochs:
            return share * self.total
        past = min(int(share * len(self.epochs)), len(self.epochs) - 1)
        within = share * len(self.epochs) - past
        return self.before + sum(self.epochs[:past]) + within * self.epochs[past]


def rough(spec: RunSpec) -> Work:
    """Returns the work of a run by the size of the network and how much of it is frozen."""
    variant, recipe = load_variants()[spec.variant], spec.recipe
    pixels = spec.data["height"] * spec.data["width"] / PIXELS
    image = pixels * sum(load_backbones()[name].cost for name in variant.backbones)
    if spec.stage == "latency":
        return Work(image * FORWARD * recipe["latency_repeats"] * 33)
    n_train, n_test = disk.counts(spec)
    head = HEAD
    if variant.sequence == "rows":
        head += STEP * spec.data["height"] / recipe["grey_pooling"]
    elif variant.sequence == "feature_map":
        head += MAP * pixels
    read = (n_train + n_test) / spec.data.get("n_folds", 1)  # folds share their features
    epochs = []
    for phase in spec.phases:
        through = 0.0 if phase["stored"] else image
        trained = head + (FORWARD * through if phase["frozen"] else through)
        epoch = trained * n_train + (head + through) * FORWARD * n_test
        epochs += [epoch] * phase["epochs"]
    return Work(spec.stores_features * FORWARD * image * read, tuple(epochs))


def shares(specs: Iterable[RunSpec], known: dict[str, Work]) -> dict[str, Work]:
    """Returns run id -> the run's work in the launch: the known work, in seconds, if that of all
    runs is known, else the rough work of all."""
    specs = list(specs)
    if all(spec.id in known for spec in specs):
        return {spec.id: known[spec.id] for spec in specs}
    return {spec.id: rough(spec) for spec in specs}
