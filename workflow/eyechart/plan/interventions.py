"""The interventions stage: which models answer which items under which edits."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from eyechart.core.fingerprint import fingerprint
from eyechart.interventions.registry import EDITS, modules
from eyechart.models.spec import Spec
from eyechart.plan import paths
from eyechart.plan.behavior import (
    check_asked,
    check_tasks,
    check_trainable,
    check_vlms,
    form,
    item_regions,
    questions,
    vlm_runs,
)
from eyechart.plan.configuration import Config, canonical

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
            why = "erasers are fitted on other groups"
            check_trainable(self.config, dataset, "where interventions are made", why)
        section = self.config["interventions"]
        check_tasks(self.config, "interventions.tasks", section["tasks"])
        check_vlms(self.config, self.specs, "interventions.models", section["models"])

    @property
    def datasets(self) -> list[str]:
        """The datasets whose items are answered under interventions."""
        return list(self.config["interventions"]["datasets"])

    def runs(self) -> Iterator[tuple[str, str]]:
        """Yield every (model, dataset); only models with a language model are changed."""
        chosen = self.config["interventions"]["models"]
        return vlm_runs(self.config, self.specs, self.datasets, chosen)

    def settings(self, wildcards: Any) -> str:
        """Return what is done, and the prompts, which are those of ``behavior``."""
        section, behavior = self.config["interventions"], questions(self.config, wildcards.dataset)
        return canonical(
            {
                **{key: section[key] for key in SHARED},
                "tasks": section["tasks"].get(wildcards.dataset),
                "options": {name: section[name] for name in section["edits"] if name in section},
                "prompt": behavior["prompt"],
                "choices": form(behavior),
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
        return item_regions(self.config, [wildcards.dataset])

    def tables(self, name: str) -> list[str]:
        """Return the table with this name of every model and dataset."""
        return [paths.INTERVENTIONS.rule(model=m, dataset=d, table=name) for m, d in self.runs()]
