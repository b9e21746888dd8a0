"""What every page has: its name and place in the menu, the templates' engine, its banners."""

from collections.abc import Callable

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from protocols.files import ROOT
from protocols.papers.recipes import load_profiles
from protocols.spec import RunSpec
from reports.cells.collect import Collected
from reports.cells.settings import WEIGHTS, Setting, scrub
from reports.pages.inline import inline
from reports.tables.table import NAMES, Table

AUDIT_PAGE, EVIDENCE_PAGE = "audit.html", "evidence.html"
ACTIVATIONS_PAGE = "activations.html"
ERRORS_PAGE, ASSUMED_PAGE = "errors.html", "assumed.html"
IMAGES_PAGE, LEAKAGE_PAGE = "images.html", "leakage.html"
CONTROL_PAGE, PARITY_PAGE = "control.html", "parity.html"
PAGES = (
    ("index.html", "Overview"),
    ("liang.html", "Liang 2018"),
    ("jane.html", "Jane 2022"),
    (EVIDENCE_PAGE, "Evidence"),
    (ERRORS_PAGE, "Errors"),
    (ACTIVATIONS_PAGE, "Activations"),  # where some run has recorded them
    (LEAKAGE_PAGE, "Leakage"),
    (AUDIT_PAGE, "Arithmetic"),
    (IMAGES_PAGE, "Images"),
    (ASSUMED_PAGE, "Guessed"),
    (CONTROL_PAGE, "On a laptop"),  # where such runs are asked for or found
    (PARITY_PAGE, "Same networks?"),  # where something was measured
    ("runs.html", "Runs"),
    ("speed.html", "Speed"),
    ("environment.html", "Environment"),
)
PHANTOM = "Drawn, not real cells: tests the machinery, judges no claim."
BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
SOME_PHANTOM = f"{PHANTOM} This holds for the tables that name phantom images."


def engine(keep: Callable[[Table], object]) -> Environment:
    """Renders templates/, escaping every text; `keep` is given each table that a page shows."""
    made = Environment(
        loader=FileSystemLoader(ROOT / "reports" / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= inline()
    made.globals["keep"] = lambda table: keep(table) or ""
    return made


def phantom(collected: Collected, shown: list[Setting]) -> str:
    """What a page of these settings says of phantom images; nothing where none are."""
    planned = any(s.data == "phantom" for s in collected.settings if s.planned)
    some = any(s.data == "phantom" for s in shown)
    if not (planned or some):
        return ""
    whole = shown and all(s.data == "phantom" for s in shown)
    return PHANTOM if whole else SOME_PHANTOM


def of_settings(collected: Collected, shown: list[Setting]) -> list[str]:
    """A calm word on every profile shown: what ran, and why it judges no claim if so."""
    texts = banners([spec for setting in shown for spec in collected.specs(setting)])
    for s in shown:
        if s.profile == "paper" and s.objections:
            texts.append(f"Profile paper, but no claim is judged: {'; '.join(s.objections)}.")
    return list(dict.fromkeys(texts))


def banners(specs: list[RunSpec]) -> list[str]:
    """A line for each profile: what it is; images, weights, devices, backends of its runs."""
    profiles, texts = load_profiles(), []
    for name in dict.fromkeys(spec.profile for spec in specs):
        known = profiles[name].about if name in profiles else "not a profile of today's"
        what = known if "no claim" in known or name == "paper" else f"{known}; it tests no claim"
        places = dict.fromkeys(_place(spec) for spec in specs if spec.profile == name)
        found = [
            f"{place}, {_backends([s for s in specs if (s.profile, _place(s)) == (name, place)])}"
            for place in places
        ]
        texts.append(f"Profile {name}: {what}. These runs: {'; '.join(found)}.")
    return texts


def _place(spec: RunSpec) -> str:
    weights = scrub(str(spec.weights["source"]))
    images = "phantom images (drawn)" if spec.data["kind"] == "phantom" else "real images"
    return f"{images}, {WEIGHTS.get(weights, weights)} weights, device {spec.device}"


def _backends(specs: list[RunSpec]) -> str:
    """ "Keras on TensorFlow, PyTorch"."""
    pairs = sorted({(spec.framework, spec.backend) for spec in specs})
    return ", ".join(
        NAMES[f] if f == backend else f"{NAMES[f]} on {BACKENDS.get(backend, backend)}"
        for f, backend in pairs
    )
