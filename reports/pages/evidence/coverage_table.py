"""The tables of how often each interval held the truth, and how wide it was, as simulated by
reports.simulations.coverage."""

from statistics import fmean

from protocols.classes import CLASSES, LETTERS
from reports.simulations.recording import recorded
from reports.tables.builder import numbers, table, texts
from reports.tables.formats import NAMES, percent, title
from reports.tables.table import Table, Td, label

COVERAGE = "coverage.json"  # in reports/published/
METHODS = {
    "moderated": "Wilson, moderated",
    "bootstrap_t": "bootstrap-t",
    "bootstrap_t_logit": "bootstrap-t of the logit",
    "linearised": "linearised t",
    "linearised_logit": "linearised t of the logit",
    "korn_graubard": "Korn and Graubard",
    "percentile": "percentile bootstrap",
    "wilson": "naive (Wilson)",
}
BY_SETTING = ("moderated", "bootstrap_t", "linearised", "percentile", "wilson")


def study_table() -> Table:
    """Return the table of how each method does over all settings together."""
    found = recorded(COVERAGE)
    chosen_by, other = found["spreads"] + found["networks"], found["beyond"]
    return table(
        "coverage-methods",
        f"Which interval? Each method on {found['sims']:,} simulated test sets, "
        f"with photographs like the real one ({_photographs(found)}), in each of "
        f"{len(chosen_by)} settings: how often a 95% "
        f"interval of the accuracy held the truth, and its width in points. {_chosen(found)}",
        [*texts("Method"), *numbers("Held, least", "Held, mean", "Median width", "90% are below",
                                    "Held elsewhere, least")],
        [[name,
          *(Td(percent(f(one["coverage"][method] for one in chosen_by), 1)) for f in (min, fmean)),
          *(Td(f"{100 * fmean(one[width][method] for one in chosen_by):.1f}")
            for width in ("median_width", "wide_width")),
          Td(percent(min(one["coverage"][method] for one in other), 1))]
         for method, name in METHODS.items()],
        ["Least: in the worst setting; widths: means over the settings. Elsewhere: in the "
         f"{len(other)} further settings of the next table, which chose nothing."],
    )  # fmt: skip


def _chosen(found: dict) -> str:
    """Return why the first method stands beside the accuracies, and where it is no better."""
    worse = [one for one in found["beyond"]
             if one["coverage"]["moderated"] < one["coverage"]["bootstrap_t"] - 0.02]  # fmt: skip
    where = "; ".join(
        f"{one['what']}: {percent(one['coverage']['moderated'], 1)} against "
        f"{percent(one['coverage']['bootstrap_t'], 1)}"
        for one in worse
    )
    return (
        "The demand, set before: no less often than bootstrap-t, which stood beside the accuracies "
        "until then, and shorter. The first method meets it."
        + (f" Elsewhere it can hold the truth less often ({where})." if where else "")
    )


def _photographs(found: dict) -> str:
    counts = zip(found["layout"]["clusters"], CLASSES, strict=True)
    return ", ".join(f"{count} {name.lower()}" for count, name in counts)


def coverage_table() -> Table:
    """Return the table of how often each interval held the truth, in the recorded simulation."""
    found = recorded(COVERAGE)
    layout = found["layout"]
    same = [[f"{one['spread']:g}", *_held(one)] for one in found["spreads"]]
    own = [
        [label(f"{title(one['variant'])}, {NAMES[one['framework']]}", _classes(one)), *_held(one)]
        for one in found["networks"]
    ]
    other = [[label(one["what"], _classes(one)), *_held(one)] for one in found["beyond"]]
    return table(
        "coverage",
        f"How often a 95% interval of the accuracy held the truth: {found['sims']:,} simulated "
        f"test sets with photographs ({_photographs(found)}) and images "
        f"({sum(layout['images']):,}) like the real one.",
        [*texts("Correlation within a photograph"), *numbers(*(METHODS[m] for m in BY_SETTING))],
        {"The same in all classes": same, "As the recorded networks have it": own,
         "Elsewhere": other},
        ["Photographs of a class are equally large there, and classes have fixed rates "
         f"({', '.join(f'{100 * r:.0f}%' for r in layout['rates'])}; below the first group those "
         "that are named; overlapping photographs count as one for the recorded networks): a "
         "model, not the data."],
    )  # fmt: skip


def _held(one: dict) -> list[Td]:
    return [Td(percent(one["coverage"][method], 1)) for method in BY_SETTING]


def _classes(one: dict) -> str:
    """Return the correlation and the accuracy of each class as text."""
    spread = one["spread"] if isinstance(one["spread"], list) else [one["spread"]] * len(LETTERS)
    parts = zip(LETTERS, spread, one["rates"], strict=True)
    return ", ".join(f"{letter} {rho:.2f} ({100 * rate:.0f}%)" for letter, rho, rate in parts)
