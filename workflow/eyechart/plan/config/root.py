"""The complete configuration, and defaults that depend on other parts of it."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field, model_validator

from eyechart.plan.config.attention import Attention
from eyechart.plan.config.base import (
    UNIQUE,
    Few,
    File,
    Name,
    Names,
    Section,
    Seed,
    Unique,
    nested,
    setting,
)
from eyechart.plan.config.behavior import BehaviorSettings
from eyechart.plan.config.concepts import ConceptsSettings
from eyechart.plan.config.controlled import ControlledSettings
from eyechart.plan.config.datasets import Datasets
from eyechart.plan.config.extraction import Extraction, Loading
from eyechart.plan.config.interventions import InterventionsSettings
from eyechart.plan.config.mining import Mining
from eyechart.plan.config.probing import Probing
from eyechart.plan.config.readout import ReadoutSettings
from eyechart.plan.config.rendering import Canvas, Rendering
from eyechart.plan.config.report import Report
from eyechart.plan.config.saliency import SaliencySection
from eyechart.plan.config.speed import SpeedSection
from eyechart.plan.config.tiny_models import PRETRAIN, TRAINED_ON, TinyModels
from eyechart.plan.config.tuning import TuningSettings
from eyechart.plan.config.verdict import VerdictSettings
from eyechart.plan.layout import Layout

Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]


class RootConfig(Section):
    """The models and datasets to examine, and how."""

    seed: Seed = setting(7, "seed of all randomness: scenes, questions, splits, controls, probes")
    run: Name | None = setting(
        None,
        "a name: results, logs and rendered or unpacked data then go to `runs/<run>/`, separate "
        "from other configurations. Models and downloads are shared",
    )
    threads: Few = setting(
        1,
        "threads per job. Results depend on it, because floating-point sums do. They do not depend "
        "on `--cores`, which only sets how many jobs run at once",
    )
    models: Annotated[list[str], Field(min_length=1), Unique, UNIQUE] = setting(
        ..., "models to examine, each with a file `models/<model>.yaml`"
    )
    checkpoints: dict[Name, File] = setting(
        {},
        "by model, your own folder in Hugging Face layout: `{llava_1_5_7b: /mnt/weights/llava}`; "
        "its files are linked. Other models are pulled from the hub",
    )
    revisions: dict[Name, Commit] = setting(
        {}, "by model, the commit (40 hex digits) to pull instead of the revision in its spec"
    )
    remote_code: Names = setting(
        [],
        "models whose own code, which comes with the checkpoint, may run on your machine. Their "
        "spec must also set `trust_remote_code: true`, and the revision must be a commit, or the "
        "checkpoint must be your own folder",
    )
    datasets: Datasets = setting(..., "datasets by name")
    rendering: Rendering = nested("how rendered scenes look")
    canvas: Canvas = nested("how multiple images and marks are shown")
    loading: Loading = nested("how models are loaded")
    extraction: Extraction = nested("which activations are stored")
    probing: Probing = nested("how probes are trained and tested")
    behavior: BehaviorSettings = nested("questions to models")
    mining: Mining = nested("image pairs that encoders see differently")
    readout: ReadoutSettings = nested("answers from representations alone")
    concepts: ConceptsSettings = nested("coloured words compared with colours")
    attention: Attention = nested("attention of language models")
    interventions: InterventionsSettings = nested("tests of what answers depend on")
    saliency: SaliencySection = nested("which image tokens answers depend on")
    speed: SpeedSection = nested("what running a model costs")
    tuning: TuningSettings = nested("tests of which component has to learn")
    verdict: VerdictSettings = nested("the rules of the verdict")
    report: Report = nested("contents of the report")
    tiny_models: TinyModels = nested("where the tiny models come from")
    controlled: ControlledSettings = nested("how controlled models are trained")

    @model_validator(mode="after")
    def _fill(self) -> "RootConfig":
        """Fill in lists of datasets: by default, all datasets whose layout allows the stage."""
        if self.controlled.data in self.datasets:
            self.datasets[self.controlled.data].tasks = []
        for dataset in self.datasets.values():
            derived = dataset.test_share if self.probing.split == "group" else None
            if dataset.tasks is None:
                tasks = dataset.all_tasks() if derived != 1 else []
                how = self.probing.folds, derived
                dataset.tasks = [task for task in tasks if not dataset.too_few(task, *how)]
        if self.behavior.datasets is None:
            self.behavior.datasets = self._where(_asks)
        if self.readout.datasets is None:
            self.readout.datasets = self._where(lambda layout: layout.regions)
        if self.attention.datasets is None:
            self.attention.datasets = self._where(lambda layout: layout.regions)
        if self.concepts.datasets is None:
            self.concepts.datasets = [d for d in self._named() if self._layout(d) == "stroop"]
        if self.mining.datasets is None:
            probed = [name for name in self._named() if self.datasets[name].tasks]
            self.mining.datasets = probed if self.mining.pairs else []
        if self.readout.depth == "auto":
            self.readout.depth = next(iter(self._where(lambda layout: layout.depth)), None)
        if self.verdict.patterns is None:
            statements = [d for d in self._named() if self._layout(d) == "mmvp_vlm"]
            pairs = [d for d in self._named() if self._layout(d) == "mmvp"]
            self.verdict.patterns = {d: statements[0] for d in pairs if statements}
        return self

    def _named(self) -> list[str]:
        return [name for name in self.datasets if name not in (PRETRAIN, self.controlled.data)]

    def _layout(self, dataset: str) -> str:
        return self.datasets[dataset].layout

    def _where(self, holds: Callable[[Layout], bool]) -> list[str]:
        return [name for name in self._named() if holds(self.datasets[name].LAYOUT)]


def with_defaults(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration as plain data with all defaults; raise pydantic's ValidationError."""
    datasets = config.get("datasets", {})
    if isinstance(datasets, dict) and datasets:
        own = datasets.get(PRETRAIN, {})
        trained_on = {**TRAINED_ON, **own} if isinstance(own, dict) else own
        config = {**config, "datasets": {**datasets, PRETRAIN: trained_on}}
    return RootConfig.model_validate(config).model_dump()


def _asks(layout: Layout) -> bool:
    return bool(layout.item_tasks) or layout.own_tasks or layout.form == "which_image"
