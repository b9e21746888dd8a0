"""The first page: what reproduces, and what was run."""

from typing import Any

from protocols.papers.papers import load_papers
from reports.data.results import SCHEMA_VERSION
from reports.judging.verdicts import MIN_SEEDS, WIDEST
from reports.pages.content import PageRecord, Results
from reports.pages.overview import tables
from reports.pages.overview.indicative import indicative_tables
from reports.pages.overview.summary import foremost, summary
from reports.simulations import error_rates

SCHEMA = (
    ("schema_version", f"{SCHEMA_VERSION}; raised when a key changes its meaning"),
    ("rules", "level of the intervals, fewest seeds, widest half-width that still decides"),
    ("settings", "what no table mixes: profile, data, weights, device, precision, whether "
     "planned, anything else; backends; objections: why it judges no claim"),
    ("claims", "every claim as printed, and its verdict by setting and twin: word, reason, value "
     "(mean over seeds), half_width of the prediction interval, seeds, comparable (whether a "
     "number may stand beside the printed one)"),
    ("cells", "one network in one twin: suite (a paper's key; another is ours, and no claim is "
     "judged from it); numbers[at][metric] with value, lack (why there is none), "
     "diverged, by_seed; pooled[seed][metric] over the images of all folds together; "
     "intervals[at][metric] on new photographs, over all images of all seeds: low, high, method, "
     "reason (why there is none), value, se, df; at is selected, last, or epoch N of those "
     "that a paper prints; of whole cells also confusion, naive interval, over_folds, selection, "
     "calibration, photographs, times"),
    ("comparisons", "two networks in one twin, or the twins in one network, on the same images: "
     "difference of accuracy with intervals and p; means: difference of the means by metric"),
    ("both_wrong", "images that both twins get wrong, by network and photograph"),
    ("leak_free, sensitivity, shared_starts", "as published and leak-free; with a guessed value "
     "changed and without; pairs of runs from the same bytes"),
    ("runs", "every run asked for or found: suite, spec, command, state, reason, "
     "scores[at][metric], confusion, timings, env, source digests"),
    ("results.csv", "the same numbers, one a line; scope is run, cell (mean), pooled or timing"),
)  # fmt: skip


def page(results: Results) -> dict[str, Any]:
    """Return the content of the page."""
    collected, known = results.collected, results.numbers
    settings = [setting for setting in collected.papers if setting.as_published]
    shown = [s for s in settings if s.planned or s.comparable] or settings[:1]
    shown = foremost(collected, shown)
    return {
        "summary": summary(collected, shown),
        "indicative": indicative_tables(collected, known, shown[0]) if shown else [],
        "ran": tables.ran_table(collected),
        "failures": tables.failures(collected),
        "verdicts": [tables.verdict_table(collected, known, s, s == shown[0]) for s in shown],
        "deviations": tables.deviations(collected),
        "profiles": tables.profile_table(collected.papers),
        "min_seeds": MIN_SEEDS,
        "widest": WIDEST,
        "error_rates": error_rates.summed_up(),
        "schema_words": SCHEMA,
        "papers": list(load_papers().values()),
    }


PAGE = PageRecord(
    "index.html", "What reproduces, and what was run", "Overview",
    page, place=1,
)  # fmt: skip
