"""The flags of runner.py. Imports nothing slow: --help must not wait for anything."""

import argparse
import errno
import os
from pathlib import Path
from typing import NoReturn

from protocols.streams import print_anything

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
ROOT = Path(__file__).resolve().parent.parent
INSTEAD = (
    ("list", "suites, variants, protocols, profiles"),
    ("plan", "the runs this request means, their time and disk; changes nothing"),
    ("calibrate", "learn how long its runs take here, from short ones that are thrown away"),
    ("parity", "measure, rung by rung, whether the twins are the same networks; some minutes"),
    ("provenance", "find, from pixels alone, which photograph every image shows; some minutes"),
    ("status", "how far the last request into --out is"),
    ("report", "write the report of the last request again"),
    ("validate", "check protocols, every image, every stored run"),
)
# What of these goes without a request of its own, why, and which of its flags it takes.
ALONE = {
    "report": ("shows the last request into --out, and all that is stored there", ()),
    "status": ("tells of the last request into --out", ()),
    "validate": ("looks at every stored run", ()),
    "compare": ("looks at every stored run", ()),
    "provenance": ("looks at the images", ()),
    "list": ("names everything", ()),
    "parity": ("compares the twins' networks", ("--suite", "--variant")),
}


class Parser(argparse.ArgumentParser):
    """Errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"runner.py: {message}; see runner.py --help\n")


def numbers(text: str) -> tuple[int, ...]:
    """Reads "0,1,2"."""
    return tuple(dict.fromkeys(int(part) for part in text.split(",")))


def count(text: str) -> int:
    """Reads --jobs."""
    if int(text) < 0:
        raise argparse.ArgumentTypeError("takes a positive number")
    return int(text)


def folder(text: str) -> Path:
    """An absolute path, for workers run in another folder. Links stay as they are named."""
    return Path(os.path.expanduser(text)).absolute()  # Path.expanduser raises for an unknown user


def images(text: str) -> str:
    """Reads --data."""
    return text if text in ("auto", "phantom") else str(folder(text))


def weights(text: str) -> str:
    """Reads --weights."""
    return text if text in ("", "imagenet", "random") else str(folder(text))


def parsed() -> argparse.Namespace:
    """What was typed; a request is refused where it would be left aside. WBC_DATA, which is a part
    of what was typed, becomes absolute too. From here on anything can be printed."""
    print_anything()
    if os.environ.get("WBC_DATA"):
        os.environ["WBC_DATA"] = str(folder(os.environ["WBC_DATA"]))
    p = parser()
    args = p.parse_args()
    alone = next((name for name in ALONE if getattr(args, name)), "")
    wish = _what(Parser())
    named = [a.option_strings[0] for a in wish if getattr(args, a.dest) != a.default]
    named += ["--fresh"] if args.fresh else []
    why, takes = ALONE.get(alone, ("", named))
    if out := [flag for flag in named if flag not in takes]:
        p.error(f"--{alone} {why}: leave {', '.join(out)} out")
    return args


def parser() -> Parser:
    """The command line."""
    p = Parser(
        prog="runner.py",
        description="Reproduces Liang 2018 (Table 1) and Jane 2022 (Tables I-III) in Keras and "
        "PyTorch and reports claimed beside measured.",
        epilog="Exit codes: 0 all done, 1 a run failed, 2 a wrong request or a full disk.",
    )
    _what(p.add_argument_group("what to run"))
    _where(p.add_argument_group("with what, and where to"))
    instead = p.add_argument_group("instead of running").add_mutually_exclusive_group()
    for name, text in INSTEAD:
        instead.add_argument(f"--{name}", action="store_true", help=text)
    text = "set two output folders side by side: what changed, and whether it is more than noise"
    instead.add_argument("--compare", nargs=2, type=Path, metavar=("A", "B"), help=text)
    return p


def _what(group: argparse._ActionsContainer) -> list[argparse.Action]:
    add = group.add_argument
    return [
        add("--suite", default="", metavar="NAME",
            help="liang, jane, control (ours, in no paper); default: all of the papers'"),
        add("--framework", default="both", choices=["keras", "torch", "both"]),
        add("--variant", nargs="+", default=[], metavar="NAME", help="see --list"),
        add("--protocol", default="", metavar="NAME",
            help="instead of the published one: fixed, fixed-grouped, cv10, cv10-grouped"),
        add("--profile", default="", metavar="NAME",
            help="paper (default on a GPU), smoke (default on a CPU), laptop (control)"),
        add("--seeds", type=numbers, default=(), metavar="0,1,2"),
        add("--folds", type=numbers, default=(), metavar="0,1", help="of 0 to 9"),
        add("--weights", type=weights, default="", metavar="imagenet|random|DIR",
            help="where CNNs start; DIR holds ImageNet's files (default: smoke random, else "
            "imagenet)"),
        add("--init", default="own", metavar="own|shared",
            help="shared: both twins draw the same random weights"),
        add("--precision", default="float32", metavar="NAME",
            help="float32 (default), tf32 (GPU only) or bfloat16, alike in both twins"),
        add("--set", dest="changes", nargs="+", default=[], metavar="KEY=VALUE",
            help="change assumed values: a sensitivity run, never in the papers' tables"),
        add("--deterministic", action="store_true", help="the same bits every time; slower"),
    ]  # fmt: skip


def _where(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--data", type=images, default="auto", metavar="DIR|phantom|auto",
        help="auto: WBC_DATA, the cache, a download; smoke: else drawn")  # fmt: skip
    add("--gpu", default="auto", metavar="N|auto|none")
    add("--jobs", type=count, default=0, metavar="N",
        help="runs at a time (default 2 on a CPU, 1 on a GPU)")  # fmt: skip
    add("--out", type=folder, default=ROOT / "reports" / "out", metavar="DIR")
    add("--cache", type=folder, metavar="DIR", help="default: the user's cache")
    add("--from", dest="sources", nargs="+", type=folder, default=[], metavar="DIR",
        help="with --report: take in the runs of these output folders first, checked")  # fmt: skip
    add("--fresh", nargs="?", const="all", default="", choices=["all", "stale"],
        help="run again what is done; stale: only what is of another results version")  # fmt: skip
