"""The tuning stage: which models are tuned on which tasks, and which parts are trained."""

from collections.abc import Iterator
from typing import Any

from eyechart.core.errors import UserError
from eyechart.plan import paths
from eyechart.plan.behavior import check_asked, check_tasks, check_trainable, check_vlms
from eyechart.plan.checkpoints import ADAPTER
from eyechart.plan.configuration import canonical, one_of
from eyechart.plan.readout import ReadoutPlan
from eyechart.plan.stage import QuestionsPlan
from eyechart.tables.conditions import TRUE
from eyechart.tuning.registry import arms, kinds, runs

# Keys that do not affect training
OF_TABLE = ("tasks", "models", "others", "arms", "prompts", "alpha", "shuffled", "maps")


class TuningPlan(QuestionsPlan):
    """The section ``tuning`` of a validated configuration, and the specs of all models."""

    SECTION = "tuning"

    def check(self) -> None:
        """Raise a UserError for an unknown dataset or task, or for items unsuitable for tuning."""
        check_tasks(self.config, "tuning.tasks", self.tasks)
        check_asked(self.config, "tuning.others", self.section["others"])
        check_vlms(self.specs, "tuning.models", self.section["models"])
        if self.tasks and self.section["eval_every"] > self.section["steps"]:
            raise UserError(
                f"tuning.eval_every is {self.section['eval_every']}, expected at most "
                f"tuning.steps, {self.section['steps']}"
            )
        for dataset in self.tasks:
            why = "they are trained on the other groups"
            check_trainable(self.config, dataset, "where models are tuned", why)

    @property
    def tasks(self) -> dict[str, list[str]]:
        """The tasks that models are tuned on, by dataset."""
        return dict(self.section["tasks"])

    @property
    def datasets(self) -> list[str]:
        """The datasets that models are tuned on."""
        return list(self.tasks)

    @property
    def models(self) -> list[str]:
        """The models that are tuned."""
        return list(dict.fromkeys(model for model, _ in self.runs()))

    def trainings(self) -> list[str]:
        """Return the patterns of all adapters of an arm: the files of each training run."""
        every = runs(self.section)
        return [paths.ADAPTER.rule(training=name, file=file) for name in every for file in ADAPTER]

    def arm_pattern(self) -> str:
        """Return the wildcard pattern that matches arms."""
        return one_of(arms(self.section))

    def task_pattern(self) -> str:
        """Return the wildcard pattern of tasks."""
        return one_of(dict.fromkeys(t for tasks in self.tasks.values() for t in tasks))

    def settings(self, wildcards: Any) -> str:
        """Return the training settings of an arm, with the prompts under ``behavior``."""
        own = {key: value for key, value in self.section.items() if key not in OF_TABLE}
        asked = self.prompts(wildcards.dataset, "prompt", "scoring")
        return canonical(own | asked | {"data": kinds(self.section)})

    def table_settings(self) -> str:
        """Return the significance level of the table's decisions."""
        return canonical({"alpha": self.section["alpha"]})

    def asked(self, wildcards: Any) -> list[str]:
        """Return the tuning dataset, and the datasets used to measure forgetting."""
        return list(dict.fromkeys([wildcards.dataset, *self.section["others"]]))

    def items(self, wildcards: Any) -> list[str]:
        """Return the item tables of the tuning dataset and the datasets that measure forgetting."""
        return [paths.ITEMS.rule(dataset=d) for d in self.asked(wildcards)]

    def images(self, wildcards: Any) -> list[str]:
        """Return the image tables of the same datasets."""
        return [paths.IMAGES.rule(dataset=d) for d in self.asked(wildcards)]

    def answers(self, wildcards: Any) -> list[str]:
        """Return the answers of all arms of a model."""
        return list(self._answers(wildcards.model))

    def readouts(self, wildcards: Any) -> list[str]:
        """Return the readouts of a model on its tuning datasets."""
        done = set(ReadoutPlan(self.config, self.specs).runs())
        own = [d for d in self.tasks if (wildcards.model, d) in done]
        return [paths.READOUTS.rule(model=wildcards.model, dataset=d) for d in own]

    def comparisons(self) -> list[str]:
        """Return the table of every tuned model."""
        return [paths.TUNING.rule(model=model) for model in self.models]

    # Attention before and after

    def map_settings(self, wildcards: Any) -> str:
        """Return the number of items with stored attention, and their prompts."""
        asked = self.prompts(wildcards.dataset, "prompt")
        return canonical(asked | {"maps": self.section["maps"]})

    def adapters(self, wildcards: Any) -> list[str]:
        """Return the adapters of all arms trained on a task's true data."""
        of = {name: getattr(wildcards, name) for name in ("model", "dataset", "task")}
        trainings = [f"{TRUE}-{seed}" for seed in range(self.section["seeds"])]
        return [
            paths.ADAPTER.rule(**of, arm=arm, training=training, file=file)
            for arm in arms(self.section)
            for training in trainings
            for file in ADAPTER
        ]

    def maps(self) -> list[str]:
        """Return the attention tables, before and after tuning, of every model and task."""
        return list(dict.fromkeys(path for model in self.models for path in self._maps(model)))

    def page_tables(self, wildcards: Any) -> list[str]:
        """Return the tables for the page on a model's tuning."""
        of_data = (paths.ITEMS, paths.IMAGES)
        return [
            paths.TUNING.rule(model=wildcards.model),
            *self._maps(wildcards.model),
            *(pattern.rule(dataset=dataset) for dataset in self.tasks for pattern in of_data),
            *self.all_regions(),
        ]

    def _answers(self, model: str) -> Iterator[str]:
        for named in self._tasks(model):
            for arm in arms(self.section):
                yield paths.TUNED.rule(**named, arm=arm, table="answers")

    def _maps(self, model: str) -> list[str]:
        wanted = self.section["maps"] > 0
        return [paths.TUNED_MAPS.rule(**named) for named in self._tasks(model) if wanted]

    def _tasks(self, model: str) -> Iterator[dict[str, str]]:
        for one, dataset in self.runs():
            for task in self.tasks[dataset] if one == model else ():
                yield {"model": model, "dataset": dataset, "task": task}
