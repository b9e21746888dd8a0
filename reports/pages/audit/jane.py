"""The claims audit of Jane 2022."""

import itertools
from collections.abc import Iterator

from protocols.papers.claims import Claim, of_network, of_table
from reports.pages.audit import prose
from reports.pages.audit.finding import (
    Claims,
    Finding,
    Side,
    Word,
    images,
    judged,
    quoted,
    row,
    side,
    where,
)
from reports.statistics import printed
from reports.tables.cell_text import claim_text
from reports.tables.formats import THIN, percent


def tested(images: str) -> Side:
    """Return what the paper says of its test `images`."""
    return Side("Jane 3.1", f"{images}, 500 of each class, each tested once in ten folds")


def f_measures(claims: Claims) -> Iterator[Finding]:
    """Check F against precision and recall, and recall against accuracy."""
    for variant in ("cnn_lstm", "cnn_gru"):
        of = {m: claims[f"jane.t2.{variant}.{m}"]
              for m in ("precision", "recall", "f1", "accuracy")}  # fmt: skip
        shown = {m: printed.printed(c) for m, c in of.items()}
        low, high = printed.harmonic(shown["precision"], shown["recall"])
        yield Finding(
            "Is F that of precision and recall?", tuple(of[m].id for m in list(of)[:3]),
            (Side(where(of["f1"]), f"{row(of['f1'])}: precision {of['precision'].printed}, "
                                    f"recall {of['recall'].printed}"), side(of["f1"])),
            f"2PR/(P + R) lies between {float(low):.4f} and {float(high):.4f} for all that round "
            "to P and R.",
            judged(printed.meet((low, high), shown["f1"])), (of["f1"].id,),
        )  # fmt: skip
        recall, accuracy = shown["recall"], shown["accuracy"]
        yield Finding(
            "Is recall the accuracy, as on equal classes?", (of["recall"].id, of["accuracy"].id),
            (side(of["recall"]), side(of["accuracy"])),
            "With 500 images of each class (3.1) the macro recall is the accuracy, and so is the "
            f"micro recall: {percent(recall[0], 1)} to {percent(recall[1], 1)} against "
            f"{percent(accuracy[0])} to {percent(accuracy[1])}.",
            judged(printed.meet(recall, accuracy)),
        )  # fmt: skip


def table_2_against_3(claims: Claims) -> Iterator[Finding]:
    """Check Table II against Table III: the chosen network should be one of Table III's course."""
    for variant in ("cnn_lstm", "cnn_gru"):
        losses, course = (
            of_network(of_table(claims, "jane", "Table III", metric), variant)
            for metric in ("log_loss", "accuracy")
        )
        chosen = claims[f"jane.t2.{variant}.accuracy"]
        last = min(losses, key=lambda c: c.number).epoch
        there = next(c for c in course if c.epoch == last)
        rises = [b for a, b in itertools.pairwise(losses) if a.number <= b.number]
        falls = [b for a, b in itertools.pairwise(course) if a.number >= b.number]
        yield Finding(
            "Does the course go as the text says?", tuple(c.id for c in (*course, *losses)),
            (Side("Jane 4", "accuracy grows and log loss falls with the epochs"),
             Side("Jane Table III", f"{row(chosen)}: {', '.join(map(claim_text, course))}; "
                                    f"{', '.join(c.printed for c in losses)}")),
            f"Each accuracy {'is not' if falls else 'is'} above the one before, each loss "
            f"{'not always below' if rises else 'below'} it.",
            judged(not rises and not falls), tuple(c.id for c in (*falls, *rises)),
        )  # fmt: skip
        yield Finding(
            "Is the chosen network one of Table III?", (chosen.id, there.id),
            (side(chosen), side(there)),
            "The network of the lowest validation loss is chosen (4), the loss falls with the "
            f"epochs and is lowest at {last}. There the accuracy is {claim_text(there)}, "
            f"{images(chosen, there)} of {chosen.n:,} images below Table II; no epoch of Table "
            f"III has more than {max(c.number for c in course) * 100:.1f}{THIN}%.",
            judged(printed.meet(printed.printed(chosen), printed.printed(there))),
        )  # fmt: skip


def loss_floors(claims: Claims) -> Iterator[Finding]:
    """Check the losses against the accuracies: a wrong answer costs at least ln 2."""
    for loss in of_table(claims, "jane", "Table III", "log_loss"):
        (accuracy,) = (
            c for c in of_network(of_table(claims, "jane", loss.where, "accuracy"), loss.variant)
            if c.at == loss.at
        )  # fmt: skip
        floor = printed.smoothed_loss(float(printed.printed(accuracy)[1]), 0.0)
        yield Finding(
            "Can the loss be so low at that accuracy?", (loss.id, accuracy.id),
            (side(loss), side(accuracy)),
            f"A wrong answer costs at least ln 2, so the loss is at least {floor:.4f} nat; always "
            "saying a quarter gives ln 4 = 1.3863.",
            judged(floor <= float(printed.printed(loss)[1]), Word.NOT_ATTAINABLE), (loss.id,),
        )  # fmt: skip


def order(claims: Claims) -> Iterator[Finding]:
    """Check which of the two networks is the better one, by Table II and by Table III."""
    rank = claims["jane.rank.best"]
    second, last = (
        [of_network(of_table(claims, "jane", table, "accuracy"), v)[-1]
         for v in ("cnn_lstm", "cnn_gru")]
        for table in ("Table II", "Table III")
    )  # fmt: skip
    yield Finding(
        "Is CNN-LSTM the better in Table II?", (rank.id, *(c.id for c in second)),
        (side(rank), Side("Jane Table II", ", ".join(f"{row(c)} {claim_text(c)}" for c in second))),
        f"{images(*second):+d} of {second[0].n:,} images.",
        judged(second[0].number > second[1].number), (rank.id,),
    )  # fmt: skip
    courses = _courses(claims, "accuracy")
    behind = [a.epoch for a, b in courses if a.number < b.number]
    yield Finding(
        "Is CNN-LSTM the better in Table III?", (rank.id, *(c.id for c in last)),
        (side(rank), Side("Jane Table III", f"epoch {last[0].epoch}: " + ", ".join(
            f"{row(c)} {claim_text(c)}" for c in last))),
        f"CNN-GRU has the higher accuracy at {len(behind)} of {len(courses)} epochs "
        f"({', '.join(map(str, behind))}); at the last, where the loss is lowest and the network "
        f"is chosen (4), by {-images(*last)} of {last[0].n:,} images.",
        judged(last[0].number > last[1].number), (rank.id,),
    )  # fmt: skip


def _courses(claims: Claims, metric: str) -> list[tuple[Claim, Claim]]:
    """Return the claims of Table III in pairs: CNN-LSTM and CNN-GRU at each epoch."""
    found = of_table(claims, "jane", "Table III", metric)
    return list(zip(*(of_network(found, v) for v in ("cnn_lstm", "cnn_gru")), strict=True))


def figures(claims: Claims) -> Iterator[Finding]:
    """Check by the tables what the text says of Figs. 2 and 3."""
    said = claims["jane.text.log_loss"]
    losses = _courses(claims, "log_loss")
    below = sum(a.number < b.number for a, b in losses)
    yield Finding(
        "Is CNN-LSTM's log loss the lower one?",
        (said.id, *(c.id for both in losses for c in both)),
        (Side(where(said), quoted("the CNN-LSTM model, as shown in Fig.2, has the lowest logloss")),
         Side("Jane Table III", "; ".join(f"{a.printed}, {b.printed}" for a, b in losses))),
        f"It is, at {below} of {len(losses)} epochs.",
        judged(below == len(losses)), (said.id,),
    )  # fmt: skip
    for key, metric, text in (
        ("precision", "precision_macro", "the precision of the CNN-LSTM model's blood cell type "
         "prediction is higher than the CNN-GRU model"),
        ("recall", "recall_macro", "the recall remains constant"),
    ):  # fmt: skip
        said = claims[f"jane.text.{key}"]
        a, b = of_table(claims, "jane", "Table II", metric)
        holds = a.number > b.number if key == "precision" else a.printed == b.printed
        yield Finding(
            f"Is the {key} as the text says?", (said.id, a.id, b.id),
            (Side(where(said), quoted(text)),
             Side("Jane Table II", f"{row(a)} {a.printed}, {row(b)} {b.printed}")),
            f"{a.printed} {'>' if a.number > b.number else '<' if a.number < b.number else '='} "
            f"{b.printed}.",
            judged(holds), (said.id,),
        )  # fmt: skip


AUDITS = (f_measures, table_2_against_3, loss_floors, order, figures, *prose.JANE)
