"""The things that every page has: its place in the menu, the templates' engine, its banners."""

import base64
import hashlib
import pkgutil
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from protocols.files import ROOT
from protocols.papers.recipes import load_profiles
from protocols.spec import RunSpec
from reports.cells.collect import Collected
from reports.cells.settings import WEIGHTS, Setting, scrub
from reports.pages.content import PageRecord
from reports.tables.formats import NAMES

TEMPLATES = ROOT / "reports" / "templates"
PHANTOM = "Drawn, not real cells: tests the machinery, judges no claim."
BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
SOME_PHANTOM = f"{PHANTOM} This holds for the tables that name phantom images."


@cache
def pages() -> list[PageRecord]:
    """Return the record of every page, in the order of the menu.
    A record is the `PAGE` of a module in this folder or in a folder below it; not every module has
    one."""
    package = import_module(__name__.rpartition(".")[0])
    found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    records = (getattr(import_module(one.name), "PAGE", None) for one in found)
    own = (page for page in records if isinstance(page, PageRecord))
    return sorted(own, key=lambda page: page.place)


@dataclass(frozen=True)
class Entry:
    """An entry of the menu: one page, or several under one word."""

    name: str
    pages: list[tuple[str, str]]  # the file and the word of each

    @property
    def file(self) -> str:
        """The file of the first page, to which the entry leads."""
        return self.pages[0][0]

    def holds(self, file: str) -> bool:
        """Return whether a page is one of the entry's."""
        return file in dict(self.pages)


def entries(shown: list[PageRecord]) -> list[Entry]:
    """Return the entries of the menu for these pages, each at the place of its first page."""
    found: dict[str, list[tuple[str, str]]] = {}
    for page in shown:
        found.setdefault(page.group or page.name, []).append((page.file, page.name))
    return [Entry(name, own) for name, own in found.items()]


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


@cache
def inline() -> dict[str, Markup]:
    """Return the `style` and the `script` that stand inline in every page, and the `policy` by
    which no page loads anything or runs a foreign script."""
    style, script = (
        (TEMPLATES / name).read_text(encoding="utf-8") for name in ("style.css", "report.js")
    )
    policy = {
        "default-src": "'none'",
        "style-src": _hash(style),
        "script-src": _hash(script),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    text = "; ".join(f"{key} {value}" for key, value in policy.items())
    return {"style": Markup(style), "script": Markup(script), "policy": Markup(text)}


@cache
def engine() -> Environment:
    """Return the environment that renders the files of templates/ and escapes every text."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= inline()
    return made


def phantom(collected: Collected, shown: list[Setting]) -> str:
    """Return what a page of these settings says of phantom images.
    It is empty where neither the page nor the request has any."""
    planned = any(s.data == "phantom" for s in collected.settings if s.planned)
    some = any(s.data == "phantom" for s in shown)
    if not (planned or some):
        return ""
    whole = shown and all(s.data == "phantom" for s in shown)
    return PHANTOM if whole else SOME_PHANTOM


def of_settings(collected: Collected, shown: list[Setting]) -> list[str]:
    """Return a calm word on every profile shown: what ran, and why it judges no claim, if so."""
    texts = banners([spec for setting in shown for spec in collected.specs(setting)])
    for s in shown:
        if s.profile == "paper" and s.objections:
            texts.append(f"Profile paper, but no claim is judged: {'; '.join(s.objections)}.")
    return list(dict.fromkeys(texts))


def banners(specs: list[RunSpec]) -> list[str]:
    """Return a line for each profile: what it is, and its runs' images, weights, devices and
    backends."""
    profiles, texts = load_profiles(), []
    for name in dict.fromkeys(spec.profile for spec in specs):
        known = profiles[name].about if name in profiles else "not a profile of today's"
        what = known if name == "paper" else f"{known}; it confirms or refutes no printed number"
        places = dict.fromkeys(_place(spec) for spec in specs if spec.profile == name)
        found = [
            f"{place}, {_backends([s for s in specs if (s.profile, _place(s)) == (name, place)])}"
            for place in places
        ]
        size = f"Profile {name}, one of the suite's sizes of a run"
        texts.append(f"{size}: {what}. These runs: {'; '.join(found)}.")
    return texts


def _place(spec: RunSpec) -> str:
    weights = scrub(str(spec.weights["source"]))
    images = "phantom images (drawn)" if spec.data["kind"] == "phantom" else "real images"
    return f"{images}, {WEIGHTS.get(weights, weights)} weights, device {spec.device}"


def _backends(specs: list[RunSpec]) -> str:
    """Return the backends of the runs, as in "Keras on TensorFlow, PyTorch"."""
    pairs = sorted({(spec.framework, spec.backend) for spec in specs})
    return ", ".join(
        NAMES[f] if f == backend else f"{NAMES[f]} on {BACKENDS.get(backend, backend)}"
        for f, backend in pairs
    )
