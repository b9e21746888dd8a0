"""The evidence on what leaks in the protocol of Liang 2018."""

from protocols.papers.claims import load_claims
from reports.pages.leakage.evidence import (
    FOUND,
    NOT_FOUND,
    OPEN,
    cut,
    of_kinds,
    part,
    photographed_again,
)
from reports.statistics import printed
from reports.tables.cell_text import claim_text
from reports.tables.formats import percent


def selection() -> tuple[str, str]:
    """Return the evidence on a missing test set."""
    claims = load_claims()
    best, fig6 = claims["liang.t1.xception_lstm"], claims["liang.fig6.val_acc"]
    said = (
        "The epoch is the one of lowest validation loss (III.D), and no set but training and test "
        f"images is named (III.A). Its validation accuracy ({fig6.printed}, Fig. 6) "
    )
    low, high = printed.printed(best)
    if printed.printed(fig6) != (low, high):
        return OPEN, said + f"isn't Table 1's test accuracy ({claim_text(best)})."
    chance = printed.chance_of_equal(best.number, best.n, high - low)
    return FOUND, (
        f"{said}is Table 1's test accuracy ({claim_text(best)}), digit for digit; two separate "
        f"sets of {best.n:,} images would print the same digits in {percent(chance)} of "
        "the cases (binomial counts; every image right with that chance, independent of the "
        "others). So the test images chose the epoch. What that adds stands on the page Evidence."
    )


def preprocessing() -> tuple[str, str]:
    """Return the evidence on preprocessing of training and test set together."""
    train, test = ({row.original for row in part(split)} for split in ("TRAIN", "TEST"))
    both = len(train & test)
    return (FOUND if both else NOT_FOUND), (
        f"The photographs were divided first and augmented afterwards: {len(train)} in TRAIN, "
        f"{len(test)} in TEST, {both} in both. Each image was rescaled by itself; the constants "
        "of the preprocessing are ImageNet's."
    )


def seen_in_training() -> float:
    """Return the share of the test images whose photograph overlaps one of training."""
    direct, _ = photographed_again()
    test = part("TEST")
    return sum(row.original in direct for row in test) / len(test)


def duplicates() -> tuple[str, str]:
    """Return the evidence on duplicates."""
    train, test = ({row.sha256 for row in part(split)} for split in ("TRAIN", "TEST"))
    direct, by_way = photographed_again()
    near, further = (
        [row for row in part("TEST") if row.original in some] for some in (direct, by_way)
    )
    word = FOUND if near or train & test else NOT_FOUND
    return word, (
        f"No file is in both parts ({len(train & test)} by SHA-256). But {len(near):,} test images "
        f"({percent(seen_in_training(), 1)}) show {len(direct)} photographs whose field, or a part "
        f"of it, was photographed again for TRAIN. {len(further):,} more test images show "
        f"{len(by_way)} photographs that are connected with TRAIN only through another test "
        "photograph (page Images, which counts both)."
    )


def dependence() -> tuple[str, str]:
    """Return the evidence on dependence between training and test set."""
    across, both = cut()
    test = part("TEST")
    return FOUND, (
        f"{across} of {both} overlapping pairs are divided by the split. Who gave the blood isn't "
        "recorded, so one person may be on both sides. Within TEST, "
        f"{len(test):,} images show {len({row.original for row in test})} photographs: they are "
        "not that many independent cases (page Evidence)."
    )


EVIDENCE = of_kinds(selection, preprocessing, duplicates, dependence, "in equal numbers")
