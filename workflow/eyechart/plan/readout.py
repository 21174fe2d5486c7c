"""What the rules ask about readouts: which datasets' pictures are kept whole, and read.

Snakemake imports this at parse time, so it needs neither numpy nor torch. A method with the
argument ``wildcards`` is called by Snakemake once per job.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from eyechart.core.errors import UserError
from eyechart.models.spec import Spec
from eyechart.plan import paths
from eyechart.plan.behavior import BehaviorPlan
from eyechart.plan.configuration import Config, canonical, check_known
from eyechart.plan.registry import LAYOUTS

SPANS = ("cls", "image_tokens")
DEPTH_TASK = "depth_order"


@dataclass(frozen=True)
class ReadoutPlan:
    """The section ``readout`` of a checked configuration, and the specs of all models."""

    config: Config
    specs: dict[str, Spec]

    def check(self) -> None:
        """Raise a UserError for a dataset that is not there or has nothing to read."""
        section, known = self.config["readout"], self.config["datasets"]
        for dataset in section["datasets"]:
            check_known("readout.datasets", "dataset", dataset, known)
            if not self._layout(dataset).regions:
                raise UserError(
                    f"readout.datasets: {dataset!r} has the layout "
                    f"{known[dataset]['layout']!r}, which marks no regions; expected one of "
                    f"{', '.join(name for name, layout in LAYOUTS.items() if layout.regions)}"
                )
        if section["depth"] is None:
            return
        check_known("readout.depth", "dataset", section["depth"], known)
        if not self._layout(section["depth"]).depth:
            raise UserError(
                f"readout.depth is {section['depth']!r}, whose layout "
                f"{known[section['depth']]['layout']!r} has no depth maps; expected one of "
                f"{', '.join(name for name, layout in LAYOUTS.items() if layout.depth)}, or null"
            )

    @property
    def datasets(self) -> list[str]:
        """The datasets whose items are read out."""
        return list(self.config["readout"]["datasets"])

    def keeps(self, dataset: str) -> bool:
        """Whether the image tokens of a dataset's pictures are kept, each."""
        return dataset in self.datasets or (bool(self.datasets) and dataset == self._depth)

    def addresses(self) -> list[str]:
        """Where image tokens are kept."""
        return list(self.config["readout"]["addresses"])

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield every (model, dataset) of the exam that is read out."""
        return ((m, d) for d in self.datasets for m in self.config["models"])

    # Slices of settings, each as canonical JSON

    def scoring(self, wildcards: Any) -> str:
        """Give how readouts are scored."""
        return canonical({"bootstrap": self.config["readout"]["bootstrap"]})

    def training(self, wildcards: Any) -> str:
        """Give how depth heads are trained."""
        return canonical(self.config["readout"]["heads"])

    # Paths

    def depth_manifests(self, wildcards: Any) -> list[str]:
        """Give the manifest of the pictures whose depth is known; no question is asked of them."""
        if not self._depth:
            return []
        return [paths.MANIFEST.rule(model=wildcards.model, dataset=self._depth, scope="image")]

    def depth_tables(self, pattern: paths.Pattern) -> list[str]:
        """Give the items or images of the pictures whose depth is known."""
        return [pattern.rule(dataset=self._depth)] if self._depth else []

    @property
    def depth_name(self) -> str:
        """The dataset whose pictures teach depth, or nothing."""
        return self._depth or ""

    def heads(self, wildcards: Any) -> list[str]:
        """Give the depth heads that a dataset's items are read with, if any are."""
        tasks = self._layout(wildcards.dataset).items
        if self._depth is None or DEPTH_TASK not in tasks:
            return []
        return [paths.DEPTH_HEADS.rule(model=wildcards.model)]

    def tables(self, suffix: str = ".parquet") -> list[str]:
        """Give the tables of all readouts, or with another suffix what stands beside them."""
        pattern = paths.READOUTS.beside(suffix)
        return [pattern.rule(model=model, dataset=dataset) for model, dataset in self.pairs()]

    def metrics(self) -> list[str]:
        """Give how far off the depth heads of every model are, where any are trained."""
        wanted = any(DEPTH_TASK in self._layout(dataset).items for dataset in self.datasets)
        models = self.config["models"] if self._depth and wanted else []
        return [paths.DEPTH_ERRORS.rule(model=model) for model in models]

    def answers(self, wildcards: Any) -> list[str]:
        """Give the sighted answers to the same items, if the model is asked about them."""
        return self._asked(wildcards, paths.RESPONSES, condition="sighted")

    def scores(self, wildcards: Any) -> list[str]:
        """Give what they, and the blind ones, score."""
        return self._asked(wildcards, paths.SCORES)

    @property
    def _depth(self) -> str | None:
        found: str | None = self.config["readout"]["depth"]
        return found

    def _asked(self, wildcards: Any, pattern: paths.Pattern, **names: str) -> list[str]:
        model, dataset = wildcards.model, wildcards.dataset
        asked = (model, dataset) in BehaviorPlan(self.config, self.specs).pairs()
        return [pattern.rule(model=model, dataset=dataset, **names)] if asked else []

    def _layout(self, dataset: str) -> Any:
        return LAYOUTS[self.config["datasets"][dataset]["layout"]]
