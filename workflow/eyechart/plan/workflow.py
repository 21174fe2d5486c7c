"""The plan of the complete workflow: wildcards, slices of settings, paths, steps and code hashes.

Snakemake imports this module at parse time, so it must not import numpy or torch. Snakemake calls
every method with an argument ``wildcards`` once per job.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from eyechart.core.errors import UserError
from eyechart.core.fingerprint import fingerprint
from eyechart.models.spec import Spec
from eyechart.plan import parts, paths, training
from eyechart.plan.attention import AttentionPlan
from eyechart.plan.behavior import BehaviorPlan
from eyechart.plan.checkpoints import Checkpoints
from eyechart.plan.concepts import ConceptsPlan
from eyechart.plan.configuration import (
    Config,
    by_region,
    canonical,
    check_known,
    check_test_shares,
    one_of,
    probed_datasets,
    scope_of,
    tasks_for,
)
from eyechart.plan.extraction import ExtractionPlan
from eyechart.plan.interventions import InterventionsPlan
from eyechart.plan.layout import Layout
from eyechart.plan.own import OwnPlan
from eyechart.plan.readout import ReadoutPlan
from eyechart.plan.registry import layout_of
from eyechart.plan.saliency import SaliencyPlan
from eyechart.plan.verdict import VerdictPlan


@dataclass(frozen=True)
class WorkflowPlan:
    """A validated configuration and the specs of all models."""

    config: Config
    specs: dict[str, Spec]

    def check(self) -> None:
        """Raise a UserError for anything that cannot run, or for a model that no stage uses."""
        self.checkpoints.check()
        first = (self.own, self.extraction, self.behavior, self.readout, self.concepts)
        more = (self.attention, self.interventions, SaliencyPlan(self.config, self.specs))
        for stage in (*first, *more, self.verdict):
            stage.check()
        check_test_shares(self.config)
        for dataset, settings in self.config["datasets"].items():
            for model in settings.get("models", ()):
                check_known(f"datasets.{dataset}.models", "model", model, self.specs)
        used = {model for stage in (self.behavior, self.readout) for model, _ in stage.runs()}
        for model in self.models:
            probed = any(self._tasks(model, dataset) for dataset in self.probed_datasets)
            if model not in used and not probed:
                raise UserError(
                    f"models: no task applies to {model!r}; list one for its kind "
                    f"({self.specs[model].kind}) under datasets, e.g. tasks: [object_count]"
                )

    @property
    def models(self) -> list[str]:
        """The models under ``models``."""
        return list(self.config["models"])

    @property
    def checkpoints(self) -> Checkpoints:
        """The checkpoints of all models."""
        return Checkpoints(self.config, self.specs)

    @property
    def own(self) -> OwnPlan:
        """The user's own data."""
        return OwnPlan(self.config)

    @property
    def extraction(self) -> ExtractionPlan:
        """The extraction stage."""
        return ExtractionPlan(self.config, self.specs)

    @property
    def behavior(self) -> BehaviorPlan:
        """The behavior stage."""
        return BehaviorPlan(self.config, self.specs)

    @property
    def readout(self) -> ReadoutPlan:
        """The readout stage."""
        return ReadoutPlan(self.config, self.specs)

    @property
    def concepts(self) -> ConceptsPlan:
        """The concepts stage."""
        return ConceptsPlan(self.config, self.specs)

    @property
    def attention(self) -> AttentionPlan:
        """The attention stage."""
        return AttentionPlan(self.config, self.specs)

    @property
    def interventions(self) -> InterventionsPlan:
        """The interventions stage."""
        return InterventionsPlan(self.config, self.specs)

    @property
    def verdict(self) -> VerdictPlan:
        """The verdict stage."""
        return VerdictPlan(self.config, self.specs)

    @property
    def probed_datasets(self) -> list[str]:
        """The probed datasets: those with tasks."""
        return probed_datasets(self.config)

    @property
    def reported_datasets(self) -> list[str]:
        """The datasets that a section of the report reads."""
        stages = (self.behavior, self.readout, self.concepts, self.attention)
        more = (dataset for stage in stages for dataset in stage.datasets)
        return list(dict.fromkeys([*self.probed_datasets, *more]))

    def probing_runs(self) -> Iterator[tuple[str, str]]:
        """Yield every (model, dataset) with a task in the model's scopes."""
        every = ((model, dataset) for dataset in self.probed_datasets for model in self.models)
        return (run for run in every if self._tasks(*run))

    # Patterns of wildcards

    def model_pattern(self, kind: str = "") -> str:
        """Return the wildcard pattern for all models, or those of kind ``encoder`` or ``vlm``."""
        return one_of(m for m, spec in self.specs.items() if kind in ("", spec.kind))

    def dataset_pattern(self, source: str = "") -> str:
        """Return the wildcard pattern matching all datasets, or those from one source."""
        datasets = self.config["datasets"].items()
        return one_of(name for name, d in datasets if source in ("", d["source"]))

    def parted_pattern(self, parted: bool) -> str:
        """Return the wildcard pattern matching the datasets processed in parts, or all others."""
        return parts.pattern(self.config, parted)

    def part_flags(self, work: str = parts.ANSWERS) -> Callable[[Any], str]:
        """Return a param with the flags for the part of a job."""
        return parts.flags(self.config, self.specs, work)

    def region_pattern(self, regions: bool) -> str:
        """Return the wildcard pattern matching datasets whose items have regions, or all others."""
        datasets = self.config["datasets"]
        return one_of(d for d in datasets if layout_of(self.config, d).located is regions)

    # Slices of settings, each as canonical JSON

    def scene_settings(self, wildcards: Any) -> str:
        """Return the settings of one split's images, without the settings of its questions."""
        dataset = self._dataset(wildcards)
        counts = {wildcards.split: dataset["splits"][wildcards.split]}
        rendering = training.rendering_settings(self.config, wildcards.dataset)
        own = _slice(dataset, "shards", "truth", *self._layout(wildcards).scene_keys)
        return canonical({**rendering, **own, "splits": counts})

    def question_settings(self, wildcards: Any) -> str:
        """Return the settings of a rendered dataset's questions."""
        keys = self._layout(wildcards).question_keys
        return canonical(_slice(self._dataset(wildcards), "splits", *keys))

    def acquire_settings(self, wildcards: Any) -> str:
        """Return the parts of a dataset to acquire: ``{"layout": …, "splits": [names]}``."""
        dataset, keys = self._dataset(wildcards), self._layout(wildcards).acquire_keys
        taken = {"layout": dataset["layout"], "splits": sorted(dataset["splits"])}
        return canonical({**taken, **_slice(dataset, *keys)})

    def prepare_settings(self, wildcards: Any) -> str:
        """Return the settings of a dataset's tables."""
        dataset, layout = self._dataset(wildcards), self._layout(wildcards)
        split = {"splits": sorted(dataset["splits"]), "test_share": dataset["test_share"]}
        canvas = {**self.config["canvas"], **dataset.get("canvas", {})} if layout.regions else {}
        return canonical({**split, **canvas, **_slice(dataset, *layout.prepare_keys)})

    def loading_settings(self, wildcards: Any) -> str:
        """Return the loading settings of a model, with its own overrides."""
        shared = {k: v for k, v in self.config["loading"].items() if k != "models"}
        return canonical({**shared, **self.config["loading"]["models"].get(wildcards.model, {})})

    def report_settings(self, *keys: str) -> str:
        """Return the requested settings of the report, or all of them, with the seed and split."""
        more = {"seed": self.config["seed"], "split": self.config["probing"]["split"]}
        report = {**self.config["report"], **more, "unprobed": self.own.unprobed}
        return canonical(_slice(report, *keys) if keys else report)

    def seed(self, wildcards: Any) -> int:
        """Return a dataset's own seed, or the global one."""
        dataset = self._dataset(wildcards)
        return int(dataset["seed"] if "seed" in dataset else self.config["seed"])

    # Paths of inputs

    def shards(self, wildcards: Any) -> list[str]:
        """Return the shards of a rendered dataset, for all splits."""
        dataset = self._dataset(wildcards)
        splits, count = dataset["splits"], dataset["shards"]
        return [
            paths.SHARD.rule(dataset=wildcards.dataset, split=split, shard=f"{n:03d}")
            for split in splits
            for n in range(count)
        ]

    def parts(self, wildcards: Any) -> list[str]:
        """Return the parts of one scope's activations."""
        names = {key: getattr(wildcards, key) for key in ("model", "dataset", "scope")}
        every = parts.names(self.config, self.specs, wildcards, parts.EXTRACTION)
        return [paths.ACTIVATIONS.rule(**names, part=part) for part in every]

    def manifest(self, wildcards: Any) -> str:
        """Return the manifest of the activations in which a task is probed."""
        return self._manifest(wildcards.model, wildcards.dataset, wildcards.task)

    def image_manifest(self, wildcards: Any) -> list[str]:
        """Return the image manifest of an item task whose question types are probed."""
        names = {"model": wildcards.model, "dataset": wildcards.dataset}
        at = (self.config, wildcards.dataset, wildcards.task)
        asked = scope_of(*at) == "item" and not by_region(*at)
        return [paths.MANIFEST.rule(**names, scope="image")] if asked else []

    def scope_manifests(self, wildcards: Any) -> list[str]:
        """Return the manifests of a model on a dataset: of images and, for a VLM, of items."""
        names = {"model": wildcards.model, "dataset": wildcards.dataset}
        scopes = ["image", "item"] if self.specs[wildcards.model].kind == "vlm" else ["image"]
        return [paths.MANIFEST.rule(**names, scope=scope) for scope in scopes]

    def manifests(self) -> list[str]:
        """Return the manifests of all probed activations."""
        runs = self.probing_runs()
        return list({self._manifest(m, d, t): 0 for m, d in runs for t in self._tasks(m, d)})

    def probes(self, suffix: str) -> list[str]:
        """Return the probe tables of all tasks, or the files next to them with another suffix."""
        pattern = paths.PROBES.beside(suffix)
        return [
            pattern.rule(model=model, dataset=dataset, task=task)
            for model, dataset in self.probing_runs()
            for task in self._tasks(model, dataset)
        ]

    # Steps and code

    def step(self, role: str) -> Callable[[Any], str]:
        """Return a param with the step of a dataset's layout for a role (``prepare_step`` etc.)."""

        def step(wildcards: Any) -> str:
            return f"eyechart.{getattr(self._layout(wildcards), role)}"

        return step

    def code_of_step(self, role: str) -> Callable[[Any], str]:
        """Return a param with the code hash of a role's step and of the layout's module."""

        def code(wildcards: Any) -> str:
            module = self._layout(wildcards).module
            steps = [self.step(role)(wildcards), *([f"eyechart.{module}"] if module else [])]
            return " ".join(fingerprint(step) for step in steps)

        return code

    def code_with_family(self, step: str) -> Callable[[Any], str]:
        """Return a param with the code hash of a step and of the family it imports by name."""

        def code(wildcards: Any) -> str:
            family = self.specs[wildcards.model].family
            return f"{fingerprint(step)} {fingerprint(f'eyechart.models.families.{family}')}"

        return code

    def _dataset(self, wildcards: Any) -> Config:
        return dict(self.config["datasets"][wildcards.dataset])

    def _layout(self, wildcards: Any) -> Layout:
        return layout_of(self.config, wildcards.dataset)

    def _tasks(self, model: str, dataset: str) -> list[str]:
        return tasks_for(self.config, self.specs, model, dataset)

    def _manifest(self, model: str, dataset: str, task: str) -> str:
        scope = scope_of(self.config, dataset, task)
        return paths.MANIFEST.rule(model=model, dataset=dataset, scope=scope)


def _slice(settings: Config, *keys: str) -> Config:
    """Return the given keys that are present."""
    return {key: settings[key] for key in keys if key in settings}
