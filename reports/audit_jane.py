"""The claims audit of Jane 2022."""

import itertools
from collections.abc import Iterator
from functools import cache

from protocols.dataset import ORIGINALS, Source
from reports import arithmetic
from reports.finding import (
    NOT_ATTAINABLE,
    NOT_CHECKED,
    Claims,
    Finding,
    Side,
    images,
    judged,
    of_table,
    percent,
    row,
    side,
    where,
)
from reports.tables import THIN, claim_text


def f_measures(claims: Claims) -> Iterator[Finding]:
    """F from precision and recall; recall against accuracy."""
    for variant in ("cnn_lstm", "cnn_gru"):
        of = {m: claims[f"jane.t2.{variant}.{m}"]
              for m in ("precision", "recall", "f1", "accuracy")}  # fmt: skip
        shown = {m: arithmetic.printed(c) for m, c in of.items()}
        low, high = arithmetic.harmonic(shown["precision"], shown["recall"])
        yield Finding(
            "Is F that of precision and recall?", tuple(of[m].id for m in list(of)[:3]),
            (Side(where(of["f1"]), f"{row(of['f1'])}: precision {of['precision'].printed}, "
                                    f"recall {of['recall'].printed}"), side(of["f1"])),
            f"2PR/(P + R) lies between {float(low):.4f} and {float(high):.4f} for all that round "
            "to P and R.",
            judged(arithmetic.meet((low, high), shown["f1"])),
        )  # fmt: skip
        recall, accuracy = shown["recall"], shown["accuracy"]
        yield Finding(
            "Is recall the accuracy, as on equal classes?", (of["recall"].id, of["accuracy"].id),
            (side(of["recall"]), side(of["accuracy"])),
            "With 500 images of each class (3.1) the macro recall is the accuracy, and so is the "
            f"micro recall: {percent(recall[0], 1)} to {percent(recall[1], 1)} against "
            f"{percent(accuracy[0])} to {percent(accuracy[1])}.",
            judged(arithmetic.meet(recall, accuracy)),
        )  # fmt: skip


def table_2_against_3(claims: Claims) -> Iterator[Finding]:
    """The chosen network should be one of Table III's course."""
    for variant in ("cnn_lstm", "cnn_gru"):
        losses = of_table(claims, f"jane.t3.{variant}.log_loss.")
        course = of_table(claims, f"jane.t3.{variant}.accuracy.")
        chosen = claims[f"jane.t2.{variant}.accuracy"]
        last = min(losses, key=lambda c: c.value).epoch
        there = next(c for c in course if c.epoch == last)
        falling = all(a.value > b.value for a, b in itertools.pairwise(losses))
        rising = all(a.value < b.value for a, b in itertools.pairwise(course))
        yield Finding(
            "Does the course go as the text says?", tuple(c.id for c in (*course, *losses)),
            (Side("Jane 4", "accuracy grows and log loss falls with the epochs"),
             Side("Jane Table III", f"{row(chosen)}: {', '.join(map(claim_text, course))}; "
                                    f"{', '.join(c.printed for c in losses)}")),
            f"Each accuracy {'is' if rising else 'is not'} above the one before, each loss "
            f"{'below' if falling else 'not always below'} it.",
            judged(falling and rising),
        )  # fmt: skip
        yield Finding(
            "Is the chosen network one of Table III?", (chosen.id, there.id),
            (side(chosen), side(there)),
            "The network of the lowest validation loss is chosen (4), the loss falls with the "
            f"epochs and is lowest at {last}. There the accuracy is {claim_text(there)}, "
            f"{images(chosen, there)} of {chosen.n:,} images below Table II; no epoch of Table "
            f"III has more than {max(c.value for c in course) * 100:.1f}{THIN}%.",
            judged(arithmetic.meet(arithmetic.printed(chosen), arithmetic.printed(there))),
        )  # fmt: skip


def loss_floors(claims: Claims) -> Iterator[Finding]:
    """A wrong answer costs at least ln 2."""
    for loss in (c for c in claims.values() if c.metric == "log_loss"):
        accuracy = claims[loss.id.replace("log_loss", "accuracy")]
        floor = arithmetic.smoothed_loss(accuracy.value, 0.0)
        yield Finding(
            "Can the loss be so low at that accuracy?", (loss.id, accuracy.id),
            (side(loss), side(accuracy)),
            f"A wrong answer costs at least ln 2, so the loss is at least {floor:.4f} nat; always "
            "saying a quarter gives ln 4 = 1.3863.",
            judged(floor <= loss.value, NOT_ATTAINABLE),
        )  # fmt: skip


def order(claims: Claims) -> Iterator[Finding]:
    """Which of the two networks is the better, by Table II and by Table III."""
    rank = claims["jane.rank.best"]
    second = [claims[f"jane.t2.{v}.accuracy"] for v in ("cnn_lstm", "cnn_gru")]
    yield Finding(
        "Is CNN-LSTM the better in Table II?", (rank.id, *(c.id for c in second)),
        (side(rank), Side("Jane Table II", ", ".join(f"{row(c)} {claim_text(c)}" for c in second))),
        f"{images(*second):+d} of {rank.n or second[0].n:,} images.",
        judged(second[0].value > second[1].value),
    )  # fmt: skip
    courses = [of_table(claims, f"jane.t3.{v}.accuracy.") for v in ("cnn_lstm", "cnn_gru")]
    behind = [a.epoch for a, b in zip(*courses, strict=True) if a.value < b.value]
    last = [course[-1] for course in courses]
    yield Finding(
        "Is CNN-LSTM the better in Table III?", (rank.id, *(c.id for c in last)),
        (side(rank), Side("Jane Table III", f"epoch {last[0].epoch}: " + ", ".join(
            f"{row(c)} {claim_text(c)}" for c in last))),
        f"CNN-GRU has the higher accuracy at {len(behind)} of {len(courses[0])} epochs "
        f"({', '.join(map(str, behind))}); at the last by {-images(*last)} of {last[0].n:,} "
        "images.",
        judged(last[0].value > last[1].value),
    )  # fmt: skip


def words(claims: Claims) -> Iterator[Finding]:
    """Numbers in the text, against tables and files."""
    models = len(of_table(claims, "liang.t1."))
    five, four = claims["jane.text.five"], claims["jane.text.four"]
    yield Finding(
        "Has Liang five models?", (five.id,),
        (side(five), Side("Liang Table 1", f"{models} networks")),
        f"5 against {models}.", judged(models == 5),
    )  # fmt: skip
    columns = len({c.variant for c in of_table(claims, "jane.t2.")})
    yield Finding(
        "Are there four classifiers?", (four.id,),
        (side(four), Side("Jane Table II", f"{columns} networks")),
        f"4 against {columns}.", judged(columns == 4),
    )  # fmt: skip
    pictures, files = claims["jane.text.410"], _originals()
    yield Finding(
        "Are there 410 labelled pictures of the four types?", (pictures.id,),
        (side(pictures), Side("The public data’s files", f"{files} originals whose label is "
                                                         "exactly one of the four types")),
        f"410 − {files} = {410 - files} pictures have no label, two, another type’s, or no file.",
        judged(files == 410),
    )  # fmt: skip
    cited, liang = claims["jane.t1.liang"], claims["liang.t1.xception_lstm"]
    yield Finding(
        "Is Liang cited rightly?", (cited.id,), (side(cited), side(liang)),
        "The same digits." if cited.printed == liang.printed else "Other digits.",
        judged(cited.printed == liang.printed),
    )  # fmt: skip
    for claim in (claims["jane.t1.shah"], claims["jane.t1.han"]):
        yield Finding("Is it cited rightly?", (claim.id,), (side(claim),),
                      f"{claim.reason[0].upper()}{claim.reason[1:]}; that paper is not read here.",
                      NOT_CHECKED)  # fmt: skip


@cache
def _originals() -> int:
    """Files of the public data whose label is exactly one class."""
    entries = Source("real", None).entries()
    return sum(entry.path.startswith(ORIGINALS) for entry in entries)


AUDITS = (f_measures, table_2_against_3, loss_floors, order, words)
