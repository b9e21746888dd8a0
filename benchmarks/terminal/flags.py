"""Defines the flags of runner.py. Imports nothing slow: --help must not wait for anything."""

import argparse
import errno
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from benchmarks.planning import ranges
from protocols.errors import RequestError, one_line
from protocols.files import ROOT
from protocols.streams import print_anything

# Errors that are no fault of this suite: no room, a limit (ulimit), no permission, a broken disk,
# a path that is too long, links that go in circles
BY_THE_SYSTEM = (
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EMFILE, errno.ENFILE,
    errno.EACCES, errno.EPERM, errno.EIO, errno.ENAMETOOLONG, errno.ELOOP,
)  # fmt: skip
INSTEAD = (
    ("list", "what can be asked for: suites, networks, protocols, profiles"),
    ("plan", "the runs this request means, their time and disk; changes nothing"),
    ("calibrate", "learn how long its runs take here, from short ones that are thrown away"),
    ("parity", "measure, rung by rung, whether the twins are the same networks; some minutes"),
    ("provenance", "find, from pixels alone, which photograph every image shows; some minutes"),
    ("status", "how far the last request into --out is"),
    ("report", "write the report of the last request again"),
    ("validate", "check protocols, every image, every stored run"),
)
# The flags that go without a request of their own: why, and which of a request's flags they take.
ALONE = {
    "report": ("shows the last request into --out, and all that is stored there", ()),
    "status": ("tells of the last request into --out", ()),
    "validate": ("looks at every stored run", ()),
    "compare": ("looks at every stored run", ()),
    "provenance": ("looks at the images", ()),
    "list": ("names everything", ()),
    "parity": ("compares the twins' networks", ("--suite", "--variant", "--set", "--weights")),
}


class Parser(argparse.ArgumentParser):
    """A parser whose error messages are one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"runner.py: {one_line(message)}; see runner.py --help\n")


def typed(read: Callable[..., Any], *limits: Any) -> Callable[[str], Any]:
    """Returns what argparse calls for a flag's word; its error begins with the flag."""

    def checked(text: str) -> Any:
        try:
            return read(text, *limits)
        except RequestError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return checked


def gpu(text: str) -> str:
    """Reads --gpu: "auto", "none", "all", "all:" and a kind, or a number, as nvidia-smi writes
    it."""
    if text in ("auto", "none", "all") or (text.startswith("all:") and text.isprintable()):
        return text
    return str(ranges.whole(text, *ranges.GPUS, "auto, none, all, all:NAME or "))


def images(text: str) -> str:
    """Reads --data: "auto", "phantom" or the path of a folder."""
    return text if text in ("auto", "phantom") else str(ranges.path(text))


def weights(text: str) -> str:
    """Reads --weights: "", "imagenet", "at-hand", "random" or the path of a folder."""
    return text if text in ("", "imagenet", "at-hand", "random") else str(ranges.path(text))


folder = typed(ranges.path)


def open_streams() -> None:
    """Opens on nothing those of the three standard streams that the shell has closed (`2>&-`).
    Without this the next file that is opened would get the stream's number, and with it what C
    libraries or a child print."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_RDWR)  # the lowest free number: the stream's
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8"))


def parsed() -> argparse.Namespace:
    """Returns what was typed. Refuses a request beside a flag that would leave it aside. WBC_DATA,
    a part of what was typed, becomes absolute too. From here on anything can be printed."""
    open_streams()
    print_anything()
    p = parser()
    args = p.parse_args()
    for name in ("WBC_DATA", *(() if args.cache else ("XDG_CACHE_HOME", "HOME"))):
        if os.environ.get(name):
            try:
                path = ranges.path(os.environ[name])
            except RequestError as error:
                p.error(f"{name} {error}")
            if name == "WBC_DATA":
                os.environ[name] = str(path)
    alone = next((name for name in ALONE if getattr(args, name)), "")
    wish = [*_what(Parser()), *_how(Parser())]
    named = [a.option_strings[0] for a in wish if getattr(args, a.dest) != a.default]
    named += ["--fresh"] if args.fresh else []
    why, takes = ALONE.get(alone, ("", named))
    if out := [flag for flag in named if flag not in takes]:
        p.error(f"--{alone} {why}: leave {', '.join(out)} out")
    if args.sources and not args.report:
        p.error("--from goes with --report")
    if args.verbose and not args.plan:
        p.error("--verbose goes with --plan")
    if args.calibrate and (args.ray or args.gpu.startswith("all")):
        p.error("--calibrate measures one device of this machine: leave --ray and --gpu all out")
    return args


def goes_on(args: argparse.Namespace) -> bool:
    """Returns whether the same command goes on where it was interrupted; some begin all anew."""
    return not (args.parity or args.compare or args.fresh == "all")


EXAMPLES = """\
examples:
  python runner.py --list                          what can be asked for
  python runner.py --plan                          what this request would run, and how long
  python runner.py                                 the papers, cut down to minutes, on the CPU
  python runner.py --suite all --gpu 0             the papers as published, on a GPU
  python runner.py --variant xception --seeds 0-2  one network, three seeds
  python runner.py --status                        how far the last request is

The same command goes on where it was interrupted. Exit codes: 0 all done, 1 a run failed, 2 a wrong
request or one that the system refuses, 130 interrupted."""


def parser() -> Parser:
    """Returns the parser of the command line."""
    p = Parser(
        prog="runner.py",
        usage="runner.py [what to run] [how] [where] [instead of running]",
        description="Trains the networks of published papers again, in Keras and in PyTorch, and "
        "reports claimed\nbeside measured.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _what(p.add_argument_group("what to run"))
    _how(p.add_argument_group("how it is trained"))
    _where(p.add_argument_group("with what, and where"))
    group = p.add_argument_group("instead of running")
    group.add_argument(
        "--verbose", action="store_true", help="with --plan: every run and every number"
    )
    instead = group.add_mutually_exclusive_group()
    for name, text in INSTEAD:
        instead.add_argument(f"--{name}", action="store_true", help=text)
    text = "set two output folders side by side: what changed, and whether it is more than noise"
    instead.add_argument("--compare", nargs=2, type=folder, metavar=("A", "B"), help=text)
    return p


def _what(group: argparse._ActionsContainer) -> list[argparse.Action]:
    add = group.add_argument
    return [
        add("--suite", default="", metavar="NAME",
            help="whose networks, see --list: a paper's, or control (ours, in no paper); default: "
            "all of the papers', at laptop control too"),
        add("--framework", default="both", choices=["keras", "torch", "both"],
            help="the twin that computes (default: both)"),
        add("--variant", nargs="+", default=[], metavar="NAME", help="networks; see --list"),
        add("--protocol", default="", metavar="NAME",
            help="instead of the published one: fixed, fixed-grouped, cv10, cv10-grouped"),
        add("--profile", default="", metavar="NAME",
            help="paper (default on a GPU), smoke (default on a CPU) or laptop"),
        add("--seeds", type=typed(ranges.numbers, *ranges.SEEDS), default=(), metavar="0,1,2",
            help="or a range, 0-2"),
        add("--folds", type=typed(ranges.numbers, *ranges.FOLDS), default=(), metavar="0,1",
            help="of 0 to 9, or a range, 0-4"),
    ]  # fmt: skip


def _how(group: argparse._ActionsContainer) -> list[argparse.Action]:
    add = group.add_argument
    return [
        add("--weights", type=typed(weights), default="", metavar="imagenet|at-hand|random|DIR",
            help="where CNNs start; at-hand leaves out those whose ImageNet files aren't here; DIR "
            "holds such files (default: smoke random, laptop at-hand, paper imagenet)"),
        add("--init", default="own", metavar="own|shared",
            help="shared: both twins draw the same random weights"),
        add("--precision", default="float32", metavar="NAME",
            help="float32 (default), tf32 (GPU only) or bfloat16, alike in both twins"),
        add("--set", dest="changes", nargs="+", default=[], metavar="KEY=VALUE",
            help="change assumed values, rates or epochs: a sensitivity run, never in the papers' "
            "tables"),
        add("--deterministic", action="store_true", help="the same bits every time; slower"),
    ]  # fmt: skip


def _where(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--data", type=typed(images), default="auto", metavar="DIR|phantom|auto",
        help="auto: WBC_DATA, the cache, a download; smoke: else drawn")  # fmt: skip
    add("--gpu", type=typed(gpu), default="auto", metavar="N|auto|none|all",
        help="its number, as nvidia-smi has it; auto: the first, if there is one; all: a run on "
        "each, by Ray; all:NAME: on those of this kind")  # fmt: skip
    add("--ray", default="", metavar="auto|ADDRESS",
        help="compute on the nodes of this Ray cluster; auto: the one that runs here")  # fmt: skip
    add("--checkpoints", type=folder, metavar="DIR",
        help="where checkpoints lie: a folder that all nodes see (default: --out)")  # fmt: skip
    add("--jobs", type=typed(ranges.whole, *ranges.JOBS), default=0, metavar="N",
        help="runs at a time (default 2 on a CPU, 1 on a GPU; by Ray all that fit)")  # fmt: skip
    add("--out", type=folder, default=ROOT / "reports" / "out", metavar="DIR",
        help="for runs and the report (default: reports/out)")  # fmt: skip
    add("--cache", type=folder, metavar="DIR", help="default: the user's cache")
    add("--from", dest="sources", nargs="+", type=folder, default=[], metavar="DIR",
        help="with --report: take in the runs of these output folders first, checked")  # fmt: skip
    add("--fresh", nargs="?", const="all", default="", choices=["all", "stale"],
        help="run again what is done; stale: only what is of another results version")  # fmt: skip
