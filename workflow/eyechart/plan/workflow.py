"""What the rules ask of a checked configuration: names, paths and the smallest slices of settings.

Snakemake imports this at parse time, so it needs neither numpy nor torch. A method with the
argument ``wildcards`` is called by Snakemake once per job.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyechart.core.errors import UserError
from eyechart.core.fingerprint import fingerprint
from eyechart.models.spec import Spec
from eyechart.plan import paths, training
from eyechart.plan.attention import AttentionPlan
from eyechart.plan.behavior import BehaviorPlan
from eyechart.plan.checkpoints import Checkpoints
from eyechart.plan.concepts import ConceptsPlan
from eyechart.plan.configuration import Config, canonical, examined, one_of, scope_of, tasks_for
from eyechart.plan.readout import SPANS, ReadoutPlan
from eyechart.plan.registry import LAYOUTS, Layout
from eyechart.plan.verdict import VerdictPlan


@dataclass(frozen=True)
class WorkflowPlan:
    """A checked configuration and the specs of all models that there are."""

    config: Config
    specs: dict[str, Spec]

    def check(self) -> None:
        """Raise a UserError for a model that may not run or would not be asked anything."""
        self.checkpoints.check()
        for section in (self.behavior, self.readout, self.concepts, self.attention, self.verdict):
            section.check()
        for dataset in self.datasets:
            share = self.config["datasets"][dataset]["test_share"]
            if share == 1 and self.config["probing"]["split"] == "group":
                raise UserError(
                    f"datasets.{dataset}.test_share is 1, expected less where tasks are probed: "
                    "nothing is left to train on"
                )
        asked = {model for model, _ in self.behavior.pairs()}
        for model in self.models:
            probed = any(self._tasks(model, dataset) for dataset in self.datasets)
            if model not in asked and not probed and not self.readout.datasets:
                raise UserError(
                    f"models: no task is asked of {model!r}; name one for its kind "
                    f"({self.specs[model].kind}) under datasets, e.g. tasks: [object_count]"
                )

    @property
    def models(self) -> list[str]:
        """The examined models."""
        return list(self.config["models"])

    @property
    def checkpoints(self) -> Checkpoints:
        """Where the weights of every model come from."""
        return Checkpoints(self.config, self.specs)

    @property
    def behavior(self) -> BehaviorPlan:
        """Which model is asked about which dataset."""
        return BehaviorPlan(self.config, self.specs)

    @property
    def readout(self) -> ReadoutPlan:
        """What is read out of representations alone."""
        return ReadoutPlan(self.config, self.specs)

    @property
    def concepts(self) -> ConceptsPlan:
        """Which words in colours are compared with colours."""
        return ConceptsPlan(self.config, self.specs)

    @property
    def attention(self) -> AttentionPlan:
        """Which items' attention is traced."""
        return AttentionPlan(self.config, self.specs)

    @property
    def verdict(self) -> VerdictPlan:
        """What verdicts are read from."""
        return VerdictPlan(self.config, self.specs)

    @property
    def datasets(self) -> list[str]:
        """The datasets that are probed: those with tasks."""
        return examined(self.config)

    @property
    def told_of(self) -> list[str]:
        """The datasets that the report tells of: those that any of its sections reads."""
        more = [*self.readout.datasets, *self.concepts.datasets, *self.attention.datasets]
        return list(dict.fromkeys([*self.datasets, *self.behavior.datasets, *more]))

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield every examined (model, dataset): those with a task that the model can be asked."""
        every = ((model, dataset) for dataset in self.datasets for model in self.models)
        return (pair for pair in every if self._tasks(*pair))

    # Patterns of wildcards

    def any_model(self, kind: str = "") -> str:
        """Give the pattern of ``{model}``: all models, or those of kind ``encoder`` or ``vlm``."""
        return one_of(m for m, spec in self.specs.items() if kind in ("", spec.kind))

    def any_dataset(self, source: str = "") -> str:
        """Give the pattern of ``{dataset}``: all datasets, or those from one source."""
        datasets = self.config["datasets"].items()
        return one_of(name for name, d in datasets if source in ("", d["source"]))

    def with_regions(self, has: bool) -> str:
        """Give the pattern of datasets whose layout marks regions, or of all others."""
        datasets = self.config["datasets"].items()
        return one_of(name for name, d in datasets if LAYOUTS[d["layout"]].regions is has)

    # Slices of settings, each as canonical JSON

    def drawing(self, wildcards: Any) -> str:
        """Give the settings of one split's pictures; its questions are not among them."""
        dataset = self._dataset(wildcards)
        counts = {wildcards.split: dataset["splits"][wildcards.split]}
        look = training.look(self.config, wildcards.dataset)
        own = _slice(dataset, "shards", "truth", *self._layout(wildcards).drawing)
        return canonical({**look, **own, "splits": counts})

    def asking(self, wildcards: Any) -> str:
        """Give the settings of a drawn dataset's questions."""
        keys = self._layout(wildcards).asking
        return canonical(_slice(self._dataset(wildcards), "splits", *keys))

    def official(self, wildcards: Any) -> str:
        """Give what to take of a dataset that exists: ``{"layout": …, "splits": [names]}``."""
        dataset, keys = self._dataset(wildcards), self._layout(wildcards).taking
        taken = {"layout": dataset["layout"], "splits": list(dataset["splits"])}
        return canonical({**taken, **_there(dataset, *keys)})

    def preparing(self, wildcards: Any) -> str:
        """Give the settings of a dataset's tables."""
        dataset, layout = self._dataset(wildcards), self._layout(wildcards)
        told = {"splits": list(dataset["splits"]), "test_share": dataset["test_share"]}
        shown = {**self.config["canvas"], **dataset.get("canvas", {})} if layout.regions else {}
        return canonical({**told, **shown, **_there(dataset, *layout.preparing)})

    def extracting(self, wildcards: Any) -> str:
        """Give the settings of an extraction; an encoder reads no prompt, so it depends on none."""
        unread = {} if self.specs[wildcards.model].kind == "vlm" else {"prompt": "{question}"}
        kept = self._kept(wildcards.dataset)
        return canonical({**self.config["extraction"], **kept, **unread})

    def loading(self, wildcards: Any) -> str:
        """Give how a model is brought into memory: what is said of all, and of it."""
        shared = {k: v for k, v in self.config["loading"].items() if k != "models"}
        return canonical({**shared, **self.config["loading"]["models"].get(wildcards.model, {})})

    def reporting(self, *keys: str) -> str:
        """Give of the report's settings the keys named, or all, with what else the page tells."""
        told = {"seed": self.config["seed"], "split": self.config["probing"]["split"]}
        report = {**self.config["report"], **told}
        return canonical(_slice(report, *keys) if keys else report)

    def seed(self, wildcards: Any) -> int:
        """Give a dataset's seed: its own, or the exam's."""
        dataset = self._dataset(wildcards)
        return int(dataset["seed"] if "seed" in dataset else self.config["seed"])

    # Paths of inputs

    def shards(self, wildcards: Any) -> list[str]:
        """Give the shards that a dataset is drawn in, of all splits."""
        dataset = self._dataset(wildcards)
        splits, count = dataset["splits"], dataset["shards"]
        return [
            paths.SHARD.rule(dataset=wildcards.dataset, split=split, shard=f"{n:03d}")
            for split in splits
            for n in range(count)
        ]

    def parts(self, wildcards: Any) -> list[str]:
        """Give the parts of one scope's activations."""
        names = {key: getattr(wildcards, key) for key in ("model", "dataset", "scope")}
        count = self.part_count(wildcards)
        return [paths.ACTIVATIONS.rule(**names, part=f"{n:03d}") for n in range(count)]

    def own_files(self, wildcards: Any) -> list[str]:
        """Give the files of the user's own data, for a change in them to be noticed."""
        layout, path = self._layout(wildcards), Path(self._dataset(wildcards)["path"])
        if not layout.own_tasks or not path.exists():  # what is missing the step says better
            return []
        found = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
        return sorted(p.as_posix() for p in found)

    def part_count(self, wildcards: Any) -> int:
        """Give how many parts a dataset is extracted in."""
        return int(self._dataset(wildcards)["parts"])

    def manifest(self, wildcards: Any) -> str:
        """Give the manifest of the activations that a task is asked of."""
        return self._manifest(wildcards.model, wildcards.dataset, wildcards.task)

    def all_scopes(self, wildcards: Any) -> list[str]:
        """Return the manifests of a model on a dataset: of images, and for a VLM of questions."""
        names = {"model": wildcards.model, "dataset": wildcards.dataset}
        scopes = ["image", "item"] if self.specs[wildcards.model].kind == "vlm" else ["image"]
        return [paths.MANIFEST.rule(**names, scope=scope) for scope in scopes]

    def manifests(self) -> list[str]:
        """Give the manifests of all activations that some task is asked of."""
        found = [self._manifest(m, d, t) for m, d in self.pairs() for t in self._tasks(m, d)]
        return list(dict.fromkeys(found))

    def probes(self, suffix: str) -> list[str]:
        """Give the probe tables, or with another suffix what stands beside them, of all tasks."""
        return [
            path for model, dataset in self.pairs() for path in self._probes(model, dataset, suffix)
        ]

    def probes_of_pair(self, suffix: str) -> Callable[[Any], list[str]]:
        """Give the same as a function of the wildcards model and dataset."""

        def give(wildcards: Any) -> list[str]:
            return self._probes(wildcards.model, wildcards.dataset, suffix)

        return give

    # Steps and code

    def step(self, role: str) -> Callable[[Any], str]:
        """Give the step that a dataset's layout has for a role, such as ``prepares``."""

        def give(wildcards: Any) -> str:
            return f"eyechart.{getattr(self._layout(wildcards), role)}"

        return give

    def code_of_step(self, role: str) -> Callable[[Any], str]:
        """Give the code hash of that step, and of the layout's module, found by name."""

        def give(wildcards: Any) -> str:
            module = self._layout(wildcards).module
            steps = [self.step(role)(wildcards), *([f"eyechart.{module}"] if module else [])]
            return " ".join(fingerprint(step) for step in steps)

        return give

    def code_with_family(self, step: str) -> Callable[[Any], str]:
        """Give the code hash of a step and of the model family that it imports by name."""

        def give(wildcards: Any) -> str:
            family = self.specs[wildcards.model].family
            return f"{fingerprint(step)} {fingerprint(f'eyechart.models.families.{family}')}"

        return give

    def _dataset(self, wildcards: Any) -> Config:
        found: Config = self.config["datasets"][wildcards.dataset]
        return found

    def _kept(self, dataset: str) -> Config:
        """Give the addresses and spans that whoever reads a dataset's activations wants."""
        general, concepts = self.config["extraction"], self.config["concepts"]
        probed = dataset in [*self.datasets, *self.config["mining"]["datasets"]]
        wanted = [(general["addresses"], general["spans"])] if probed else []
        if self.readout.keeps(dataset):
            wanted.append((self.readout.addresses(), list(SPANS)))
        if dataset in concepts["datasets"]:
            wanted.append((concepts["addresses"], concepts["spans"]))
        if not wanted:
            return {}
        addresses = dict.fromkeys(address for some, _ in wanted for address in some)
        spans = dict.fromkeys(span for _, some in wanted for span in some)
        return {"addresses": list(addresses), "spans": list(spans)}

    def _layout(self, wildcards: Any) -> Layout:
        return LAYOUTS[self._dataset(wildcards)["layout"]]

    def _tasks(self, model: str, dataset: str) -> list[str]:
        return tasks_for(self.config, self.specs, model, dataset)

    def _manifest(self, model: str, dataset: str, task: str) -> str:
        scope = scope_of(self.config, dataset, task)
        return paths.MANIFEST.rule(model=model, dataset=dataset, scope=scope)

    def _probes(self, model: str, dataset: str, suffix: str) -> list[str]:
        pattern, tasks = paths.PROBES.beside(suffix), self._tasks(model, dataset)
        return [pattern.rule(model=model, dataset=dataset, task=task) for task in tasks]


def _slice(settings: Config, *keys: str) -> Config:
    return {key: settings[key] for key in keys}


def _there(settings: Config, *keys: str) -> Config:
    """Give those of the keys that are there: what may be left out."""
    return {key: settings[key] for key in keys if key in settings}
