"""The claims audit of Liang 2018."""

from collections.abc import Iterator

from protocols import provenance
from protocols.classes import CLASSES
from protocols.recipes import load_recipe
from reports import arithmetic
from reports.finding import (
    NOT_ATTAINABLE,
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
from reports.tables import claim_text
from reports.verdicts import OWN_CNN, counted

EPOCHS = 70  # of phase 2, printed in III.D and IV.C


def table_1_as_a_whole(claims: Claims) -> Iterator[Finding]:
    """Seven accuracies that all fit one n say what the n was."""
    table = of_table(claims, "liang.t1.")
    n, n_sum = table[0].n, sum(int(claims[f"liang.data.test.{x}"].value) for x in "elmn")
    hits = [
        sum(bool(arithmetic.attainable_counts(arithmetic.printed(c), m)) for c in table)
        for m in (n, n_sum)
    ]
    share = (n + 1) / 10_001  # of the percentages with two decimals
    yield Finding(
        "How many test images stand behind Table 1?",
        tuple(c.id for c in table) + ("liang.data.test.sum",),
        (Side("Liang Table 1", f"{len(table)} accuracies of two decimals"),
         side(claims["liang.data.test.sum"])),
        f"With {n:,} images {hits[0]} of {len(table)} are attainable, with {n_sum:,} {hits[1]}. A "
        f"number with two decimals is attainable with {n:,} images in {percent(share, 1)} of the "
        f"cases, so {len(table)} of {len(table)} by accident one in {share ** -len(table):,.0f}.",
        judged(hits[0] == len(table), NOT_ATTAINABLE),
    )  # fmt: skip


def sums_of_counts(claims: Claims) -> Iterator[Finding]:
    """The printed class counts against the printed totals and the files."""
    for part, word in (("train", "training"), ("test", "test")):
        counts = [claims[f"liang.data.{part}.{letter}"] for letter in "elmn"]
        total, values = claims[f"liang.data.{part}.sum"], [int(c.value) for c in counts]
        files = [counted(c) for c in counts]
        added = " + ".join(f"{v:,}" for v in values)
        wrong = [
            f"{name.capitalize().lower()}: printed {v:,}, {f:,} files"
            for name, v, f in zip(CLASSES, values, files, strict=True)
            if v != f
        ]
        said = f"{added} = {sum(values):,}; the total is printed as {total.printed}. "
        said += "; ".join(wrong) + "." if wrong else "The files of each class are as many."
        said += f" Files in all: {sum(files):,}."
        yield Finding(
            f"Do the {word} images add up?", tuple(c.id for c in (*counts, total)),
            (Side(where(total), f"E, L, M, N: {', '.join(c.printed for c in counts)}"),
             side(total)),
            said, judged(sum(values) == int(total.value) and not wrong),
        )  # fmt: skip


def selection(claims: Claims) -> Iterator[Finding]:
    """Fig. 6's validation accuracy is Table 1's test accuracy."""
    validation, test = claims["liang.fig6.val_acc"], claims["liang.t1.xception_lstm"]
    same = arithmetic.printed(validation) == arithmetic.printed(test)
    low, high = (float(x) for x in arithmetic.printed(test))
    chance = arithmetic.chance_of_equal(test.value, test.n, high - low)
    yield Finding(
        "Are the test images apart from the validation images?", (validation.id, test.id),
        (side(validation), side(test)),
        "The same four digits. Two separate sets of "
        f"{test.n:,} images would give them in {percent(chance, 1)} of the cases at most; so the "
        "validation images are the test images, and III.D’s choice of the lowest validation loss "
        "was made on them: the accuracy is that of a chosen epoch, not of an unseen set."
        if same else "The digits differ: two sets.",
        judged(not same),
    )  # fmt: skip


def loss_floor(claims: Claims) -> Iterator[Finding]:
    """Label smoothing puts a floor under the loss."""
    loss, accuracy = claims["liang.fig6.min_val_loss"], claims["liang.fig6.val_acc"]
    ours = load_recipe("liang")["label_smoothing"].value
    floor = arithmetic.smoothed_loss(accuracy.value, ours)
    most = arithmetic.most_smoothing(loss.value, accuracy.value)
    yield Finding(
        "Can the loss be so low at that accuracy?", (loss.id, accuracy.id),
        (side(loss), side(accuracy)),
        f"A loss that also fits the uniform distribution (IV) has a floor. With smoothing {ours} "
        f"it is {floor:.4f} nat at this accuracy, below {loss.printed}. A smoothing over "
        f"{most:.2f} is excluded.",
        judged(floor <= float(arithmetic.printed(loss)[1]), NOT_ATTAINABLE),
    )  # fmt: skip
    epoch = claims["liang.fig6.epoch"]
    yield Finding(
        "Is the epoch one of those trained?", (epoch.id,),
        (side(epoch), Side("Liang III.D", f"{EPOCHS} epochs")),
        f"1 ≤ {epoch.printed} ≤ {EPOCHS}.", judged(1 <= epoch.value <= EPOCHS),
    )  # fmt: skip


def speed(claims: Claims) -> Iterator[Finding]:
    """3.8 s an image against 14 h."""
    train, test = claims["liang.speed.train"], claims["liang.speed.test"]
    images_seen = claims["liang.data.train.sum"]
    seen = EPOCHS * int(images_seen.value)
    each = train.seconds / seen
    tested = EPOCHS * int(claims["liang.data.test.sum"].value) * test.seconds / 3600
    yield Finding(
        "Does 3.8 s an image fit 14 hours?", (train.id, test.id), (side(train), side(test)),
        f"{train.printed} for {EPOCHS} × {images_seen.printed} images are {each:.3f} s an "
        f"image, forwards, backwards and update. Testing one would take "
        f"{test.seconds / each:.0f} times as long as training on it; and the validation after "
        f"each epoch (Fig. 6) alone {tested:.0f} hours. So 3.8 s are not those of the network: "
        "of loading it, perhaps.",
        judged(tested * 3600 <= train.seconds),
    )  # fmt: skip


def order(claims: Claims) -> Iterator[Finding]:
    """Orderings within Table 1."""
    table = {c.variant: c for c in of_table(claims, "liang.t1.")}
    best = claims["liang.rank.best"]
    first, second = sorted(table.values(), key=lambda c: c.value, reverse=True)[:2]
    ahead = images(first, second)
    yield Finding(
        "Is it the best of the table?", (best.id,), (side(best), side(table[best.variant])),
        f"The next, {row(second)}, has {claim_text(second)}: {ahead} of {first.n:,} images fewer.",
        judged(first.variant == best.variant),
    )  # fmt: skip
    rank = claims["liang.rank.rnn"]
    pairs = [(table[rnn], table[cnn]) for rnn, cnn in OWN_CNN]
    yield Finding(
        "Does each CNN-RNN beat its own CNN?", (rank.id,),
        (side(rank), Side("Liang Table 1", "; ".join(
            f"{row(a)} {a.printed}, {row(b)} {b.printed}" for a, b in pairs))),
        "; ".join(f"{row(a)}: {images(a, b):+d} images" for a, b in pairs) + ".",
        judged(all(a.value > b.value for a, b in pairs)),
    )  # fmt: skip
    both, single = table["xception_resnet50_lstm"], table["xception"]
    yield Finding(
        "Are CNN-RNNs better than CNNs, as V says?", (rank.id, both.id, single.id),
        (side(rank), Side("Liang Table 1", f"{row(both)} {both.printed}, {row(single)} "
                                           f"{single.printed}")),
        f"The CNN-RNN of two CNNs is {-images(both, single)} images below Xception alone, which "
        "is one of its parts.",
        judged(both.value > single.value),
    )  # fmt: skip


def augmentation(claims: Claims) -> Iterator[Finding]:
    """How the files show their photographs, by the recorded maps, against the text."""
    said = claims["liang.text.rotation"]
    train, plain = (
        [row for row in provenance.shown() if row.split == split]
        for split in ("TRAIN", "TEST_SIMPLE")
    )
    mirrored = sum(row.mirrored for row in train) / len(train)
    drawn = sorted(row.stretch for row in train)
    least = max(row.stretch for row in plain)  # of images that weren't altered: the fit's noise
    turns = sorted(min(abs(row.angle), 180 - abs(row.angle)) for row in train)
    beyond = sum(stretch > least for stretch in drawn) / len(drawn)
    holds = mirrored == 0 and beyond < 0.01
    yield Finding(
        "Do the files show rotations only?", (said.id,),
        (side(said), Side("the files", "the affine map from each photograph to its images (page "
                                       "Images)")),
        f"Of {len(train):,} training images {percent(mirrored, 1)} are mirrored, and "
        f"{percent(beyond, 1)} are drawn out along one direction, by {drawn[len(drawn) // 2]:.2f} "
        f"in the median; the {len(plain)} that weren’t augmented by {least:.3f} at most. Half are "
        f"turned by more than {turns[len(turns) // 2]:.0f}°, one in a hundred by more than "
        f"{turns[99 * len(turns) // 100]:.0f}°, upside down counted as not turned. A shear and "
        "flips, not rotations alone.",
        judged(holds),
    )  # fmt: skip


AUDITS = (table_1_as_a_whole, sums_of_counts, selection, loss_floor, speed, order, augmentation)
