"""The interventions stage: which models answer which items under which edits."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from eyechart.core.errors import UserError
from eyechart.core.fingerprint import fingerprint
from eyechart.interventions.registry import EDITS, modules
from eyechart.models.spec import Spec
from eyechart.plan import paths
from eyechart.plan.behavior import check_asked, questions, vlm_runs
from eyechart.plan.configuration import Config, canonical
from eyechart.plan.registry import layout_of

SHARED = ("edits", "items", "training", "addresses", "batch_size")


@dataclass(frozen=True)
class InterventionsPlan:
    """The section ``interventions`` of a checked configuration, and the specs of all models."""

    config: Config
    specs: dict[str, Spec]

    def check(self) -> None:
        """Raise a UserError for an unknown dataset or edit, or items that cannot be edited."""
        modules(self.config["interventions"]["edits"])
        check_asked(self.config, "interventions.datasets", self.datasets)
        for dataset in self.datasets:
            if questions(self.config, dataset)["scoring"] == "pmi":
                raise UserError(
                    f"behavior.scoring is 'pmi' for {dataset!r}, expected mean, sum or letter "
                    "where interventions are made"
                )
            if not 0 < (share := self.config["datasets"][dataset]["test_share"]) < 1:
                raise UserError(
                    f"datasets.{dataset}.test_share is {share}, expected more than 0 and less than "
                    "1 where interventions are made: erasers are fitted on other groups"
                )

    @property
    def datasets(self) -> list[str]:
        """The datasets whose items are answered under interventions."""
        return list(self.config["interventions"]["datasets"])

    def runs(self) -> Iterator[tuple[str, str]]:
        """Yield every (model, dataset); only models with a language model are changed."""
        return vlm_runs(self.config, self.specs, self.datasets)

    def settings(self, wildcards: Any) -> str:
        """Return what is done, and the prompts, which are those of ``behavior``."""
        section, behavior = self.config["interventions"], questions(self.config, wildcards.dataset)
        return canonical(
            {
                **{key: section[key] for key in SHARED},
                "options": {name: section[name] for name in section["edits"] if name in section},
                "prompt": behavior["prompt"],
                "choices": "letter" if behavior["scoring"] == "letter" else "text",
                "scoring": behavior["scoring"],
            }
        )

    def effect_settings(self, wildcards: Any) -> str:
        """Return within which difference nothing happens: the verdict's margin."""
        return canonical({"margin": self.config["verdict"]["margin"]})

    def code(self, wildcards: Any) -> str:
        """Return the code hash of the step, of its edits, and of the model's family."""
        names = [name for name in self.config["interventions"]["edits"] if name in EDITS]
        family = f"eyechart.models.families.{self.specs[wildcards.model].family}"
        steps = ["eyechart.interventions.intervene", *modules(names), family]
        return " ".join(map(fingerprint, steps))

    def regions(self, wildcards: Any) -> list[str]:
        """Return a dataset's region table, or nothing where it has none."""
        located = layout_of(self.config, wildcards.dataset).located
        return [paths.REGIONS.rule(dataset=wildcards.dataset)] if located else []

    def tables(self, name: str) -> list[str]:
        """Return the table with this name of every model and dataset."""
        return [paths.INTERVENTIONS.rule(model=m, dataset=d, table=name) for m, d in self.runs()]
