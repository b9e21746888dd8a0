"""Projects what a whole request takes, from what the estimates have learned."""

from typing import Any

from benchmarks.estimates.estimates import Estimate, Estimates
from benchmarks.planning.plan import trained_together
from protocols.spec import RunSpec


def projected(plan: list[RunSpec], estimates: Estimates) -> dict[str, Any]:
    """Returns a row for each network, twin and stage, and the sum of the seconds that are known."""
    known = estimates.by_run(trained_together(plan))
    rows: dict[tuple[str, str, str], list[RunSpec]] = {}
    for spec in plan:
        rows.setdefault((spec.variant, spec.framework, spec.stage), []).append(spec)
    found = [
        {"variant": variant, "framework": framework, "stage": stage}
        | _row(specs, [estimate for spec in specs if (estimate := known[spec.id])])
        for (variant, framework, stage), specs in rows.items()
    ]
    return {
        "profile": plan[0].profile if plan else "",
        "rows": found,
        "seconds": sum(row["seconds"] or 0.0 for row in found),
        "lacking": sum(row["seconds"] is None for row in found),
    }


def _row(specs: list[RunSpec], known: list[Estimate]) -> dict[str, Any]:
    """Returns the seconds of runs: of each phase, of all else, and their sum; null unless all are
    known. A run that trains with others has its share of their time."""
    row: dict[str, Any] = {"runs": len(specs), "phases": [], "rest": None, "seconds": None}
    if len(known) < len(specs):
        return row
    works, start = [estimate.work for estimate in known], 0
    for phase in specs[0].phases if specs[0].stage == "train" else []:
        end = start + phase["epochs"]
        row["phases"].append(sum(sum(work.epochs[start:end]) for work in works))
        start = end
    row["seconds"] = sum(work.total for work in works)
    return row | {"rest": row["seconds"] - sum(row["phases"])}
