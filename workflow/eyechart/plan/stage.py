"""Base classes of stages with a list of datasets in their section of the configuration.

Snakemake imports this module at parse time, so it must not import numpy or torch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from eyechart.models.spec import Spec
from eyechart.plan import paths
from eyechart.plan.behavior import check_asked, form, item_regions, questions
from eyechart.plan.configuration import Config, examines, vlm_runs


@dataclass(frozen=True)
class DatasetsPlan:
    """A section of a validated configuration, and the specs of all models."""

    config: Config
    specs: dict[str, Spec]

    SECTION: ClassVar[str]
    TABLES: ClassVar[paths.Pattern]  # the stage's tables for a model and dataset

    @property
    def section(self) -> Config:
        """The settings of the stage."""
        return dict(self.config[self.SECTION])

    @property
    def datasets(self) -> list[str]:
        """The datasets of the stage."""
        return list(self.section["datasets"])

    def runs(self) -> Iterator[tuple[str, str]]:
        """Yield every (model, dataset) of the stage."""
        every = ((m, d) for d in self.datasets for m in self.config["models"])
        return (run for run in every if examines(self.config, *run))

    def tables(self, name: str) -> list[str]:
        """Return the table called ``name`` for every model and dataset."""
        return [self.TABLES.rule(model=m, dataset=d, table=name) for m, d in self.runs()]


class QuestionsPlan(DatasetsPlan):
    """A stage that prompts models with a language model, as under ``behavior``."""

    def check(self) -> None:
        """Raise a UserError for a dataset that does not exist or has no questions for a VLM."""
        check_asked(self.config, f"{self.SECTION}.datasets", self.datasets)

    def runs(self) -> Iterator[tuple[str, str]]:
        """Yield every (model, dataset) of models with a language model, or of the listed models."""
        chosen = self.section.get("models")
        return vlm_runs(self.config, self.specs, self.datasets, chosen)

    def prompts(self, dataset: str, *keys: str) -> Config:
        """Return the requested settings of a dataset's questions, and the form of their choices."""
        behavior = questions(self.config, dataset)
        return {**{key: behavior[key] for key in keys}, "choices": form(behavior)}

    def regions(self, wildcards: Any) -> list[str]:
        """Return a dataset's region table, or nothing if it has none."""
        return item_regions(self.config, [wildcards.dataset])

    def all_regions(self) -> list[str]:
        """Return the region tables of all datasets of the stage that have one."""
        return item_regions(self.config, self.datasets)
