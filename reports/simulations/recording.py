"""Writes the record of a simulation, as its command is told, and reads the published ones."""

import argparse
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

from protocols.files import ROOT


def write_record(
    description: str, record: Callable[[int], dict], sims: int, of_what: str, indent: int | None = 1
) -> None:
    """Writes the record of `--sims` simulations to the file that `--json` names.

    `sims` is their number by default; `description` and `of_what` are the help's words.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, required=True, help="file to write")
    parser.add_argument("--sims", type=int, default=sims, help=of_what)
    args = parser.parse_args()
    text = json.dumps(record(args.sims), indent=indent, sort_keys=True)
    args.json.write_text(text, encoding="utf-8")


@cache
def recorded(name: str) -> dict:
    """Reads a published record, by the name of its file."""
    return json.loads((ROOT / "reports" / "published" / name).read_text(encoding="utf-8"))
