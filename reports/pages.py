"""What stands on each page: tables and figures in their order, banners, templates."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from protocols.recipes import load_profiles
from protocols.spec import PROTOCOLS
from protocols.variants import load_variants
from reports import curves, environment, overview, paper_tables, results, runs, speed
from reports.benchmarks import Benchmarks
from reports.collect import Collected, Group
from reports.groups import WEIGHTS, Setting
from reports.tables import NAMES, Table
from reports.verdicts import MIN_SEEDS, WIDEST

PAGES = (
    ("index.html", "Overview"),
    ("liang.html", "Liang 2018"),
    ("jane.html", "Jane 2022"),
    ("runs.html", "Runs"),
    ("speed.html", "Speed"),
    ("environment.html", "Environment"),
)
PHANTOM = "Drawn, not real cells: tests the machinery, judges no claim."
LEADS = {
    "liang": "Combining convolutional with recurrent networks for blood cell images: seven "
    "networks on 2,487 test images. The epoch is selected on the test images, as the paper's own "
    "numbers imply; the last epoch's accuracy stands beside the selected one's.",
    "jane": "CNN-LSTM and CNN-GRU by ten-fold cross-validation on 500 images a class. The epoch "
    "is selected on the held-out fold, for the paper names no other set.",
}
SCHEMA = (
    ("schema_version", f"{results.SCHEMA_VERSION}; raised when a key changes its meaning"),
    ("rules", "level of the intervals, fewest seeds, widest half-width that still decides"),
    ("settings", "what no table mixes: profile, data, weights, device, precision, whether "
     "planned, anything else; objections: why it judges no claim"),
    ("claims", "every claim as printed, and its verdict by setting and twin: word, reason, value "
     "(mean over seeds), half_width of the prediction interval, seeds"),
    ("cells", "one network in one twin: numbers[at][metric] with value, lack (why there is none), "
     "diverged, by_seed; pooled[seed][metric] over the images of all folds together; at is "
     "selected, last, or epoch N of Jane's Table III"),
    ("runs", "every run asked for or found: spec, state, reason, scores[at][metric], confusion, "
     "timings, env, source digests"),
    ("results.csv", "the same numbers, one a line; scope is run, cell (mean), pooled or timing"),
)  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """A figure with its caption."""

    svg: Markup | None
    caption: str


@dataclass(frozen=True)
class Section:
    """The tables and figures of one group on a paper's page."""

    heading: str
    setting: str
    main: bool
    kind: str
    parts: list[Table | Drawn]


def render(collected: Collected, measured: Benchmarks) -> dict[str, str]:
    """File name -> text of every page; `measured` stands on the speed page."""
    folder = Path(__file__).parent / "templates"
    environment_ = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def page(template: str, here: str, shown: list[Setting], **content: Any) -> str:
        return environment_.get_template(template).render(
            pages=PAGES, here=here, schema=results.SCHEMA_VERSION, names=NAMES,
            phantom=_phantom(collected, shown), banners=_banners(shown), **content,
        )  # fmt: skip

    shown = collected.settings
    files = {"index.html": page("index.html.j2", "index.html", shown, **_index(collected))}
    fixed = {"liang": paper_tables.counts_table, "jane": paper_tables.jane_table1}
    for paper in fixed:
        sections, used = _paper(collected, paper)
        files[f"{paper}.html"] = page(
            "paper.html.j2", f"{paper}.html", used, title=f"{overview.PAPERS[paper]}",
            lead=LEADS[paper], sections=sections,
            fixed_tables=[fixed[paper]()],
        )  # fmt: skip
    files["runs.html"] = page("runs.html.j2", "runs.html", shown, sections=_run_tables(collected))
    for group in collected.groups:
        name = runs.page_name(group)
        found = runs.blocks(group)
        files[name] = page(
            "runset.html.j2", "runs.html", [group.setting], group=group, blocks=found,
            open=runs.OPEN if len(found) <= runs.OPEN else 0,
        )  # fmt: skip
    files["speed.html"] = page(
        "speed.html.j2", "speed.html", shown, sections=_speed(collected), measured=measured
    )
    files["environment.html"] = page(
        "tables.html.j2", "environment.html", shown, title="Environment",
        lead="What the runs ran on, by which sources, and every run's id.",
        tables=[
            *environment.environments(collected), environment.sources(collected),
            environment.data_sets(collected), environment.run_list(collected),
        ],
    )  # fmt: skip
    return files


def _phantom(collected: Collected, shown: list[Setting]) -> str:
    planned = any(s.data == "phantom" for s in collected.settings if s.planned)
    some = any(s.data == "phantom" for s in shown)
    if not (planned or some):
        return ""
    whole = all(s.data == "phantom" for s in shown)
    return PHANTOM if whole else f"{PHANTOM} This holds for the tables that name phantom images."


def _banners(shown: list[Setting]) -> list[str]:
    """A calm word on every profile shown that judges no claim."""
    profiles = load_profiles()
    texts = []
    for name in dict.fromkeys(s.profile for s in shown if s.profile != "paper"):
        weights = sorted({WEIGHTS.get(s.weights, s.weights) for s in shown if s.profile == name})
        known = profiles[name].about if name in profiles else "not a profile of today's"
        what = known if "no claim" in known else f"{known}; it tests no claim"
        texts.append(f"Profile {name}: {what}. Weights: {', '.join(weights)}.")
    for s in shown:
        if s.profile == "paper" and s.objections:
            texts.append(f"Profile paper, but no claim is judged: {'; '.join(s.objections)}.")
    return texts


def _index(collected: Collected) -> dict[str, Any]:
    settings = [s for s in collected.settings if s.as_published]
    shown = [s for s in settings if s.planned or not s.objections] or settings[:1]
    return {
        "headline": [(s, overview.verdict_counts(collected, s)) for s in shown],
        "ran": overview.ran_table(collected),
        "failures": overview.failures(collected),
        "verdicts": [overview.verdict_table(collected, s, s == shown[0]) for s in shown],
        "deviations": overview.deviations(collected),
        "profiles": overview.profile_table(collected),
        "assumed": [overview.assumed_table(p) for p in ("liang", "jane")],
        "min_seeds": MIN_SEEDS,
        "widest": WIDEST,
        "schema_words": SCHEMA,
    }


def _paper(collected: Collected, paper: str) -> tuple[list[Section], list[Setting]]:
    """The paper's own protocol first; other protocols and sensitivity runs below, folded."""
    known = load_variants()
    protocol = "fixed" if paper == "liang" else "cv10"
    own, beside, others, used = [], [], [], []
    for group in collected.groups:
        if not any(known[v].paper == paper for v in group.variants):
            continue
        used.append(group.setting)
        if group.protocol == protocol and group.setting.as_published:
            main = group.setting.planned or not group.setting.objections
            parts = (_liang if paper == "liang" else _jane)(collected, group)
            section = Section("As published", group.caption, main, "Other settings", parts)
            (own if main else beside).append(section)
        else:
            parts = [paper_tables.more_table(group, paper)]
            what = "Beyond the paper"
            others.append(Section(what, group.caption, False, "Never beside the claims", parts))
    return own + beside + others, used


def _liang(collected: Collected, group: Group) -> list[Table | Drawn]:
    slug = group.setting.slug
    spread = "Table 1 as a plot; whiskers span the seeds, where there are several."
    curve = (
        "After Liang's Fig. 6: Xception-LSTM on the test images. Thin: single runs; thick: their "
        "mean, where none is missing."
    )
    return [
        paper_tables.liang_table1(collected, group),
        Drawn(curves.liang_dots(group, f"dots-{slug}"), f"{spread} {group.caption}"),
        paper_tables.more_table(group, "liang"),
        paper_tables.per_class_table(group, "liang"),
        paper_tables.liang_fig6(collected, group),
        Drawn(curves.liang_fig6(group, f"curve-{slug}"), f"{curve} {group.caption}"),
        paper_tables.ordering_table(collected, group, "liang"),
    ]


def _jane(collected: Collected, group: Group) -> list[Table | Drawn]:
    slug = group.setting.slug
    text = "on the held-out folds. Thin: single folds; thick: their mean, where none is missing."
    one = f"After Jane's Fig. 1: accuracy over the epochs, {text} {group.caption}"
    two = f"After Jane's Fig. 2: log loss over the epochs, {text} {group.caption}"
    three = f"After Jane's Fig. 3: Table II as bars; X: no number. {group.caption}"
    return [
        paper_tables.jane_table2(collected, group),
        Drawn(curves.jane_bars(group, f"bars-{slug}"), three),
        paper_tables.jane_table3(collected, group),
        Drawn(curves.jane_figure(group, "accuracy", f"one-{slug}"), one),
        Drawn(curves.jane_figure(group, "loss", f"two-{slug}"), two),
        paper_tables.more_table(group, "jane"),
        paper_tables.per_class_table(group, "jane"),
        paper_tables.ordering_table(collected, group, "jane"),
    ]


def _run_tables(collected: Collected) -> list[tuple[bool, list[tuple[str, Table]]]]:
    sections = []
    for planned in (True, False):
        groups = [g for g in collected.groups if g.setting.planned == planned]
        if groups:
            sections.append((planned, [(runs.page_name(g), runs.overview(g)) for g in groups]))
    return sections


def _speed(collected: Collected) -> list[dict[str, Any]]:
    sections = []
    for setting in collected.settings:
        slots = collected.latency.get(setting, {})
        groups = [g for p in PROTOCOLS if (g := collected.group(setting, p))]
        tables = [speed.claims_table(setting, collected.group(setting, "fixed"), slots)]
        tables += [speed.latency_table(setting, slots)] if slots else []
        tables += [speed.training_table(g) for g in groups]
        sections.append(
            {
                "planned": setting.planned,
                "setting": setting.title,
                "tables": tables if setting.as_published else tables[1:],
                "figure": speed.latency_figure(setting, slots) if slots else None,
                "caption": "One image: filled, warm, from an array; open, cold, from the start "
                "of the process. Dashed: Liang's 3.8 s, on another device.",
            }
        )
    return sections
