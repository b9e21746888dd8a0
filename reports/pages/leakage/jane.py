"""The evidence on what leaks in the protocol of Jane 2022."""

from collections import Counter

from protocols.photographs import provenance
from reports.pages.leakage.evidence import FOUND, cv_shares, of_kinds
from reports.tables.formats import percent


def selection() -> tuple[str, str]:
    """Return the evidence on a missing test set."""
    return FOUND, (
        "Lowest validation loss chooses the epoch and no set but the held-out fold is named, so "
        "the fold that chooses is the fold that is scored. What that adds stands on the page "
        "Evidence."
    )


def preprocessing() -> tuple[str, str]:
    """Return the evidence on preprocessing of training and test set together."""
    own, _, n = cv_shares()
    return FOUND, (
        "The text turns and flips the photographs to 500 a class before it speaks of folds. Read "
        f"so, {percent(own, 1)} of the {n:,} images are tested by a network that trained on "
        "another copy of the same photograph."
    )


def duplicates() -> tuple[str, str]:
    """Return the evidence on duplicates."""
    _, again, n = cv_shares()
    counts = Counter(o.sha256 for o in provenance.originals())
    twice = sum(count > 1 for count in counts.values())
    return FOUND, (
        f"Turned copies, as above; with photographs that overlap the tested one counted too, "
        f"{percent(again, 1)} of {n:,} images have a relative in training. Files that are there "
        f"twice, byte for byte: {twice}."
    )


def seen_in_training() -> float:
    """Return the share of the test images of all folds whose photograph is in training too."""
    return cv_shares()[0]


def dependence() -> tuple[str, str]:
    """Return the evidence on dependence between training and test set."""
    own, _, _ = cv_shares()
    return FOUND, (
        f"Folds cut through photographs ({percent(own, 1)} of images, as above), overlapping "
        "photographs, and persons, who aren't recorded."
    )


EVIDENCE = of_kinds(selection, preprocessing, duplicates, dependence, "in equal numbers, 500 each")
