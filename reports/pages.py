"""What stands on each page: tables and figures in their order, banners, templates."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from protocols.recipes import load_profiles
from protocols.spec import RunSpec
from reports import (
    activations,
    agreement,
    assumed,
    audit,
    environment,
    errors,
    evidence,
    forms,
    images,
    leakage,
    overview,
    paper_tables,
    results,
    runs,
    single,
    speed,
    summary,
)
from reports.benchmarks import Benchmarks
from reports.collect import Collected
from reports.control import control_page
from reports.grid import Page
from reports.groups import WEIGHTS, Setting, scrub
from reports.inline import inline
from reports.papers import LEADS, paper_page
from reports.parity import COMMAND, Ladder
from reports.tables import NAMES, Table
from reports.verdicts import MIN_SEEDS, WIDEST

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
SCHEMA = (
    ("schema_version", f"{results.SCHEMA_VERSION}; raised when a key changes its meaning"),
    ("rules", "level of the intervals, fewest seeds, widest half-width that still decides"),
    ("settings", "what no table mixes: profile, data, weights, device, precision, whether "
     "planned, anything else; backends; objections: why it judges no claim"),
    ("claims", "every claim as printed, and its verdict by setting and twin: word, reason, value "
     "(mean over seeds), half_width of the prediction interval, seeds"),
    ("cells", "one network in one twin: suite (liang, jane, control: ours, no claim is judged from "
     "it); numbers[at][metric] with value, lack (why there is none), "
     "diverged, by_seed; pooled[seed][metric] over the images of all folds together; "
     "intervals[at][metric] on new photographs, over all images of all seeds: low, high, method, "
     "reason (why there is none), value, se, df; at is selected, last, or epoch N of Jane's "
     "Table III; of whole cells also confusion, naive interval, over_folds, selection, "
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


def engine(keep: Callable[[Table], object]) -> Environment:
    """Renders templates/, escaping every text; `keep` is given each table that a page shows."""
    environment_ = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment_.globals |= inline()
    environment_.globals["keep"] = lambda table: keep(table) or ""
    return environment_


def render(
    collected: Collected, measured: Benchmarks, ladder: Ladder | None, out: Path
) -> dict[str, str]:
    """File name -> text of every page; `measured` stands on the speed page, `ladder` on its own.
    `out` has the pictures of overlapping photographs, or hasn't.

    The pages of the control, of the twins' parity and of activations are left out where they would
    be empty.
    """
    written: list[Page] = []
    environment_ = engine(lambda table: written[-1].tables.append(table))
    questions, asked = control_page(collected)
    compared = agreement.blocks(collected)
    left_out = {CONTROL_PAGE} if not asked else set()
    left_out |= {PARITY_PAGE} if ladder is None and not compared else set()
    looks = activations.sections(collected, out)
    left_out |= {ACTIVATIONS_PAGE} if not looks else set()
    pages = [(file, text) for file, text in PAGES if file not in left_out]

    def page(
        template: str, here: str, shown: list[Setting], of: Page | None = None, **content: Any
    ) -> str:
        phantom, banners = _phantom(collected, shown), _banners(collected, shown)
        written.append(of or Page(here, dict(PAGES)[here]))
        written[-1].banners = [*([f"PHANTOM: {phantom}"] if phantom else []), *banners]
        return environment_.get_template(template).render(
            pages=pages, here=here, schema=results.SCHEMA_VERSION, names=NAMES,
            phantom=phantom, banners=banners, **content,
        )  # fmt: skip

    shown = collected.settings
    files = {"index.html": page("index.html.j2", "index.html", shown, **_index(collected))}
    fixed = {"liang": paper_tables.counts_table, "jane": paper_tables.jane_table1}
    for paper in fixed:
        sections, used = paper_page(collected, paper)
        files[f"{paper}.html"] = page(
            "paper.html.j2", f"{paper}.html", used, title=f"{overview.PAPERS[paper]}",
            lead=LEADS[paper], sections=sections, looks=looks and paper == "liang",
            fixed_tables=[fixed[paper]()],
        )  # fmt: skip
    files[EVIDENCE_PAGE] = page(
        "evidence.html.j2", EVIDENCE_PAGE, shown, **evidence.page(collected)
    )
    erring = errors.page(collected, out)
    files[ERRORS_PAGE] = page("errors.html.j2", ERRORS_PAGE, shown, **erring)
    written[-1].lists = erring["lists"]
    if looks:
        files[ACTIVATIONS_PAGE] = page(
            "activations.html.j2", ACTIVATIONS_PAGE, shown, sections=looks
        )
    files[LEAKAGE_PAGE] = page("leakage.html.j2", LEAKAGE_PAGE, shown, **leakage.page(collected))
    files[AUDIT_PAGE] = page("audit.html.j2", AUDIT_PAGE, [], **audit.page())
    files[IMAGES_PAGE] = page("images.html.j2", IMAGES_PAGE, [], **images.page(out))
    tried = [group.setting for group in assumed.tried(collected)]
    files[ASSUMED_PAGE] = page("assumed.html.j2", ASSUMED_PAGE, tried, **assumed.page(collected))
    if CONTROL_PAGE not in left_out:
        files[CONTROL_PAGE] = page(
            "control.html.j2", CONTROL_PAGE, asked, questions=questions,
            profiles=overview.profile_table(asked, whole=True),
        )  # fmt: skip
    if PARITY_PAGE not in left_out:
        files[PARITY_PAGE] = page(
            "parity.html.j2", PARITY_PAGE, shown,
            blocks=compared, shared=agreement.COMMAND,
            ladder=ladder or Ladder(f"Not measured here; {COMMAND} does it."),
        )  # fmt: skip
    files["runs.html"] = page("runs.html.j2", "runs.html", shown, sections=_run_tables(collected))
    for name in dict.fromkeys(group.page for group in collected.groups):
        groups = [group for group in collected.groups if group.page == name]
        found = [(group, runs.blocks(group, collected.jobs)) for group in groups]
        files[name] = page(
            "runset.html.j2", "runs.html", [g.setting for g in groups], sections=found,
            open=sum(len(blocks) for _, blocks in found) <= runs.OPEN,
            of=Page(name, f"Runs: {groups[0].caption}"),
        )  # fmt: skip
    files["speed.html"] = page(
        "speed.html.j2", "speed.html", shown, sections=speed.sections(collected), measured=measured
    )
    files["environment.html"] = page(
        "tables.html.j2", "environment.html", shown, title="Environment",
        lead="What the runs ran on, by which sources, and every run's id.",
        tables=[
            *environment.environments(collected), environment.sources(collected),
            environment.data_sets(collected), environment.run_list(collected),
        ],
    )  # fmt: skip
    files[single.NAME] = single.single(files, pages, environment_)
    return files | forms.files(written)


def _phantom(collected: Collected, shown: list[Setting]) -> str:
    planned = any(s.data == "phantom" for s in collected.settings if s.planned)
    some = any(s.data == "phantom" for s in shown)
    if not (planned or some):
        return ""
    whole = shown and all(s.data == "phantom" for s in shown)
    return PHANTOM if whole else SOME_PHANTOM


def _banners(collected: Collected, shown: list[Setting]) -> list[str]:
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


def _index(collected: Collected) -> dict[str, Any]:
    settings = [s for s in collected.papers if s.as_published]
    shown = [s for s in settings if s.planned or not s.objections] or settings[:1]
    shown = summary.foremost(collected, shown)
    return {
        "summary": summary.summary(collected, shown),
        "ran": overview.ran_table(collected),
        "failures": overview.failures(collected),
        "verdicts": [overview.verdict_table(collected, s, s == shown[0]) for s in shown],
        "deviations": overview.deviations(collected),
        "profiles": overview.profile_table(collected.papers),
        "min_seeds": MIN_SEEDS,
        "widest": WIDEST,
        "schema_words": SCHEMA,
    }


def _run_tables(collected: Collected) -> list[tuple[bool, list[tuple[str, Table]]]]:
    sections = []
    for planned in (True, False):
        groups = [g for g in collected.groups if g.setting.planned == planned]
        if groups:
            sections.append((planned, [(g.page, runs.overview(g)) for g in groups]))
    return sections
