"""What PyTorch's recorded folds say of a recipe, for the README and for the page of the recorded
runs."""

from collections import defaultdict
from functools import cache
from statistics import mean

from benchmarks.store.run import Run
from benchmarks.store.store import Store
from protocols.files import ROOT
from protocols.papers.claims import Claim, load_claims
from protocols.papers.papers import load_papers
from protocols.papers.recipes import fold_count
from reports.cells.settings import changed
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
OWN_HEADS = ("cnn_lstm", "cnn_gru")  # the networks of the paper with ten folds
NOT_RECORDED = "not recorded"
FOLDS = fold_count()
CHANGES = {"rate", "cnn_trained", "epochs"}  # the values that these tables vary
FOLD_ROWS = {f"fold {fold}": [fold] for fold in range(FOLDS)} | {"mean": [*range(FOLDS)]}


@cache
def recorded_folds() -> dict[tuple[str, str, float, str], dict[int, Run]]:
    """Returns PyTorch's recorded runs by network, protocol, learning rate and what is trained; then
    by fold."""
    found: dict[tuple[str, str, float, str], dict[int, Run]] = defaultdict(dict)
    for run in Store(LAPTOP).runs():
        spec = run.spec
        if spec.fold is None or (spec.stage, spec.framework, spec.seed) != ("train", "torch", 0):
            continue
        if changed(spec).keys() <= CHANGES:
            trained = "head" if spec.heads_only else "all"
            found[spec.variant, spec.protocol, spec.recipe["rate"], trained][spec.fold] = run
    return dict(found)


@cache
def at_printed_rate(variant: str) -> dict[int, tuple[float, float]]:
    """Returns by fold the accuracy on the held-out images in the last and in the selected epoch, of
    a network under the recipe as it is, at the rate that is printed."""
    folds = recorded_folds()[variant, "cv10", 0.01, "head"]
    return {
        fold: (run.history[-1]["eval_accuracy"], run.history[selected(run)]["eval_accuracy"])
        for fold, run in folds.items()
    }


def selected(run: Run) -> int:
    """Returns the selected epoch, counted from 0."""
    return int(run.predictions["selected_index"])


def row(name: str) -> str:
    """Writes a row of the tables of PyTorch's runs of fold 0: the epochs, the accuracy on the
    training images in the last of them, and on the held-out ones there and in the epoch that is
    selected, with its number."""
    run = recorded_folds()[ROWS[name]][0]
    last, best = run.history[-1], selected(run)
    shares = (last["train_accuracy"], last["eval_accuracy"], run.history[best]["eval_accuracy"])
    training, held, chosen = map(percent, shares)
    return f"| {name} | {len(run.history)} | {training} | {held} | {chosen} | {best + 1} |"


def fold_row(name: str) -> str:
    """Writes a row of the table of folds at the printed rate: each network's accuracy on the
    held-out images in the last and in the selected epoch; of the row "mean", the means of the folds
    that are recorded."""
    cells = []
    for variant in OWN_HEADS:
        folds = at_printed_rate(variant)
        found = [folds[fold] for fold in FOLD_ROWS[name] if fold in folds]
        means = [percent(mean(shares)) for shares in zip(*found, strict=True)]
        cells += means or [NOT_RECORDED] * 2
    return f"| {name} | {' | '.join(cells)} |"


def accuracy_claim(variant: str, at: str = "") -> Claim:
    """Returns the first accuracy that is printed of a network, at this point of its training if
    one is named."""
    return next(
        c
        for c in load_claims().values()
        if (c.kind, c.metric, c.variant) == ("metric", "accuracy", variant) and at in ("", c.at)
    )


def printed_rate() -> str:
    """Writes how far the recorded folds end from what is printed at the end of training."""
    printed = [accuracy_claim(name, "epoch 500") for name in OWN_HEADS]

    def ends(part: str, rate: float) -> str:
        shares = (
            recorded_folds()[name, "cv10", rate, "head"][0].history[-1][f"{part}_accuracy"]
            for name in OWN_HEADS
        )
        return " and ".join(map(percent, shares))

    def reached(variant: str) -> str:
        shares = [last for last, _ in at_printed_rate(variant).values()]
        low, high = percent(min(shares)), percent(max(shares))
        between = f" ({low} to {high})" if len(shares) > 1 else ""
        return f"{percent(mean(shares))} on {len(shares)} of {FOLDS} folds{between}"

    lstm, gru = map(reached, OWN_HEADS)
    trained = recorded_folds()["cnn_lstm", "cv10", 0.01, "all"][0].history
    return (
        f"{load_papers()[printed[0].paper].author} trains by Adam at this rate and prints "
        f"{' and '.join(f'{claim.printed} %' for claim in printed)} for CNN-LSTM and CNN-GRU after "
        "500 epochs. Here, on images of half the size and with the CNN kept as it was loaded, "
        f"PyTorch's CNN-LSTM ends with this share of the held-out images right: {lstm}; its "
        f"CNN-GRU: {gru}. In the first fold the two then have {ends('train', 0.01)} of the "
        f"training images right. At 0.001 they end there with {ends('train', 0.001)} of the "
        f"training images right, and with {ends('eval', 0.001)} of the held-out ones. With the CNN "
        f"trained too, at 0.01, CNN-LSTM has {percent(trained[-1]['eval_accuracy'])} of the "
        f"held-out ones right there after {len(trained)} epochs."
    )


def copies() -> str:
    """Writes what the CNN trained too at 0.001 reaches on a published fold, and on one that holds
    out whole photographs."""
    published, whole = (
        recorded_folds()["cnn_lstm", protocol, 0.001, "all"][0]
        for protocol in ("cv10", "cv10-grouped")
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
