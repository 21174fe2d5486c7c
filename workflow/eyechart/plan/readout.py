"""The readout stage: the datasets with image tokens that are stored and read out."""

from typing import Any

from eyechart.core.errors import UserError
from eyechart.core.fingerprint import fingerprint
from eyechart.plan import paths
from eyechart.plan.behavior import BehaviorPlan
from eyechart.plan.configuration import canonical, check_known
from eyechart.plan.looks import LooksPlan
from eyechart.plan.registry import LAYOUTS, layout_of
from eyechart.plan.stage import DatasetsPlan
from eyechart.readout import registry

SPANS = ("cls", "image_tokens")
DEPTH_TASK = "depth_order"


class ReadoutPlan(DatasetsPlan):
    """The section ``readout`` of a validated configuration, and the specs of all models."""

    SECTION = "readout"

    def check(self) -> None:
        """Raise a UserError for a dataset that does not exist or has no readout."""
        section, known = self.section, self.config["datasets"]
        for dataset in section["datasets"]:
            check_known("readout.datasets", "dataset", dataset, known)
            if not layout_of(self.config, dataset).regions:
                raise UserError(
                    f"readout.datasets: {dataset!r} has the layout "
                    f"{known[dataset]['layout']!r}, which marks no regions; expected one of "
                    f"{', '.join(name for name, layout in LAYOUTS.items() if layout.regions)}"
                )
        if section["depth"] is None:
            return
        check_known("readout.depth", "dataset", section["depth"], known)
        if not layout_of(self.config, section["depth"]).depth:
            raise UserError(
                f"readout.depth is {section['depth']!r}, whose layout "
                f"{known[section['depth']]['layout']!r} has no depth maps; expected one of "
                f"{', '.join(name for name, layout in LAYOUTS.items() if layout.depth)}, or null"
            )

    @property
    def depth_dataset(self) -> str:
        """The dataset that depth heads are trained on, or an empty string."""
        found: str = self.section["depth"] or ""
        return found

    def stores_image_tokens(self, dataset: str) -> bool:
        """Return whether every image token of a dataset's images is stored."""
        return dataset in self.datasets or (bool(self.datasets) and dataset == self.depth_dataset)

    def addresses(self) -> list[str]:
        """Return the addresses whose image tokens are stored."""
        return list(self.section["addresses"])

    # Slices of settings, each as canonical JSON

    def head_settings(self, wildcards: Any) -> str:
        """Return the training settings of depth heads."""
        return canonical(self.section["heads"])

    def code(self, wildcards: Any) -> str:
        """Return the code hash of the step and of the readouts that it finds by name."""
        tasks = layout_of(self.config, wildcards.dataset).item_tasks
        return " ".join(map(fingerprint, ["eyechart.readout.read_out", *registry.modules(tasks)]))

    # Paths

    def depth_manifests(self, wildcards: Any) -> list[str]:
        """Return the manifest of the images with depth maps; they have no questions."""
        if not self.depth_dataset:
            return []
        names = {"model": wildcards.model, "dataset": self.depth_dataset}
        return [paths.MANIFEST.rule(**names, scope="image")]

    def depth_tables(self, pattern: paths.Pattern) -> list[str]:
        """Return the item or image table of the images with depth maps."""
        return [pattern.rule(dataset=self.depth_dataset)] if self.depth_dataset else []

    def heads(self, wildcards: Any) -> list[str]:
        """Return the depth heads that read a dataset's items, if any."""
        tasks = layout_of(self.config, wildcards.dataset).item_tasks
        if not self.depth_dataset or DEPTH_TASK not in tasks:
            return []
        return [paths.DEPTH_HEADS.rule(model=wildcards.model)]

    def tables(self, suffix: str = ".parquet") -> list[str]:
        """Return the tables of all readouts, or the files next to them with another suffix."""
        pattern = paths.READOUTS.beside(suffix)
        return [pattern.rule(model=model, dataset=dataset) for model, dataset in self.runs()]

    def head_errors(self) -> list[str]:
        """Return the test errors of all models' depth heads, if any are trained."""
        runs = self.runs() if self.depth_dataset else ()
        models = [m for m, d in runs if DEPTH_TASK in layout_of(self.config, d).item_tasks]
        return [paths.DEPTH_ERRORS.rule(model=model) for model in dict.fromkeys(models)]

    def responses(self, wildcards: Any) -> list[str]:
        """Return the model's sighted responses to the same items, if there are any.

        If items are answered in steps, their selection depends on the readouts, so the two cannot
        be compared here. The verdict's table of differences has the same comparisons.
        """
        if LooksPlan(self.config).counts:
            return []
        return self._of_responses(wildcards, paths.RESPONSES, condition="sighted")

    def scores(self, wildcards: Any) -> list[str]:
        """Return the scores of the model's responses under all conditions, if there are any."""
        return self._of_responses(wildcards, paths.SCORES)

    def _of_responses(self, wildcards: Any, pattern: paths.Pattern, **names: str) -> list[str]:
        model, dataset = wildcards.model, wildcards.dataset
        if dataset not in BehaviorPlan(self.config, self.specs).answered(model):
            return []
        return [pattern.rule(model=model, dataset=dataset, **names)]
