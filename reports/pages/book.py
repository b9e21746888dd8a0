"""The pages of a report and what stands on each. Each is made by itself: processes share them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from reports.cells.cell import Group
from reports.cells.collect import Collected
from reports.cells.parallel import spread
from reports.cells.settings import Setting
from reports.data import results
from reports.judging import pairings, shared_starts
from reports.judging.verdicts import MIN_SEEDS, WIDEST
from reports.pages import (
    activations,
    assumed,
    environment,
    images,
    menu,
    one_file,
    runs,
)
from reports.pages.audit import page as audit_page
from reports.pages.control import control_page, is_asked
from reports.pages.errors import page as errors_page
from reports.pages.evidence import page as evidence_page
from reports.pages.leakage import page as leakage_page
from reports.pages.overview import summary
from reports.pages.overview import tables as overview_tables
from reports.pages.papers import tables as papers_tables
from reports.pages.papers.sections import LEADS, paper_page
from reports.pages.parity import pairs
from reports.pages.parity.ladder import COMMAND, Ladder
from reports.pages.speed import page as speed_page
from reports.pages.speed.benchmarks import Benchmarks
from reports.simulations import error_rates
from reports.tables import exports
from reports.tables.grid import Page
from reports.tables.table import NAMES, Table

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


@dataclass(frozen=True)
class Made:
    """A file of the report, and a page's tables in their other forms."""

    file: str
    text: str
    tables: exports.Forms | None = None


Maker = Callable[[], list[Made]]


class Book:
    """The pages of a report; those of the control, of the twins' parity and of activations are left
    out where they would be empty.

    `measured` stands on the speed page, `ladder` on its own; `out` has the pictures of overlapping
    photographs, or hasn't.
    """

    def __init__(
        self, collected: Collected, measured: Benchmarks, ladder: Ladder | None, out: Path
    ) -> None:
        self._collected, self._measured, self._ladder, self._out = collected, measured, ladder, out
        self._shown = collected.settings
        self._compared = bool(shared_starts.pairs(collected.slots))
        self._looks = activations.are_there(collected)
        self._sets: dict[str, list[Group]] = {}
        for group in collected.groups:
            self._sets.setdefault(group.page, []).append(group)
        left_out = {
            menu.CONTROL_PAGE: not is_asked(collected),
            menu.PARITY_PAGE: ladder is None and not self._compared,
            menu.ACTIVATIONS_PAGE: not self._looks,
        }
        self._menu = [(file, text) for file, text in menu.PAGES if not left_out.get(file)]
        self._here = Page("", "")  # whose tables the templates show now
        self._engine = menu.engine(lambda table: self._here.tables.append(table))

    def made(self, *others: Maker) -> list[Made]:
        """Every page, and what `others` make."""
        groups = [group for some in self._sets.values() for group in some]
        blocks = iter(runs.blocks(groups, self._collected.jobs))
        sets = [(name, [(g, next(blocks)) for g in some]) for name, some in self._sets.items()]
        makers = [*others, *self._makers(), *(partial(self._runs, *one) for one in sets)]
        made = spread(_do, makers, self._collected.jobs)
        texts = {one.file: one.text for some in made for one in some if one.tables}
        whole = Made(one_file.NAME, one_file.single(texts, self._menu, self._engine))
        return [*(one for some in made for one in some), whole]

    def _makers(self) -> list[Maker]:
        """Of the menu's pages, in its order."""
        makers: dict[str, Maker] = {
            "index.html": self._index,
            "liang.html": partial(self._paper, "liang"),
            "jane.html": partial(self._paper, "jane"),
            menu.EVIDENCE_PAGE: self._evidence,
            menu.ERRORS_PAGE: self._errors,
            menu.ACTIVATIONS_PAGE: self._activations,
            menu.LEAKAGE_PAGE: self._leakage,
            menu.AUDIT_PAGE: self._audit,
            menu.IMAGES_PAGE: self._images,
            menu.ASSUMED_PAGE: self._assumed,
            menu.CONTROL_PAGE: self._control,
            menu.PARITY_PAGE: self._parity,
            "runs.html": self._run_sets,
            "speed.html": self._speed,
            "environment.html": self._environment,
        }
        return [makers[file] for file, _ in self._menu]

    def _page(
        self,
        file: str,
        shown: list[Setting],
        template: str = "",
        name: str = "",
        lists: list[Table] | None = None,
        **content: Any,
    ) -> list[Made]:
        """The page of these settings, by the template of its name; `name`: of one that isn't in the
        menu, but belongs to the runs."""
        phantom = menu.phantom(self._collected, shown)
        banners = menu.of_settings(self._collected, shown)
        above = [*([f"PHANTOM: {phantom}"] if phantom else []), *banners]
        self._here = Page(file, name or dict(self._menu)[file], above, lists=lists or [])
        text = self._engine.get_template(template or f"{file}.j2").render(
            pages=self._menu, here="runs.html" if name else file, names=NAMES,
            schema=results.SCHEMA_VERSION, phantom=phantom, banners=banners, **content,
        )  # fmt: skip
        return [Made(file, text, exports.of_page(self._here))]

    def _index(self) -> list[Made]:
        collected = self._collected
        settings = [s for s in collected.papers if s.as_published]
        shown = [s for s in settings if s.planned or not s.objections] or settings[:1]
        shown = summary.foremost(collected, shown)
        return self._page(
            "index.html", self._shown,
            summary=summary.summary(collected, shown),
            ran=overview_tables.ran_table(collected),
            failures=overview_tables.failures(collected),
            verdicts=[overview_tables.verdict_table(collected, s, s == shown[0]) for s in shown],
            deviations=overview_tables.deviations(collected),
            profiles=overview_tables.profile_table(collected.papers),
            min_seeds=MIN_SEEDS, widest=WIDEST, error_rates=error_rates.summed_up(),
            schema_words=SCHEMA,
        )  # fmt: skip

    def _paper(self, paper: str) -> list[Made]:
        counts = [papers_tables.counts_table()] if paper == "liang" else []
        sections, used = paper_page(self._collected, paper)
        return self._page(
            f"{paper}.html", used, "paper.html.j2", title=overview_tables.PAPERS[paper],
            lead=LEADS[paper], sections=sections, looks=self._looks and paper == "liang",
            fixed_tables=[*counts, papers_tables.cited_table(paper)],
        )  # fmt: skip

    def _evidence(self) -> list[Made]:
        return self._page(menu.EVIDENCE_PAGE, self._shown, **evidence_page.page(self._collected))

    def _errors(self) -> list[Made]:
        return self._page(
            menu.ERRORS_PAGE, self._shown, **errors_page.page(self._collected, self._out)
        )

    def _activations(self) -> list[Made]:
        sections = activations.sections(self._collected, self._out)
        return self._page(menu.ACTIVATIONS_PAGE, self._shown, sections=sections)

    def _leakage(self) -> list[Made]:
        return self._page(menu.LEAKAGE_PAGE, self._shown, **leakage_page.page(self._collected))

    def _audit(self) -> list[Made]:
        return self._page(menu.AUDIT_PAGE, [], **audit_page.page())

    def _images(self) -> list[Made]:
        return self._page(menu.IMAGES_PAGE, [], **images.page(self._out))

    def _assumed(self) -> list[Made]:
        tried = [group.setting for group in pairings.sensitivity_groups(self._collected)]
        return self._page(menu.ASSUMED_PAGE, tried, **assumed.page(self._collected))

    def _control(self) -> list[Made]:
        questions, asked = control_page(self._collected)
        profiles = overview_tables.profile_table(asked, whole=True)
        return self._page(menu.CONTROL_PAGE, asked, questions=questions, profiles=profiles)

    def _parity(self) -> list[Made]:
        return self._page(
            menu.PARITY_PAGE, self._shown, blocks=pairs.blocks(self._collected),
            ladder=self._ladder or Ladder(f"Not measured here; {COMMAND} does it."),
            shared=pairs.COMMAND,
        )  # fmt: skip

    def _run_sets(self) -> list[Made]:
        sections = []
        for planned in (True, False):
            groups = [g for g in self._collected.groups if g.setting.planned == planned]
            if groups:
                sections.append((planned, [(g.page, runs.overview(g)) for g in groups]))
        return self._page("runs.html", self._shown, sections=sections)

    def _runs(self, file: str, found: list[tuple[Group, list[runs.Block]]]) -> list[Made]:
        return self._page(
            file, [group.setting for group, _ in found], "runset.html.j2",
            f"Runs: {found[0][0].caption}", sections=found,
            open=sum(len(blocks) for _, blocks in found) <= runs.OPEN,
        )  # fmt: skip

    def _speed(self) -> list[Made]:
        sections = speed_page.sections(self._collected)
        return self._page("speed.html", self._shown, sections=sections, measured=self._measured)

    def _environment(self) -> list[Made]:
        collected = self._collected
        tables = [
            *environment.environments(collected), environment.sources(collected),
            environment.data_sets(collected), environment.run_list(collected),
        ]  # fmt: skip
        return self._page(
            "environment.html", self._shown, "tables.html.j2", title="Environment",
            lead="What the runs ran on, by which version of this suite, and every run's id.",
            tables=tables,
        )  # fmt: skip


def _do(maker: Maker) -> list[Made]:
    return maker()
