"""The tuning stage: which models are tuned on which tasks, and what of them learns."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from eyechart.core.errors import UserError
from eyechart.core.fingerprint import fingerprint
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
)
from eyechart.plan.checkpoints import ADAPTER
from eyechart.plan.configuration import Config, canonical, one_of, vlm_runs
from eyechart.plan.readout import ReadoutPlan
from eyechart.tables.conditions import TRUE
from eyechart.tuning.registry import arms, kinds, runs

# Keys that do not change a training
OF_TABLE = ("tasks", "models", "others", "arms", "prompts", "alpha", "shuffled", "maps")


@dataclass(frozen=True)
class TuningPlan:
    """The section ``tuning`` of a checked configuration, and the specs of all models."""

    config: Config
    specs: dict[str, Spec]

    def check(self) -> None:
        """Raise a UserError for an unknown dataset or task, or items that cannot be tuned on."""
        check_tasks(self.config, "tuning.tasks", self.tasks)
        check_asked(self.config, "tuning.others", self._section["others"])
        check_vlms(self.specs, "tuning.models", self._section["models"])
        if self.tasks and self._section["eval_every"] > self._section["steps"]:
            raise UserError(
                f"tuning.eval_every is {self._section['eval_every']}, expected at most "
                f"tuning.steps, {self._section['steps']}"
            )
        for dataset in self.tasks:
            why = "they are trained on the other groups"
            check_trainable(self.config, dataset, "where models are tuned", why)

    @property
    def tasks(self) -> dict[str, list[str]]:
        """The tasks that models are tuned on, by dataset."""
        return dict(self._section["tasks"])

    @property
    def models(self) -> list[str]:
        """The models that are tuned."""
        found = vlm_runs(self.config, self.specs, self.tasks, self._section["models"])
        return list(dict.fromkeys(model for model, _ in found))

    def trainings(self) -> list[str]:
        """Return the patterns of all adapters of an arm: its files, per training."""
        every = runs(self._section)
        return [paths.ADAPTER.rule(training=name, file=file) for name in every for file in ADAPTER]

    def arm_pattern(self) -> str:
        """Return the wildcard pattern of arms."""
        return one_of(arms(self._section))

    def task_pattern(self) -> str:
        """Return the wildcard pattern of tasks."""
        return one_of(dict.fromkeys(t for tasks in self.tasks.values() for t in tasks))

    def settings(self, wildcards: Any) -> str:
        """Return how an arm is trained, and the prompts, which are those of ``behavior``."""
        behavior = questions(self.config, wildcards.dataset)
        own = {key: value for key, value in self._section.items() if key not in OF_TABLE}
        asked = {
            "prompt": behavior["prompt"],
            "choices": form(behavior),
            "scoring": behavior["scoring"],
        }
        return canonical(own | asked | {"data": kinds(self._section)})

    def table_settings(self) -> str:
        """Return the level of the table's decisions."""
        return canonical({"alpha": self._section["alpha"]})

    def code(self, wildcards: Any) -> str:
        """Return the code hash of the step and of the model's family."""
        family = f"eyechart.models.families.{self.specs[wildcards.model].family}"
        return " ".join(map(fingerprint, ("eyechart.tuning.tune", family)))

    def asked(self, wildcards: Any) -> list[str]:
        """Return the dataset that is tuned on, and those that show what is forgotten."""
        return list(dict.fromkeys([wildcards.dataset, *self._section["others"]]))

    def items(self, wildcards: Any) -> list[str]:
        """Return the item tables of the dataset and of those that show what is forgotten."""
        return [paths.ITEMS.rule(dataset=d) for d in self.asked(wildcards)]

    def images(self, wildcards: Any) -> list[str]:
        """Return their image tables."""
        return [paths.IMAGES.rule(dataset=d) for d in self.asked(wildcards)]

    def regions(self, wildcards: Any) -> list[str]:
        """Return the table of regions of the dataset that is tuned on, if it has one."""
        return item_regions(self.config, [wildcards.dataset])

    def answers(self, wildcards: Any) -> list[str]:
        """Return the answers of all arms of a model."""
        return list(self._answers(wildcards.model))

    def readouts(self, wildcards: Any) -> list[str]:
        """Return the readouts of a model on the datasets that it is tuned on."""
        done = set(ReadoutPlan(self.config, self.specs).runs())
        own = [d for d in self.tasks if (wildcards.model, d) in done]
        return [paths.READOUTS.rule(model=wildcards.model, dataset=d) for d in own]

    def tables(self) -> list[str]:
        """Return the table of every model that is tuned."""
        return [paths.TUNING.rule(model=model) for model in self.models]

    # Attention before and after

    def map_settings(self, wildcards: Any) -> str:
        """Return how many items' attention is kept, and their prompts."""
        behavior = questions(self.config, wildcards.dataset)
        asked = {"prompt": behavior["prompt"], "choices": form(behavior)}
        return canonical(asked | {"maps": self._section["maps"]})

    def adapters(self, wildcards: Any) -> list[str]:
        """Return the adapters of a task that were trained on true data, of all arms."""
        of = {name: getattr(wildcards, name) for name in ("model", "dataset", "task")}
        trainings = [f"{TRUE}-{seed}" for seed in range(self._section["seeds"])]
        return [
            paths.ADAPTER.rule(**of, arm=arm, training=training, file=file)
            for arm in arms(self._section)
            for training in trainings
            for file in ADAPTER
        ]

    def maps(self) -> list[str]:
        """Return the attention before and after, of every model and task."""
        return list(dict.fromkeys(path for model in self.models for path in self._maps(model)))

    def page_tables(self, wildcards: Any) -> list[str]:
        """Return what the page of a model's tuning shows."""
        of_data = (paths.ITEMS, paths.IMAGES)
        return [
            paths.TUNING.rule(model=wildcards.model),
            *self._maps(wildcards.model),
            *(pattern.rule(dataset=dataset) for dataset in self.tasks for pattern in of_data),
            *self.all_regions(),
        ]

    def all_regions(self) -> list[str]:
        """Return the region tables of all datasets that have one."""
        return item_regions(self.config, self.tasks)

    @property
    def _section(self) -> Config:
        return dict(self.config["tuning"])

    def _answers(self, model: str) -> Iterator[str]:
        for named in self._tasks(model):
            for arm in arms(self._section):
                yield paths.TUNED.rule(**named, arm=arm, table="answers")

    def _maps(self, model: str) -> list[str]:
        wanted = self._section["maps"] > 0
        return [paths.TUNED_MAPS.rule(**named) for named in self._tasks(model) if wanted]

    def _tasks(self, model: str) -> Iterator[dict[str, str]]:
        for one, dataset in vlm_runs(self.config, self.specs, self.tasks):
            for task in self.tasks[dataset] if one == model else ():
                yield {"model": model, "dataset": dataset, "task": task}
