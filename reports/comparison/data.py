"""Makes compare.json: all that compare.html shows, unrounded. docs/files.md has the schema."""

import dataclasses
from collections import Counter
from typing import Any

from protocols.spec import RunSpec
from reports.comparison.join import Joined, Side
from reports.comparison.judge import MEASURES, WORDS, Row
from reports.comparison.run_pairs import RunPair
from reports.comparison.surroundings import Field
from reports.comparison.times import PARTS, seconds
from reports.data.results import clean, interval_record, suite_of
from reports.judging.verdicts import MIN_SEEDS
from reports.statistics.between_seeds import LEVEL
from reports.statistics.comparisons import ALPHA

SCHEMA_VERSION = 1


def document(joined: Joined, rows: list[Row], around: dict[str, list[Field]]) -> dict[str, Any]:
    """Returns compare.json as a dictionary for strict JSON."""
    words = Counter(row.word for row in rows)
    return clean(
        {
            "schema_version": SCHEMA_VERSION,
            "rules": {"level": LEVEL, "alpha": ALPHA, "min_seeds": MIN_SEEDS,
                      "widest_half_width": MEASURES},
            "a": _side(joined.a),
            "b": _side(joined.b),
            "counts": {word: words[word] for word in WORDS},
            "around": {
                framework: [dataclasses.asdict(one) | {"pairs": one.pairs} for one in fields]
                for framework, fields in around.items()
            },
            "cells": [_cell(row) for row in rows],
            "latency": [
                {"id": pair.key} | _what(pair.a.spec) | _ids(pair)
                | {part: _ratio(*(s.stored.timings[part]["median"] for s in (pair.a, pair.b)))
                   for part, _ in PARTS}
                for pair in joined.latency
            ],
            "lone": [
                {"side": one.letter, "id": one.slot.spec.id, "state": one.slot.state,
                 "why": one.why}
                for one in joined.lone
            ],
        }
    )  # fmt: skip


def _side(side: Side) -> dict[str, Any]:
    finished = sorted(s.stored.record["finished"] for s in side.slots if s.usable)
    return {
        "name": side.name,
        "done": len(finished),
        "finished": [finished[0], finished[-1]],
        "unreadable": sorted(side.unreadable),
    }


def _what(spec: RunSpec) -> dict[str, Any]:
    names = ("framework", "variant", "protocol", "profile", "data", "weights", "init", "recipe")
    return {"suite": suite_of(spec.variant)} | {name: getattr(spec, name) for name in names}


def _ids(pair: RunPair) -> dict[str, str]:
    return {"a": pair.a.spec.id, "b": pair.b.spec.id}


def _ratio(a: float, b: float) -> dict[str, float | None]:
    return {"a": a, "b": b, "ratio": b / a if a else None}


def _cell(row: Row) -> dict[str, Any]:
    changes = {
        metric: {
            "a": change.a.value, "b": change.b.value,
            "by_seed_a": change.a.by_seed, "by_seed_b": change.b.by_seed,
            "difference": change.gap, "half_width": change.half,
            "p": change.p, "p_holm": change.adjusted,
            "word": change.word, "reason": change.reason,
        }
        for metric, change in row.changes.items()
    }  # fmt: skip
    both = row.cells
    images = {metric: interval_record(one.estimate) for metric, one in row.differences.items()}
    return _what(both.spec) | {
        "id": both.key,
        "word": row.word,
        "reason": row.reason,
        "changes": changes,
        "seeds": both.seeds,
        "images": images,
        "seconds": {k: _ratio(*v) for k, v in seconds(both).items()} if both.common else {},
        "runs": [
            {"id": pair.key} | _ids(pair)
            | {"seed": pair.a.spec.seed, "fold": pair.a.spec.fold, "n": pair.n,
               "identical": pair.identical, "agree": pair.agree,
               "largest_difference": pair.apart, "other_answers": pair.otherwise,
               "accuracy": [s.scored.scores["selected"]["accuracy"] for s in (pair.a, pair.b)]}
            for pair in both.pairs
        ],
    }  # fmt: skip
