"""What PyTorch's recorded runs of fold 0 say of a recipe, for the README and for the page of the
recorded runs."""

from functools import cache

from benchmarks.store.run import Run
from benchmarks.store.store import Store
from protocols.files import ROOT
from protocols.papers.claims import Claim, load_claims
from protocols.papers.papers import load_papers
from reports.tables import formats

LAPTOP = ROOT / "reports" / "published" / "laptop"
ROWS = {  # of the tables of fold 0: a row's network, protocol, rate, and what is trained
    f"{name}, learning rate {rate}": (variant, "cv10", rate, "head")
    for name, variant in (("CNN-LSTM", "cnn_lstm"), ("CNN-GRU", "cnn_gru"))
    for rate in (0.01, 0.001)
} | {
    "CNN-LSTM, CNN trained too, 0.01": ("cnn_lstm", "cv10", 0.01, "all"),
    "CNN-LSTM, CNN trained too, 0.001": ("cnn_lstm", "cv10", 0.001, "all"),
    "CNN-LSTM, CNN trained too, 0.001, whole photographs": (
        "cnn_lstm", "cv10-grouped", 0.001, "all",
    ),
}  # fmt: skip


@cache
def first_folds() -> dict[tuple[str, str, float, str], Run]:
    """Returns PyTorch's recorded runs of fold 0, by network, protocol, learning rate and what is
    trained."""
    found = {}
    for run in Store(LAPTOP).runs():
        spec = run.spec
        if (spec.stage, spec.framework, spec.fold) == ("train", "torch", 0):
            trained = "head" if spec.heads_only else "all"
            found[spec.variant, spec.protocol, spec.recipe["rate"], trained] = run
    return found


def row(name: str) -> str:
    """Writes a row of the tables of PyTorch's runs of fold 0: the epochs, the accuracy on the
    training images in the last of them, and on the held-out ones there and in the epoch that is
    selected, with its number."""
    run = first_folds()[ROWS[name]]
    last, best = run.history[-1], int(run.predictions["selected_index"])
    shares = (last["train_accuracy"], last["eval_accuracy"], run.history[best]["eval_accuracy"])
    training, held, selected = map(percent, shares)
    return f"| {name} | {len(run.history)} | {training} | {held} | {selected} | {best + 1} |"


def accuracy_claim(variant: str, at: str = "") -> Claim:
    """Returns the first accuracy that is printed of a network, at this point of its training if
    one is named."""
    return next(
        c
        for c in load_claims().values()
        if (c.kind, c.metric, c.variant) == ("metric", "accuracy", variant) and at in ("", c.at)
    )


def printed_rate() -> str:
    """Writes how far the runs of fold 0 end from what is printed at the end of training."""
    folds, names = first_folds(), ("cnn_lstm", "cnn_gru")
    printed = [accuracy_claim(name, "epoch 500") for name in names]

    def ends(key: str, rate: float) -> str:
        shares = (folds[name, "cv10", rate, "head"].history[-1][key] for name in names)
        return " and ".join(map(percent, shares))

    trained = folds["cnn_lstm", "cv10", 0.01, "all"].history
    return (
        f"{load_papers()[printed[0].paper].author} trains by Adam at this rate and prints "
        f"{' and '.join(f'{claim.printed} %' for claim in printed)} for CNN-LSTM and CNN-GRU after "
        f"500 epochs. Here, on one fold of ten, on images of half the size and with the CNN kept "
        f"as it was loaded, PyTorch ends at {ends('eval_accuracy', 0.01)}, with "
        f"{ends('train_accuracy', 0.01)} of the training images right; at 0.001 it ends at "
        f"{ends('eval_accuracy', 0.001)}. With the CNN trained too, CNN-LSTM is at "
        f"{percent(trained[-1]['eval_accuracy'])} after {len(trained)} epochs."
    )


def copies() -> str:
    """Writes what the CNN trained too at 0.001 reaches on a published fold, and on one that holds
    out whole photographs."""
    published, whole = (
        first_folds()["cnn_lstm", protocol, 0.001, "all"] for protocol in ("cv10", "cv10-grouped")
    )

    def ended(run: Run) -> str:
        shares = [row["eval_accuracy"] for row in run.history[-4:]]
        low, high, last = map(percent, (min(shares), max(shares), shares[-1]))
        return f"between {low} and {high} of them right in the last four epochs, {last} in the last"

    author = load_papers()[accuracy_claim("cnn_lstm").paper].author
    return (
        f"{author}'s folds hold out images, and nearly every one of them shows a photograph that "
        "training images show too. With the CNN trained too, at 0.001, for "
        f"{len(published.history)} epochs, CNN-LSTM gets {ended(published)}. Where the fold holds "
        f"out {len(whole.predictions['ids'])} whole photographs instead, it gets {ended(whole)}. "
        "One fold of one seed is a hint, and judges nothing."
    )


def percent(share: float) -> str:
    """Writes a share as the documents do: "95.0 %"."""
    return formats.percent(share, 1).replace(formats.THIN, " ")
