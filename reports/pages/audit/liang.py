"""The claims audit of Liang 2018."""

import math
from collections.abc import Iterator

from protocols.classes import CLASSES
from protocols.papers.claims import Claim, of_table
from protocols.papers.recipes import load_recipe
from reports.judging.verdicts import counted, own_cnns
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
from reports.pages.leakage.evidence import part
from reports.statistics import printed
from reports.tables.cell_text import claim_text
from reports.tables.formats import percent

EPOCHS = 70  # epochs of phase 2, as printed in III.D and IV.C


def tested(images: str) -> Side:
    """Return what the paper says of its test `images`."""
    return Side("Liang III.A", images)


def table_1_as_a_whole(claims: Claims) -> Iterator[Finding]:
    """Check what n the accuracies of Table 1 fit: seven that all fit one n tell what the n was."""
    table = of_table(claims, "liang", "Table 1", "accuracy")
    n, n_sum = table[0].n, sum(int(claims[f"liang.data.test.{x}"].number) for x in "elmn")
    hits = [
        sum(bool(printed.attainable_counts(printed.printed(c), m)) for c in table)
        for m in (n, n_sum)
    ]
    missed = [c for c in table if not printed.attainable_counts(printed.printed(c), n)]
    share = (n + 1) / 10_001  # of all percentages with two decimals: those that n images can give
    yield Finding(
        "How many test images stand behind Table 1?",
        tuple(c.id for c in table) + ("liang.data.test.sum",),
        (Side("Liang Table 1", f"{len(table)} accuracies of two decimals"),
         side(claims["liang.data.test.sum"])),
        f"With {n:,} images {hits[0]} of {len(table)} are attainable, with {n_sum:,} {hits[1]}. A "
        f"number with two decimals is attainable with {n:,} images in {percent(share, 1)} of the "
        f"cases, so {len(table)} of {len(table)} by accident one in {share ** -len(table):,.0f}.",
        judged(not missed, Word.NOT_ATTAINABLE), tuple(c.id for c in missed),
    )  # fmt: skip


def sums_of_counts(claims: Claims) -> Iterator[Finding]:
    """Check the printed class counts against the printed totals and the files.
    The counts and totals that differ from the files are at fault, and no others."""
    for key, word in (("train", "training"), ("test", "test")):
        counts = [claims[f"liang.data.{key}.{letter}"] for letter in "elmn"]
        total, values = claims[f"liang.data.{key}.sum"], [int(c.number) for c in counts]
        files = [counted(c) for c in counts]
        other = [c for c in (*counts, total) if int(c.number) != counted(c)]
        wrong = [
            f"{name.capitalize().lower()}: printed {v:,}, {f:,} files"
            for name, v, f in zip(CLASSES, values, files, strict=True)
            if v != f
        ]
        said = f"{_added(counts)} = {sum(values):,}; the total is printed as {total.printed}. "
        said += "; ".join(wrong) + "." if wrong else "The files of each class are as many."
        said += f" Files in all: {sum(files):,}."
        yield Finding(
            f"Do the {word} images add up?", tuple(c.id for c in (*counts, total)),
            (Side(where(total), f"E, L, M, N: {', '.join(c.printed for c in counts)}"),
             side(total)),
            said, judged(sum(values) == int(total.number) and not other),
            tuple(c.id for c in other),
        )  # fmt: skip
    parts = [claims[f"liang.data.{key}.sum"] for key in ("train", "test")]
    both = claims["liang.data.all"]
    fits = sum(int(c.number) for c in parts) == int(both.number) == counted(both)
    yield Finding(
        "Do both parts add up?", (both.id, *(c.id for c in parts)),
        (side(both), Side(where(both), "; ".join(side(c).text for c in parts))),
        f"{_added(parts)} = {sum(int(c.number) for c in parts):,}. Files in all: "
        f"{counted(both):,}.",
        judged(fits), (both.id,),
    )  # fmt: skip


def _added(counts: list[Claim]) -> str:
    return " + ".join(f"{int(c.number):,}" for c in counts)


def one_number(claims: Claims) -> Iterator[Finding]:
    """Check whether the validation accuracy of Fig. 6 is the test accuracy of Table 1."""
    validation, test = claims["liang.fig6.val_acc"], claims["liang.t1.xception_lstm"]
    same = printed.printed(validation) == printed.printed(test)
    yield Finding(
        "Do Fig. 6 and Table 1 have one accuracy?", (validation.id, test.id),
        (side(validation), side(test)),
        "The same four digits. Nothing is said of a validation set apart from the test set, so "
        "both can be one measurement; that the test images then chose the epoch stands on the "
        "page Leakage." if same else
        "Other digits: two measurements.",
        Word.ATTAINABLE,
    )  # fmt: skip


def loss_floor(claims: Claims) -> Iterator[Finding]:
    """Check the loss against the floor that label smoothing puts under a loss."""
    loss, accuracy = claims["liang.fig6.min_val_loss"], claims["liang.fig6.val_acc"]
    ours = load_recipe("liang")["label_smoothing"].value
    floor = printed.smoothed_loss(accuracy.number, ours)
    most = printed.most_smoothing(loss.number, accuracy.number)
    shown = printed.printed(loss), printed.printed(accuracy)
    least, largest = map(float, printed.most_allowed(*shown))
    yield Finding(
        "Can the loss be so low at that accuracy?", (loss.id, accuracy.id),
        (side(loss), side(accuracy)),
        f"A loss that also fits the uniform distribution (IV) has a floor. With smoothing {ours} "
        f"it is {floor:.4f} nat at this accuracy, {'below' if floor < loss.number else 'above'} "
        f"{loss.printed}. The most smoothing that fits is {most:.3f} ({least:.4f} to "
        f"{largest:.4f} for all that round to the printed digits); more is excluded.",
        judged(ours <= largest, Word.NOT_ATTAINABLE), (loss.id,),
    )  # fmt: skip
    epoch = claims["liang.fig6.epoch"]
    yield Finding(
        "Is the epoch one of those trained?", (epoch.id,),
        (side(epoch), Side("Liang III.D", f"{EPOCHS} epochs")),
        f"1 ≤ {epoch.printed} ≤ {EPOCHS}.", judged(1 <= epoch.number <= EPOCHS),
    )  # fmt: skip


def speed(claims: Claims) -> Iterator[Finding]:
    """Check 3.8 s an image against 14 h.
    Both hold if the 3.8 s include loading the network."""
    train, test = claims["liang.speed.train"], claims["liang.speed.test"]
    images_seen = claims["liang.data.train.sum"]
    seen = EPOCHS * int(images_seen.number)
    each = train.seconds / seen
    tested = EPOCHS * int(claims["liang.data.test.sum"].number) * test.seconds / 3600
    fits = tested * 3600 <= train.seconds
    reading = (
        f"So {test.printed} can't be the network's own time for one of many images. Both hold if "
        "loading the network is included, as where one image is asked by itself; the text doesn't "
        "say so."
    )
    yield Finding(
        "Does 3.8 s an image fit 14 hours?", (train.id, test.id), (side(train), side(test)),
        f"{train.printed} for {EPOCHS} × {images_seen.printed} images are {each:.3f} s an "
        f"image, forwards, backwards and update. Testing one would take "
        f"{test.seconds / each:.0f} times as long as training on it; and the validation after "
        f"each epoch (Fig. 6) alone {tested:.0f} hours. " + ("" if fits else reading),
        Word.ATTAINABLE if fits else Word.OPEN,
    )  # fmt: skip


def order(claims: Claims) -> Iterator[Finding]:
    """Check the orderings within Table 1."""
    table = {c.variant: c for c in of_table(claims, "liang", "Table 1", "accuracy")}
    best = claims["liang.rank.best"]
    first, second = sorted(table.values(), key=lambda c: c.number, reverse=True)[:2]
    ahead = images(first, second)
    yield Finding(
        "Is it the best of the table?", (best.id,), (side(best), side(table[best.variant])),
        f"The next, {row(second)}, has {claim_text(second)}: {ahead} of {first.n:,} images fewer.",
        judged(first.variant == best.variant), (best.id,),
    )  # fmt: skip
    rank = claims["liang.rank.rnn"]
    pairs = [(table[rnn], table[cnn]) for rnn, cnn in own_cnns("liang")]
    yield Finding(
        "Does each CNN-RNN beat its own CNN?", (rank.id,),
        (side(rank), Side("Liang Table 1", "; ".join(
            f"{row(a)} {a.printed}, {row(b)} {b.printed}" for a, b in pairs))),
        "; ".join(f"{row(a)}: {images(a, b):+d} images" for a, b in pairs) + ".",
        judged(all(a.number > b.number for a, b in pairs)), (rank.id,),
    )  # fmt: skip
    both, single = table["xception_resnet50_lstm"], table["xception"]
    yield Finding(
        "Are CNN-RNNs better than CNNs, as V says?", (rank.id, both.id, single.id),
        (Side(where(rank), quoted("the combined structure of CNN and RNN models is superior to CNN "
                                  "models and traditional machine learning algorithms")),
         Side("Liang Table 1", f"{row(both)} {both.printed}, {row(single)} {single.printed}")),
        f"The CNN-RNN of two CNNs is {-images(both, single)} images below Xception alone, which "
        "is one of its parts. Both hold if V compares a network of one CNN with that CNN alone."
        if both.number < single.number else f"{images(both, single):+d} images.",
        judged(both.number > single.number, Word.OPEN), (rank.id,),
    )  # fmt: skip


def augmentation(claims: Claims) -> Iterator[Finding]:
    """Check the text against how the files show their photographs, by the recorded maps."""
    said = claims["liang.text.rotation"]
    train, plain = part("TRAIN"), part("TEST_SIMPLE")
    mirrored = sum(row.mirrored for row in train) / len(train)
    drawn = sorted(row.stretch for row in train)
    least = max(row.stretch for row in plain)  # these weren't altered: the fit's noise
    turns = sorted(min(abs(row.angle), 180 - abs(row.angle)) for row in train)
    beyond = sum(stretch > least for stretch in drawn) / len(drawn)
    moved = sorted(math.hypot(row.right, row.down) for row in train)
    still = max(math.hypot(row.right, row.down) for row in plain)
    shifted = sum(distance > still for distance in moved)
    holds = mirrored == 0 and max(beyond, shifted / len(moved)) < 0.01
    yield Finding(
        "Do the files show rotations only?", (said.id,),
        (Side(where(said), quoted("Other data augmentation approaches, such as scale and color "
                                  "transformations are not used")),
         Side("the files", "the affine map from each photograph to its images (page Images)")),
        f"Of {len(train):,} training images {percent(mirrored, 1)} are mirrored, and "
        f"{percent(beyond, 1)} are drawn out along one direction, by {drawn[len(drawn) // 2]:.2f} "
        f"in the median; the {len(plain)} that weren't augmented by {least:.3f} at most. The "
        f"centre of {shifted:,} is moved further than in any of those ({still:.1f} pixels), by "
        f"{moved[len(moved) // 2]:.0f} pixels in the median. Half are "
        f"turned by more than {turns[len(turns) // 2]:.0f}°, one in a hundred by more than "
        f"{turns[99 * len(turns) // 100]:.0f}°, upside down counted as not turned. "
        + ("Rotations alone." if holds else "A shear, shifts and flips, not rotations alone."),
        judged(holds),
    )  # fmt: skip


AUDITS = (
    table_1_as_a_whole, sums_of_counts, one_number, loss_floor, speed, order, augmentation,
    *prose.LIANG,
)  # fmt: skip
