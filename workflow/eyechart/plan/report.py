"""The report: the files that each section reads, and its figures."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from eyechart.core.errors import UserError, nearest
from eyechart.core.fingerprint import PACKAGE, fingerprint
from eyechart.plan import paths, training
from eyechart.plan.mining import MiningPlan
from eyechart.plan.saliency import SaliencyPlan
from eyechart.plan.tuning import TuningPlan
from eyechart.plan.workflow import WorkflowPlan
from eyechart.report.files import TABLES, Inputs
from eyechart.report.registry import PAIR, SECTIONS, WHOLE, Figures

SECTION_CODE = "eyechart.report.sections"
TEMPLATES = (".j2", ".css", ".js")


@dataclass(frozen=True)
class ReportPlan:
    """The report of a workflow."""

    workflow: WorkflowPlan
    mining: MiningPlan

    @property
    def saliency(self) -> SaliencyPlan:
        """The saliency stage, read by the report."""
        return SaliencyPlan(self.workflow.config, self.workflow.specs)

    @cached_property
    def tables(self) -> dict[str, list[str]]:
        """The files of every table of the workflow, by name in ``report.files.TABLES``."""
        plan, behavior, readout = self.workflow, self.workflow.behavior, self.workflow.readout
        concepts, attention, verdict = plan.concepts, plan.attention, plan.verdict
        saliency, tuning = self.saliency, TuningPlan(plan.config, plan.specs)
        datasets = [*plan.reported_datasets, *saliency.datasets, *tuning.tasks]
        regions = attention.all_regions() + saliency.all_regions() + tuning.all_regions()
        curves = Inputs(map(Path, training.curves(plan.config)))
        return {
            **{
                name: [TABLES[name][0].rule(dataset=d) for d in dict.fromkeys(datasets)]
                for name in ("items", "images", "receipts")
            },
            "regions": list(dict.fromkeys(regions)),
            "cards": [paths.CARD.rule(model=model) for model in plan.models],
            "manifests": plan.manifests(),
            "probes": plan.probes(".parquet"),
            "predictions": plan.probes(".predictions.parquet"),
            "scores": behavior.scores(),
            "distributions": behavior.scores(".distributions.parquet"),
            "answers": behavior.all_responses(),
            "retrieval": behavior.retrieval(),
            "patterns": behavior.pattern_tables("patterns"),
            "correlations": behavior.pattern_tables("correlations"),
            "pairs": self.mining.files("pairs.parquet"),
            "verdicts": verdict.tables(),
            "classes": verdict.files(paths.CLASSES),
            "differences": verdict.files(paths.DIFFERENCES),
            "readouts": readout.tables(),
            "heads": readout.head_errors(),
            **{name: concepts.tables(name) for name in ("cues", "separation", "projection")},
            "attention": attention.tables("summary"),
            **{name: attention.tables(name) for name in ("lens", "words", "maps")},
            "effects": plan.interventions.tables("effects"),
            "saliency": saliency.tables("summary"),
            "saliency_maps": saliency.tables("maps"),
            "deletions": saliency.tables("curves"),
            "image_use": saliency.image_use(),
            "tuning": tuning.comparisons(),
            "tuning_maps": tuning.maps(),
            "built": [paths.READY.rule(model=m) for m in plan.models if plan.specs[m].built],
            "curves": [str(path) for path in curves.paths("curves")],
            "shipped_curves": [str(path) for path in curves.paths("shipped_curves")],
        }

    @property
    def sections(self) -> list[str]:
        """The names of all sections."""
        return list(SECTIONS)

    @property
    def drawn(self) -> dict[str, Figures]:
        """The figures of every section that has any."""
        return {name: one.figures for name, one in SECTIONS.items() if one.figures}

    def page_inputs(self) -> list[str]:
        """Return every input file of the page, without duplicates."""
        names = (table for section in SECTIONS.values() for table in section.tables)
        return list(dict.fromkeys(path for name in names for path in self.tables[name]))

    def templates(self, *sections: str) -> list[str]:
        """Return templates, style and scripts: the shared ones and those of the given sections."""
        root = PACKAGE / "report"
        folders = [root, *(root / "sections" / name for name in sections)]
        found = [p for folder in folders for p in folder.iterdir() if p.suffix in TEMPLATES]
        here = PACKAGE.parents[1] == Path.cwd().resolve()
        return sorted(str(p.relative_to(PACKAGE.parents[1]) if here else p) for p in found)

    def figure_inputs(self, section: str) -> Callable[[Any], list[str]]:
        """Return the input function for a section's figures."""

        def tables(wildcards: Any) -> list[str]:
            figures = self.drawn[section]
            if figures.per == WHOLE:
                return [path for name in figures.tables for path in self.tables[name]]
            pair = wildcards.model, wildcards.dataset
            found = [path for name in figures.tables for path in self._of(name, *pair)]
            if not self._of(figures.tables[0], *pair):
                known = [" on ".join(one) for one in self._pairs(section)]
                raise UserError(
                    f"figures of {section}: {' on '.join(pair)} is not examined; "
                    f"{nearest(' on '.join(pair), known)}"
                )
            return found

        return tables

    def manifest(self, section: str) -> str:
        """Return the pattern of the manifest of a section's figures."""
        return self._pattern(section).rule(section=section)

    def log(self, section: str) -> str:
        """Return the pattern of the log of drawing a section."""
        return f"<logs>/draw_{section}{'/{dataset}/{model}' if self._by_pair(section) else ''}.log"

    def benchmark(self, section: str) -> str:
        """Return the pattern of the benchmark of drawing a section."""
        return self.log(section).replace("<logs>", "<benchmarks>").replace(".log", ".jsonl")

    def figures(self, section: str) -> dict[str, str]:
        """Return the caption of each figure in Snakemake's own report, by pattern."""
        pattern = paths.FIGURE if self._by_pair(section) else paths.WHOLE_FIGURE
        found = {}
        for name in self.drawn[section].names:
            caption = f"../eyechart/report/sections/{section}/{name.split('_{', 1)[0]}.rst"
            for one in self._named_figures(section, name):
                found[pattern.rule(section=section, figure=one)] = caption
        return found

    def _named_figures(self, section: str, name: str) -> list[str]:
        if "{model}" not in name:
            return [name]
        return [name.format(model=file.names.get("model", "")) for file in self._files(section)]

    def category(self, section: str) -> str:
        """Return the heading of a section's figures in Snakemake's own report."""
        return "{dataset}" if self._by_pair(section) else SECTIONS[section].title

    def labels(self, section: str) -> dict[str, str]:
        """Return the labels of a section's figures in Snakemake's own report."""
        model = "{model}" if self._by_pair(section) else "all"
        return {"model": model, "section": SECTIONS[section].title}

    def subject(self, section: str) -> str:
        """Return the subject of a job's message."""
        pair = "{wildcards.model} on {wildcards.dataset}"
        return pair if self._by_pair(section) else "all models"

    def settings(self, section: str) -> str:
        """Return the settings of a section's figures, as canonical JSON."""
        return self.workflow.report_settings(*self.drawn[section].settings)

    def manifests(self) -> list[str]:
        """Return the figure manifests of all sections whose figures are requested as files."""
        found = []
        for name in self.workflow.config["report"]["figures"]:
            pattern = self._pattern(name)
            if self._by_pair(name):
                pairs = self._pairs(name)
                found += [pattern.rule(section=name, model=m, dataset=d) for m, d in pairs]
            elif self._files(name):
                found.append(pattern.rule(section=name))
        return found

    def figure_code(self, section: str) -> str:
        """Return the code hash for drawing one section, whose charts are imported by name."""
        charts = fingerprint(f"{SECTION_CODE}.{section}.charts")
        return f"{fingerprint('eyechart.report.draw')} {charts}"

    def page_code(self) -> str:
        """Return the code hash of the page and of all sections, which are imported by name."""
        pages = [fingerprint(f"{SECTION_CODE}.{name}.page") for name in SECTIONS]
        return " ".join([fingerprint("eyechart.report.build_report"), *pages])

    def _pattern(self, section: str) -> paths.Pattern:
        return paths.FIGURES if self._by_pair(section) else paths.WHOLE_FIGURES

    def _by_pair(self, section: str) -> bool:
        return self.drawn[section].per == PAIR

    def _files(self, section: str) -> list[Any]:
        tables = self.drawn[section].tables
        names = tables[:1] if self._by_pair(section) else tables
        return Inputs(Path(path) for name in names for path in self.tables[name]).files

    def _pairs(self, section: str) -> list[tuple[str, str]]:
        return list(dict.fromkeys(file.pair for file in self._files(section)))

    def _of(self, table: str, model: str, dataset: str) -> list[str]:
        pairs = ((model, dataset), ("", dataset), (model, ""))
        return [path for pair in pairs for path in self._by_name.get((table, *pair), [])]

    @cached_property
    def _by_name(self) -> dict[tuple[str, str, str], list[str]]:
        found: dict[tuple[str, str, str], list[str]] = {}
        for table, files in self.tables.items():
            for file in Inputs(map(Path, files)).files:
                found.setdefault((table, *file.pair), []).append(str(file.path))
        return found
