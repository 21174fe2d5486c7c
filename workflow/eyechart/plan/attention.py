"""What the rules ask about attention: which items of which datasets are traced.

Snakemake imports this at parse time, so it needs neither numpy nor torch. A method with the
argument ``wildcards`` is called by Snakemake once per job.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from eyechart.core.errors import UserError
from eyechart.models.spec import Spec
from eyechart.plan import paths
from eyechart.plan.configuration import Config, canonical, check_known
from eyechart.plan.registry import LAYOUTS


@dataclass(frozen=True)
class AttentionPlan:
    """The section ``attention`` of a checked configuration, and the specs of all models."""

    config: Config
    specs: dict[str, Spec]

    def check(self) -> None:
        """Raise a UserError for a dataset that is not there or asks no question about a picture."""
        known = self.config["datasets"]
        for dataset in self.datasets:
            check_known("attention.datasets", "dataset", dataset, known)
            if self._layout(dataset).form != "question":
                raise UserError(
                    f"attention.datasets: {dataset!r} holds statements for encoders, expected "
                    "questions for a language model"
                )

    @property
    def datasets(self) -> list[str]:
        """The datasets of which some items are traced."""
        return list(self.config["attention"]["datasets"])

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield every (model, dataset) of the exam that is traced: models with a language model."""
        models = [m for m in self.config["models"] if self.specs[m].kind == "vlm"]
        return ((m, d) for d in self.datasets for m in models)

    def setting(self, wildcards: Any) -> str:
        """Give which items are traced and how they are put, as when the model answers."""
        own = self.config["behavior"]["by_dataset"].get(wildcards.dataset, {})
        asked = {**self.config["behavior"], **own}
        section = self.config["attention"]
        chosen = {key: section[key] for key in ("items", "pictures", "top")}
        return canonical({**chosen, "prompt": asked["prompt"], "choices": asked["choices"]})

    def summing(self, wildcards: Any) -> str:
        """Give how masses are summed up."""
        return canonical({"draws": self.config["attention"]["bootstrap"]})

    def all_regions(self) -> list[str]:
        """Give the tables of regions of all datasets that are traced."""
        marked = [d for d in dict.fromkeys(d for _, d in self.pairs()) if self._layout(d).regions]
        return [paths.REGIONS.rule(dataset=dataset) for dataset in marked]

    def regions(self, wildcards: Any) -> list[str]:
        """Give a dataset's table of regions, if its layout marks any."""
        marked = self._layout(wildcards.dataset).regions
        return [paths.REGIONS.rule(dataset=wildcards.dataset)] if marked else []

    def tables(self, name: str) -> list[str]:
        """Give one of the tables of all that is traced."""
        return [paths.ATTENTION.rule(model=m, dataset=d, table=name) for m, d in self.pairs()]

    def _layout(self, dataset: str) -> Any:
        return LAYOUTS[self.config["datasets"][dataset]["layout"]]
